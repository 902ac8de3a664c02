"""Random finite labelled sets, with the perturbation size that Assumption 2 allows."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from nbsrc.separation import separation

__all__ = [
    "NORMS",
    "LabelledSet",
    "points_of_balls",
    "random_sets",
    "shared_point",
    "touching_pair",
    "two_points",
]

NORMS = (1.0, 2.0, math.inf)


@dataclass(frozen=True)
class LabelledSet:
    """A finite data set under attack.

    Attributes:
        points: Points, one per row.
        labels: Their integer labels.
        eps: Radius of the closed balls.
        ord: Their norm: 1, 2 or ``math.inf``.
    """

    points: Tensor
    labels: Tensor
    eps: float
    ord: float

    @property
    def size(self) -> tuple[int, int, int]:
        """Number of points, dimension and classes, by which counterexamples are ordered."""
        count, dimension = self.points.shape
        return count, dimension, int(self.labels.unique().numel())

    @property
    def separation(self) -> float:
        """Smallest distance between points of different classes."""
        return separation(self.points, self.labels, self.ord).distance

    @property
    def description(self) -> dict[str, Any]:
        """What a reader needs to rebuild a small set by hand."""
        count, dimension, classes = self.size
        shown: dict[str, Any] = {
            "points": count,
            "dimension": dimension,
            "classes": classes,
            "eps": self.eps,
            "norm": str(self.ord),
        }
        if count * dimension <= 6:
            shown |= {"points": self.points.tolist(), "labels": self.labels.tolist()}
        return shown

    def with_eps(self, eps: float) -> LabelledSet:
        """Return the same set under an attack of another size.

        Args:
            eps: The radius.

        Returns:
            A new set.
        """
        return replace(self, eps=eps)


def shared_point(data: LabelledSet) -> float:
    """Return how far the midpoint of the closest pair lies outside the two balls it should be in.

    If the closest pair of different classes is at most 2 eps apart, their midpoint is in both
    closed balls; a value within 1/2 of both labels does not exist, since labels differ by 1 or
    more. No classifier at all is then robust at both points.

    Args:
        data: The set.

    Returns:
        ``max(d(m, x), d(m, x')) - eps`` for the midpoint m: at most 0 if m is in both balls.
    """
    exact = "donot_use_mm_for_euclid_dist"  # differences, not products: no cancellation
    distances = torch.cdist(data.points, data.points, p=data.ord, compute_mode=exact)
    distances[data.labels[:, None] == data.labels[None, :]] = torch.inf
    i, j = divmod(int(distances.argmin()), len(data.points))
    middle = (data.points[i] + data.points[j]) / 2
    ends = torch.stack([data.points[i], data.points[j]])
    return float(torch.cdist(middle[None], ends, p=data.ord).max()) - data.eps


def points_of_balls(data: LabelledSet, count: int, generator: torch.Generator) -> Tensor:
    """Draw points of the closed balls, the centres among them.

    Args:
        data: The set.
        count: Points per ball.
        generator: Source of randomness.

    Returns:
        ``[count, m, n]``; half of the drawn points lie on the boundary.
    """
    m, n = data.points.shape
    step = torch.randn(count, m, n, generator=generator, dtype=torch.float64)
    length = torch.linalg.vector_norm(step, ord=data.ord, dim=-1, keepdim=True)
    radius = torch.rand(count, m, 1, generator=generator, dtype=torch.float64)
    radius[: count // 2] = 1
    radius[-1] = 0
    # A hair less than eps: the point itself must lie in the ball after rounding.
    shift: Tensor = (1 - 1e-12) * data.eps * radius * step / length.clamp_min(1e-300)
    return data.points + shift


def two_points() -> LabelledSet:
    """Return the smallest set with room: 0 and 4 on the line, labels 1 and 2, eps = 1.

    Returns:
        The set.
    """
    points = torch.tensor([[0.0], [4.0]], dtype=torch.float64)
    return LabelledSet(points, torch.tensor([1, 2]), 1.0, 2.0)


def touching_pair(dimension: int = 1, *, ord: float = 2.0) -> LabelledSet:
    """Return two points whose closed balls share exactly one point: distance 2 eps, not more.

    Args:
        dimension: Number of coordinates.
        ord: Norm of the balls.

    Returns:
        The origin with label 1 and the first unit vector with label 2, eps = 1/2.
    """
    points = torch.zeros(2, dimension, dtype=torch.float64)
    points[1, 0] = 1
    return LabelledSet(points, torch.tensor([1, 2]), 0.5, ord)


def random_sets(
    count: int, seed: int, *, max_dimension: int = 20, max_classes: int = 10, max_points: int = 40
) -> Iterator[LabelledSet]:
    """Yield sets that satisfy Assumption 2, from wide apart to nearly touching.

    Coordinates are multiples of 1/64, so that sums of few of them carry no rounding error.
    Dimensions, classes and norms vary; 2 eps is 0, 1/2, 9/10 or 1 - 2^-10 times the separation.

    Args:
        count: Number of sets.
        seed: Seed of the generator.
        max_dimension: Largest dimension.
        max_classes: Largest number of classes.
        max_points: Largest number of points.

    Yields:
        The sets.
    """
    generator = torch.Generator().manual_seed(seed)

    def draw(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (), generator=generator))

    fractions = (0.0, 0.5, 0.9, 1 - 2.0**-10)
    for number in range(count):
        dimension, classes = draw(1, max_dimension), draw(2, min(max_classes, max_points))
        points = draw(classes, max_points)
        grid = 64 if dimension > 1 else 256  # room for many different points on a line
        x = torch.randint(0, grid, (points, dimension), generator=generator).double() / 64
        x = torch.unique(torch.cat([x, torch.full((1, dimension), 4.0).double()]), dim=0)
        y = torch.randint(1, classes + 1, (len(x),), generator=generator)
        y[-2:] = torch.tensor([1, 2])  # at least two points, at least two classes
        widest = LabelledSet(x, y, 0.0, NORMS[number % 3])
        yield widest.with_eps(fractions[draw(0, 3)] * widest.separation / 2)
