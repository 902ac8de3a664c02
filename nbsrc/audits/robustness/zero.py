"""Proposition 1: large layers and a Lipschitz constant of zero."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import product

import torch
from torch import Tensor, nn

from nbsrc.audits.finding import Case, collect
from nbsrc.claims import Finding
from nbsrc.constructions import (
    proves_zero,
    zero_lipschitz_network,
)
from nbsrc.lipschitz import lipschitz_constant

__all__ = [
    "audit_printed_proof",
    "audit_single_layer",
    "audit_zero_networks",
    "smallest_layer_norm",
]

_ORDERS = (1, 2, math.inf)


def smallest_layer_norm(network: nn.Module, inputs: Tensor) -> float:
    """Return the least l1, l2 or linf norm of a linear or convolution layer, as dense matrices.

    Args:
        network: An ``nn.Sequential``.
        inputs: A batch; convolutions are taken on the image size that they meet.

    Returns:
        The least norm.
    """
    least = math.inf
    for module in network.children():
        matrix = None
        if isinstance(module, nn.Linear):
            matrix = module.weight.detach()
        elif isinstance(module, nn.Conv2d):
            shape = inputs.shape[1:]
            units = torch.eye(math.prod(shape), dtype=torch.float64).unflatten(1, shape)
            bias = 0 if module.bias is None else module.bias.detach()[:, None, None]
            matrix = (module(units).detach() - bias).flatten(1).T
        if matrix is not None:
            norms = [float(torch.linalg.matrix_norm(matrix, ord=order)) for order in _ORDERS]
            least = min(least, *norms)
        inputs = module(inputs)
    return least


def audit_zero_networks(
    scales: Sequence[float], *, max_width: int, max_depth: int, seed: int, bias: float = 0.0
) -> Finding:
    """Test Proposition 1 on every width and depth that allows it.

    Args:
        scales: Norms wanted of every layer.
        max_width: Largest width.
        max_depth: Largest number of linear layers.
        seed: Seed of the inputs.
        bias: A bias for all hidden units (a control; 0 tests the statement).

    Returns:
        The finding; the slack is the least of: relative excess of the layer norms over the scale,
        minus the largest output on random inputs, and -1 if exact arithmetic does not prove that
        the function is zero.
    """
    generator = torch.Generator().manual_seed(seed)

    def judged() -> Iterator[Case]:
        for scale, width, depth in product(
            scales, range(1, max_width + 1), range(2, max_depth + 1)
        ):
            for dead_units in (True, False):
                if width == 1 and (depth == 2 or not dead_units):
                    continue
                network = zero_lipschitz_network(width, depth, scale, dead_units=dead_units)
                if bias:
                    _set_hidden_bias(network, bias)
                x = torch.randn(50, width, generator=generator, dtype=torch.float64)
                excess = smallest_layer_norm(network, x) / scale - 1
                proof = 0.0 if proves_zero(network) else -1.0
                slack = min(excess, -float(network(x).detach().abs().max()), proof)
                shown = {"width": width, "layers": depth, "scale": scale, "bias": bias}
                yield slack, (width, depth), shown

    return collect(judged(), tolerance=0, family="widths and depths, with and without dead units")


def _set_hidden_bias(network: nn.Sequential, bias: float) -> None:
    for module in list(network)[:-1]:
        if isinstance(module, nn.Linear):
            full = torch.full((module.out_features,), bias, dtype=torch.float64)
            module.bias = nn.Parameter(full, requires_grad=False)


def audit_single_layer(scales: Sequence[float]) -> Finding:
    """Test the same for a network that is one linear layer: its norm is its Lipschitz constant.

    Args:
        scales: Norms.

    Returns:
        The finding; the slack is minus the exact Lipschitz constant of the layer scale * x.
    """

    def judged() -> Iterator[Case]:
        for number, scale in enumerate(scales):
            layer = nn.Linear(1, 1, bias=False, dtype=torch.float64).requires_grad_(False)
            layer.weight.fill_(scale)
            constant = lipschitz_constant(nn.Sequential(layer), 2).value
            yield -constant, (number,), {"layers": 1, "norm": scale, "constant": constant}

    return collect(judged(), tolerance=0, family="one linear layer")


def audit_printed_proof(
    *, max_width: int, max_layers: int, least_width: int = 1, overlap: bool = False
) -> Finding:
    """Test the proof of Proposition 1: two consecutive diagonal layers with disjoint supports.

    All supports are tried. For every width and number of layers some choice must give every layer
    a non-zero entry, and every choice with two disjoint consecutive supports the function zero.

    Args:
        max_width: Largest width.
        max_layers: Largest number of layers, each followed by a ReLU as printed.
        least_width: Smallest width.
        overlap: Whether the two supports share a coordinate instead (a control).

    Returns:
        The finding; the slack is minus the largest output, or -1 if every choice has a zero layer.
    """

    def judged() -> Iterator[Case]:
        for width, layers in product(range(least_width, max_width + 1), range(2, max_layers + 1)):
            if width * layers > 12:
                continue  # 2^12 choices are plenty
            best, worst = -1.0, 0.0
            for supports in product(product((0, 1), repeat=width), repeat=layers):
                weights = torch.tensor(supports, dtype=torch.float64)
                meets = (weights[:-1] * weights[1:]).sum(dim=1)
                if not bool(((meets > 0) if overlap else (meets == 0)).any()):
                    continue
                output = torch.ones(width, dtype=torch.float64)  # no sign hides anything
                for diagonal in weights:
                    output = (output * diagonal).relu()
                worst = max(worst, float(output.max()))
                if bool(weights.any(dim=1).all()):
                    best = 0.0
            shown = {"width": width, "layers": layers, "some choice has no zero layer": best == 0}
            yield min(best, -worst), (width, layers), shown

    return collect(judged(), tolerance=0, family="all supports of diagonal layers")
