"""A two-layer network written out by hand, and brute-force derivatives of functions of it.

Nothing here uses autograd: Jacobians are products of matrices, Hessians come from the softmax's
formula summed over classes in loops, and parameter gradients are central differences.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

DTYPE = torch.float64


def small_net(seed: int = 0, *, inputs: int = 4, hidden: int = 5, classes: int = 3) -> nn.Module:
    """Linear, ReLU, Linear with weights from a generator, in training mode."""
    draw = torch.Generator().manual_seed(seed)
    net = nn.Sequential(
        nn.Linear(inputs, hidden, dtype=DTYPE), nn.ReLU(), nn.Linear(hidden, classes, dtype=DTYPE)
    )
    for parameter in net.parameters():
        parameter.data.copy_(torch.randn(parameter.shape, generator=draw, dtype=DTYPE))
    return net


def batch(seed: int = 1, *, count: int = 3, inputs: int = 4, classes: int = 3):
    """Inputs and labels."""
    draw = torch.Generator().manual_seed(seed)
    x = torch.randn(count, inputs, generator=draw, dtype=DTYPE)
    return x, torch.randint(classes, (count,), generator=draw)


def outputs(net: nn.Module, point: Tensor) -> Tensor:
    """The logits of one point."""
    first, last = net[0], net[2]
    before = first.weight.detach() @ point + first.bias.detach()
    return last.weight.detach() @ before.clamp(min=0) + last.bias.detach()


def jacobian(net: nn.Module, point: Tensor) -> Tensor:
    """The Jacobian of the logits at one point, ``[K, n]``."""
    first, last = net[0], net[2]
    gates = (first.weight.detach() @ point + first.bias.detach() > 0).to(DTYPE)
    return last.weight.detach() @ torch.diag(gates) @ first.weight.detach()


def probabilities(net: nn.Module, point: Tensor) -> Tensor:
    """The softmax of the logits."""
    z = outputs(net, point)
    powers = (z - z.max()).exp()
    return powers / powers.sum()


def cross_entropy(net: nn.Module, point: Tensor, label: int) -> float:
    """The loss of one point."""
    return -float(probabilities(net, point)[label].log())


def loss_gradient(net: nn.Module, point: Tensor, label: int) -> Tensor:
    """The input gradient of the loss, class by class."""
    J, p = jacobian(net, point), probabilities(net, point)
    return sum(p[k] * J[k] for k in range(len(p))) - J[label]


def loss_hessian(net: nn.Module, point: Tensor) -> Tensor:
    """The input Hessian of the loss, as a sum over pairs of classes."""
    J, p = jacobian(net, point), probabilities(net, point)
    pairs = [(i, j) for i in range(len(p)) for j in range(i)]
    return sum(p[i] * p[j] * torch.outer(J[i] - J[j], J[i] - J[j]) for i, j in pairs)


def central_differences(
    net: nn.Module, value: Callable[[nn.Module], float], width: float = 1e-6
) -> list[Tensor]:
    """The gradient of a function of the network with respect to every parameter."""
    moved = copy.deepcopy(net)
    slopes = []
    for parameter in moved.parameters():
        flat, slope = parameter.data.view(-1), torch.zeros(parameter.numel(), dtype=DTYPE)
        for entry in range(parameter.numel()):
            kept, ends = float(flat[entry]), []
            for sign in (1, -1):
                flat[entry] = kept + sign * width
                ends.append(value(moved))
            flat[entry] = kept
            slope[entry] = (ends[0] - ends[1]) / (2 * width)
        slopes.append(slope.reshape(parameter.shape))
    return slopes


def check_penalty(net, x, y, regularizer, value, *, rtol=1e-9, slope=1e-7) -> None:
    """Compare a penalty and its parameter gradient with an oracle ``value(net) -> float``."""
    found = regularizer.penalty(net, x, y, net(x))
    expected = value(net)
    assert abs(found.item() - expected) <= rtol * max(1.0, abs(expected)), (found, expected)
    slopes = torch.autograd.grad(found, list(net.parameters()), materialize_grads=True)
    for ours, theirs in zip(slopes, central_differences(net, value), strict=True):
        scale = max(1.0, float(theirs.abs().max()))
        assert float((ours - theirs).abs().max()) <= slope * scale, (ours, theirs)
