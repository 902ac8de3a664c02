"""Networks with the same function and other weights: what per-layer statistics make of them."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from nbsrc.audits.finding import Case, collect
from nbsrc.claims import Finding
from nbsrc.layer_spectra import LayerSpectrum, Spectrum, layer_spectra, spectral_complexity

__all__ = [
    "audit_complexity_bounds",
    "audit_complexity_invariance",
    "audit_one_function_one_statistic",
    "kernel_norms",
    "mlp",
    "plain_cnn",
    "rescale_layers",
    "rescale_units",
    "weight_layers",
]


def mlp(weights: Sequence[Sequence[Sequence[float]]]) -> nn.Sequential:
    """A ReLU network without biases, ReLUs between the layers only.

    Args:
        weights: The matrices row by row, the first layer first.

    Returns:
        The network, float64.
    """
    layers: list[nn.Module] = []
    for rows in weights:
        W = torch.tensor(rows, dtype=torch.float64)
        linear = nn.Linear(W.shape[1], len(W), bias=False, dtype=torch.float64)
        linear.weight = nn.Parameter(W)
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def plain_cnn(generator: torch.Generator, channels: tuple[int, int] = (8, 12)) -> nn.Sequential:
    """A CNN for 8x8 images without batch norm: two convolutions, then two linear layers.

    The second convolution has stride 2.

    Args:
        generator: Source of the weights (He's normal initialisation, biases 0).
        channels: Output channels of the convolutions.

    Returns:
        The network.
    """
    a, b = channels
    net = nn.Sequential(
        nn.Conv2d(1, a, 3, padding=1), nn.ReLU(), nn.Conv2d(a, b, 3, stride=2, padding=1),
        nn.ReLU(), nn.Flatten(), nn.Linear(16 * b, 32), nn.ReLU(), nn.Linear(32, 10),
    )  # fmt: skip
    for layer in weight_layers(net):
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
    return net


def weight_layers(net: nn.Module) -> list[nn.Conv2d | nn.Linear]:
    """The layers with weights, in order.

    Args:
        net: The network.

    Returns:
        Its convolutions and linear layers.
    """
    return [m for m in net.modules() if isinstance(m, nn.Conv2d | nn.Linear)]


def rescale_layers(net: nn.Sequential, factors: Sequence[float]) -> nn.Sequential:
    """A network with the same function: layer i times ``factors[i]``, the last one divided by all.

    Args:
        net: A chain of layers and ReLUs, not changed.
        factors: Positive factors, one for each layer but the last.

    Returns:
        The rescaled copy.
    """
    twin = copy.deepcopy(net)
    total = 1.0
    with torch.no_grad():
        layers = weight_layers(twin)
        for layer, factor in zip(layers, [*factors, 1 / math.prod(factors)], strict=True):
            total *= factor
            layer.weight *= factor
            if layer.bias is not None:
                layer.bias *= total
    return twin


def rescale_units(net: nn.Sequential, factors: Tensor) -> nn.Sequential:
    """A network with the same function: unit j of the first of two linear layers times a factor.

    Args:
        net: Linear layers and ReLUs, not changed.
        factors: One positive factor for each unit of the first layer.

    Returns:
        The rescaled copy.
    """
    twin = copy.deepcopy(net)
    first, second = weight_layers(twin)[:2]
    with torch.no_grad():
        first.weight *= factors[:, None]
        if first.bias is not None:
            first.bias *= factors
        second.weight /= factors
    return twin


def audit_one_function_one_statistic(
    pairs: Iterable[tuple[nn.Sequential, nn.Sequential]],
    statistic: Callable[[Spectrum], float],
    example: tuple[int, ...],
    *,
    seed: int = 0,
    tolerance: float = 1e-9,
) -> Finding:
    """Test that two networks with the same function have the same statistic in every layer.

    Args:
        pairs: Networks and rescaled copies; that both compute the same is checked first.
        statistic: Statistic of a layer's singular values.
        example: Shape of an input, batch dimension included.
        seed: Seed of the inputs at which outputs are compared.
        tolerance: Largest relative difference.

    Returns:
        The finding; the slack is minus the largest relative difference of a layer.

    Raises:
        ValueError: If a pair does not compute the same function.
    """
    g = torch.Generator().manual_seed(seed)

    def cases() -> Iterator[Case]:
        for number, (one, two) in enumerate(pairs):
            x = torch.randn(20, *example[1:], generator=g, dtype=torch.float64)
            x = x.to(weight_layers(one)[0].weight.dtype)
            with torch.no_grad():
                a, b = one(x), two(x)
            if float((a - b).abs().max()) > 1e-5 * float(a.abs().max()):
                raise ValueError("both networks of a pair must compute the same function")
            values = [[statistic(r.spectrum) for r in layer_spectra(net, example) if r.spectrum]
                      for net in (one, two)]  # fmt: skip
            slack = -max(abs(u - v) / max(u, v, 1e-300) for u, v in zip(*values, strict=True))
            weights = [[m.weight.tolist() for m in weight_layers(net)] for net in (one, two)]
            shown: dict[str, Any] = {"statistic": values[0], "of the twin": values[1]}
            if sum(m.weight.numel() for m in weight_layers(one)) <= 8:
                shown = {"W": weights[0], "twin": weights[1], **shown}
            yield slack, (number,), shown

    return collect(cases(), tolerance=tolerance, family="networks and rescaled copies")


def kernel_norms(net: nn.Sequential) -> float:
    """The product of the spectral norms of the weights as matrices, kernels flattened.

    Args:
        net: A network.

    Returns:
        The product; for convolutions not that of the operators.
    """
    weights = [m.weight.detach().double().flatten(1) for m in weight_layers(net)]
    return math.prod(float(torch.linalg.matrix_norm(W, 2)) for W in weights)


def audit_complexity_bounds(
    nets: Iterable[tuple[nn.Sequential, tuple[int, ...]]],
    complexity: Callable[[nn.Sequential, list[LayerSpectrum]], float],
    *,
    seed: int = 0,
) -> Finding:
    """Test that the spectral complexity is at least every Jacobian's norm.

    Args:
        nets: Networks and the shape of an input, batch dimension included.
        complexity: The product of the layers' norms, from the network and its records.
        seed: Seed of the inputs.

    Returns:
        The finding; the slack is relative to the larger side.
    """
    g = torch.Generator().manual_seed(seed)

    def cases() -> Iterator[Case]:
        for number, (net, shape) in enumerate(nets):
            value = complexity(net, layer_spectra(net, shape))
            for _ in range(4):
                x = torch.randn(shape, generator=g, dtype=torch.float64).abs()
                J = torch.autograd.functional.jacobian(net.double(), x)
                found = float(torch.linalg.matrix_norm(J.reshape(-1, x.numel()), 2))
                shown = {"network": number, "complexity": value, "norm of a Jacobian": found}
                yield (value - found) / max(value, found), (number,), shown

    return collect(cases(), tolerance=1e-9, family="fully connected and convolutional networks")


def audit_complexity_invariance(
    pairs: Iterable[tuple[nn.Sequential, nn.Sequential]], example: tuple[int, ...]
) -> Finding:
    """Test that a network and its rescaled copy have the same spectral complexity.

    Args:
        pairs: The networks.
        example: Shape of an input, batch dimension included.

    Returns:
        The finding; the slack is minus the relative difference.
    """

    def cases() -> Iterator[Case]:
        for number, pair in enumerate(pairs):
            one, two = (spectral_complexity(layer_spectra(net, example)) for net in pair)
            yield -abs(one - two) / max(one, two), (number,), {"one": one, "two": two}

    return collect(cases(), tolerance=1e-6, family="networks and rescaled copies")
