"""Covers: the display of the covering number, balls and cells, manifolds."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from nbsrc.audits.connections.compare import audit_at_most, audit_equal, audit_true
from nbsrc.audits.finding import Case, collect
from nbsrc.claims import Finding
from nbsrc.margins import (
    circle_covering_number,
    covering_number,
    first_ball_cells,
    greedy_cover,
    is_cover,
)

__all__ = [
    "ManifoldRadius",
    "Ring",
    "audit_cells",
    "audit_cover_display",
    "audit_disjoint",
    "audit_manifold",
    "manifold_radii",
    "rings",
]


@dataclass(frozen=True, eq=False)
class Ring:
    """Points of a regular polygon, covered by balls of a radius of some sides.

    Attributes:
        count: Number of points.
        reach: How many sides the radius spans.
    """

    count: int
    reach: int

    @cached_property
    def points(self) -> Tensor:
        """The points."""
        angles = torch.arange(self.count).double() * (2 * torch.pi / self.count)
        return torch.stack([angles.cos(), angles.sin()], 1)

    @cached_property
    def eps(self) -> float:
        """The radius."""
        return float((self.points[0] - self.points[self.reach]).norm())

    @cached_property
    def number(self) -> int:
        """The covering number."""
        return covering_number(self.points, self.eps)

    @cached_property
    def size(self) -> tuple[int, ...]:
        """Points and reach."""
        return self.count, self.reach

    @cached_property
    def description(self) -> dict[str, Any]:
        """Points and reach."""
        return {"points on a ring": self.count, "radius in sides": self.reach}


def rings(most: int = 9) -> Iterator[Ring]:
    """Yield regular polygons and radii below the diameter.

    Args:
        most: Largest number of points.

    Yields:
        The rings.
    """
    for count in range(3, most + 1):
        for reach in range(1, (count - 1) // 2 + 1):
            yield Ring(count, reach)


def audit_disjoint(family: Iterable[Ring]) -> Finding:
    """Test that the balls of some smallest cover are disjoint, so that they are a partition.

    Args:
        family: Point sets with radii.

    Returns:
        The finding.
    """

    def some_cover(ring: Ring) -> bool:
        near = torch.cdist(ring.points, ring.points) <= ring.eps * (1 + 1e-12)
        for centres in itertools.combinations(range(ring.count), ring.number):
            if bool((near[list(centres)].sum(0) == 1).all()):
                return True
        return False

    return audit_true(family, some_cover, family="all smallest covers of regular polygons")


def audit_cover_display(family: Iterable[Ring], *, printed: bool) -> Finding:
    """Test the covering number: the least size of a subset that covers *which* set.

    Args:
        family: Point sets with radii.
        printed: The display's symbol: the subset itself; else the whole set.

    Returns:
        The finding; the truth is the least number of balls that reach every point.
    """

    def least(ring: Ring) -> float:
        points = ring.points
        for size in range(1, ring.count + 1):
            for chosen in itertools.combinations(range(ring.count), size):
                target = points[list(chosen)] if printed else points
                own = list(range(size)) if printed else list(chosen)
                if is_cover(target, own, ring.eps):
                    return size
        return 0

    return audit_equal(
        family, least, lambda ring: covering_number(ring.points, ring.eps), tolerance=0,
        family="regular polygons, all subsets",
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class ManifoldRadius:
    """A manifold with its covering number at a radius.

    Attributes:
        name: The manifold.
        k: Its dimension.
        number: Its covering number.
        eps: The radius.
        C: The constant.
    """

    name: str
    k: int
    number: int
    eps: float
    C: float

    @property
    def size(self) -> tuple[int, ...]:
        """Dimension, then smaller covers first."""
        return self.k, self.number

    @property
    def description(self) -> dict[str, Any]:
        """The manifold and the radius."""
        return {"manifold": self.name, "radius": round(self.eps, 6), "balls": self.number}


def manifold_radii(count: int, largest: float) -> Iterator[ManifoldRadius]:
    """Yield the unit circle and the unit square with the maximum norm at many radii.

    The constants are the smallest possible: 3 sqrt 2 for the circle, 1 for the square.

    Args:
        count: Radii per manifold.
        largest: Largest radius.

    Yields:
        The cases; radii just below a jump of the covering number are among them.
    """
    steps = [largest * (i + 1) / count for i in range(count)]
    jumps = [2 * math.sin(math.pi / (2 * n)) * (1 - 1e-9) for n in range(1, 12)]
    for eps in [*steps, *(j for j in jumps if j <= largest)]:
        number = circle_covering_number(eps)
        yield ManifoldRadius("unit circle", 1, number, eps, 3 * math.sqrt(2))
    halves = [0.5 / n * (1 - 1e-9) for n in range(1, 12)]
    for eps in [*steps, *(h for h in halves if h <= largest)]:
        side = math.ceil(1 / (2 * eps) * (1 - 1e-12))
        yield ManifoldRadius("unit square, maximum norm", 2, side**2, eps, 1.0)


def audit_manifold(
    family: Iterable[ManifoldRadius], *, equal: bool, factor: float = 1.0
) -> Finding:
    """Test that the covering number is ``(C / eps)^k``, or at most that for eps up to C.

    Args:
        family: Manifolds with radii.
        equal: Whether equality is tested.
        factor: Factor of C.

    Returns:
        The finding.
    """
    if equal:
        return audit_equal(
            family, lambda r: (r.C / r.eps) ** r.k, lambda r: float(r.number), tolerance=1e-9,
            family="circle and square, exact covering numbers",
        )  # fmt: skip
    return audit_at_most(
        [r for r in family if r.eps <= r.C],
        lambda r: float(r.number), lambda r: float((factor * r.C / r.eps) ** r.k), tolerance=1e-8,
        family="circle and square, exact covering numbers, eps <= C",
    )  # fmt: skip


def audit_cells(count: int, seed: int, *, proper: bool = True, robust: float = 1.0) -> Finding:
    """Test that first-ball cells are a partition on which a robust prediction is constant.

    Points on a line get labels 1 and 2 so that the prediction is robust: points of different label
    are more than ``robust`` times the radius apart.

    Args:
        count: Point sets.
        seed: Seed.
        proper: Centres are points of the set; else the middles of two neighbouring points too.
        robust: The robustness radius over the radius of the cover.

    Returns:
        The finding.
    """
    g = torch.Generator().manual_seed(seed)

    def cases() -> Iterator[Case]:
        for _ in range(count):
            x = torch.randint(0, 12, (6,), generator=g).double().unique()[:, None]
            eps = float(torch.randint(1, 4, (), generator=g))
            labels = torch.zeros(len(x), dtype=torch.long)
            for i in range(1, len(x)):
                far = float(x[i] - x[i - 1]) > robust * eps
                labels[i] = labels[i - 1] ^ int(far)
            centres = x[greedy_cover(x, eps)]
            if not proper:
                centres = torch.cat([(x[1:] + x[:-1]) / 2, x])
            cells = first_ball_cells(x, centres, eps)
            one = all(len(set(labels[cells == i].tolist())) <= 1 for i in range(len(centres)))
            shown = {"x": x[:, 0].tolist(), "eps": eps, "prediction": (labels + 1).tolist()}
            yield 0.0 if one else -1.0, (len(x), int(x.sum())), shown

    return collect(cases(), tolerance=0, family="points on a line with robust predictions")
