"""Networks, points and starts: small linear maps with whole entries, random ReLU networks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise, product
from typing import Any

import torch
from torch import Tensor, nn

from nbsrc.linear_region import jacobian, region_radius
from nbsrc.operator_norm import uniform_in_ball

__all__ = [
    "ORDERS",
    "PAIRS",
    "Case",
    "affine",
    "dense_net",
    "linear_net",
    "random_cases",
    "small_conv",
    "whole_maps",
]

ORDERS = (1.0, 2.0, math.inf)
#: The nine pairs (p, q) of Theorem 1.
PAIRS = tuple(product(ORDERS, ORDERS))


@dataclass(frozen=True, eq=False)
class Case:
    """A network at a point, with starts of the iterations.

    Attributes:
        net: The network, float64.
        x: The point, ``[1, *input]``.
        directions: Starts in the unit ball, ``[starts, n]``; for a random case they are made for
            each p by :meth:`starts`.
        words: Describes the network.
        whole: Whether all numbers are whole, so that ties and zeros are exact.
    """

    net: nn.Module
    x: Tensor
    directions: Tensor
    words: str
    whole: bool = False
    _radii: dict[float, float] = field(default_factory=dict, init=False, repr=False)

    @cached_property
    def J(self) -> Tensor:
        """The Jacobian at x, ``[d, n]``."""
        return jacobian(self.net, self.x)[0].flatten(1)

    def radius(self, p: float) -> float:
        """Return the size of the ball: 0.9 of the region's radius, 1 for a linear map.

        Args:
            p: The order of the norm.

        Returns:
            The radius.
        """
        if p not in self._radii:
            found = float(region_radius(self.net, self.x, p))
            self._radii[p] = 0.9 * found if math.isfinite(found) else 1.0
        return self._radii[p]

    def starts(self, p: float) -> Tensor:
        """Return starts in the unit ball: given ones, or inside, on the sphere, near the centre.

        Starts that J maps to 0 are left out: there the loss has no gradient.

        Args:
            p: The order of the norm.

        Returns:
            ``[starts, n]``.
        """
        found = self.directions
        norms = torch.linalg.vector_norm(found, p, dim=-1, keepdim=True)
        if self.whole:
            found = found[norms.squeeze(-1) <= 1]
        else:
            sphere = found / norms
            found = torch.cat([found / norms.clamp(min=1), sphere, 1e-3 * sphere])
        return found[(found @ self.J.T).any(-1)]

    @property
    def size(self) -> tuple[int, ...]:
        """Whole maps first, then few entries of J, then small ones."""
        entries = self.J.abs()
        signs = int((self.J < 0).sum())
        return 1 - self.whole, self.J.numel(), int(entries.sum()), signs, int(entries.max())

    @property
    def description(self) -> dict[str, Any]:
        """J for a small map, else words."""
        return {"J": self.J.tolist()} if self.whole else {"network": self.words}


def affine(weight: object, bias: object = None) -> nn.Linear:
    """Return a linear layer with given entries.

    Args:
        weight: The matrix, a tensor or nested lists.
        bias: The offsets; none if omitted.

    Returns:
        The layer, float64.
    """
    W = torch.as_tensor(weight, dtype=torch.float64)
    layer = nn.Linear(W.shape[1], W.shape[0], bias=bias is not None, dtype=torch.float64)
    with torch.no_grad():
        layer.weight.copy_(W)
        if bias is not None:
            layer.bias.copy_(torch.as_tensor(bias, dtype=torch.float64))
    return layer


def linear_net(J: Sequence[Sequence[float]] | Tensor) -> nn.Sequential:
    """Return the linear network ``f(x) = J x``.

    Args:
        J: The matrix.

    Returns:
        The network, float64.
    """
    return nn.Sequential(affine(J))


def whole_maps(n: int, d: int, entries: Sequence[int] = (0, 1, -1)) -> Iterator[Case]:
    """Yield all nonzero maps with given whole entries.

    The starts are all vectors with entries 0, 1/2, 1 and their negatives, the simplest first.

    Args:
        n: Inputs.
        d: Outputs.
        entries: The entries of J.

    Yields:
        One case per map.
    """
    grid = [s for s in product((1.0, 0.5, 0.0, -0.5, -1.0), repeat=n) if any(s)]
    grid.sort(
        key=lambda s: (sum(abs(v) == 0.5 for v in s), sum(v < 0 for v in s), sum(map(abs, s)))
    )
    starts = torch.tensor(grid, dtype=torch.float64)
    for values in product(entries, repeat=n * d):
        if any(values):
            J = torch.tensor(values, dtype=torch.float64).reshape(d, n)
            x = torch.zeros(1, n, dtype=torch.float64)
            yield Case(linear_net(J), x, starts, "linear", whole=True)


def dense_net(sizes: Sequence[int], generator: torch.Generator) -> nn.Sequential:
    """Return a fully connected ReLU network with random weights and biases.

    Args:
        sizes: Inputs, widths, outputs.
        generator: Source of the weights.

    Returns:
        The network, float64.
    """
    layers: list[nn.Module] = []
    for number, (a, b) in enumerate(pairwise(sizes)):
        if number:
            layers.append(nn.ReLU())
        layers.append(nn.Linear(a, b, dtype=torch.float64))
    return _randomise(nn.Sequential(*layers), generator)


def small_conv(generator: torch.Generator) -> nn.Sequential:
    """Return a convolutional network for 4x4 images with one channel and 3 outputs.

    Args:
        generator: Source of the weights.

    Returns:
        The network, float64.
    """
    layers = (
        nn.Conv2d(1, 3, 3, padding=1), nn.ReLU(), nn.Conv2d(3, 2, 3, stride=2), nn.ReLU(),
        nn.Flatten(), nn.Linear(2, 3),
    )  # fmt: skip
    return _randomise(nn.Sequential(*layers).double(), generator)


def _randomise(net: nn.Sequential, generator: torch.Generator) -> nn.Sequential:
    for module in net:
        if isinstance(module, nn.Linear | nn.Conv2d):
            fan = module.weight[0].numel()
            nn.init.normal_(module.weight, std=math.sqrt(2 / fan), generator=generator)
            assert module.bias is not None
            nn.init.normal_(module.bias, std=0.3, generator=generator)
    return net


def random_cases(count: int, seed: int, *, least_radius: float = 1e-3) -> Iterator[Case]:
    """Yield random ReLU networks, one in four a linear map, one in four convolutional.

    Args:
        count: How many.
        seed: Seed.
        least_radius: Points nearer to a kink (in l-inf) are drawn again: rounding is relative to
            the radius.

    Yields:
        The cases, with three starts.
    """
    g = torch.Generator().manual_seed(seed)

    def whole(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (), generator=g))

    for number in range(count):
        kind = number % 4
        n, d = whole(1, 6), whole(1, 5)
        net: nn.Sequential
        if kind == 0:
            net = linear_net(torch.randn(d, n, generator=g, dtype=torch.float64))
            words = f"linear {n}-{d}"
        elif kind == 1:
            net, words, n = small_conv(g), "convolutional 4x4", 16
        else:
            sizes = [n, *(whole(3, 9) for _ in range(kind - 1)), d]
            net, words = dense_net(sizes, g), "-".join(map(str, sizes))
        shape = (1, 1, 4, 4) if kind == 1 else (1, n)
        for _ in range(100):
            x = torch.randn(shape, generator=g, dtype=torch.float64)
            near = float(region_radius(net, x, math.inf)) < least_radius
            if not near and bool(jacobian(net, x).any()):
                break
        else:
            continue
        starts = uniform_in_ball(torch.zeros(1, n, dtype=torch.float64), 1.0, math.inf, g)
        yield Case(net, x, starts, f"{words}, number {number}")
