"""Segments from a point of the plane to the nearest point of the decision boundary."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise, product
from typing import Any

import torch
from torch import Tensor

from nbsrc.audits.segments.paths import Path, network
from nbsrc.linear_region import SegmentRegions, boundary_distance_2d

__all__ = [
    "Approach",
    "margin_never_rises",
    "random_approaches",
    "relabelled",
    "small_approaches",
    "toward_boundary",
]


def margin_never_rises(regions: SegmentRegions, label: int) -> bool:
    """Decide exactly whether the margin of a class never rises along a segment.

    In a piece the margin is the least of the lines ``s_y - s_i``. So it is concave there, and its
    slope is largest at the start: that of the steepest falling one of the least lines.

    Args:
        regions: The pieces, of a network whose outputs are the scores.
        label: y.

    Returns:
        Whether no slope is above rounding.
    """
    lines = [values[:, label, None] - values for values in (regions.offset, regions.slope)]
    offset, slope = (torch.cat([v[:, :label], v[:, label + 1 :]], dim=1) for v in lines)
    scale = max(float(offset.abs().amax()), float(slope.abs().amax()))
    values = offset + regions.breakpoints[:-1, None] * slope
    least = values <= values.amin(dim=1, keepdim=True) + 1e-12 * scale
    starting = torch.where(least, slope, torch.inf).amin(dim=1)
    return float(starting.amax()) <= 1e-10 * scale


@dataclass(frozen=True, eq=False)
class Approach:
    """A point, its label, and the segment to the nearest boundary point x'.

    Attributes:
        scores: The path of the scores ``W_L I_{L-1}`` from x to x'.
        label: y.
        rival_at_end: The class that ties with the predicted one at x'.
        distance: ``|x - x'|``.
    """

    scores: Path
    label: int
    rival_at_end: int
    distance: float

    @property
    def classes(self) -> int:
        """The number of classes."""
        return len(self.scores.weights[-1])

    @cached_property
    def rival(self) -> int:
        """The paper's ``y-hat``: the best other class at x, the first of several."""
        others = self.scores.features(self.scores.x).clone()
        others[self.label] = -torch.inf
        return int(others.argmax())

    def margins(self, points: Tensor) -> Tensor:
        """Evaluate ``M(T x'', y)`` with a linear top layer.

        Args:
            points: ``[k, 2]``.

        Returns:
            ``[k]``.
        """
        values = self.scores.features(points)
        others = values.clone()
        others[:, self.label] = -torch.inf
        return values[:, self.label] - others.amax(dim=1)

    @cached_property
    def lead(self) -> tuple[Tensor, Tensor]:
        """Offsets and slopes in t of ``s_y - s_i``, shape ``[pieces, classes]``; ``inf`` for y."""
        regions, y = self.scores.regions, self.label
        offset = regions.offset[:, y, None] - regions.offset
        slope = regions.slope[:, y, None] - regions.slope
        offset[:, y] = torch.inf
        return offset, slope

    @cached_property
    def scale(self) -> float:
        """What the sizes of scores are compared with."""
        ends = self.scores.features(torch.stack([self.scores.x, self.scores.end]))
        return max(float(ends.abs().amax()), self.scores.path_length, 1e-300)

    @cached_property
    def monotone(self) -> bool:
        """Assumption 3.1: the margin of y never rises from x to x'."""
        return margin_never_rises(self.scores.regions, self.label)

    @cached_property
    def refined(self) -> list[tuple[float, int, int]]:
        """Pieces cut where the runner-up changes: length, number of the piece, the runner-up."""
        offset, slope = self.lead
        ends = self.scores.regions.breakpoints.tolist()
        found = []
        for j in range(len(offset)):
            now, stop = ends[j], ends[j + 1]
            while now < stop:
                values = offset[j] + now * slope[j]
                least = values <= values.min() + 1e-12 * self.scale
                r = int(torch.where(least, slope[j], torch.inf).argmin())
                faster = slope[j] < slope[j, r] - 1e-12 * self.scale
                times = torch.where(faster, (offset[j] - offset[j, r]) / (slope[j, r] - slope[j]),
                                    torch.inf)  # fmt: skip
                until = min(stop, max(now, float(times.min())))
                found.append((until - now, j, r))
                now = until
        return found

    @property
    def size(self) -> tuple[int, ...]:
        """Layers, entries, whole numbers before others, sum, all of the network and x."""
        entries = torch.cat([*(W.flatten() for W in self.scores.weights), self.scores.x])
        whole = bool((entries == entries.round()).all())
        layers = len(self.scores.weights)
        return layers, entries.numel(), 1 - whole, int(entries.abs().sum())

    @property
    def description(self) -> dict[str, Any]:
        """The network, the point, the label."""
        return {**self.scores.description, "y": self.label}


def toward_boundary(weights: tuple[Tensor, ...], x: Tensor, label: int | None = None) -> Approach:
    """Find the nearest boundary point of a network with a linear top layer.

    Args:
        weights: ``W_1, ..., W_L``.
        x: The point ``[2]``.
        label: y; the predicted class if omitted.

    Returns:
        The approach. Networks without biases tie at the origin, so there is a boundary.
    """
    found = boundary_distance_2d(network(weights, linear_top=True), x, 2)
    assert found.point is not None
    assert found.rival is not None
    at_origin = float(found.point.norm()) < 1e-12 * float(x.norm())  # all classes tie there
    end = 0 * x if at_origin else found.point
    path = Path(weights, x, end, linear_top=True)
    predicted = found.predicted
    return Approach(path, predicted if label is None else label, found.rival, found.value)


def small_approaches() -> Iterator[Approach]:
    """Yield small networks with whole numbers: one layer with two or three classes, two layers.

    Yields:
        Approaches to points at a positive distance, with the predicted class as label.
    """
    points = [torch.tensor(p).double() for p in ((1, 0), (2, 1), (1, 1))]
    rows = [[0, 0], [1, 0], [0, 1], [1, -1], [-1, 1], [-1, -1], [-1, -2], [-2, 3]]
    choices = [*product(range(8), repeat=2), *product((0,), range(1, 8), range(1, 8))]
    nets: list[tuple[Tensor, ...]]
    nets = [(torch.tensor([rows[i] for i in choice]).double(),) for choice in choices]
    first, bent = (torch.tensor(W).double() for W in ([[1, 0], [0, 1], [1, -1]], [[1, 0], [1, -2]]))
    tops = ([[1, 1, -2], [0, 0, 0]], [[1, -1, 1], [0, 0, 0]], [[2, 0, -1], [0, 1, 0]])
    nets += [(first, torch.tensor(top).double()) for top in tops]
    nets.append((bent, torch.tensor([[1, -2], [0, 0]]).double()))  # x_1 - 2 relu(x_1 - 2 x_2), 0
    for weights, x in product(nets, points):
        found = toward_boundary(weights, x)
        if found.distance > 0:
            yield found


def relabelled(approaches: Iterable[Approach]) -> Iterator[Approach]:
    """Yield the same segments with the class that ties at x' as label: misclassified points.

    Args:
        approaches: Approaches.

    Yields:
        Approaches with another label.
    """
    for a in approaches:
        yield Approach(a.scores, a.rival_at_end, a.label, a.distance)


def random_approaches(count: int, seed: int, *, classes: int = 0) -> Iterator[Approach]:
    """Yield random networks of one to three layers without biases, two to five classes.

    Args:
        count: How many.
        seed: Seed.
        classes: The number of classes; two to five if 0.

    Yields:
        Approaches with the predicted class as label.
    """
    g = torch.Generator().manual_seed(seed)
    for number in range(count):
        hidden = [int(torch.randint(2, 9, (), generator=g)) for _ in range(number % 3)]
        widths = [2, *hidden, classes or int(torch.randint(2, 6, (), generator=g))]
        weights = tuple(
            torch.randn(after, before, generator=g, dtype=torch.float64)
            for before, after in pairwise(widths)
        )
        x = torch.randn(2, generator=g, dtype=torch.float64)
        found = toward_boundary(weights, x)
        if found.distance > 0:
            yield found
