"""Sentences about tables of accuracies: each test can hold and can fail."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nbsrc.audits.accuracy_statements import (
    SLIGHT,
    audit_at_most,
    audit_both_fall,
    audit_can_raise,
    audit_most,
    audit_numbers,
    audit_ranges,
    audit_strongest_loses_most,
    audit_tradeoff,
)
from nbsrc.audits.accuracy_tables import METHODS, AccuracyTable, Change, changes, read_table

TABLE2, TABLE3, TABLE4 = (read_table(name) for name in ("A.tab2", "A.tab3", "A.tab4"))
POWERS = [10.0**-k for k in range(1, 6)]
RANGES = {"wd": POWERS, "svc": [0.1, 0.5, 1.0, 1.5, 2.0], "l1": POWERS, "li": POWERS}


def run(robust, clean=0, model="m", method="wd", rank=0):
    return Change(model, method, f"{method}{rank}", rank, clean, robust)


@pytest.mark.parametrize(
    ("values", "holds"), [((1, 1, -1), True), ((1, -1), False), ((1, 0), False)]
)
def test_most_means_more_than_half(values, holds) -> None:
    found = audit_most([run(v) for v in values], "robust", 1, "all")
    assert found.holds is holds
    assert (found.counterexample is None) is holds


def test_most_by_group_names_the_group() -> None:
    found = audit_most(changes(TABLE2), "robust", -1, "model")
    assert not found.holds
    assert found.counterexample == "resnet: 7 of 16"
    assert audit_most(changes(TABLE2), "robust", -1, "all").holds
    assert all(
        audit_most(changes(TABLE2), "clean", 1, by).holds for by in ("all", "method", "model")
    )


def test_can_raise() -> None:
    assert audit_can_raise(TABLE2).holds
    low = {("regnet", "clean", c): 91.0 for c in TABLE2.block("li")}
    low |= {("vgg", "clean", c): 90.0 for c in TABLE2.block("li")}
    found = audit_can_raise(TABLE2.planted(low))
    assert not found.holds
    assert "linf norm decay: at most +0.6" in found.counterexample


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


def test_both_fall() -> None:
    assert audit_both_fall([run(-1, clean=-1)]).holds
    assert not audit_both_fall([run(-1, clean=0)]).holds
    strongest = [c for c in changes(TABLE3) if c.rank == 0]
    found = audit_both_fall(strongest)
    assert found.trials == 16
    assert found.counterexample == "resnet, svc0.1: clean -1.3, robust +7.1"
    assert sum(audit_both_fall([c]).holds for c in strongest) == 12


def test_tradeoff_holds_only_where_all_correlations_are_negative() -> None:
    found = audit_tradeoff(TABLE2)
    assert found.counterexample.startswith("vgg: Pearson +0.66, Spearman +0.45")
    turned = {
        cell: 2000 - value if cell[1] == "robust" and cell[0] in {"vgg", "resnet"} else value
        for cell, value in TABLE2.cells.items()
    }
    assert audit_tradeoff(replace(TABLE2, cells=turned)).holds


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
