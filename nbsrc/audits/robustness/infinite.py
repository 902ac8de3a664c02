"""Infinite bounded data sets, held by finite nets."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.robustness.existence import certified_share
from nbsrc.audits.robustness.sets import LabelledSet
from nbsrc.audits.robustness.unbounded import IntegerSet
from nbsrc.claims import Finding
from nbsrc.constructions import robust_classifier

__all__ = [
    "BoundedSet",
    "audit_fits_a_cube",
    "bounded_sets",
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

    def shortfall(self) -> float:
        """Return the share of points without certificate, for the network built for the net.

        Returns:
            One minus the certified share of the enlarged net or of the further members.
        """
        large = self.enlarged
        network = robust_classifier(large.points, large.labels, large.eps, large.ord)
        return 1 - min(certified_share(large, network), certified_share(self.members, network))

    def overshoot(self) -> float:
        """Return how far the members leave the unit cube after the net was scaled into it.

        Returns:
            The largest distance from the cube in one coordinate, at most 0 if all are inside.
        """
        low = self.net.points.min() - self.spacing
        scale = self.net.points.max() + self.spacing - low
        scaled = (self.members.points - low) / scale
        return float(torch.maximum(-scaled, scaled - 1).max())


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
