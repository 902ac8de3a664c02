"""Features, Jacobians and shared gates against dense oracles in float64."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from nbsrc.linear_region import jacobian
from nbsrc.models import build_model, digits_cnn
from nbsrc.sensitivity import (
    Features,
    dense_jacobian,
    features_of,
    largest_singular_value,
    last_linear,
    shared_gates,
    untrained_like,
)


def draw(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def net() -> nn.Module:
    return digits_cnn(generator=draw(), channels=(2, 3, 3)).double().eval()


@pytest.fixture
def x() -> torch.Tensor:
    return torch.randn(3, 1, 8, 8, generator=draw(1), dtype=torch.float64)


def test_features_end_before_the_last_linear_layer(net: nn.Module, x: torch.Tensor) -> None:
    chain, hooked = features_of(net), Features(net)
    assert torch.equal(chain(x), hooked(x))
    assert torch.allclose(last_linear(net)(chain(x)), net(x), rtol=1e-12)
    assert not chain.training
    wide = nn.Sequential(build_model("resnet18", generator=draw(), small_images=True, width=0.0625))
    images = torch.randn(2, 3, 32, 32, generator=draw())
    wide.eval()
    assert isinstance(features_of(wide), Features)
    assert torch.allclose(last_linear(wide)(features_of(wide)(images)), wide(images), rtol=1e-5)
    with pytest.raises(ValueError, match="must have a linear layer, Sequential has none"):
        features_of(nn.Sequential(nn.ReLU()))


def test_jacobians_and_their_norms(net: nn.Module, x: torch.Tensor) -> None:
    features = features_of(net)
    J = dense_jacobian(features, x)
    assert torch.allclose(J, jacobian(features, x).flatten(2), rtol=1e-10, atol=1e-12)
    sigma = torch.linalg.matrix_norm(J, 2)
    assert torch.allclose(largest_singular_value(features, x, 300, 0), sigma, rtol=1e-6)
    few = largest_singular_value(features, x, 2, 0)
    assert bool((few <= sigma * (1 + 1e-12)).all())
    assert torch.equal(few, largest_singular_value(features, x, 2, 0))


def test_shared_gates_are_counted_by_hand() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(2, 4, bias=False, dtype=torch.float64), nn.ReLU())
    weight = torch.tensor([[1.0, 0], [-1, 0], [0, 1], [0, -1]], dtype=torch.float64)
    net[1].weight.data.copy_(weight)
    x = torch.tensor([[1.0, 1.0], [1.0, 1.0], [2.0, 3.0]], dtype=torch.float64)
    z = torch.tensor([[1.0, 2.0], [1.0, -1.0], [-2.0, -3.0]], dtype=torch.float64)
    assert shared_gates(net, x, z).tolist() == [1.0, 0.5, 0.0]
    with pytest.raises(ValueError, match="must have ReLUs"):
        shared_gates(nn.Sequential(nn.MaxPool2d(2)), torch.ones(1, 1, 2, 2), torch.ones(1, 1, 2, 2))


def test_an_untrained_network_is_another_one(net: nn.Module, x: torch.Tensor) -> None:
    before = [p.detach().clone() for p in net.parameters()]
    buffers = [b.clone() for b in net.buffers()]
    fresh = untrained_like(net, x, 5)
    assert all(torch.equal(a, b) for a, b in zip(before, net.parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b in zip(buffers, net.buffers(), strict=True))
    assert not torch.allclose(fresh(x), net(x))
    assert torch.equal(fresh(x), untrained_like(net, x, 5)(x))
    out = fresh[:2](x)  # convolution and batch norm, with the statistics of these images
    assert float(out.detach().mean().abs()) < 1e-6
