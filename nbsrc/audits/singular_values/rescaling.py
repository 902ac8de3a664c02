"""Networks with the same function and other weights: what per-layer statistics make of them."""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from nbsrc.audits.finding import Case, collect
from nbsrc.claims import Finding
from nbsrc.layer_spectra import Spectrum, layer_spectra, spectrum

__all__ = [
    "audit_one_function_one_statistic",
    "audit_units_reach_the_maximum",
    "mlp",
    "plain_cnn",
    "random_mlps",
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
    pairs: Iterable[tuple[nn.Sequential, nn.Sequential, tuple[int, ...]]],
    statistic: Callable[[Spectrum], float],
    *,
    seed: int = 0,
    tolerance: float = 1e-9,
) -> Finding:
    """Test that two networks with the same function have the same statistic in every layer.

    Args:
        pairs: Networks, rescaled copies, and the shape of an input, batch dimension included; that
            both compute the same is checked first.
        statistic: Statistic of a layer's singular values.
        seed: Seed of the inputs at which outputs are compared.
        tolerance: Largest relative difference.

    Returns:
        The finding; the slack is minus the largest relative difference of a layer.

    Raises:
        ValueError: If a pair does not compute the same function.
    """
    g = torch.Generator().manual_seed(seed)

    def cases() -> Iterator[Case]:
        for number, (one, two, example) in enumerate(pairs):
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


def random_mlps(count: int, seed: int) -> list[nn.Sequential]:
    """Random networks with one hidden layer, two to five inputs and units, three outputs.

    Args:
        count: How many.
        seed: Seed.

    Returns:
        The networks.
    """
    g = torch.Generator().manual_seed(seed)
    found = []
    for _ in range(count):
        n, m = (int(torch.randint(2, 6, (), generator=g)) for _ in range(2))
        weights = [torch.randn(*s, generator=g, dtype=torch.float64) for s in ((m, n), (3, m))]
        found.append(mlp([W.tolist() for W in weights]))
    return found


def audit_units_reach_the_maximum(
    nets: Iterable[nn.Sequential], *, one_factor: bool = False, seed: int = 0
) -> Finding:
    """Test that rescaling units brings std / mean of layer 1 close to its maximum, sqrt(k - 1).

    k is the number of singular values. Unit 1 keeps its weights, the others get the factors 1,
    2^-10, 2^-20 and 2^-30, and the next layer makes up for it: outputs are compared bit by bit.

    Args:
        nets: Networks with one hidden layer, of which unit 1 has weights other than 0.
        one_factor: Give all units the same factor: must break.
        seed: Seed of the inputs at which outputs are compared.

    Returns:
        The finding; the slack is 1e-6 minus the last distance to the maximum; -1 if an output
        differs, a distance is negative, or the distances do not fall.
    """
    g = torch.Generator().manual_seed(seed)

    def cases() -> Iterator[Case]:
        for number, net in enumerate(nets):
            first = weight_layers(net)[0].weight
            x = torch.randn(10, first.shape[1], generator=g, dtype=torch.float64)
            away, same = [], True
            for power in (0, 10, 20, 30):
                factors = torch.full((len(first),), 2.0**-power, dtype=torch.float64)
                if not one_factor:
                    factors[0] = 1
                twin = rescale_units(net, factors)
                found = spectrum(weight_layers(twin)[0].weight)
                away.append(math.sqrt(len(found.values) - 1) - found.relative_std)
                with torch.no_grad():
                    same = same and torch.equal(net(x), twin(x))
            falls = all(a > b for a, b in itertools.pairwise(away)) and away[-1] > -1e-12
            shown = {"shape": list(first.shape), "distances to the maximum": away}
            yield (1e-6 - away[-1] if same and falls else -1.0), (number,), shown

    return collect(cases(), tolerance=0, family="random networks with one hidden layer")
