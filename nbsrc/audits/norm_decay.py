"""Norm decay: the objective (5) and a step of Algorithm 1, with exact norms."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from nbsrc.audits.finding import Case, collect
from nbsrc.claims import Finding
from nbsrc.conv import conv_matrix, conv_norm
from nbsrc.models import digits_cnn

__all__ = [
    "audit_algorithm_step",
    "audit_penalty_value",
    "norm_sum",
]

Combine = Callable[[Tensor, Tensor, float], Tensor]


def norm_sum(network: nn.Sequential, order: float, image: tuple[int, int]) -> tuple[Tensor, int]:
    r"""Return the sum of :math:`\|\theta^{(i)}\|_p` over linear and convolution layers.

    Eq. (5) of Liang & Huang (2021), with the exact norms of this package; differentiable.

    Args:
        network: Convolutions, batch norm, ReLU, Flatten and linear layers in sequence.
        order: p, 1 or ``math.inf``.
        image: Height and width of the input images.

    Returns:
        The sum, and the number N of layers in it.
    """
    total, count, size = torch.zeros((), dtype=torch.float64), 0, image
    for layer in network:
        if isinstance(layer, nn.Linear):
            total = total + layer.weight.abs().sum(dim=0 if order == 1 else 1).max()
            count += 1
        elif isinstance(layer, nn.Conv2d):
            stride, padding = _pair(layer.stride), _pair(layer.padding)
            norm = conv_norm(layer.weight, size, ord=order, stride=stride, padding=padding)
            total, count = total + norm, count + 1
            size = _output_size(layer, size)
    return total, count


def audit_penalty_value(
    seeds: Iterable[int], *, tolerance: float, reshape: bool = False
) -> Finding:
    """Test the penalty of eq. (5) against the norms of the layers' dense matrices.

    Args:
        seeds: Seeds of small CNNs.
        tolerance: Relative rounding.
        reshape: Whether to take the norm of the reshaped kernel instead (a control).

    Returns:
        The finding; the slack is minus the relative difference of the two sums, or of the
        derivative along a random direction from a central difference, divided by 10^4.
    """

    def judged() -> Iterator[Case]:
        for seed in seeds:
            generator = torch.Generator().manual_seed(seed)
            network = digits_cnn(generator=generator, channels=(2, 3, 2)).double()
            for order in (1.0, math.inf):
                value, _ = norm_sum(network, order, (8, 8))
                dense = _dense_sum(network, order, reshape=reshape)
                off = abs(value.item() - dense) / dense
                slope = _slope_error(network, order, value, generator)
                yield -max(off, slope / 1e4), (seed,), {"seed": seed, "p": str(order), "off": off}

    return collect(judged(), tolerance=tolerance, family="small CNNs, l1 and linf")


def _dense_sum(network: nn.Sequential, order: float, *, reshape: bool) -> float:
    total, size = 0.0, (8, 8)
    for layer in network:
        if isinstance(layer, nn.Linear):
            matrix = layer.weight.detach()
        elif isinstance(layer, nn.Conv2d):
            stride, padding = _pair(layer.stride), _pair(layer.padding)
            weight = layer.weight.detach()
            matrix = conv_matrix(weight, size, stride=stride, padding=padding)
            matrix = weight.flatten(1) if reshape else matrix
            size = _output_size(layer, size)
        else:
            continue
        total += float(torch.linalg.matrix_norm(matrix, ord=order))
    return total


def _slope_error(
    network: nn.Sequential, order: float, value: Tensor, generator: torch.Generator
) -> float:
    """Compare the gradient with a central difference along a random direction."""
    parameters = list(network.parameters())
    gradients = torch.autograd.grad(value, parameters, allow_unused=True)
    steps = [torch.randn(p.shape, generator=generator, dtype=p.dtype) for p in parameters]
    slope = sum(
        float((g * s).sum()) for g, s in zip(gradients, steps, strict=True) if g is not None
    )
    width = 1e-6
    ends = []
    for sign in (1, -1):
        moved = copy.deepcopy(network)
        for p, s in zip(moved.parameters(), steps, strict=True):
            p.data.add_(s, alpha=sign * width)
        ends.append(norm_sum(moved, order, (8, 8))[0].item())
    return abs(slope - (ends[0] - ends[1]) / (2 * width)) / max(1.0, abs(slope))


def _ema(h: Tensor, p: Tensor, gamma: float) -> Tensor:
    return gamma * h + (1 - gamma) * p


def audit_algorithm_step(
    seeds: Iterable[int], *, tolerance: float, average: bool = True, combine: Combine = _ema
) -> Finding:
    """Test Algorithm 1: with gamma = 0 a step is an SGD step on (5), and h tends to a constant p.

    Args:
        seeds: Seeds of small CNNs with random images.
        tolerance: Rounding of parameters.
        average: Whether beta is divided by the number of layers, as printed (False is a control).
        combine: Line 5 of the algorithm.

    Returns:
        The finding; the slack is minus the largest difference of a parameter after one step, and
        of h from (1 - gamma^k) p after k steps with a constant p.
    """

    def judged() -> Iterator[Case]:
        for seed in seeds:
            generator = torch.Generator().manual_seed(seed)
            network = digits_cnn(generator=generator, channels=(2, 3, 2)).double()
            x = torch.rand(6, 1, 8, 8, generator=generator, dtype=torch.float64)
            y = torch.randint(10, (6,), generator=generator)
            for order in (1.0, math.inf):
                off = _step_error(network, x, y, order, average=average, combine=combine)
                p = torch.randn(5, generator=generator, dtype=torch.float64)
                h = torch.zeros_like(p)
                for k in range(1, 9):
                    h = combine(h, p, 0.5)
                    off = max(off, float((h - (1 - 0.5**k) * p).abs().max()))
                yield -off, (seed,), {"seed": seed, "p": str(order), "difference": off}

    return collect(judged(), tolerance=tolerance, family="small CNNs, one step")


def _step_error(
    network: nn.Sequential, x: Tensor, y: Tensor, order: float, *, average: bool, combine: Combine
) -> float:
    """Return the largest difference between a step of Algorithm 1 and of SGD on eq. (5)."""
    beta, rate = 0.1, 0.05
    parameters = list(network.parameters())
    loss = functional.cross_entropy(network(x), y)
    total, count = norm_sum(network, order, (8, 8))
    wanted = torch.autograd.grad(loss + beta / count * total, parameters, retain_graph=True)
    g = torch.autograd.grad(loss, parameters)
    p = torch.autograd.grad(total, parameters, allow_unused=True)
    worst = 0.0
    for gradient, part, target in zip(g, p, wanted, strict=True):
        direction = torch.zeros_like(gradient) if part is None else part
        h = combine(torch.zeros_like(direction), direction, 0.0)
        step = gradient + beta / (count if average else 1) * h
        worst = max(worst, rate * float((step - target).abs().max()))
    return worst


def _pair(value: object) -> tuple[int, int]:
    assert isinstance(value, tuple)
    return int(value[0]), int(value[1])


def _output_size(layer: nn.Conv2d, size: tuple[int, int]) -> tuple[int, int]:
    kernel, stride, pad = (_pair(x) for x in (layer.kernel_size, layer.stride, layer.padding))
    height, width = (
        (n + 2 * p - k) // s + 1 for n, k, s, p in zip(size, kernel, stride, pad, strict=True)
    )
    return height, width
