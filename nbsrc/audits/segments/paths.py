"""Segments between two inputs of a network without biases, and what becomes of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise, product
from typing import Any

import torch
from torch import Tensor, nn

from nbsrc.linear_region import SegmentRegions, segment_regions

__all__ = ["Path", "network", "random_paths", "small_paths"]


def network(weights: tuple[Tensor, ...], *, linear_top: bool) -> nn.Sequential:
    """Return the network of eq. (2) as modules.

    Args:
        weights: ``W_1, ..., W_l``, float64.
        linear_top: Leave the ReLU out after ``W_l``.

    Returns:
        Linear layers without biases, with a ReLU behind each (but the last).
    """
    layers: list[nn.Module] = []
    for W in weights:
        layer = nn.Linear(W.shape[1], W.shape[0], bias=False, dtype=torch.float64)
        layer.weight = nn.Parameter(W.clone(), requires_grad=False)
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers[: len(layers) - linear_top])


@dataclass(frozen=True, eq=False)
class Path:
    """The segment from x to x' and its image under ``I_l``.

    Attributes:
        weights: ``W_1, ..., W_l``, float64.
        x: The point x, shape ``[n]``.
        end: The point x', shape ``[n]``.
        linear_top: Whether ``I_l`` ends with ``W_l`` (Corollary C.1) and not with the ReLU.
    """

    weights: tuple[Tensor, ...]
    x: Tensor
    end: Tensor
    linear_top: bool = False

    def features(self, point: Tensor) -> Tensor:
        """Evaluate ``I_l`` as printed: ``x_i = g(W_i x_{i-1})``.

        Args:
            point: Inputs, shape ``[..., n]``.

        Returns:
            ``I_l``, shape ``[..., width]``.
        """
        for number, W in enumerate(self.weights, 1):
            point = point @ W.T
            if number < len(self.weights) or not self.linear_top:
                point = point.relu()  # derivative 0 at 0
        return point

    @cached_property
    def delta(self) -> Tensor:
        """``x - x'``, as the paper writes it."""
        return self.x - self.end

    @cached_property
    def regions(self) -> SegmentRegions:
        """The regions met from x (t = 0) to x' (t = 1)."""
        return segment_regions(network(self.weights, linear_top=self.linear_top), self.x, self.end)

    @cached_property
    def change(self) -> Tensor:
        """``I_l(x) - I_l(x')``, by evaluation."""
        return self.features(self.x) - self.features(self.end)

    def induced(self, j: int) -> list[Tensor]:
        """Return the matrices ``W_i^{q_j}`` of a piece: rows of inactive units set to 0.

        Args:
            j: Number of the piece.

        Returns:
            One matrix per layer; the gates are read off in the middle of the piece.
        """
        ends = self.regions.breakpoints
        point = self.regions.points((ends[j : j + 1] + ends[j + 1 : j + 2]) / 2)[0]
        found = []
        for number, W in enumerate(self.weights, 1):
            h = W @ point
            if number == len(self.weights) and self.linear_top:
                found.append(W)
                break
            found.append(W * (h > 0)[:, None])
            point = h.clamp(min=0)
        return found

    @cached_property
    def steps(self) -> Tensor:
        """``prod_i W_i^{q_j} (x - x')`` for every piece, shape ``[pieces, width]``."""
        rows = []
        for j in range(len(self.regions)):
            moved = self.delta
            for W in self.induced(j):
                moved = W @ moved
            rows.append(moved)
        return torch.stack(rows)

    @cached_property
    def shares(self) -> Tensor:
        """``e_j - s_j``."""
        return self.regions.weights

    @cached_property
    def path_length(self) -> float:
        """The right side of Lemma 3.1: the sum of the norms over the pieces."""
        return float(self.shares @ self.steps.norm(dim=1))

    @cached_property
    def size(self) -> tuple[int, ...]:
        """Layers, entries, whole numbers before others, sum of the entries' sizes."""
        entries = torch.cat([*(W.flatten() for W in self.weights), self.x, self.end])
        whole = bool((entries == entries.round()).all())
        return len(self.weights), entries.numel(), 1 - whole, int(entries.abs().sum())

    @cached_property
    def description(self) -> dict[str, Any]:
        """The two points, and the weights of small networks."""
        shown: dict[str, Any] = {"x": self.x.tolist(), "x'": self.end.tolist()}
        if sum(W.numel() for W in self.weights) <= 9:
            return {"W": [W.tolist() for W in self.weights], **shown}
        return {"widths": [len(self.x), *(W.shape[0] for W in self.weights)], **shown}


def _integers(*rows: list[list[int]]) -> tuple[Tensor, ...]:
    return tuple(torch.tensor(W, dtype=torch.float64) for W in rows)


def small_paths(*, linear_top: bool = False) -> Iterator[Path]:
    """Yield small networks and segments with whole numbers.

    One input and one layer with one or two units, entries -1 to 2, or two layers 1-2-1; both
    directions, ends on the kink, x = x', x' = 0, dead units. Two inputs: segments inside the
    hyperplane of a unit and past the origin.

    Args:
        linear_top: As in :class:`Path`.

    Yields:
        The paths.
    """
    entries, points = (-1, 0, 1, 2), ((1, -1), (-1, 1), (0, 1), (1, 0), (2, -1), (1, 1), (-1, 0))
    layers: list[tuple[Tensor, ...]] = [_integers([[a]]) for a in entries]
    layers += [_integers([[a], [b]]) for a, b in product(entries, repeat=2)]
    layers += [
        _integers([[a], [b]], [[c, d]]) for a, b, c, d in product((-1, 1), (-1, 1), (-1, 1), (1, 2))
    ]
    for weights, numbers in product(layers, points):
        x, end = torch.tensor(numbers, dtype=torch.float64).unsqueeze(1)
        yield Path(weights, x, end, linear_top)
    planes = [[[0, 1]], [[1, 0], [0, 1]], [[1, 1], [1, -1], [-1, 1]], [[1, 2], [-1, 0], [0, 0]]]
    segments = [((-1, 0), (1, 0)), ((-1, 1), (1, 1)), ((2, -1), (-1, 1)), ((1, 1), (-1, -1))]
    for rows, ends in product(planes, segments):
        x, end = torch.tensor(ends, dtype=torch.float64)
        yield Path(_integers(rows), x, end, linear_top)


def random_paths(
    count: int, seed: int, *, linear_top: bool = False, most_layers: int = 4, outputs: int = 0
) -> Iterator[Path]:
    """Yield random networks with one to four layers, 1 to 11 inputs, widths 1 to 12.

    Tall and wide layers, widths of 1, sparse weights; segments between random points, between
    opposite points (through the origin), to the origin, and from a point to itself.

    Args:
        count: How many.
        seed: Seed.
        linear_top: As in :class:`Path`.
        most_layers: Largest number of layers.
        outputs: Width of the last layer; any if 0.

    Yields:
        The paths.
    """
    g = torch.Generator().manual_seed(seed)

    def integer(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (), generator=g))

    for number in range(count):
        widths = [integer(1, 11), *(integer(1, 12) for _ in range(integer(1, most_layers)))]
        widths[-1] = outputs or widths[-1]
        weights = []
        for before, after in pairwise(widths):
            W = torch.randn(after, before, generator=g, dtype=torch.float64)
            if number % 5 == 1:
                W = W * (torch.rand(W.shape, generator=g) < 0.5)
            weights.append(W)
        x, end = torch.randn(2, widths[0], generator=g, dtype=torch.float64)
        kind = number % 11
        end = {3: -x, 5: 0 * x, 7: x}.get(kind, end)
        yield Path(tuple(weights), x, end, linear_top)
