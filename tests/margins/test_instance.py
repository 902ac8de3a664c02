"""The distance to the decision boundary: exact in the plane, bracketed elsewhere."""

from __future__ import annotations

import math

import pytest
import torch

from nbsrc.margins import instance_margin


def network(*weights: torch.Tensor) -> torch.nn.Sequential:
    layers: list[torch.nn.Module] = []
    for W in weights:
        layers += [torch.nn.Linear(W.shape[1], W.shape[0], bias=False), torch.nn.ReLU()]
        layers[-2].weight.data = W.double()
    return torch.nn.Sequential(*layers[:-1])


def test_relu_of_the_plane() -> None:
    net = network(torch.eye(2), torch.eye(2))
    for x, v in (([1.0, -1.0], 1.0), ([3.0, -1.0], math.sqrt(8)), ([2.0, 0.0], math.sqrt(2))):
        found = instance_margin(net, torch.tensor(x, dtype=torch.float64))
        assert found.converged
        assert found.value == pytest.approx(v, rel=1e-12)


@pytest.mark.parametrize("seed", range(6))
def test_bracket_in_the_plane_seen_from_space(seed: int) -> None:
    """A third input that no unit reads changes nothing: the bracket must hold the exact value."""
    g = torch.Generator().manual_seed(seed)
    W1, W2 = torch.randn(4, 2, generator=g).double(), torch.randn(3, 4, generator=g).double()
    x = torch.randn(2, generator=g).double()
    exact = instance_margin(network(W1, W2), x)
    wide = network(torch.cat([W1, torch.zeros(4, 1)], 1), W2)
    found = instance_margin(wide, torch.cat([x, torch.ones(1)]))
    assert found.lower <= exact.value * (1 + 1e-9)
    assert found.upper >= exact.value * (1 - 1e-9)
    assert found.lower > 0


def test_line() -> None:
    """f = (x+, x-) with one input: v(x) = |x|; a constant prediction has no boundary."""
    net = network(torch.tensor([[1.0], [-1.0]]), torch.eye(2))
    found = instance_margin(net, torch.tensor([3.0], dtype=torch.float64))
    assert found.lower == pytest.approx(3)
    assert found.upper == pytest.approx(3)
    lone = torch.nn.Linear(1, 2).double()
    lone.weight.data, lone.bias.data = torch.zeros(2, 1).double(), torch.tensor([1.0, 0]).double()
    never = instance_margin(lone, torch.ones(1).double())
    assert never.lower == math.inf


def test_errors() -> None:
    with pytest.raises(ValueError, match="two or more outputs"):
        instance_margin(torch.nn.Linear(3, 1), torch.ones(3))
    with pytest.raises(ValueError, match="finite"):
        instance_margin(torch.nn.Linear(3, 2), torch.tensor([1.0, math.nan, 0.0]))
