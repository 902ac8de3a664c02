"""Definition 1: quotients, and regions that give their supremum."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import pairwise, product
from typing import NamedTuple

import torch
from torch import Tensor, nn

from nbsrc.audits.finding import Case, collect
from nbsrc.claims import Finding
from nbsrc.linear_region import Region, enumerate_regions
from nbsrc.lipschitz import lipschitz_constant, lipschitz_lower_bound

__all__ = [
    "TwoPoints",
    "audit_all_pairs",
    "audit_regions_give_the_supremum",
    "input_size",
    "integer_layer",
    "segment_quotient",
    "small_networks",
    "two_point_quotient",
]

_ORDERS = (1.0, 2.0, math.inf)


def small_networks(count: int, seed: int, *, outputs: int | None = None) -> Iterator[nn.Sequential]:
    """Yield networks on the line and in the plane with small integer weights, ties included.

    Args:
        count: Number of networks.
        seed: Seed of the weights.
        outputs: Number of outputs; by default one or two.

    Yields:
        Networks with one or two hidden layers of two to five units.
    """
    generator = torch.Generator().manual_seed(seed)
    for number in range(count):
        hidden = [2 + (number + k) % 4 for k in range(1 + number % 2)]
        widths = [1 + number % 3 % 2, *hidden, outputs or 1 + number % 2]
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            weight = torch.randint(-3, 4, (after, before), generator=generator)
            bias = torch.randint(-3, 4, (after,), generator=generator)
            layers += [integer_layer(weight, bias), nn.ReLU()]
        yield nn.Sequential(*layers[:-1])


def integer_layer(weight: Tensor, bias: Tensor) -> nn.Linear:
    """Return a linear layer with given whole numbers, in float64.

    Args:
        weight: ``[outputs, inputs]``.
        bias: ``[outputs]``.

    Returns:
        The layer, without gradients.
    """
    layer = nn.Linear(weight.shape[1], weight.shape[0], dtype=torch.float64)
    layer.weight = nn.Parameter(weight.double(), requires_grad=False)
    layer.bias = nn.Parameter(bias.double(), requires_grad=False)
    return layer


def input_size(network: nn.Sequential) -> int:
    """Return the number of inputs of a network that starts with a linear layer.

    Args:
        network: The network.

    Returns:
        Its number of inputs.
    """
    first = network[0]
    assert isinstance(first, nn.Linear)
    return first.in_features


def audit_all_pairs(*, include_equal: bool) -> Finding:
    """Test that the quotient of eq. (4) is defined for all pairs of points, with f(x) = x.

    Args:
        include_equal: Whether equal points are pairs, as printed.

    Returns:
        The finding; the slack is -1 where the quotient is 0/0.
    """

    def judged() -> Iterator[Case]:
        for a, b in product(range(2), repeat=2):
            if a == b and not include_equal:
                continue
            try:
                quotient = str(Fraction(abs(a - b), abs(a - b)))
            except ZeroDivisionError:
                quotient = "undefined"
            shown = {"f": "x", "x1": a, "x2": b, "quotient": quotient}
            yield -1.0 if quotient == "undefined" else 0.0, (a + b,), shown

    return collect(judged(), tolerance=0, family="pairs of points on the line")


def audit_regions_give_the_supremum(
    networks: Iterable[nn.Sequential], seed: int, *, tolerance: float
) -> Finding:
    """Test that the largest operator norm over all regions is the supremum of the quotients.

    Args:
        networks: Small networks.
        seed: Seed of the sampled pairs.
        tolerance: Relative rounding.

    Returns:
        The finding; the slack is minus the relative amount by which a sampled pair exceeds the
        value, or by which the pair in the steepest region misses it.
    """
    generator = torch.Generator().manual_seed(seed)

    def judged() -> Iterator[Case]:
        for network in networks:
            inputs = input_size(network)
            regions = list(enumerate_regions(network))
            for order in _ORDERS:
                value = lipschitz_constant(network, order).value
                starts, ends = 3 * torch.randn((2, 400, inputs), generator=generator).double()
                sampled = lipschitz_lower_bound(network, starts, ends, order)
                norms = [_norm(region.weight, order) for region in regions]
                steepest = regions[norms.index(max(norms))]
                a, b = _steep_pair(steepest, order)
                reached = lipschitz_lower_bound(network, a, b, order) if max(norms) > 0 else 0.0
                off = max(sampled - value, abs(value - reached)) / max(value, 1.0)
                shown = {"inputs": inputs, "norm": str(order), "constant": value, "off by": off}
                yield -off, (inputs, len(regions)), shown

    return collect(judged(), tolerance=tolerance, family="small integer networks, three norms")


def _norm(weight: Tensor, order: float) -> float:
    return float(torch.linalg.matrix_norm(weight, ord=order))


def _steep_pair(region: Region, order: float) -> tuple[Tensor, Tensor]:
    """Return two points of the region along a vector that attains the norm of its Jacobian."""
    weight = region.weight
    if order == 1:
        direction = torch.eye(weight.shape[1], dtype=weight.dtype)[weight.abs().sum(0).argmax()]
    elif order == math.inf:
        direction = weight[weight.abs().sum(1).argmax()].sign()
    else:
        direction = torch.linalg.svd(weight).Vh[0]
    step = 0.5 * region.radius * direction / direction.norm().clamp_min(1e-300)
    return (region.point - step)[None], (region.point + step)[None]


class TwoPoints(NamedTuple):
    """A Lipschitz constant on a set that is not convex.

    Attributes:
        quotient: The largest quotient over pairs of the set.
        largest_slope: The largest slope of the function.
    """

    quotient: float
    largest_slope: float


def two_point_quotient() -> TwoPoints:
    """Return both numbers for ``f(x) = |x - 1|`` on the compact set of 0 and 2.

    Returns:
        Quotient and largest slope.
    """
    first = integer_layer(torch.tensor([[1], [-1]]), torch.tensor([-1, 1]))
    f = nn.Sequential(first, nn.ReLU(), integer_layer(torch.tensor([[1, 1]]), torch.tensor([0])))
    ends = torch.tensor([[0.0], [2.0]]).double()
    quotient = lipschitz_lower_bound(f, ends[:1], ends[1:], 2)
    return TwoPoints(quotient, lipschitz_constant(f, 2).value)


def segment_quotient() -> TwoPoints:
    """Return both numbers for f(x, y) = 100 y on the segment from (0, 0) to (1, 0).

    The segment is convex and compact, but has no interior.

    Returns:
        Quotient and largest slope.
    """
    f = nn.Sequential(integer_layer(torch.tensor([[0, 100]]), torch.tensor([0])))
    ends = torch.tensor([[0.0, 0.0], [1.0, 0.0]]).double()
    quotient = lipschitz_lower_bound(f, ends[:1], ends[1:], 2)
    return TwoPoints(quotient, lipschitz_constant(f, 2).value)
