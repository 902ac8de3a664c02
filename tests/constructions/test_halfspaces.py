"""The half-spaces of a point leave its ball out and hold all balls of the other classes."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from hypothesis import given

from nbsrc.constructions import HalfSpaces, closest_pair, separating_halfspaces
from nbsrc.constructions.halfspaces import dual_vectors
from tests.constructions.datasets import (
    DUAL,
    ORDERS,
    QUICK,
    THOROUGH,
    Case,
    cases,
    labelled_points,
    separation,
)


def worst_margins(found: HalfSpaces) -> tuple[float, float]:
    """Return the largest v on an owner's ball and the smallest best v on a foreign ball.

    Exact over the whole balls: a linear function varies by eps times its dual norm.
    """
    swing = found.eps * torch.linalg.vector_norm(found.normals, DUAL[found.ord], dim=1)
    values = found.points @ found.normals.T - found.offsets  # [m, H]
    own = values[found.owner, torch.arange(len(found.owner))] + swing
    best = torch.full((len(found.points), len(found.points)), -math.inf, dtype=torch.float64)
    for point in range(len(found.points)):
        of_point = found.owner == point
        best[point] = (values - swing)[:, of_point].amax(dim=1)
    foreign = best[found.labels[:, None] != found.labels]
    return float(own.max()), float(foreign.min())


@given(cases())
@THOROUGH
def test_margins_over_whole_balls(case: Case) -> None:
    found = separating_halfspaces(*case.arguments)
    expected = separation(case.points, case.labels, case.ord) - 2 * case.eps
    size = float(case.points.abs().sum(dim=1).max()) + 1
    assert found.gap == pytest.approx(expected, abs=1e-13 * size)
    own, foreign = worst_margins(found)
    assert own <= -found.gap / 4 + 1e-13 * size
    assert foreign >= found.gap / 2 - 1e-13 * size
    norms = torch.linalg.vector_norm(found.normals, DUAL[case.ord], dim=1)
    torch.testing.assert_close(norms, torch.ones_like(norms), rtol=1e-14, atol=0)
    assert torch.equal(found.owner, found.owner.sort().values)
    assert len(found.owner.unique()) == len(found.points)  # at least one for each point


@given(cases())
@QUICK
def test_a_missing_half_space_is_seen(case: Case) -> None:
    """Control: every half-space is needed for the ball that it was chosen for."""
    found = separating_halfspaces(*case.arguments)
    first = found.owner != found.owner[0]
    # The last half-space of a point was added for a ball that none before it holds.
    last = int((found.owner == found.owner[0]).nonzero()[-1])
    keep = torch.arange(len(found.owner)) != last
    fewer = dataclasses.replace(
        found, normals=found.normals[keep], offsets=found.offsets[keep], owner=found.owner[keep]
    )
    if first.any() and (fewer.owner == found.owner[0]).any():
        assert worst_margins(fewer)[1] < found.gap / 2 - 1e-9 * found.gap


@pytest.mark.parametrize("order", ORDERS)
def test_dual_vectors(order: float) -> None:
    generator = torch.Generator().manual_seed(0)
    v = torch.randn(50, 7, generator=generator, dtype=torch.float64)
    v[0], v[1, 1:] = 3.0, 0.0  # ties; zeros
    u = dual_vectors(v, order)
    torch.testing.assert_close((u * v).sum(dim=1), torch.linalg.vector_norm(v, order, dim=1))
    dual = torch.linalg.vector_norm(u, DUAL[order], dim=1)
    torch.testing.assert_close(dual, torch.ones_like(dual), rtol=1e-15, atol=0)
    tiny = dual_vectors(v * 1e-200, order)  # squares underflow
    torch.testing.assert_close(tiny, u)
    with pytest.raises(ValueError, match="ord must be"):
        dual_vectors(v, 3)


@given(labelled_points())
@QUICK
def test_closest_pair(data: tuple[torch.Tensor, torch.Tensor]) -> None:
    points, labels = data
    for order in ORDERS:
        first, second, distance = closest_pair(points, labels, order)
        assert labels[first] != labels[second]
        assert distance == pytest.approx(separation(points, labels, order), rel=1e-12, abs=1e-300)
        between = torch.linalg.vector_norm(points[first] - points[second], order)
        assert distance == pytest.approx(float(between), rel=1e-14, abs=1e-300)


def test_one_class() -> None:
    points, labels = torch.tensor([[0, 1], [2, 3]]), torch.tensor([5, 5])
    assert closest_pair(points, labels, 2) == (0, 0, math.inf)
    found = separating_halfspaces(points, labels, 1.0, 2)
    assert (len(found.owner), found.gap) == (0, math.inf)


@pytest.mark.parametrize(("order", "distance"), [(1, "7.0"), (2, "5.0"), (math.inf, "4.0")])
def test_the_error_names_the_closest_pair_and_its_distance(order: float, distance: str) -> None:
    points = torch.tensor([[50, 0], [0, 0], [0, 0], [3, 4], [90, 0]])
    labels = torch.tensor([2, 1, 1, 2, 3])
    norm = {1: "l1", 2: "l2", math.inf: "linf"}[order]
    message = (
        rf"points 1 \(label 1\) and 3 \(label 2\) are at {norm} distance {distance}; with eps = "
        rf"{float(distance) / 2}.*further apart than 2 eps = {distance}"
    )
    with pytest.raises(ValueError, match=message):  # touching closed balls are not separable
        separating_halfspaces(points, labels, float(distance) / 2, order)
    below = math.nextafter(float(distance) / 2, 0)
    with pytest.raises(ValueError, match="because of rounding"):
        separating_halfspaces(points, labels, below, order)
    assert separating_halfspaces(points, labels, float(distance) / 2 - 1e-9, order).gap > 0


@pytest.mark.parametrize("eps", [0.0, 1.0])
def test_a_point_with_two_labels(eps: float) -> None:
    points, labels = torch.tensor([[9.0], [1.0], [5.0], [1.0]]), torch.tensor([1, 1, 2, 2])
    with pytest.raises(ValueError, match=r"points 1 \(label 1\) and 3 \(label 2\).*distance 0.0"):
        separating_halfspaces(points, labels, eps, 2)


def test_rounding_depends_on_the_dtype_and_on_the_size_of_the_points() -> None:
    labels = torch.tensor([1, 2])
    points = torch.tensor([[1e4], [1e4 + 1 / 64]])
    assert separating_halfspaces(points.double(), labels, 0.0, 2).gap == 1 / 64
    with pytest.raises(ValueError, match=r"a network in torch.float32 needs more than"):
        separating_halfspaces(points, labels, 0.0, 2)
    with pytest.raises(ValueError, match=r"a network in torch.float64 needs more than"):
        separating_halfspaces(1e12 + points.double(), labels, 0.0, 2)


def test_blocks_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(1)
    points = torch.randn(40, 3, generator=generator)
    labels = torch.randint(3, (40,), generator=generator)
    whole = separating_halfspaces(points, labels, 0.0, 2)
    pair = closest_pair(points, labels, 2)
    monkeypatch.setattr("nbsrc.constructions.halfspaces._BLOCK", 500)
    parts = separating_halfspaces(points, labels, 0.0, 2)
    assert closest_pair(points, labels, 2) == pair
    assert torch.equal(whole.owner, parts.owner)
    torch.testing.assert_close(whole.normals, parts.normals, rtol=1e-14, atol=1e-15)
