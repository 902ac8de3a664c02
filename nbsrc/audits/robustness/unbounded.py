"""Separable sets without a robust network: the integers, and a metric that no norm gives."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from scipy.optimize import linprog
from torch import nn

from nbsrc.constructions import robust_classifier
from nbsrc.linear_region import enumerate_regions
from nbsrc.lipschitz import lipschitz_constant

__all__ = [
    "DiscreteMetricSet",
    "IntegerSet",
    "discrete_metric_sets",
    "integer_sets",
    "last_breakpoint",
    "least_affine_error",
]


@dataclass(frozen=True)
class IntegerSet:
    """The integers, labelled 1 and 2 by parity, each with positive probability, under eps = 1/4.

    No ReLU network is robust on all of them. Beyond its last breakpoint it is affine, and an affine
    function misses one of the labels 1, 2, 1 of three consecutive integers by 1/2 or more.

    Attributes:
        reach: An example network is built for the integers from -reach to reach.
    """

    reach: int

    @property
    def size(self) -> tuple[int, ...]:
        """Ordered by the part that the example network was built for."""
        return (self.reach,)

    @property
    def description(self) -> dict[str, Any]:
        """The set in words."""
        return {
            "X": "all integers",
            "labels": "1 if even, 2 if odd",
            "eps": 0.25,
            "why": "an affine function misses 1, 2, 1 at three consecutive integers by 1/2",
            "least error of an affine function": least_affine_error((1, 2, 1)),
        }

    def shortfall(self) -> float:
        """Return how many of the three integers beyond the last breakpoint are lost.

        Returns:
            The number for the example network; at least 1 for every ReLU network if the least
            error of an affine function on the labels 1, 2, 1 is 1/2 or more, else 0.
        """
        k = torch.arange(-self.reach, self.reach + 1)
        network = robust_classifier(k[:, None], k % 2 + 1, 0.25, 2)
        first = math.floor(last_breakpoint(network)) + 1
        tail = torch.arange(first, first + 3)
        with torch.no_grad():
            output = network(tail[:, None].double())[:, 0]
        lost = int(((output - (tail % 2 + 1)).abs() >= 0.5).sum())
        return float(lost) if least_affine_error((1, 2, 1)) >= 0.5 - 1e-12 else 0.0

    def overshoot(self) -> float:
        """Return how far an integer leaves the unit interval into which a part was scaled.

        Returns:
            The distance of the image of reach + 1, which is positive for every reach and scaling.
        """
        return (2 * self.reach + 1) / (2 * self.reach) - 1


def least_affine_error(values: Sequence[int]) -> float:
    """Return the least sup-norm error of an affine function on consecutive integers.

    Args:
        values: The values at 0, 1, 2, ....

    Returns:
        The value of a linear programme in slope, intercept and error.

    Raises:
        RuntimeError: If the linear programme is not solved.

    Example:
        >>> least_affine_error((1, 2, 3)), least_affine_error((1, 2, 1))
        (0.0, 0.5)
    """
    rows, bounds = [], []
    for k, value in enumerate(values):
        rows += [[k, 1, -1], [-k, -1, -1]]
        bounds += [value, -value]
    found = linprog([0, 0, 1], rows, bounds, bounds=(None, None))
    if not found.success:
        raise RuntimeError(f"the linear programme was not solved: {found.message}")
    return abs(float(found.fun))


def last_breakpoint(network: nn.Module) -> float:
    """Return the largest end of a region of a ReLU network on the line.

    Args:
        network: The network.

    Returns:
        The largest breakpoint; minus infinity if the network is affine.
    """
    starts = [
        -float(offset)
        for region in enumerate_regions(network)
        for normal, offset in zip(region.normals[:, 0], region.offsets, strict=True)
        if normal < 0
    ]
    return max(starts, default=-math.inf)


@dataclass(frozen=True)
class DiscreteMetricSet:
    """The set of 0 (label 1) and all 1/k (label 2), any two points at distance 1, eps = 1/4.

    Balls are single points. No continuous classifier is robust at all points: at 0 its output is
    below 3/2, hence also at 1/k for large k.

    Attributes:
        reach: An example network is built for 0 and 1/k with k up to this number.
    """

    reach: int

    @property
    def size(self) -> tuple[int, ...]:
        """After the integers, which need no unusual metric."""
        return (1000 + self.reach,)

    @property
    def description(self) -> dict[str, Any]:
        """The set in words."""
        return {
            "X": "0 and 1/k for k = 1, 2, ...",
            "labels": "1 at 0, else 2",
            "metric": "1 between different points",
            "eps": 0.25,
        }

    def shortfall(self) -> float:
        """Return 1 if the point 1/k that the Lipschitz constant names is lost, else 0.

        With room m = 3/2 - g(0) > 0 and Lipschitz constant L, every k > L/m has g(1/k) < 3/2.

        Returns:
            1 where the example network has g(0) >= 3/2 or is wrong at the first such 1/k.
        """
        k = torch.arange(1, self.reach + 1).double()
        x = torch.cat([torch.zeros(1).double(), 1 / k])
        y = torch.full((len(x),), 2).index_fill(0, torch.tensor([0]), 1)
        network = robust_classifier(x[:, None], y, 0.0, 2)
        room = 1.5 - _value(network, 0.0)
        if room <= 0:
            return 1.0
        named = math.floor(lipschitz_constant(network, 2).upper / room) + 1
        return 1.0 if _value(network, 1 / named) < 1.5 else 0.0


def _value(network: nn.Module, x: float) -> float:
    with torch.no_grad():
        return float(network(torch.tensor([[x]], dtype=torch.float64))[0, 0])


def integer_sets() -> list[IntegerSet]:
    """Return the integers with networks for ever larger finite parts.

    Returns:
        The instances.
    """
    return [IntegerSet(reach) for reach in (1, 2, 4, 8, 16)]


def discrete_metric_sets() -> list[DiscreteMetricSet]:
    """Return the set with the discrete metric with networks for ever larger finite parts.

    Returns:
        The instances.
    """
    return [DiscreteMetricSet(reach) for reach in (1, 4, 16)]
