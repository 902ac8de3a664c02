"""The steep part is where it should be, as steep as it should be, and harms no ball."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from nbsrc.constructions import (
    SteepPairs,
    closest_pair,
    robust_classifier,
    robust_classifier_with_lipschitz,
    steep_pairs,
)
from nbsrc.constructions.steep import PLACES, _power_of_two
from tests.constructions.datasets import DUAL, ORDERS, QUICK, THOROUGH, Case, ball, cases

SLOPES = (1e-3, 1.0, 1e2, 1e6)


@torch.no_grad()
def slopes(network: nn.Sequential, pairs: SteepPairs, order: float) -> Tensor:
    """Return the quotients over the pairs."""
    change = (network(pairs.ends) - network(pairs.starts))[:, 0].abs()
    return change / torch.linalg.vector_norm(pairs.ends - pairs.starts, order, dim=1)


@torch.no_grad()
def deviation(network: nn.Sequential, case: Case, seed: int) -> float:
    """Return the largest |g - y| over points of all balls."""
    samples = ball(case.points, case.eps, case.ord, seed, directions=4)
    values = network(samples.flatten(0, 1))[:, 0].reshape(samples.shape[:2])
    return float((values - case.labels).abs().max())


def nearest(case: Case, places: Tensor) -> float:
    """Return the smallest distance of these places to a data point."""
    distances = torch.linalg.vector_norm(case.points[None] - places[:, None], case.ord, dim=2)
    return float(distances.min())


@given(cases(), st.sampled_from(PLACES), st.sampled_from(SLOPES), st.integers(0, 1000))
@THOROUGH
def test_slope_place_and_values(case: Case, where: str, xi: float, seed: int) -> None:
    network = robust_classifier_with_lipschitz(*case.arguments, xi, where)
    pairs = steep_pairs(*case.arguments, xi, where)
    assert pairs.slope >= xi
    assert float(slopes(network, pairs, case.ord).min()) >= pairs.slope * (1 - 1e-9)
    worst = deviation(network, case, seed)
    if where != "inside":
        assert worst == 0.0
        assert nearest(case, torch.cat([pairs.starts, pairs.ends])) > case.eps
    else:
        assert worst <= 0.375 + 1e-14
        assert pairs.starts.shape == case.points.shape
        for end in (pairs.starts, pairs.ends):
            away = torch.linalg.vector_norm(end - case.points, case.ord, dim=1)
            assert case.eps == 0 or float(away.max()) <= case.eps * (1 + 1e-12)
        sides = (pairs.starts - case.points)[:, 0] * (pairs.ends - case.points)[:, 0]
        assert case.eps > 0 or float(sides.max()) <= 0.0  # the segment holds the point


@pytest.mark.parametrize("xi", [1e-3, 1.0, 1e4, 1e10])
def test_balls_of_radius_zero_lie_on_their_segments(xi: float) -> None:
    """A point has no inside: the slope is the network's on a segment that holds it."""
    points = torch.tensor([[0.3], [4.1], [7.7], [-2.0], [0.31]]).double()
    case = Case(points, torch.tensor([1, 2, 1, 3, 2]), 0.0, 2)
    network = robust_classifier_with_lipschitz(*case.arguments, xi, "inside")
    pairs = steep_pairs(*case.arguments, xi, "inside")
    assert bool(((pairs.starts - points) * (pairs.ends - points) <= 0).all())
    quotients = slopes(network, pairs, 2)  # the classifier is flat there: the tents' own slope
    torch.testing.assert_close(
        quotients, torch.full_like(quotients, pairs.slope), rtol=1e-9, atol=0
    )
    assert pairs.slope >= xi
    assert deviation(network, case, 0) <= 0.375 + 1e-14


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("xi", [1e2, 1e6, 1e10])
def test_slopes_up_to_1e10(order: float, where: str, xi: float) -> None:
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(60, 5, generator=generator, dtype=torch.float64)
    labels = torch.randint(1, 6, (60,), generator=generator)
    eps = 0.45 * closest_pair(points, labels, order)[2]
    case = Case(points, labels, eps, order)
    network = robust_classifier_with_lipschitz(*case.arguments, xi, where)
    pairs = steep_pairs(*case.arguments, xi, where)
    quotients = slopes(network, pairs, order)
    assert float(quotients.min()) >= xi * (1 - 1e-12)
    if where == "inside":  # a slope of 3/8 over a power of two: at most twice what was asked for
        assert float(quotients.max()) <= max(2 * xi, 0.8 / (eps / 4)) * (1 + 1e-12)
    assert deviation(network, case, 1) <= (0.375 + 1e-14 if where == "inside" else 0.0)


@pytest.mark.parametrize("where", PLACES)
def test_the_gradient_on_the_segments_is_as_large(where: str) -> None:
    """Independent of the quotient: autograd between the two points."""
    generator = torch.Generator().manual_seed(2)
    points = torch.rand(20, 3, generator=generator, dtype=torch.float64)
    labels = torch.randint(1, 4, (20,), generator=generator)
    eps = 0.3 * closest_pair(points, labels, 2)[2]
    network = robust_classifier_with_lipschitz(points, labels, eps, 2, 1e4, where)
    pairs = steep_pairs(points, labels, eps, 2, 1e4, where)
    between = (0.3 * pairs.starts + 0.7 * pairs.ends).requires_grad_()
    (gradient,) = torch.autograd.grad(network(between).sum(), between)
    assert float(torch.linalg.vector_norm(gradient, DUAL[2], dim=1).min()) >= 1e4 * (1 - 1e-9)


@given(cases(torch.float32), st.sampled_from(PLACES))
@QUICK
def test_single_precision(case: Case, where: str) -> None:
    network = robust_classifier_with_lipschitz(*case.arguments, 10.0, where)
    pairs = steep_pairs(*case.arguments, 10.0, where)
    assert pairs.starts.dtype == torch.float32
    assert float(slopes(network, pairs, case.ord).min()) >= 10.0 * (1 - 1e-4)
    assert deviation(network, case, 0) <= (0.4 + 1e-6 if where == "inside" else 0.0)


def test_without_the_steep_part_the_pairs_are_not_steep() -> None:
    """Control: the slope comes from the tents and not from the classifier."""
    points, labels = torch.tensor([[0.0, 0.0], [4.0, 0.0]]), torch.tensor([1, 2])
    case = Case(points, labels, 1.0, 2)
    plain = robust_classifier(*case.arguments)
    for where in PLACES:
        pairs = steep_pairs(*case.arguments, 1e4, where)
        assert float(slopes(plain, pairs, 2).max()) < 10


def test_amplitudes_above_one_half_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: the bound on the balls is attained, so tents of height 0.6 break Definition 2."""
    points, labels = torch.tensor([[0.0, 0.0], [4.0, 0.0]]).double(), torch.tensor([1, 2])
    case = Case(points, labels, 1.0, 2)
    monkeypatch.setattr("nbsrc.constructions.steep._AMPLITUDE", 0.6)
    network = robust_classifier_with_lipschitz(*case.arguments, 10.0, "inside")
    pairs = steep_pairs(*case.arguments, 10.0, "inside")
    with torch.no_grad():
        assert float((network(pairs.ends)[:, 0] - labels).abs().min()) >= 0.5


@pytest.mark.parametrize("where", ["outside", "inside"])
@pytest.mark.parametrize("eps", [0.0, 1.0])
def test_one_class(where: str, eps: float) -> None:
    case = Case(torch.tensor([[0.0], [0.1]]), torch.tensor([-2, -2]), eps, 1)
    network = robust_classifier_with_lipschitz(*case.arguments, 1e3, where)
    pairs = steep_pairs(*case.arguments, 1e3, where)
    assert float(slopes(network, pairs, 1).min()) >= 1e3 * (1 - 1e-5)
    assert deviation(network, case, 0) <= 0.4 + 1e-6
    with pytest.raises(ValueError, match="'shell' needs points of two classes"):
        steep_pairs(*case.arguments, 1e3, "shell")


def test_bad_arguments() -> None:
    arguments = (torch.tensor([[0.0], [4.0]]), torch.tensor([1, 2]), 1.0, 2)
    with pytest.raises(ValueError, match="where must be one of"):
        steep_pairs(*arguments, 1.0, "between")
    for bad in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="xi must be a finite number > 0"):
            robust_classifier_with_lipschitz(*arguments, bad, "outside")
    with pytest.raises(TypeError, match="xi must be"):
        robust_classifier_with_lipschitz(*arguments, "1", "outside")
    with pytest.raises(ValueError, match=r"xi must leave all weights finite in torch\.float32"):
        robust_classifier_with_lipschitz(*arguments, 1e39, "outside")
    with pytest.raises(ValueError, match=r"cells that torch\.float32 can resolve"):
        robust_classifier_with_lipschitz(*arguments, 1e10, "inside")
    far = (torch.tensor([[0.0], [1e7]]), torch.tensor([1, 2]), 1.0, 2)
    with pytest.raises(ValueError, match="a tent of width 1 beyond them is seen"):
        robust_classifier_with_lipschitz(*far, 1.0, "outside")
    touching = (torch.tensor([[0.0], [2.0]]), torch.tensor([1, 2]), 1.0, 2)
    with pytest.raises(ValueError, match=r"points 0 \(label 1\) and 1 \(label 2\)"):
        robust_classifier_with_lipschitz(*touching, 1.0, "outside")


def test_power_of_two() -> None:
    assert [_power_of_two(x) for x in (1.0, 1.5, 2.0, 0.3, 2**-40)] == [1, 1, 2, 0.25, 2**-40]
