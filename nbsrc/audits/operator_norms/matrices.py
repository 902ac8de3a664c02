"""Matrices and starts on which statements about operator norms are tested."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from typing import Any

import torch
from torch import Tensor

__all__ = [
    "NINE",
    "MatrixCase",
    "degenerate_matrices",
    "pair_name",
    "random_matrices",
    "small_matrices",
    "with_starts",
]

#: The nine pairs (p, q) of Table 1, domain first.
NINE: tuple[tuple[float, float], ...] = tuple(product((1.0, 2.0, math.inf), (1.0, 2.0, math.inf)))

_SHAPES = ((1, 1), (1, 4), (4, 1), (2, 2), (2, 5), (5, 2), (3, 3), (4, 6), (6, 4))


def pair_name(pair: tuple[float, float]) -> str:
    """Return a pair of orders as text.

    Args:
        pair: p and q.

    Returns:
        Such as ``"(inf, 1)"``.

    Example:
        >>> pair_name((math.inf, 1.0))
        '(inf, 1)'
    """
    return f"({pair[0]:g}, {pair[1]:g})"


@dataclass(frozen=True, eq=False)
class MatrixCase:
    """A matrix J, and a start v0 where an iteration is tested.

    Attributes:
        J: ``[d, n]``, float64.
        start: ``[n]`` or None.
        pair: The orders (p, q), where a test is about one pair.
    """

    J: Tensor
    start: Tensor | None = None
    pair: tuple[float, float] | None = None

    @property
    def v0(self) -> Tensor:
        """The start.

        Raises:
            ValueError: If the case has none.
        """
        if self.start is None:
            raise ValueError("this case has no start")
        return self.start

    @property
    def orders(self) -> tuple[float, float]:
        """The orders.

        Raises:
            ValueError: If the case has none.
        """
        if self.pair is None:
            raise ValueError("this case has no pair (p, q)")
        return self.pair

    @cached_property
    def spectrum(self) -> Tensor:
        """All singular values, the largest first."""
        values: Tensor = torch.linalg.svdvals(self.J)
        return values

    @property
    def sigma(self) -> float:
        """The largest singular value."""
        return float(self.spectrum[0])

    def multiplicity(self, rtol: float = 1e-9) -> int:
        """Return how often the largest singular value occurs among the n right singular vectors.

        Args:
            rtol: Relative difference up to which values count as equal.

        Returns:
            The multiplicity; n for the zero matrix.
        """
        if self.sigma == 0:
            return self.J.shape[1]
        return int((self.spectrum >= self.sigma * (1 - rtol)).sum())

    @cached_property
    def size(self) -> tuple[int, ...]:
        """Entries, whole numbers first, sum of sizes, nonzero, negative and off-diagonal ones."""
        J = self.J
        rough = not bool((J.round() == J).all())
        start = J.new_zeros(0) if self.start is None else self.start
        rough_start = not bool((start == start.round()).all())
        total = int(J.abs().sum() + start.abs().sum())
        off = int((J != 0).sum()) - int((J.diagonal() != 0).sum())
        order = (int((J != 0).sum()), int((J < 0).sum()), off)
        return J.numel(), int(rough), int(rough_start), total, *order

    @cached_property
    def description(self) -> dict[str, Any]:
        """The matrix row by row, and what else the case has."""
        shown: dict[str, Any] = {"J": self.J.tolist()}
        if self.start is not None:
            shown["v0"] = self.start.tolist()
        if self.pair is not None:
            shown["pair"] = pair_name(self.pair)
        return shown


def small_matrices(most: int = 2) -> Iterator[MatrixCase]:
    """Yield all matrices up to 2 x 2 with whole entries from -1 to ``most``, zero ones included.

    Args:
        most: Largest entry.

    Yields:
        The cases, in order of the number of entries.
    """
    entries = sorted(range(-1, most + 1), key=abs)
    for d, n in ((1, 1), (1, 2), (2, 1), (2, 2)):
        for values in product(entries, repeat=d * n):
            yield MatrixCase(torch.tensor(values, dtype=torch.float64).reshape(d, n))


def random_matrices(count: int, seed: int) -> Iterator[MatrixCase]:
    """Yield normal matrices: 1 x 1, tall, wide, square; every third of rank one, some scaled.

    Args:
        count: How many.
        seed: Seed.

    Yields:
        The cases.
    """
    g = torch.Generator().manual_seed(seed)
    for number in range(count):
        d, n = _SHAPES[number % len(_SHAPES)]
        J = torch.randn(d, n, generator=g, dtype=torch.float64)
        if number % 3 == 2:
            J = J[:, :1] @ J[:1]
        if number % 7 == 3:
            J[:, 0] = 0
        yield MatrixCase(J * 10.0 ** ((number % 5) - 2))


def degenerate_matrices() -> Iterator[MatrixCase]:
    """Yield whole-number matrices whose largest singular value is multiple, exactly.

    Yields:
        The identity, reflections, a scaled rotation, a tall and a wide one, and zero.
    """
    for rows in (
        [[1, 0], [0, 1]],
        [[1, 0], [0, -1]],
        [[1, 1], [1, -1]],
        [[3, -4], [4, 3]],
        [[1, 0], [0, 1], [0, 0]],
        [[1, 0, 0], [0, 1, 0]],
        [[2, 0, 0], [0, 2, 0], [0, 0, 1]],
        [[0, 0], [0, 0]],
    ):
        yield MatrixCase(torch.tensor(rows, dtype=torch.float64))


def with_starts(cases: Iterator[MatrixCase] | list[MatrixCase], seed: int) -> list[MatrixCase]:
    """Give every case a random normal start.

    Args:
        cases: The cases.
        seed: Seed.

    Returns:
        The cases with starts.
    """
    g = torch.Generator().manual_seed(seed)
    return [
        replace(case, start=torch.randn(case.J.shape[1], generator=g, dtype=torch.float64))
        for case in cases
    ]
