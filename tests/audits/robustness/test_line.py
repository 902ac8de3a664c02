"""Piecewise linear functions in fractions, against values worked out by hand and dense samples."""

from __future__ import annotations

from fractions import Fraction

import pytest

from nbsrc.audits.robustness.definition import random_line_cases
from nbsrc.audits.robustness.line import PiecewiseLinear, clipped, nearest_labels

F = Fraction
ROOF = PiecewiseLinear((F(0), F(1), F(3)), (F(0), F(2), F(1)))


@pytest.mark.parametrize(
    ("x", "value"),
    [(-5, 0), (0, 0), (F(1, 4), F(1, 2)), (1, 2), (2, F(3, 2)), (3, 1), (9, 1)],
)
def test_values(x: Fraction, value: Fraction) -> None:
    assert ROOF(F(x)) == value


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (F(1, 4), 2, (F(1, 2), 2)),  # the knot inside is the maximum
        (-3, -1, (0, 0)),
        (1, 1, (2, 2)),
        (2, 8, (1, F(3, 2))),
        (-1, 9, (0, 2)),
    ],
)
def test_ranges(low: Fraction, high: Fraction, expected: tuple[Fraction, Fraction]) -> None:
    assert ROOF.range_on(F(low), F(high)) == expected


def test_one_knot_is_a_constant() -> None:
    g = PiecewiseLinear((F(7),), (F(3),))
    assert g(F(0)) == g(F(7)) == g(F(9)) == 3
    assert g.range_on(F(0), F(9)) == (3, 3)
    assert clipped(g, 2) == PiecewiseLinear((F(7),), (F(2),))


def test_ranges_against_dense_samples() -> None:
    for case in random_line_cases(60, 1):
        low, high = case.x - case.eps, case.x + case.eps
        # quarters meet every knot: knots are whole numbers, the ends are quarters
        sampled = [case.g(low + F(k, 8)) for k in range(int(8 * (high - low)) + 1)]
        assert case.g.range_on(low, high) == (min(sampled), max(sampled))


@pytest.mark.parametrize(
    ("value", "classes", "expected"),
    [
        (F(3, 2), 2, {1, 2}),
        (F(3, 2) + F(1, 100), 2, {2}),
        (F(-4), 3, {1}),
        (F(9), 3, {3}),
        (F(5, 2), 3, {2, 3}),
        (F(100), 1, {1}),
    ],
)
def test_nearest_labels(value: Fraction, classes: int, expected: set[int]) -> None:
    assert nearest_labels(value, classes) == expected


def test_clipped_worked_out_by_hand() -> None:
    """From 0 to 3 over the unit interval: clipping sets in at a third and at two thirds."""
    g = PiecewiseLinear((F(0), F(1)), (F(0), F(3)))
    third = F(1, 3)
    assert clipped(g, 2) == PiecewiseLinear(
        (F(0), third, 2 * third, F(1)), (F(1), F(1), F(2), F(2))
    )
    falling = PiecewiseLinear((F(0), F(1)), (F(3), F(0)))
    assert clipped(falling, 2).values == (2, 2, 1, 1)


def test_clipped_is_clipping_everywhere() -> None:
    for case in random_line_cases(60, 2):
        used = clipped(case.g, case.classes)
        assert list(used.knots) == sorted(set(used.knots))
        for k in range(-12, 60):
            x = F(k, 12)
            assert used(x) == min(max(case.g(x), F(1)), F(case.classes))
