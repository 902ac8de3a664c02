"""The best fit of 1/x with a bounded slope: formula, programme, planted errors."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nbsrc.audits.robustness import reciprocal

SLOPES = [k / 4 for k in range(19)]


@pytest.mark.parametrize(
    ("slope", "error"),
    [(0, 1 / 2), (1 / 2, 3 / 8), (1, 1 / 4), (9 / 4, 1 / 16), (4, 0), (100, 0)],
)
def test_best_error_worked_out_by_hand(slope: float, error: float) -> None:
    assert reciprocal.best_error(slope) == error


@pytest.mark.parametrize("slope", [0.0, 0.7, 1.0, 2.5, 3.9, 4.5])
def test_best_error_is_half_the_largest_excess(slope: float) -> None:
    x = np.linspace(0.5, 1, 1001)
    a, b = np.meshgrid(x, x, indexing="ij")
    excess = np.where(a < b, 1 / a - 1 / b - slope * (b - a), 0)
    assert excess.max() / 2 == pytest.approx(reciprocal.best_error(slope), abs=1e-6)


@pytest.mark.parametrize("slope", [-0.1, math.inf, math.nan])
def test_best_error_refuses(slope: float) -> None:
    with pytest.raises(ValueError, match="slope must be a finite number >= 0, got"):
        reciprocal.best_error(slope)


def test_grid_of_two_points_worked_out_by_hand() -> None:
    """The values 2 and 1 at distance 1/2: the excess over L / 2 is shared."""
    for slope in (0.0, 1.0, 3.0):
        found = reciprocal.best_error_on_grid(slope, 2)
        assert found == pytest.approx(max(0, (1 - slope / 2) / 2), abs=1e-9)


def test_grid_is_at_most_the_interval() -> None:
    for slope in SLOPES:
        found = reciprocal.best_error_on_grid(slope, 41)
        assert found <= reciprocal.best_error(slope) + 1e-9


def test_grid_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="points must be at least 2, got 1"):
        reciprocal.best_error_on_grid(1.0, 1)

    class Unsolved:
        success, message = False, "time limit"

    monkeypatch.setattr(reciprocal, "linprog", lambda *_, **__: Unsolved())
    with pytest.raises(RuntimeError, match="was not solved: time limit"):
        reciprocal.best_error_on_grid(1.0, 5)


def test_audit_best_error(monkeypatch: pytest.MonkeyPatch) -> None:
    assert reciprocal.audit_best_error(SLOPES, 401, tolerance=1e-5).holds
    coarse = reciprocal.audit_best_error(SLOPES, 4, tolerance=1e-4)
    assert not coarse.holds
    true = reciprocal.best_error
    for planted in (lambda s: true(s) + 1e-4, lambda s: max(0, (1 - s / 2) / 2)):
        monkeypatch.setattr(reciprocal, "best_error", planted)
        found = reciprocal.audit_best_error(SLOPES, 401, tolerance=1e-5)
        assert not found.holds
    assert found.counterexample["slope"] > 1  # the first branch alone is right up to 1
    assert reciprocal.audit_best_error(SLOPES[:5], 401, tolerance=1e-5).holds


def test_audit_slope() -> None:
    found = reciprocal.audit_slope(40)
    assert not found.holds
    assert found.worst_slack == -1  # no point of all
    assert 4 - 1e-10 < found.counterexample["largest seen"] < 4  # the supremum is not reached
    one = reciprocal.audit_slope(1)
    assert one.counterexample["largest seen"] == pytest.approx((4 / 3) ** 2)  # at x = 3/4
