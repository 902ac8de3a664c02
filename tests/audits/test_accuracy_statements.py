"""Sentences about tables of accuracies: each test can hold and can fail."""

from __future__ import annotations

import pytest

from nbsrc.audits.accuracy_statements import (
    SLIGHT,
    audit_at_most,
    audit_can_lower_slightly,
    audit_can_raise,
    audit_majorities,
    audit_majority,
    audit_numbers,
    audit_ranges,
    audit_strongest_loses_most,
    both_fall,
    clean_rises,
    robust_falls,
    robust_is_close,
)
from nbsrc.audits.accuracy_tables import METHODS, AccuracyTable, Change, changes, read_table
from nbsrc.audits.finding import merge

TABLE2, TABLE3, TABLE4 = (read_table(name) for name in ("A.tab2", "A.tab3", "A.tab4"))
POWERS = [10.0**-k for k in range(1, 6)]
RANGES = {"wd": POWERS, "svc": [0.1, 0.5, 1.0, 1.5, 2.0], "l1": POWERS, "li": POWERS}


def run(robust: int, clean: int = 0, model: str = "m", method: str = "wd", rank: int = 0) -> Change:
    return Change(model, method, f"{method}{rank}", rank, clean, robust)


@pytest.mark.parametrize(
    ("values", "holds"), [((1, 1, -1), True), ((1, -1), False), ((1, 0), False)]
)
def test_a_majority_is_more_than_half(values: tuple[int, ...], holds: bool) -> None:
    found = audit_majority([run(0, clean=v) for v in values], clean_rises, "all")
    assert found.holds is holds
    assert (found.counterexample is None) is holds
    assert found.worst_slack is not None
    assert (found.worst_slack >= 0) is holds


def test_a_majority_by_group_names_the_group() -> None:
    found = audit_majority(changes(TABLE2), robust_falls, "model")
    assert not found.holds
    assert found.counterexample == "resnet: 7 of 16"
    assert audit_majority(changes(TABLE2), robust_falls, "all").holds


def test_majorities_are_asked_of_all_groupings() -> None:
    assert audit_majorities(changes(TABLE2), clean_rises).holds
    found = audit_majorities(changes(TABLE2), robust_falls)
    assert not found.holds
    assert found.trials == 1 + 4 + 4
    assert found.counterexample == "l1 norm decay: 8 of 16; resnet: 7 of 16"
    assert not audit_majorities([], robust_falls).holds


def test_majorities_agree_with_each_grouping() -> None:
    for says in (clean_rises, robust_falls, both_fall, robust_is_close):
        for table in (TABLE2, TABLE3, TABLE4):
            parts = [audit_majority(changes(table), says, by) for by in ("all", "model", "method")]
            whole = audit_majorities(changes(table), says)
            assert whole.holds is all(part.holds for part in parts)
            assert whole.worst_slack == merge(*parts).worst_slack


def test_what_sentences_say_of_a_run() -> None:
    assert both_fall(run(-1, clean=-1))
    assert not both_fall(run(-1, clean=0))
    assert not both_fall(run(0, clean=-1))
    assert robust_is_close(run(50))
    assert robust_is_close(run(-50))
    assert not robust_is_close(run(51))
    assert not robust_is_close(run(-51))
    assert not robust_falls(run(0))
    assert not clean_rises(run(-1, clean=0))


def test_the_trade_off_is_a_majority_of_all_cells_only() -> None:
    rising = [c for c in changes(TABLE2) if clean_rises(c)]
    assert audit_majority(rising, robust_falls, "all").holds
    found = audit_majorities(rising, robust_falls)
    assert found.counterexample == "l1 norm decay: 4 of 12; resnet: 4 of 10"
    others = [c for c in rising if c.model != "resnet" and c.method != "l1"]
    assert audit_majorities(others, robust_falls).holds
    rest = [c for c in changes(TABLE2) if not clean_rises(c)]
    assert sum(robust_falls(c) for c in rest) == 14
    assert len(rest) == 21


def test_what_the_text_says_of_the_colours_of_table3() -> None:
    weaker = [c for c in changes(TABLE3) if c.rank > 0]
    strongest = [c for c in changes(TABLE3) if c.rank == 0]
    assert all(robust_falls(c) for c in changes(TABLE3) if c.model == "regnet")
    assert all(robust_falls(c) for c in weaker if c.rank == 1)
    assert sum(clean_rises(c) for c in weaker) == 43
    assert not any(clean_rises(c) for c in strongest)
    assert max(abs(c.clean) for c in weaker) == 28


def test_can_raise() -> None:
    assert audit_can_raise(TABLE2).holds
    low = {("regnet", "clean", c): 91.0 for c in TABLE2.block("li")}
    low |= {("vgg", "clean", c): 90.0 for c in TABLE2.block("li")}
    found = audit_can_raise(TABLE2.planted(low))
    assert not found.holds
    assert "linf norm decay: at most +0.6" in found.counterexample


def test_can_lower_slightly() -> None:
    assert audit_can_lower_slightly(TABLE2).holds
    big = {(m, "robust", c): 20.0 for m in TABLE2.models for c in TABLE2.block("svc")}
    found = audit_can_lower_slightly(TABLE2.planted(big))
    assert not found.holds
    assert found.counterexample == "singular value clipping: no such run"
    plain = {
        (m, "robust", c): TABLE2.cells[m, "robust", "plain"] / 10 - 0.5
        for m in TABLE2.models
        for c in TABLE2.block("l1")
    }
    found = audit_can_lower_slightly(TABLE2.planted(plain))  # less than two standard errors
    assert found.counterexample == "l1 norm decay: no such run"


def test_at_most_finds_the_largest_violation() -> None:
    found = audit_at_most(changes(TABLE2), loss=SLIGHT)
    assert not found.holds
    assert found.counterexample == "resnet, li 1e-2: -17.0"
    assert audit_at_most(changes(TABLE2), loss=17.0, gain=6.2).holds
    assert not audit_at_most(changes(TABLE2), loss=17.0, gain=6.1).holds


def test_the_strongest_of_table2_loses_most_that_of_table3_does_not() -> None:
    assert audit_strongest_loses_most(changes(TABLE2)).holds
    found = audit_strongest_loses_most(changes(TABLE3))
    assert not found.holds
    assert "singular value clipping: mean -2.1 at the strongest, -6.4" in found.counterexample
    mixed = [audit_strongest_loses_most(changes(TABLE2.shuffled(s))).holds for s in range(100)]
    assert sum(mixed) <= 3  # by chance one in 4^4


def test_the_strongest_lower_both_in_most_cells_but_not_in_every_group() -> None:
    strongest = [c for c in changes(TABLE3) if c.rank == 0]
    assert sum(both_fall(c) for c in strongest) == 12
    found = audit_majorities(strongest, both_fall)
    assert found.counterexample == "singular value clipping: 2 of 4; senet: 2 of 4"


def test_ranges() -> None:
    assert audit_ranges(TABLE3, RANGES).holds
    assert audit_ranges(TABLE2, RANGES, skip_strongest=True).holds
    assert not audit_ranges(TABLE2, RANGES).holds
    assert "weight decay: []" in audit_ranges(TABLE4, RANGES).counterexample
    swapped = AccuracyTable("x", ("plain", *reversed(TABLE3.columns[1:])), TABLE3.cells)
    assert not audit_ranges(swapped, RANGES).holds
    assert set(RANGES) == set(METHODS)


def test_numbers_are_compared_to_one_decimal() -> None:
    assert audit_numbers({"a": 1.3, "b": 4}, {"a": 1.26, "b": 4, "c": 9}).holds
    found = audit_numbers({"a": 1.3}, {"a": 1.24})
    assert found.counterexample == "a: stated 1.3, computed 1.24"
