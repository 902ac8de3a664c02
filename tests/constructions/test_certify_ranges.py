"""Ranges of activations against dense grids, and membership of closed balls at their edges."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from nbsrc.constructions.activations_square import Square
from nbsrc.constructions.certify_ranges import _minimum, activation_range, supported
from nbsrc.constructions.certify_witness import in_closed_ball
from tests.constructions.test_certify import ACTIVATIONS


@pytest.mark.parametrize("activation", [*ACTIVATIONS, Square()], ids=str)
def test_ranges_hold_a_grid_and_are_tight(activation):
    generator = torch.Generator().manual_seed(0)
    ends = (4 * torch.randn(200, 2, generator=generator, dtype=torch.float64)).sort(1).values
    low, high = activation_range(activation, ends[:, 0], ends[:, 1], 2.0**-53)
    share = torch.linspace(0, 1, 2001, dtype=torch.float64)[:, None]
    grid = ends[:, 0] + share * (ends[:, 1] - ends[:, 0])
    values = activation(torch.minimum(grid, ends[:, 1]))  # the grid's last point is rounded
    assert (values >= low).all()
    assert (values <= high).all()
    jump = 0.11 if getattr(activation, "threshold", 20.0) == 1.0 else 0.0  # torch's softplus jumps
    spacing = (ends[:, 1] - ends[:, 0]) / 2000
    assert (values.amin(0) - low <= spacing + jump + 1e-12).all()  # a kink between two grid points
    assert (high - values.amax(0) <= spacing + jump + 1e-12).all()


def test_an_interval_around_the_minimum_of_gelu_reaches_it():
    """Both ends are far above the minimum, which ends alone would miss."""
    for gelu, module in ((True, nn.GELU()), (False, nn.SiLU())):
        where, value = _minimum(gelu)
        ends = torch.tensor([[where - 1.0], [where + 1.0]], dtype=torch.float64)
        low, _ = activation_range(module, ends[0], ends[1], 2.0**-53)
        assert low.item() <= value
        assert low.item() == pytest.approx(value, abs=1e-13)
        assert float(module(ends).min()) > value + 0.05
        slope = module(torch.tensor([where - 1e-5, where + 1e-5]).double())
        assert (slope >= value - 1e-12).all()


@pytest.mark.parametrize(
    ("order", "inside", "outside"),
    [
        (math.inf, [1.0, -1.0], [1.0, math.nextafter(1.0, 2)]),
        (1, [0.5, -0.5], [0.5, math.nextafter(0.5, 1)]),
        (2, [0.0, 1.0], [2.0**-30, 1.0]),
    ],
)
def test_balls_are_closed_and_exact(order, inside, outside):
    """A float64 norm rounds the last point's l2 length 1 + 2^-61 to 1; rationals do not."""
    centre = torch.zeros(2, dtype=torch.float64)
    assert in_closed_ball(torch.tensor(inside, dtype=torch.float64), centre, 1.0, order)
    assert not in_closed_ball(torch.tensor(outside, dtype=torch.float64), centre, 1.0, order)


def test_unknown_activations_are_refused():
    class Twice(nn.ReLU):
        def forward(self, z):
            return 2 * z

    for module in (Twice(), nn.Softmax(1), nn.GELU("tanh")):
        assert not supported(module)
        with pytest.raises(NotImplementedError, match="no range is known"):
            activation_range(module, torch.zeros(1), torch.ones(1), 0.0)
