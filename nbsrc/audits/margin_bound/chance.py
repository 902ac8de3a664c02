"""Exact probabilities over samples of a finite distribution, by listing all counts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import product
from typing import Any

import torch
from torch import Tensor

__all__ = ["Draw", "cell_sums", "compositions", "draws", "labelled_draws", "multinomial"]


@lru_cache(maxsize=64)
def compositions(m: int, parts: int) -> Tensor:
    """Return all ways to write m as an ordered sum of numbers that are not negative.

    Args:
        m: The sum.
        parts: How many numbers.

    Returns:
        ``[ways, parts]``; not to be changed in place.

    Example:
        >>> compositions(2, 2).tolist()
        [[0, 2], [1, 1], [2, 0]]
    """
    if parts == 1:
        return torch.tensor([[m]])
    rows = []
    for first in range(m + 1):
        rest = compositions(m - first, parts - 1)
        rows.append(torch.cat([torch.full((len(rest), 1), first), rest], 1))
    return torch.cat(rows)


def multinomial(counts: Tensor, probabilities: Tensor) -> Tensor:
    """Return the probabilities of vectors of counts.

    Args:
        counts: ``[ways, K]``, rows with the same sum.
        probabilities: ``[K]``.

    Returns:
        ``[ways]``.
    """
    m = counts[0].sum().double()
    logs = torch.where(probabilities > 0, probabilities, torch.ones(1).double()).log()
    possible = (counts[:, probabilities <= 0] == 0).all(1)
    size = torch.lgamma(m + 1) - torch.lgamma(counts.double() + 1).sum(1)
    return torch.where(possible, (size + counts.double() @ logs).exp(), 0.0)


@dataclass(frozen=True, eq=False)
class Draw:
    """A distribution on a few atoms, a sample size and a probability of failure.

    Attributes:
        mu: Probabilities of the atoms ``[N]``.
        cells: Number of each atom's cell ``[N]``.
        m: Size of the sample.
        eta: Allowed probability of failure.
        labels: Label of each atom ``[N]``.
        extra: Further numbers of the case.
        rule: Name of a rule that makes losses from the sample.
    """

    mu: Tensor
    cells: Tensor
    m: int
    eta: float
    labels: Tensor | None = None
    extra: dict[str, float] = field(default_factory=dict)
    rule: str | None = None

    @cached_property
    def K(self) -> int:
        """The number of cells."""
        return int(self.cells.max()) + 1

    @cached_property
    def samples(self) -> tuple[Tensor, Tensor]:
        """All vectors of shares of the atoms, with their probabilities."""
        counts = compositions(self.m, len(self.mu))
        return counts.double() / self.m, multinomial(counts, self.mu)

    @cached_property
    def size(self) -> tuple[int, ...]:
        """Atoms, sample size, and how far from certain the allowed failure is."""
        return len(self.mu), self.m, round(100 * (1 - self.eta))

    @cached_property
    def description(self) -> dict[str, Any]:
        """The distribution and the sample size."""
        shown: dict[str, Any] = {"mu": [round(float(p), 4) for p in self.mu]}
        shown |= {"cells": self.cells.tolist(), "m": self.m, "eta": self.eta}
        if self.labels is not None:
            shown["labels"] = self.labels.tolist()
        if self.rule is not None:
            shown["rule"] = self.rule
        return {**shown, **self.extra}


def draws(
    atoms: int,
    cells: tuple[int, ...],
    sizes: tuple[int, ...],
    etas: tuple[float, ...] = (0.05, 0.5, 0.9),
    *,
    seed: int = 0,
    labels: tuple[int, ...] | None = None,
) -> Iterator[Draw]:
    """Yield draws from equal, skewed and random probabilities.

    Args:
        atoms: Number of atoms.
        cells: Cell of each atom.
        sizes: Sizes of the sample.
        etas: Allowed probabilities of failure.
        seed: Seed.
        labels: Label of each atom.

    Yields:
        The draws.
    """
    g = torch.Generator().manual_seed(seed)
    equal = torch.full((atoms,), 1 / atoms, dtype=torch.float64)
    skewed = torch.tensor([0.5 ** min(i + 1, atoms - 1) for i in range(atoms)], dtype=torch.float64)
    other = torch.rand(atoms, generator=g, dtype=torch.float64)
    mus = (equal, skewed / skewed.sum(), other / other.sum())
    for mu, m, eta in product(mus, sizes, etas):
        yield Draw(
            mu, torch.tensor(cells), m, eta, None if labels is None else torch.tensor(labels)
        )


def labelled_draws(seed: int, *, many: bool) -> list[Draw]:
    """Return draws from cells with mixed labels.

    Args:
        seed: Seed.
        many: Whether there are six or ten classes, else two or three.

    Returns:
        The draws.
    """
    few = [
        ((0, 0, 0, 0), (0, 0, 1, 1), (1, 4, 8)),
        ((0, 0, 0, 1, 1), (0, 1, 2, 0, 1), (1, 3, 6)),
        ((0, 0, 0, 1, 1, 1), (0, 0, 1, 0, 1, 1), (1, 3, 5)),
        ((0, 0, 1, 1, 2, 2, 3, 3), (0, 1) * 4, (2, 4)),
    ]
    more = [
        ((0,) * 10, tuple(range(10)), (1, 3)),
        ((0,) * 6 + (1,) * 6, tuple(range(6)) * 2, (1, 3)),
    ]
    return [
        d
        for cells, labels, sizes in (more if many else few)
        for d in draws(len(cells), cells, sizes, seed=seed, labels=labels)
    ]


def cell_sums(values: Tensor, cells: Tensor, K: int) -> Tensor:
    """Sum the last axis by cells.

    Args:
        values: ``[..., N]``.
        cells: ``[N]``.
        K: Number of cells.

    Returns:
        ``[..., K]``.
    """
    member = torch.nn.functional.one_hot(cells, K).to(values.dtype)
    return values @ member
