"""Infinite data sets: bounded ones through nets, the integers, and a metric that no norm gives."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.robustness.existence import certified_share
from nbsrc.audits.robustness.sets import LabelledSet
from nbsrc.claims import Finding
from nbsrc.constructions import robust_classifier

__all__ = [
    "BoundedSet",
    "DiscreteMetricSet",
    "IntegerSet",
    "audit_fits_a_cube",
    "bounded_sets",
    "discrete_metric_sets",
    "integer_sets",
]


@dataclass(frozen=True)
class BoundedSet:
    r"""An infinite bounded set, held by a finite net of it.

    Every point of the set is within ``spacing`` of a net point of its class. A network that is
    robust on the net at eps + spacing is robust on the whole set at eps.

    Attributes:
        name: The set in words.
        net: The net with the radius eps of the attack on the whole set.
        spacing: Largest distance of a point of the set from the net.
        members: Many more points of the set, not those of the net.
    """

    name: str
    net: LabelledSet
    spacing: float
    members: LabelledSet

    @property
    def size(self) -> tuple[int, ...]:
        """As of the net."""
        return self.net.size

    @property
    def description(self) -> dict[str, Any]:
        """The set in words."""
        return {"X": self.name, "eps": self.net.eps, "norm": str(self.net.ord)}

    @property
    def enlarged(self) -> LabelledSet:
        """The net under an attack that covers the one on the whole set."""
        return self.net.with_eps(self.net.eps + self.spacing)

    def best_robust_accuracy(self) -> float:
        """Return the certified robust accuracy of the network that is built for the net.

        Returns:
            The certified share of the enlarged net and of the further members, the smaller one.
        """
        large = self.enlarged
        network = robust_classifier(large.points, large.labels, large.eps, large.ord)
        return min(certified_share(large, network), certified_share(self.members, network))

    def overshoot(self) -> float:
        """Return how far the members leave the unit cube after the net was scaled into it.

        Returns:
            The largest distance from the cube in one coordinate, at most 0 if all are inside.
        """
        low = self.net.points.min() - self.spacing
        scale = self.net.points.max() + self.spacing - low
        scaled = (self.members.points - low) / scale
        return float(torch.maximum(-scaled, scaled - 1).max())


@dataclass(frozen=True)
class IntegerSet:
    """The integers, labelled 1 and 2 by parity, with probability 2^-|k| / 3, under eps = 1/4.

    Attributes:
        reach: The network is built for the integers from -reach to reach.
    """

    reach: int

    @property
    def size(self) -> tuple[int, ...]:
        """Ordered by the part that the network was built for."""
        return (self.reach,)

    @property
    def description(self) -> dict[str, Any]:
        """The set in words."""
        return {
            "X": "all integers",
            "labels": "1 if even, 2 if odd",
            "eps": 0.25,
            "network built for": f"-{self.reach} to {self.reach}",
        }

    def best_robust_accuracy(self) -> float:
        """Return an upper bound of the robust accuracy of the network built for a finite part.

        Every ReLU network loses integers: beyond its last breakpoint it is affine, and no affine
        function is within 1/2 of 1, 2, 1 at three consecutive integers.

        Returns:
            One minus the probability of the integers up to 64 at which the output is wrong.
        """
        k = torch.arange(-self.reach, self.reach + 1)
        network = robust_classifier(k[:, None], k % 2 + 1, 0.25, 2)
        return 1 - lost_integers(network)

    def overshoot(self) -> float:
        """Return how far an integer leaves the unit interval into which a part was scaled.

        Returns:
            The distance of the image of reach + 1, which is positive for every reach and scaling.
        """
        return (2 * self.reach + 1) / (2 * self.reach) - 1


def lost_integers(network: nn.Module, *, largest: int = 64) -> float:
    """Return the probability of integers that a classifier on the line gets wrong, parity labels.

    Args:
        network: Maps ``[m, 1]`` to ``[m, 1]``.
        largest: Integers up to this size are looked at; the rest have probability below 2^-63.

    Returns:
        The sum of 2^-|k| / 3 over the integers with an output 1/2 or more from the label.
    """
    k = torch.arange(-largest, largest + 1)
    output = network(k[:, None].double())[:, 0]
    wrong = (output - (k % 2 + 1)).abs() >= 0.5
    return float((2.0 ** -k.abs().double() / 3)[wrong].sum())


@dataclass(frozen=True)
class DiscreteMetricSet:
    """The set of 0 (label 1) and all 1/k (label 2), any two points at distance 1, eps = 1/4.

    Attributes:
        reach: The network is built for 0 and 1/k with k up to this number.
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

    def best_robust_accuracy(self) -> float:
        """Return an upper bound of the robust accuracy of the network built for a finite part.

        Balls are single points. A continuous classifier that is right at all 1/k has an output of
        at least 3/2 at 0.

        Returns:
            One minus the probability of the wrong points; 1/k has probability 2^-(k+1), 0 has 1/2.
        """
        k = torch.arange(1, self.reach + 1).double()
        x = torch.cat([torch.zeros(1).double(), 1 / k])
        y = torch.full((len(x),), 2).index_fill(0, torch.tensor([0]), 1)
        network = robust_classifier(x[:, None], y, 0.0, 2)
        tail = torch.arange(1, self.reach + 64).double()
        outputs = network((1 / tail)[:, None])[:, 0]
        wrong = (outputs - 2).abs() >= 0.5
        return 1 - float((2.0 ** -(tail + 1))[wrong].sum())


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


def bounded_sets(seed: int) -> list[BoundedSet]:
    """Return infinite bounded sets: nested circles, parallel segments, solid squares.

    Args:
        seed: Seed of the labels of the segments.

    Returns:
        The sets, with nets that are finer than half of their room.
    """
    circles = [partial(_circle, radius) for radius in (1.0, 2.0, 3.0)]
    found = [_joined("circles of radius 1, 2, 3", circles, (1, 2, 1), 0.25, 2, 0.1)]
    generator = torch.Generator().manual_seed(seed)
    lines = [partial(_segment, float(height)) for height in range(5)]
    for norm in (1.0, 2.0, math.inf):
        labels = [1 + int(torch.randint(3, (), generator=generator)) for _ in lines[2:]]
        name = "five parallel segments of length 2 at distance 1"
        found.append(_joined(name, lines, (1, 2, *labels), 0.3, norm, 0.1))
    squares = [partial(_square, corner) for corner in (0.0, 2.0)]
    found.append(_joined("two unit squares at distance 1", squares, (1, 2), 0.25, math.inf, 0.125))
    return found


def _circle(radius: float, spacing: float) -> Tensor:
    # The farthest point of an arc from its nearest net point is at half the arc's angle.
    count = math.ceil(math.pi / (2 * math.asin(spacing / (2 * radius))))
    angle = torch.arange(count).double() * (2 * math.pi / count)
    return radius * torch.stack([angle.cos(), angle.sin()], dim=1)


def _segment(height: float, spacing: float) -> Tensor:
    along = torch.arange(spacing, 2.0, 2 * spacing, dtype=torch.float64)
    return torch.stack([along, torch.full_like(along, height)], dim=1)


def _square(corner: float, spacing: float) -> Tensor:
    along = torch.arange(spacing, 1.0, 2 * spacing, dtype=torch.float64)
    return torch.cartesian_prod(along, along) + torch.tensor([corner, 0.0]).double()


def _joined(
    name: str,
    parts: Sequence[Callable[[float], Tensor]],
    labels: Sequence[int],
    eps: float,
    ord: float,
    spacing: float,
) -> BoundedSet:
    def sample(step: float) -> LabelledSet:
        points = [part(step) for part in parts]
        counts = torch.tensor([len(x) for x in points])
        y = torch.tensor(labels).repeat_interleave(counts)
        return LabelledSet(torch.cat(points), y, eps, float(ord))

    return BoundedSet(name, sample(spacing), spacing, sample(spacing / 2.9))


def audit_fits_a_cube(instances: Iterable[BoundedSet | IntegerSet]) -> Finding:
    """Test "without loss of generality the data lie in [0, 1]^n".

    A scaling and a shift are fitted to a finite part or net; then further points are looked at.

    Args:
        instances: Separable data sets.

    Returns:
        The finding; the slack is minus the distance of a further point from the cube.
    """

    def judged() -> Iterator[Case]:
        for data in instances:
            over = data.overshoot()
            yield -max(over, 0.0), data.size, data.description | {"outside by": over}

    return collect(judged(), tolerance=0, family="separable sets, bounded or not")
