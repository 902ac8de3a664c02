"""The printed tables of accuracies as data."""

from __future__ import annotations

import pytest

from nbsrc.audits.accuracy_tables import (
    ACCURACIES,
    FILLED,
    METHODS,
    agreement,
    changes,
    possible,
    read_table,
)

TABLE2, TABLE3, TABLE4, POSTER = (
    read_table(name) for name in ("A.tab2", "A.tab3", "A.tab4", "A.poster.table")
)


def test_cells_are_the_printed_ones_in_tenths() -> None:
    assert TABLE2.cells["vgg", "clean", "plain"] == 904
    assert TABLE2.cells["regnet", "robust", "li_1e-5"] == 306
    assert TABLE3.cells["senet", "clean", "wd1e-1"] == 100
    assert len(TABLE2.cells) == 4 * 2 * 17
    assert len(TABLE3.cells) == 4 * 2 * 21
    assert TABLE4.models == ("vgg", "resnet", "senet", "regnet")


def test_blocks_hold_every_column_but_plain_strongest_first() -> None:
    blocks = [column for method in METHODS for column in TABLE3.block(method)]
    assert blocks == list(TABLE3.columns[1:])
    assert TABLE3.block("svc")[0] == "svc0.1"
    assert TABLE4.block("wd") == ()


def test_changes_are_differences_to_plain_of_the_same_model() -> None:
    found = {(c.model, c.column): c for c in changes(TABLE2)}
    assert len(found) == 64
    worst = found["resnet", "li_1e-2"]
    assert (worst.clean, worst.robust, worst.rank, worst.method) == (-2, -170, 0, "li")
    assert worst.words == "resnet, li 1e-2"


def test_the_three_printings_agree() -> None:
    assert agreement(TABLE2, TABLE3, leave_out=FILLED).trials == 136 - 12
    for found in (
        agreement(TABLE2, TABLE3, leave_out=FILLED),
        agreement(TABLE2, POSTER),
        possible(TABLE3),
        possible(TABLE4),
    ):
        assert found.holds
    assert all(cell in TABLE3.cells for cell in FILLED)
    assert {kind for _, kind, _ in FILLED} == set(ACCURACIES)


def test_one_wrong_digit_is_found() -> None:
    wrong = TABLE3.planted({("senet", "robust", "svc1.0"): 35.7})
    found = agreement(TABLE2, wrong, leave_out=FILLED)
    assert not found.holds
    assert found.worst_slack == pytest.approx(-0.1)
    assert "senet robust svc1.0: 35.6 in A.tab2, 35.7 in A.tab3" in found.counterexample
    assert TABLE3.cells["senet", "robust", "svc1.0"] == 356  # the original is untouched


@pytest.mark.parametrize("value", [94.0, -0.1])
def test_an_impossible_pair_is_found(value) -> None:
    wrong = TABLE4.planted({("senet", "robust", "li_1e-3"): value})
    assert not possible(wrong).holds
    assert "senet li_1e-3" in possible(wrong).counterexample


def test_shuffling_moves_only_robust_cells_of_runs() -> None:
    mixed = TABLE2.shuffled(0)
    assert mixed.cells != TABLE2.cells
    for model in TABLE2.models:
        line = [mixed.cells[model, "robust", c] for c in TABLE2.columns]
        assert line[0] == TABLE2.cells[model, "robust", "plain"]
        assert sorted(line) == sorted(TABLE2.cells[model, "robust", c] for c in TABLE2.columns)
    assert all(mixed.cells[c] == v for c, v in TABLE2.cells.items() if c[1] == "clean")
    assert TABLE2.shuffled(1).cells == TABLE2.shuffled(1).cells


def test_errors() -> None:
    with pytest.raises(ValueError, match=r"must name a table of accuracies, got 'A\.tab1'"):
        read_table("A.tab1")
    with pytest.raises(ValueError, match=r"values must name cells of A\.tab2, got"):
        TABLE2.planted({("vgg", "clean", "wd1e-1"): 1.0})
