"""Bias-free ReLU networks with points, and families of them: small integers first."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from nbsrc.linear_region import BoundaryDistance, boundary_distance_2d, segment_regions
from nbsrc.margins import margin, printed_margin

__all__ = ["Example", "lines", "planes", "random_planes", "three_classes"]


@dataclass(frozen=True, eq=False)
class Example:
    """A network ``W_L relu(... relu(W_1 x))`` without biases, and a point with its label.

    Attributes:
        weights: The matrices, float64.
        x: The point ``[n]``.
        label: Index of the label; the predicted class if None.
        support: All inputs of the instance space ``[N, n]``; x alone if None.
    """

    weights: tuple[Tensor, ...]
    x: Tensor
    label: int | None = None
    support: Tensor | None = None

    def scores(self, points: Tensor) -> Tensor:
        """Return the scores, without the activation of eq. (2) on them.

        Args:
            points: ``[..., n]``.

        Returns:
            ``[..., classes]``.
        """
        for W in self.weights[:-1]:
            points = (points @ W.T).relu()
        return points @ self.weights[-1].T

    @cached_property
    def module(self) -> nn.Sequential:
        """The network as a module."""
        layers: list[nn.Module] = []
        for W in self.weights:
            linear = nn.Linear(W.shape[1], W.shape[0], bias=False).double()
            linear.weight.data = W
            layers += [linear.requires_grad_(requires_grad=False), nn.ReLU()]
        return nn.Sequential(*layers[:-1])

    @cached_property
    def predicted(self) -> int:
        """The first class with the largest score."""
        return int(self.scores(self.x).argmax())

    @cached_property
    def y(self) -> int:
        """The label."""
        return self.predicted if self.label is None else self.label

    @cached_property
    def points(self) -> Tensor:
        """The inputs of the instance space."""
        return self.x[None] if self.support is None else self.support

    def margin(self, points: Tensor | None = None) -> Tensor:
        """Return the margins of the label.

        Args:
            points: ``[batch, n]``; x if None.

        Returns:
            ``[batch]``.
        """
        scores = self.scores(self.x[None] if points is None else points)
        return margin(scores, torch.full((len(scores),), self.y))

    @cached_property
    def boundary(self) -> BoundaryDistance:
        """The nearest tie with the predicted class, exact; for two inputs."""
        return boundary_distance_2d(self.module, self.x, 2)

    def v(self, point: Tensor) -> float:
        """Return the instance-space margin of a point, exact.

        On a line the network is ``a |x|`` on each side, so the nearest tie is 0, or x itself.

        Args:
            point: ``[n]`` with n = 1 or 2.

        Returns:
            The distance.
        """
        if len(point) == 1:
            top = self.scores(point).sort().values
            return float(point.abs()[0]) if float(top[-1] - top[-2]) > 0 else 0.0
        return self.boundary.value if point is self.x else _distance(self.module, point)

    @cached_property
    def nearest(self) -> Tensor:
        """The nearest boundary point of x."""
        if len(self.x) == 1:
            return 0 * self.x if self.v(self.x) > 0 else self.x
        point = self.boundary.point
        return self.x if point is None else point

    @cached_property
    def v_min(self) -> float:
        """The smallest instance-space margin over the instance space (one cell)."""
        return min(self.v(self.x if torch.equal(p, self.x) else p) for p in self.points)

    @cached_property
    def printed(self) -> float:
        """Eq. (5)."""
        return printed_margin(self.weights, self.v_min)

    @cached_property
    def path(self) -> Tensor:
        """The ends of the linear pieces of the way from x to the nearest boundary point."""
        t = segment_regions(self.module, self.x, self.nearest).breakpoints[:, None]
        return self.x + t * (self.nearest - self.x)

    @cached_property
    def monotone(self) -> bool:
        """Assumption 3.1 at x: exact for two classes, on a fine grid for more."""
        points = self.path
        if len(self.weights[-1]) > 2:
            t = torch.linspace(0, 1, 501, dtype=torch.float64)[:, None]
            points = self.x + t * (self.nearest - self.x)
        u = self.margin(points)
        return bool((u.diff() <= 1e-12 * (1 + u.abs().max())).all())

    @cached_property
    def size(self) -> tuple[int, ...]:
        """Numbers in the network, whole ones before others, sum of their sizes, then x's."""
        entries = torch.cat([*(W.flatten() for W in self.weights), self.x])
        whole = bool((entries == entries.round()).all())
        weights = sum(float(W.abs().sum()) for W in self.weights)
        n = sum(W.numel() for W in self.weights)
        return n, 1 - whole, int(weights), int(self.x.abs().sum())

    @cached_property
    def description(self) -> dict[str, Any]:
        """The weights, the point and the label."""
        shown: dict[str, Any] = {f"W{i + 1}": W.tolist() for i, W in enumerate(self.weights)}
        return {**shown, "x": self.x.tolist(), "label": self.y + 1}


def _distance(module: nn.Module, point: Tensor) -> float:
    return boundary_distance_2d(module, point, 2).value


def lines(support: tuple[int, ...] = (1,), *, units: int = 2) -> Iterator[Example]:
    """Yield all networks with one input, entries -1, 0, 1, one hidden layer and two classes.

    Args:
        support: The inputs of the instance space; the first is the point.
        units: Largest number of hidden units.

    Yields:
        The examples, at the predicted class.
    """
    points = torch.tensor([[float(s)] for s in support], dtype=torch.float64)
    for m in range(1, units + 1):
        for entries in itertools.product((0.0, 1.0, -1.0), repeat=3 * m):
            numbers = torch.tensor(entries, dtype=torch.float64)
            W1, W2 = numbers[:m, None], numbers[m:].reshape(2, m)
            yield Example((W1, W2), points[0], support=points)


def planes() -> Iterator[Example]:
    """Yield two-class networks on the plane with two hidden units and whole entries.

    The second row of ``W_2`` is 0 or the negative of the first, except for the identity; points
    have entries from -1 to 3.

    Yields:
        The examples, at the predicted class.
    """
    eye = torch.eye(2, dtype=torch.float64)
    firsts = [eye, *(torch.tensor(w, dtype=torch.float64) for w in (
        [[1, 0], [1, 1]], [[1, 1], [1, -1]], [[1, 0], [-1, 1]], [[2, 0], [0, 1]], [[1, 0], [-1, 0]],
    ))]  # fmt: skip
    seconds = [eye]
    for d in itertools.product((1.0, 0.0, -1.0), repeat=2):
        row = torch.tensor(d, dtype=torch.float64)
        seconds += [torch.stack([row, 0 * row])] if any(d) else []
    points = torch.tensor([[1, 0], [1, -1], [2, 1], [3, -1], [0, 1]], dtype=torch.float64)
    for W1, W2, x in itertools.product(firsts, seconds, points):
        yield Example((W1, W2), x)


def random_planes(
    count: int, seed: int, *, classes: tuple[int, int] = (2, 3), hidden: tuple[int, int] = (1, 2)
) -> Iterator[Example]:
    """Yield random bias-free networks on the plane: orthogonal, Gaussian and tall first layers.

    Args:
        count: How many.
        seed: Seed.
        classes: Fewest and most classes.
        hidden: Fewest and most hidden layers.

    Yields:
        The examples, at the predicted class.
    """
    g = torch.Generator().manual_seed(seed)

    def draw(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (), generator=g))

    for number in range(count):
        widths = [2, *(draw(2, 5) for _ in range(draw(*hidden)))]
        matrices = []
        for one, two in itertools.pairwise(widths):
            W = torch.randn(two, one, generator=g, dtype=torch.float64)
            if number % 3 == 0:
                u, _, vt = torch.linalg.svd(W, full_matrices=False)
                W = u @ vt
            matrices.append(W)
        last = torch.randn(draw(*classes), widths[-1], generator=g, dtype=torch.float64)
        x = torch.randn(2, generator=g, dtype=torch.float64)
        yield Example((*matrices, last), x)


def three_classes() -> Example:
    """Return a point whose best other class is not the one across the nearest boundary.

    Returns:
        The scores are (0, -a, -3 b) at the input (a, b) = (2, 1).
    """
    eye = torch.eye(2, dtype=torch.float64)
    last = torch.tensor([[0, 0], [-1, 0], [0, -3]], dtype=torch.float64)
    return Example((eye, last), torch.tensor([2.0, 1.0], dtype=torch.float64))
