"""Comparisons: what counts as an error, and that violations are found."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch

from nbsrc.audits.connections import compare
from nbsrc.audits.connections.instances import Instance, at_margins
from nbsrc.claims import Finding


@pytest.mark.parametrize(
    ("left", "right", "error"),
    [
        (1.0, 1.0, 0.0),
        (1.0, 0.5, 0.5),
        (1.0, -1.0, 2.0),
        (math.nan, 1.0, 1.0),
        (math.inf, math.inf, 0.0),
        (math.inf, 1.0, 1.0),
        (math.inf, -math.inf, 1.0),
    ],
)
def test_relative_error(left: float, right: float, error: float) -> None:
    assert compare.relative_error(left, right) == error


def test_arrays_of_different_shape_are_different() -> None:
    assert compare.relative_error(torch.ones(2, 1), torch.ones(1, 2)) == 1.0
    assert compare.relative_error(torch.zeros(0), torch.zeros(0)) == 0.0


def test_equal_finds_the_smallest_violation() -> None:
    instances = list(at_margins([3.0, 1.0, 2.0]))

    def wrong(x: Instance) -> float:
        return x.margin + (x.margin > 1.5)

    found = compare.audit_equal(
        instances, wrong, lambda x: x.margin, tolerance=1e-12, family="margins"
    )
    assert not found.holds
    assert found.trials == 3
    assert found.counterexample["V"] == [[2.0, 0.0]]
    assert found.counterexample["left"] == 3.0


def at_most(small: float | None, large: float | None) -> Finding:
    """Compare a number with a number on two margins; None stands for the margin."""

    def quantity(value: float | None) -> Callable[[Instance], float]:
        return lambda x: x.margin if value is None else value

    return compare.audit_at_most(
        list(at_margins([1.0, 2.0])), quantity(small), quantity(large), tolerance=0.0, family="m"
    )


def test_at_most() -> None:
    assert at_most(None, math.inf).holds
    assert not at_most(math.inf, None).holds
    assert at_most(None, 1.5).worst_slack == pytest.approx(-0.25)
    assert at_most(math.nan, 1.0).counterexample["left"] == "undefined"


def test_true_and_combine() -> None:
    instances = list(at_margins([1.0, 2.0]))
    assert compare.audit_true(instances, lambda x: x.margin > 0, family="").holds
    found = compare.audit_true(instances, lambda x: x.margin > 1, family="m")
    assert found.counterexample["V"] == [[1.0, 0.0]]
    both = compare.combine(Finding(True, 0.5, 3, family="a"), found)
    assert (both.holds, both.worst_slack, both.trials) == (False, -1.0, 5)
    assert both.family == "a; m"
    assert both.counterexample == found.counterexample


def test_entrywise_error_sees_small_entries() -> None:
    left, right = torch.tensor([1e6, 1.0]), torch.tensor([1e6, 3.0])
    assert compare.relative_error(left, right) < 1e-5
    assert compare.entrywise_error(left, right) == pytest.approx(2 / 3)


def test_rises() -> None:
    assert compare.audit_rises(math.sqrt, [0.5, 1.0, 2.0]).holds
    found = compare.audit_rises(lambda t: -t, [0.5, 1.0, 2.0])
    assert found.counterexample == {"from": 0.5, "to": 1.0}


def test_defined() -> None:
    assert compare.audit_defined(lambda q: q, [0.5, 1.0]).holds
    found = compare.audit_defined(lambda q: 1 / (1 - q) if q < 1 else math.nan, [0.5, 1.0])
    assert found.counterexample == {"at": 1.0}
