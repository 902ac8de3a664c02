"""Accuracy under attack and its interval."""

from __future__ import annotations

import json
import math

import pytest
from scipy import stats

from nbsrc.attacks import RobustAccuracy, accuracy_interval


@pytest.mark.parametrize(("correct", "points"), [(0, 1), (1, 1), (3, 10), (0, 50), (999, 1000)])
def test_interval_has_tails_of_a_fortieth(correct: int, points: int) -> None:
    low, high = accuracy_interval(correct, points)
    if correct:
        assert stats.binom.sf(correct - 1, points, low) == pytest.approx(0.025)
    else:
        assert low == 0
    if correct < points:
        assert stats.binom.cdf(correct, points, high) == pytest.approx(0.025)
    else:
        assert high == 1


def test_as_dict_is_json() -> None:
    found = RobustAccuracy("PGD", math.inf, 0.1, 10, 4, 9, 0)
    assert json.loads(json.dumps(found.as_dict()))["norm"] == "inf"
    assert found.value == 0.4
    assert found.interval[0] < 0.4 < found.interval[1]


@pytest.mark.parametrize("counts", [(0, 0, 0), (10, 5, 4), (10, 4, 11), (10, -1, 4)])
def test_impossible_counts(counts: tuple[int, int, int]) -> None:
    points, correct, clean = counts
    with pytest.raises(ValueError, match="counts must satisfy"):
        RobustAccuracy("PGD", 2, 0.1, points, correct, clean, 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((1, 0), "correct"), ((3, 2), "correct"), ((1, 2, 1.0), "level must be strictly")],
)
def test_interval_errors(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        accuracy_interval(*arguments)
