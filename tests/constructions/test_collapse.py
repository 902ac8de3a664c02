"""Networks that are 0 with layers of any norm."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from nbsrc.constructions import proves_zero, zero_lipschitz_network

ORDERS = (1, 2, math.inf)


def norms(network: nn.Sequential) -> list[float]:
    """Return the l1, l2 and linf norm of every linear layer."""
    layers = [m for m in network if isinstance(m, nn.Linear)]
    return [float(torch.linalg.matrix_norm(m.weight.detach(), p)) for m in layers for p in ORDERS]


def inputs(width: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    x = 100 * torch.randn(200, width, generator=generator, dtype=torch.float64)
    x[0], x[1] = 0.0, 1.0
    return x


@pytest.mark.parametrize("width", [1, 2, 3, 7])
@pytest.mark.parametrize("depth", [2, 3, 4, 9])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e6, 1e100])
def test_zero_with_exact_norms(width: int, depth: int, scale: float) -> None:
    if width == 1 and depth == 2:
        return
    network = zero_lipschitz_network(width, depth, scale)
    assert len(network) == 2 * depth - 1
    assert norms(network) == [scale] * 3 * depth
    x = inputs(width).requires_grad_()
    values = network(x)
    assert values.shape == x.shape
    assert float(values.detach().abs().max()) == 0.0
    (gradient,) = torch.autograd.grad(values.sum(), x)
    assert not gradient.any()
    assert proves_zero(network)


@pytest.mark.parametrize("width", [2, 7, 40])  # wide layers use fused products
@pytest.mark.parametrize("depth", [2, 3, 6])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e6 / 3])
def test_zero_without_dead_units(width: int, depth: int, scale: float) -> None:
    network = zero_lipschitz_network(width, depth, scale, dead_units=False)
    assert min(norms(network)) >= scale
    assert min(norms(network)) < 2 * scale
    x = inputs(width)
    with torch.no_grad():
        assert float(network(x).abs().max()) == 0.0
        hidden = x
        for module in network[:-1]:
            hidden = module(hidden)
            if isinstance(module, nn.ReLU):
                assert bool((hidden > 0).any(dim=0).all())  # every unit is used
    assert proves_zero(network)


def test_one_changed_weight_breaks_it() -> None:
    """Control: the layers' coupling makes the 0, not the evaluation."""
    for dead_units in (True, False):
        network = zero_lipschitz_network(3, 4, 10.0, dead_units=dead_units)
        with torch.no_grad():
            for layer in network[::2]:
                layer.weight += 0.5 * torch.eye(3, dtype=torch.float64)
            assert float(network(inputs(3)).abs().max()) > 1.0
        assert not proves_zero(network)


@pytest.mark.parametrize(
    ("width", "depth", "dead_units", "message"),
    [
        (3, 1, True, "depth must be at least 2"),
        (1, 1, True, "depth must be at least 2"),
        (1, 2, True, "depth must be at least 3 for width 1"),
        (1, 5, False, "width must be at least 2 without dead units"),
        (0, 2, True, "width must be an integer >= 1, got 0"),
        (2, -1, True, "depth must be an integer >= 1, got -1"),
    ],
)
def test_impossible_shapes(width: int, depth: int, dead_units: bool, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        zero_lipschitz_network(width, depth, 1.0, dead_units=dead_units)


def test_two_layers_of_width_one_are_never_zero() -> None:
    """The refusal is right: with two weights other than 0 some input gives another value."""
    for first in (-2.0, 0.5):
        for second in (-1.0, 3.0):
            values = [second * max(0.0, first * x) for x in (-1.0, 1.0)]
            assert any(values)


def test_bad_scales() -> None:
    for bad in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(ValueError, match="scale must be a finite number > 0"):
            zero_lipschitz_network(2, 2, bad)
    with pytest.raises(TypeError, match="width must be an integer"):
        zero_lipschitz_network(2.0, 2, 1.0)
    with pytest.raises(ValueError, match=r"scale\*\*depth to be finite"):
        zero_lipschitz_network(2, 4, 1e80, dead_units=False)
