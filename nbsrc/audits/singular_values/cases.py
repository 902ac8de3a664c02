"""The matrices and score vectors on which the statements are tested, small whole numbers first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

import torch
from torch import Tensor

from nbsrc.layer_spectra import Spectrum, spectrum

__all__ = [
    "Layer",
    "Scores",
    "equal_spectrum",
    "layer",
    "random_layers",
    "small_layers",
    "small_scores",
    "vectors",
]


@dataclass(frozen=True, eq=False)
class Layer:
    """A weight matrix W.

    Attributes:
        W: The matrix, float64.
    """

    W: Tensor

    @cached_property
    def spectrum(self) -> Spectrum:
        """Its singular values."""
        return spectrum(self.W)

    @cached_property
    def size(self) -> tuple[int, ...]:
        """Whole numbers first, then by rows plus columns, inputs, and sum of the entries."""
        whole = bool((self.W.round() == self.W).all())
        m, n = self.W.shape
        return 1 - whole, m + n, n, int(self.W.abs().sum()), int((self.W < 0).sum())

    @cached_property
    def description(self) -> dict[str, Any]:
        """The matrix row by row."""
        return {"W": self.W.tolist()}


@dataclass(frozen=True)
class Scores:
    """The scores of one example and its label.

    Attributes:
        s: The scores.
        label: Index of the correct class.
    """

    s: tuple[float, ...]
    label: int

    @property
    def size(self) -> tuple[int, ...]:
        """Classes, sum of the scores, negative ones, whether the label loses, label."""
        loses = self.s[self.label] < max(self.s)
        return (
            len(self.s),
            int(sum(map(abs, self.s))),
            sum(v < 0 for v in self.s),
            int(loses),
            self.label,
        )

    @property
    def description(self) -> dict[str, Any]:
        """Scores and label."""
        return {"s": list(self.s), "y": self.label}


def layer(rows: Sequence[Sequence[float]]) -> Layer:
    """Return the layer with these rows.

    Args:
        rows: The matrix row by row.

    Returns:
        The layer.
    """
    return Layer(torch.tensor(rows, dtype=torch.float64))


def small_layers() -> list[Layer]:
    """Return all small matrices with whole entries, the smallest first.

    Entries 0, 1, -1, 2 for one row or one column (up to two entries), 0, 1, -1 for 2x2 and for
    three entries in a row or column, and 2x2 diagonals of 1, 2 and 3.

    Returns:
        The layers; zero matrices, zero rows, parallel and opposite rows are among them.
    """
    shapes = {(1, 1): 4, (1, 2): 4, (2, 1): 4, (2, 2): 3, (1, 3): 3, (3, 1): 3}
    found = [layer([[a, 0], [0, b]]) for a, b in product((1, 2, 3), repeat=2) if a * b > 1]
    for (m, n), entries in shapes.items():
        every = product((1, 0, -1, 2)[:entries], repeat=m * n)
        found += [Layer(torch.tensor(v, dtype=torch.float64).reshape(m, n)) for v in every]
    return sorted(found, key=lambda x: x.size)


def random_layers(count: int, seed: int, *, largest: int = 6) -> list[Layer]:
    """Return random matrices that include the edges.

    Tall, wide and square; of low rank; with a zero row; with parallel and opposite rows; with
    orthonormal rows or columns times a factor; nearly such.

    Args:
        count: How many.
        seed: Seed.
        largest: Largest number of rows and of columns.

    Returns:
        The layers.
    """
    g = torch.Generator().manual_seed(seed)
    found = []
    for number in range(count):
        m, n = (int(torch.randint(2, largest + 1, (), generator=g)) for _ in range(2))
        W = torch.randn(m, n, generator=g, dtype=torch.float64)
        kind = number % 7
        if kind == 1:
            W = W[:, :1] @ W[:1]
        elif kind == 2:
            W[0] = 0
        elif kind == 3:
            W[0], W[-1] = 2 * W[1], -W[1]
        elif kind in (4, 5):
            u, _, v = torch.linalg.svd(W, full_matrices=False)
            W = (1 + number) * (u @ v)
            if kind == 5:
                W = W + 0.05 * torch.randn(m, n, generator=g, dtype=torch.float64)
        elif kind == 6:
            W = W.T @ W + 0.1 * torch.eye(n, dtype=torch.float64)
        found.append(Layer(W))
    return found


def equal_spectrum(layers: Iterable[Layer], *, per_direction: bool) -> list[Layer]:
    """Return the layers of which all singular values are equal, and not 0.

    Args:
        layers: Layers.
        per_direction: Whether there must be one value for every input direction: then no wide
            matrix is left.

    Returns:
        Those layers.
    """
    found = []
    for x in layers:
        values = x.spectrum.per_direction if per_direction else x.spectrum.values
        if float(values[0]) > 0 and float(values[0] - values[-1]) <= 1e-12 * float(values[0]):
            found.append(x)
    return found


def vectors(n: int, seed: int, count: int = 6) -> Iterator[Tensor]:
    """Yield vectors: small whole ones if there are few inputs, then normal ones.

    Args:
        n: Dimension.
        seed: Seed.
        count: Number of normal ones.

    Yields:
        The vectors, none of them 0.
    """
    if n <= 3:
        for entries in sorted(product((0, 1, -1), repeat=n), key=lambda e: sum(map(abs, e))):
            if any(entries):
                yield torch.tensor(entries, dtype=torch.float64)
    g = torch.Generator().manual_seed(seed)
    yield from torch.randn(count, n, generator=g, dtype=torch.float64)


def small_scores(
    classes: Sequence[int] = (2, 3), entries: Sequence[int] = (0, 1, -1, 2, -2)
) -> list[Scores]:
    """Return all score vectors with these entries, with every label, the smallest first.

    Args:
        classes: Numbers of classes.
        entries: Values of a score.

    Returns:
        The cases; ties of all kinds are among them.
    """
    found = [
        Scores(tuple(map(float, s)), label)
        for L in classes
        for s in product(entries, repeat=L)
        for label in range(L)
    ]
    return sorted(found, key=lambda x: x.size)
