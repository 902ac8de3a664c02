"""The exact range against sampling, breakpoints and the proven bounds."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from nbsrc.constructions.certify import certify_robust
from nbsrc.constructions.certify_exact import exact_range
from tests.constructions.datasets import ball
from tests.constructions.test_certify import network, one_dimensional_range


@pytest.mark.parametrize("seed", range(6))
def test_one_dimension_against_breakpoints(seed):
    net = network((1, 6, 1), nn.ReLU(), seed)
    for order in (1, 2, math.inf):
        found = exact_range(net, torch.tensor([0.3], dtype=torch.float64), 0.4, order)
        low, high = one_dimensional_range(net, 0.3 - 0.4, 0.3 + 0.4)
        assert found.lower.item() == pytest.approx(low, abs=1e-9)
        assert found.upper.item() == pytest.approx(high, abs=1e-9)


@pytest.mark.parametrize("order", [1, math.inf])
@pytest.mark.parametrize("activation", [nn.ReLU(), nn.LeakyReLU(0.2)], ids=str)
@pytest.mark.parametrize("width", [2, 3])
def test_between_sampling_and_the_proven_bounds(width, activation, order):
    net = network((width, 5, 4, 2), activation, 4 + width)
    centre = torch.full((width,), 0.2, dtype=torch.float64)
    found = exact_range(net, centre, 0.6, order)
    assert found.complete
    assert found.regions > 1
    samples = ball(centre[None], 0.6 * (1 - 1e-12), order, seed=0, directions=400)[:, 0]
    values = net(samples).detach()
    assert (values >= found.lower - 1e-9).all()
    assert (values <= found.upper + 1e-9).all()
    torch.testing.assert_close(net(found.highest).diag(), found.upper, rtol=0, atol=1e-9)
    torch.testing.assert_close(net(found.lowest).diag(), found.lower, rtol=0, atol=1e-9)
    assert (torch.linalg.vector_norm(found.highest - centre, order, dim=1) <= 0.6 + 1e-9).all()
    for label in (0, 1):
        proof = certify_robust(net, centre[None], torch.tensor([label]), 0.6, order, classes=(0, 1))
        assert (proof.lower[0] <= found.lower + 1e-9).all()
        assert (proof.upper[0] >= found.upper - 1e-9).all()


def test_cutting_the_ball_approaches_the_exact_range():
    """Label 100 is hopeless, so every piece is spent on the bounds: they shrink to the truth."""
    net = network((2, 5, 1), nn.ReLU(), 3)
    centre = torch.tensor([[0.1, -0.2]], dtype=torch.float64)
    exact = exact_range(net, centre[0], 0.5, math.inf)
    middle, half = (exact.upper + exact.lower) / 2, (exact.upper - exact.lower) / 2
    scaled = nn.Sequential(*net)
    scaled[-1].weight.data *= 0.499 / half
    scaled[-1].bias.data = (scaled[-1].bias.data - middle) * 0.499 / half
    label = torch.tensor([0])
    assert not certify_robust(scaled, centre, label, 0.5, math.inf, pieces=1).certified.any()
    found = certify_robust(scaled, centre, label, 0.5, math.inf, pieces=500)
    assert found.certified.all()
    assert 1 < int(found.pieces) < 500
    scaled[-1].weight.data *= 0.502 / 0.499
    scaled[-1].bias.data *= 0.502 / 0.499
    assert certify_robust(scaled, centre, label, 0.5, math.inf, pieces=500).refuted.all()


def test_errors():
    net = network((2, 3, 1), nn.ReLU(), 0)
    with pytest.raises(NotImplementedError, match="l2 balls are no polyhedra"):
        exact_range(net, torch.zeros(2), 0.1, 2)
    with pytest.raises(NotImplementedError, match="at most 8 inputs"):
        exact_range(network((9, 3, 1), nn.ReLU(), 0), torch.zeros(9), 0.1, 1)
    with pytest.raises(ValueError, match=r"centre must have shape \[n\]"):
        exact_range(net, torch.zeros(1, 2), 0.1, 1)
    with pytest.raises(ValueError, match="eps must be a finite number > 0"):
        exact_range(net, torch.zeros(2), 0.0, 1)
