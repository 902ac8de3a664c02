"""Random labelled sets satisfy Assumption 2, and touching ones miss it by nothing."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.spatial.distance import cdist

from nbsrc.audits.robustness.sets import NORMS, LabelledSet, random_sets, touching_pair

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
