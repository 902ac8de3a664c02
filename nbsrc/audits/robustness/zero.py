"""Proposition 1: large layers and a Lipschitz constant of zero, or any function at all."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, product

import torch
from torch import Tensor, nn

from nbsrc.audits.finding import Case, collect
from nbsrc.claims import Finding
from nbsrc.constructions import (
    inflate_norms,
    proves_same_function,
    proves_zero,
    zero_lipschitz_network,
)
from nbsrc.lipschitz import lipschitz_constant
from nbsrc.models import digits_cnn, initialise

__all__ = [
    "NetworkToInflate",
    "audit_inflated",
    "audit_printed_proof",
    "audit_single_layer",
    "audit_zero_networks",
    "networks_to_inflate",
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


@dataclass(frozen=True)
class NetworkToInflate:
    """A network and inputs for it.

    Attributes:
        name: What it is.
        network: The network, in eval mode.
        inputs: A batch.
    """

    name: str
    network: nn.Sequential
    inputs: Tensor


def networks_to_inflate(count: int, seed: int) -> Iterator[NetworkToInflate]:
    """Yield random fully connected networks and small CNNs with batch norm, stride and padding.

    Args:
        count: Number of networks.
        seed: Seed of weights and inputs.

    Yields:
        The networks, every fourth one a CNN.
    """
    generator = torch.Generator().manual_seed(seed)
    for number in range(count):
        if number % 4 == 3:
            network = digits_cnn(generator=generator, channels=(3, 4, 2 + number % 3)).double()
            x = torch.rand(5, 1, 8, 8, generator=generator, dtype=torch.float64)
            yield NetworkToInflate("digits CNN", network.eval(), x)
            continue
        widths = [int(torch.randint(1, 7, (), generator=generator)) for _ in range(3 + number % 3)]
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [nn.Linear(before, after), nn.ReLU()]
        network = initialise(nn.Sequential(*layers[:-1]), generator).double()
        x = torch.randn(40, widths[0], generator=generator, dtype=torch.float64)
        name = "widths " + ", ".join(map(str, widths))
        yield NetworkToInflate(name, network.eval(), x)


def audit_inflated(
    cases: Iterable[NetworkToInflate], scale: float, *, tolerance: float, read_back: bool = False
) -> Finding:
    """Test that inflated networks compute the same function, with large layers.

    Equality is proven from the weights; outputs may differ by rounding, because a wider matrix may
    be added up in another order.

    Args:
        cases: Networks with inputs.
        scale: The norm wanted of every layer.
        tolerance: Rounding allowed for the outputs.
        read_back: Whether the layer behind reads the loud units (a control).

    Returns:
        The finding; the slack is the least of: relative excess of the layer norms over the scale,
        minus the largest difference of outputs, and -1 if the weights do not prove equality.
    """

    def judged() -> Iterator[Case]:
        for case in cases:
            large = inflate_norms(case.network, scale)
            if read_back:
                large = copy.deepcopy(large)
                pairs = list(zip(_linear_layers(case.network), _linear_layers(large), strict=True))
                before, reader = pairs[1 if isinstance(large[0], nn.Linear) else -1]
                reader.weight.data[:, before.in_features :] = 1.0  # all columns that were added
            with torch.no_grad():
                difference = float((large(case.inputs) - case.network(case.inputs)).abs().max())
            proof = 0.0 if proves_same_function(case.network, large) else -1.0
            excess = smallest_layer_norm(large, case.inputs) / scale - 1
            parameters = sum(x.numel() for x in case.network.parameters())
            shown = {"network": case.name, "difference": difference}
            yield min(excess, -difference, proof), (parameters,), shown

    return collect(judged(), tolerance=tolerance, family="random networks, vectors and images")


def _linear_layers(network: nn.Module) -> list[nn.Linear]:
    return [module for module in network.modules() if isinstance(module, nn.Linear)]
