"""Penalties on derivatives with the batch's statistics, against a network written out by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nbsrc.perturbation import loss_hessian_spectrum
from nbsrc.regularizers import CrossLipschitz, Curvature, InputGradient, JacobianPenalty

DTYPE = torch.float64
KINDS = (JacobianPenalty, CrossLipschitz, InputGradient, Curvature)


@pytest.fixture
def net() -> nn.Module:
    """Linear, batch norm, ReLU, dropout, Linear in training mode; running statistics of its own."""
    draw = torch.Generator().manual_seed(0)
    layers = nn.Sequential(
        nn.Linear(3, 4, dtype=DTYPE), nn.BatchNorm1d(4, dtype=DTYPE), nn.ReLU(), nn.Dropout(),
        nn.Linear(4, 3, dtype=DTYPE),
    )  # fmt: skip
    for parameter in layers.parameters():
        parameter.data.copy_(torch.randn(parameter.shape, generator=draw, dtype=DTYPE))
    layers[1].running_mean.copy_(torch.randn(4, generator=draw, dtype=DTYPE))
    return layers.train()


@pytest.fixture
def batch() -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(1)
    return torch.randn(6, 3, generator=draw, dtype=DTYPE), torch.tensor([0, 1, 2, 0, 1, 2])


def logits(net: nn.Module, x: Tensor) -> Tensor:
    """The network with the batch's mean and variance, no dropout, without its own layers."""
    first, norm, last = net[0], net[1], net[4]
    hidden = x @ first.weight.T + first.bias
    centred = hidden - hidden.mean(0)
    scaled = centred / (centred.square().mean(0) + norm.eps).sqrt()
    return (scaled * norm.weight + norm.bias).clamp(min=0) @ last.weight.T + last.bias


def slopes_of_sums(net: nn.Module, x: Tensor) -> Tensor:
    """The derivatives of the sums of the logits in every image, ``[batch, K, n]``, with a graph."""
    whole = torch.autograd.functional.jacobian(lambda z: logits(net, z), x, create_graph=True)
    return whole.sum(0).transpose(0, 1)  # [b, K, b', n] summed over the images that are read


def written_out(kind: type, net: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    J = slopes_of_sums(net, x)
    if kind is JacobianPenalty:
        return J.square().sum((1, 2)).mean()
    if kind is CrossLipschitz:
        gaps = [(J[:, i] - J[:, j]).square().sum(1) for i in range(3) for j in range(i)]
        return sum(gaps).mean() / 3
    if kind is InputGradient:

        def loss(z: Tensor) -> Tensor:
            return F.cross_entropy(logits(net, z), y, reduction="none")

        whole = torch.autograd.functional.jacobian(loss, x, create_graph=True)
        return whole.sum(0).square().sum(1).mean()
    return loss_hessian_spectrum(logits(net, x).softmax(1), J.mT).spectral_norm.mean()


@pytest.mark.parametrize("kind", KINDS)
def test_value_and_gradient(kind: type, net: nn.Module, batch: tuple[Tensor, Tensor]) -> None:
    x, y = batch
    value = kind(0.5, batch_statistics=True).penalty(net, x, y, net(x))
    expected = 0.5 * written_out(kind, net, x, y)
    assert value.item() == pytest.approx(expected.item(), rel=1e-11)
    slopes = [
        torch.autograd.grad(v, list(net.parameters()), allow_unused=True, materialize_grads=True)
        for v in (value, expected)
    ]
    for found, true in zip(*slopes, strict=True):
        torch.testing.assert_close(found, true, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("kind", KINDS)
def test_eval_mode_without_it(kind: type, net: nn.Module, batch: tuple[Tensor, Tensor]) -> None:
    x, y = batch
    values = {
        (mode, option): kind(1.0, batch_statistics=option)
        .penalty(net.train(mode), x, y, net(x))
        .item()
        for mode in (True, False)
        for option in (True, False)
    }
    assert values[True, False] == values[False, False] == values[False, True]
    assert values[True, True] != pytest.approx(values[True, False])


@pytest.mark.parametrize("kind", KINDS)
def test_no_trace(kind: type, net: nn.Module, batch: tuple[Tensor, Tensor]) -> None:
    x, y = batch
    before = {name: buffer.clone() for name, buffer in net.named_buffers()}
    value = kind(1.0, batch_statistics=True).penalty(net, x, y, torch.zeros(6, 3, dtype=DTYPE))
    value.backward()
    assert all(torch.equal(before[name], buffer) for name, buffer in net.named_buffers())
    assert all(module.training for module in net.modules())


def test_a_planted_error_is_seen(net: nn.Module, batch: tuple[Tensor, Tensor]) -> None:
    """Each image's own Jacobian, without the way through the statistics."""
    x, y = batch
    whole = torch.autograd.functional.jacobian(lambda z: logits(net, z), x)
    own = torch.stack([whole[b, :, b] for b in range(6)])
    value = JacobianPenalty(1.0, batch_statistics=True).penalty(net, x, y, net(x)).item()
    assert value != pytest.approx(own.square().sum((1, 2)).mean().item(), rel=1e-3)


def test_estimates_are_refused() -> None:
    with pytest.raises(ValueError, match="batch_statistics needs projections None, got 2"):
        JacobianPenalty(1.0, 2, torch.Generator(), batch_statistics=True)
    with pytest.raises(ValueError, match="batch_statistics needs iterations None, got 3"):
        Curvature(1.0, 3, torch.Generator(), batch_statistics=True)
