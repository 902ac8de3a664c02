"""Adapters: closed forms on real networks against automatic differentiation and attacks."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from nbsrc.perturbation.networks import (
    differentiable_piece,
    evaluating,
    local_piece,
    network_penalties,
    network_penalties_autograd,
    network_perturbation,
)

f64 = torch.float64


def randomise(net: nn.Module, seed: int) -> nn.Module:
    draw = torch.Generator().manual_seed(seed)
    for parameter in net.parameters():
        size = max(1, parameter[0].numel() if parameter.ndim > 1 else 4)
        parameter.data = torch.randn(parameter.shape, generator=draw, dtype=f64) * (2 / size) ** 0.5
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean = torch.randn(module.num_features, generator=draw, dtype=f64)
            module.running_var = torch.rand(module.num_features, generator=draw, dtype=f64) + 0.5
    return net


def mlp(K: int, *, bias: bool = True) -> nn.Module:
    return nn.Sequential(
        nn.Linear(6, 12, bias=bias), nn.ReLU(), nn.Linear(12, 9, bias=bias), nn.LeakyReLU(0.1),
        nn.Linear(9, K, bias=bias),
    )  # fmt: skip


def conv(K: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 3, 2), nn.BatchNorm2d(3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(3 * 4, K),
    )  # fmt: skip


CASES = [
    pytest.param(mlp(2), (6,), id="mlp, 2 classes"),
    pytest.param(mlp(2, bias=False), (6,), id="mlp without bias"),
    pytest.param(mlp(5), (6,), id="mlp, 5 classes"),
    pytest.param(conv(4), (1, 5, 5), id="conv, batch norm, max-pool"),
    pytest.param(nn.Sequential(nn.Flatten(), nn.Linear(6, 3)), (6,), id="linear"),
]


@pytest.mark.parametrize(("net", "shape"), CASES)
def test_closed_forms_are_autograd(net: nn.Module, shape: tuple[int, ...]) -> None:
    net = randomise(net, 0)
    draw = torch.Generator().manual_seed(1)
    x = torch.randn(4, *shape, generator=draw, dtype=f64)
    K = local_piece(net, x)[0].shape[-1]
    y = torch.arange(4) % K
    found, reference = network_penalties(net, x, y), network_penalties_autograd(net, x, y)
    for name, value in vars(found).items():
        slow = getattr(reference, name)
        assert value.requires_grad
        assert float((value.detach() - slow).abs().max()) <= 1e-12 * float(slow.max()), name
    logits, V = local_piece(net, x)
    again, W = differentiable_piece(net, x)
    assert torch.allclose(logits, again.detach(), rtol=1e-13)
    assert float((V - W.detach()).abs().max()) < 1e-12 * float(V.abs().max())
    assert all(module.training for module in net.modules())


def test_autograd_reference_is_the_functional_hessian() -> None:
    net, y = randomise(mlp(5), 3), torch.tensor([2])
    x = torch.randn(1, 6, generator=torch.Generator().manual_seed(0), dtype=f64)

    def loss(z: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(net(z.unsqueeze(0)), y)

    H = torch.func.hessian(loss)(x[0])
    found = network_penalties_autograd(net, x, y)
    top = float(torch.linalg.eigvalsh(H.detach())[-1])
    assert float(found.curvature) == pytest.approx(top, rel=1e-12, abs=0)


def test_curvature_can_be_trained_on() -> None:
    """Its derivative in a weight is a difference quotient's limit, and descent lowers it."""
    net = randomise(mlp(4), 2)
    x = torch.randn(3, 6, generator=torch.Generator().manual_seed(5), dtype=f64)
    y = torch.tensor([0, 1, 2])
    weight = next(net.parameters())
    total = network_penalties(net, x, y).curvature.sum()
    (slope,) = torch.autograd.grad(total, weight)
    direction = torch.randn(weight.shape, generator=torch.Generator().manual_seed(6), dtype=f64)
    step, values = 1e-6, []
    for sign in (1, -1):
        weight.data += sign * step * direction
        values.append(float(network_penalties(net, x, y).curvature.sum().detach()))
        weight.data -= sign * step * direction
    quotient = (values[0] - values[1]) / (2 * step)
    assert float((slope * direction).sum()) == pytest.approx(quotient, rel=1e-7, abs=0)
    weight.data -= 1e-3 * slope
    assert float(network_penalties(net, x, y).curvature.sum().detach()) < float(total.detach())


@pytest.mark.parametrize("ord", [1, 2, math.inf])
def test_the_certificate_on_a_small_network(ord: float) -> None:
    """Inside the certified radius no random point changes class; a certified distance is exact."""
    net = randomise(mlp(3), 7)
    draw = torch.Generator().manual_seed(8)
    x = torch.randn(40, 6, generator=draw, dtype=f64)
    y = local_piece(net, x)[0].argmax(-1)
    found = network_perturbation(net, x, y, ord)
    assert found.certified is not None
    assert found.is_network is not None
    assert bool(found.is_network.any())
    assert not bool(found.is_network.all())
    for i in range(len(x)):
        r = torch.randn(300, 6, generator=draw, dtype=f64)
        r = r / torch.linalg.vector_norm(r, ord, dim=-1, keepdim=True)
        labels = net(x[i] + 0.9999 * found.certified[i] * r).argmax(-1)
        assert bool((labels == y[i]).all())
        if bool(found.is_network[i]):
            beyond = net(x[i : i + 1] + 1.0001 * found.perturbation[i])
            assert int(beyond.argmax()) != int(y[i])


def test_modes_are_restored_after_an_error() -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5))
    net[1].eval()

    def fail() -> None:
        with evaluating(net):
            assert not net.training
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert (net.training, net[0].training, net[1].training) == (True, True, False)


def test_bad_input_is_named() -> None:
    net = randomise(mlp(3), 0)
    x = torch.zeros(2, 6, dtype=f64)
    with pytest.raises(ValueError, match="correctly classified"):
        network_perturbation(net, x, int(local_piece(net, x)[0].argmin(-1)[0]))
    with pytest.raises(ValueError, match="y must be between 0 and 2"):
        network_penalties(net, x, 3)
    with pytest.raises(ValueError, match="the network's output must have K >= 2"):
        network_penalties(randomise(mlp(1), 0), x, 0)
    with pytest.raises(NotImplementedError):
        local_piece(nn.Sequential(nn.Linear(6, 2), nn.Tanh()).double(), x)
