"""Random labelled sets satisfy Assumption 2, and touching ones miss it by nothing."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.spatial.distance import cdist

from nbsrc.audits.robustness.sets import (
    NORMS,
    LabelledSet,
    points_of_balls,
    random_sets,
    shared_point,
    touching_pair,
    two_points,
)
from tests.audits.robustness.robust_examples import line, small_sets

SETS = small_sets()

METRICS = {1.0: "cityblock", 2.0: "euclidean", math.inf: "chebyshev"}


def distance_of_classes(data: LabelledSet) -> float:
    x, y = data.points.numpy(), data.labels.numpy()
    table = cdist(x, x, METRICS[data.ord])
    return float(table[y[:, None] != y[None, :]].min())


def test_random_sets_are_separable_and_varied() -> None:
    family = list(random_sets(60, 3))
    assert len(family) == 60
    assert {data.ord for data in family} == set(NORMS)
    for data in family:
        assert data.separation == pytest.approx(distance_of_classes(data), rel=1e-12)
        assert data.separation > 2 * data.eps >= 0
        assert data.size[2] >= 2
        assert torch.equal(data.points * 64, (data.points * 64).round())
        assert len(data.points.unique(dim=0)) == len(data.points)
    shares = {round(2 * data.eps / data.separation, 6) for data in family}
    assert shares == {0.0, 0.5, 0.9, round(1 - 2.0**-10, 6)}
    assert max(data.size[1] for data in family) > 10


def test_random_sets_keep_their_limits_and_repeat() -> None:
    limits = {"max_dimension": 2, "max_classes": 3, "max_points": 5}
    family = list(random_sets(30, 0, **limits))
    assert all(data.size <= (6, 2, 3) and data.size[1] <= 2 for data in family)
    again = list(random_sets(30, 0, **limits))
    assert all(torch.equal(a.points, b.points) for a, b in zip(family, again, strict=True))


@pytest.mark.parametrize("ord", NORMS)
@pytest.mark.parametrize("dimension", [1, 3])
def test_touching_pair(dimension: int, ord: float) -> None:
    pair = touching_pair(dimension, ord=ord)
    assert pair.separation == 2 * pair.eps == 1
    assert pair.size == (2, dimension, 2)


def test_small_sets_are_described_in_full() -> None:
    pair = touching_pair(1)
    assert pair.description["points"] == [[0.0], [1.0]]
    assert pair.description["labels"] == [1, 2]
    large = LabelledSet(torch.rand(9, 2), torch.tensor([1, 2, 1] * 3), 0.0, 2.0)
    assert large.description["points"] == 9
    moved = large.with_eps(0.5)
    assert (moved.eps, large.eps) == (0.5, 0.0)
    assert moved.points is large.points


def test_shared_point_worked_out_by_hand() -> None:
    assert shared_point(line([0, 4], [1, 2], 3)) == -1
    assert shared_point(line([0, 4, 7], [1, 2, 1], 1)) == 0.5  # the middle of 4 and 7
    assert shared_point(line([0, 1, 9], [1, 1, 2], 4)) == 0
    for order in NORMS:
        assert shared_point(touching_pair(3, ord=order)) == 0


def test_shared_point_against_the_definition() -> None:
    """With half the separation and a bit more as eps, the midpoint is inside by that bit."""
    for data in SETS:
        for extra in (-0.125, 0.125):
            moved = data.with_eps(data.separation / 2 + extra)
            assert shared_point(moved) == pytest.approx(-extra, abs=1e-12)


def test_two_points() -> None:
    data = two_points()
    assert data.description["points"] == [[0.0], [4.0]]
    assert data.description["labels"] == [1, 2]
    assert (data.eps, data.separation) == (1, 4)
    assert shared_point(data) == 1


@pytest.mark.parametrize("number", range(len(SETS)))
def test_points_lie_in_the_closed_balls(number: int) -> None:
    data = SETS[number]
    drawn = points_of_balls(data, 10, torch.Generator().manual_seed(number))
    assert drawn.shape == (10, *data.points.shape)
    assert torch.equal(drawn[-1], data.points)
    for k in range(len(data.points)):
        away = cdist(drawn[:, k].numpy(), data.points[k : k + 1].numpy(), METRICS[data.ord])
        assert away.max() <= data.eps
        assert away[:5].min() >= data.eps * (1 - 1e-9)


def test_points_of_balls_without_interior() -> None:
    data = SETS[0].with_eps(0.0)
    drawn = points_of_balls(data, 4, torch.Generator().manual_seed(0))
    assert torch.equal(drawn, data.points.expand_as(drawn))
