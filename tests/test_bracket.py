"""A bracket refuses to be anything else."""

from __future__ import annotations

import dataclasses
import math

import pytest

from nbsrc.bracket import Bracket


@pytest.mark.parametrize(
    ("value", "lower", "upper"),
    [(2, 1, 1.5), (0.5, 1, 2), (1, 2, 1), (math.nan, 0, 1), (0.5, math.nan, 1), (0, 0, math.nan)],
)
def test_values_out_of_order(value: float, lower: float, upper: float) -> None:
    with pytest.raises(ValueError, match=f"lower <= value <= upper, got lower={lower}"):
        Bracket(value, lower, upper, 0, False)


def test_relative_width() -> None:
    assert Bracket(1.5, 1.0, 2.0, 3, False).relative_width == 0.5
    assert Bracket(0.0, 0.0, 0.0, 0, True).relative_width == 0
    assert Bracket(1.0, 1.0, 1.0, 0, True).relative_width == 0
    assert Bracket(1.0, 0.0, 1.0, 0, False).relative_width == 1


def test_no_upper_bound() -> None:
    """The width of [0, inf] is as wide as it gets, not NaN."""
    assert Bracket(1.0, 0.0, math.inf, 0, False).relative_width == 1
    assert Bracket(math.inf, 1e308, math.inf, 0, False).relative_width == 1


def test_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Bracket(1.0, 1.0, 1.0, 0, True).upper = 2.0  # type: ignore[misc]
