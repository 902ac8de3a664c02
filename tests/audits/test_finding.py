"""The worst slack of all cases and the smallest violation; several findings as one."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbsrc.audits.finding import brief, collect, merge
from nbsrc.claims import Finding


def test_no_case_is_no_evidence() -> None:
    found = collect([], tolerance=0, family="none")
    assert not found.holds
    assert found.trials == 0
    assert found.worst_slack is None
    assert found.counterexample is None


@given(
    st.lists(st.tuples(st.floats(-2, 2), st.tuples(st.integers(0, 3), st.integers(0, 3)))),
    st.sampled_from([0.0, 0.5]),
)
def test_against_a_sort(cases: list[tuple[float, tuple[int, int]]], tolerance: float) -> None:
    described = [(slack, size, n) for n, (slack, size) in enumerate(cases)]
    found = collect(iter(described), tolerance=tolerance, family="f")
    wrong = sorted((size, n) for slack, size, n in described if slack < -tolerance)
    assert found.trials == len(cases)
    assert found.holds == (bool(cases) and not wrong)
    assert found.counterexample == (wrong[0][1] if wrong else None)
    assert found.worst_slack == (min(s for s, _ in cases) if cases else None)
    assert found.family == "f"


def test_the_tolerance_is_a_slack_below_it() -> None:
    assert collect([(-1e-9, (1,), "x")], tolerance=1e-9, family="f").holds
    assert not collect([(-1.1e-9, (1,), "x")], tolerance=1e-9, family="f").holds
    assert not collect([(-5e-324, (1,), "x")], tolerance=0, family="f").holds


def test_nan_and_negative_tolerance() -> None:
    with pytest.raises(ValueError, match="got NaN for case 7"):
        collect([(0.0, (1,), "fine"), (math.nan, (1,), "case 7")], tolerance=0, family="f")
    with pytest.raises(ValueError, match="tolerance must not be negative, got -1"):
        collect([], tolerance=-1, family="f")


def test_brief() -> None:
    assert brief(Finding(True, 0.0, 1)) == "none"
    assert brief(Finding(False, -1.0, 1, counterexample="a case")) == "a case"
    example = {"n": 3, "weight": [1.0, -0.33333], "of": "2x1"}
    assert (
        brief(Finding(False, -1.0, 1, counterexample=example)) == "n 3, weight [1, -0.3333], of 2x1"
    )


FAMILIES = st.lists(
    st.lists(st.tuples(st.sampled_from([-1.0, -0.25, 0.0, 0.5]), st.integers(0, 9)), max_size=4),
    min_size=1,
    max_size=4,
)


@given(FAMILIES)
def test_merge_against_all_cases_together(families: list[list[tuple[float, int]]]) -> None:
    parts = [
        collect([(slack, (size,), (n, size)) for slack, size in cases], tolerance=0, family=str(n))
        for n, cases in enumerate(families)
    ]
    found = merge(*parts)
    everything = [slack for cases in families for slack, _ in cases]
    assert found.trials == len(everything)
    assert found.worst_slack == min(everything, default=None)
    # a family without a case is no evidence, also beside others
    assert found.holds == all(cases and min(cases)[0] >= 0 for cases in families)
    violations = [
        (n, min(size for slack, size in cases if slack < 0))
        for n, cases in enumerate(families)
        if any(slack < 0 for slack, _ in cases)
    ]
    assert found.counterexample == (violations[0] if violations else None)
    assert found.family == "; ".join(str(n) for n in range(len(families)))


def test_merge_of_one_is_that_one() -> None:
    one = Finding(False, -1.0, 3, counterexample={"n": 1}, family="f")
    assert merge(one) == one


def test_merge_keeps_a_counterexample_that_is_zero_or_empty() -> None:
    """None alone says that there is none."""
    lost = Finding(False, -1.0, 1, counterexample=0, family="b")
    assert merge(Finding(True, 0.0, 1, family="a"), lost).counterexample == 0


def test_merge_of_nothing() -> None:
    with pytest.raises(ValueError, match="findings must not be empty"):
        merge()
