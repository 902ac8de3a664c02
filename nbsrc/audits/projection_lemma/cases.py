"""Batches of starts and directions, and statements about them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

import torch
from torch import Tensor

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.projection_lemma.solver import far_step, project_far
from nbsrc.claims import Finding
from nbsrc.operator_norm import dual_face, dual_vector, limit_projection

__all__ = [
    "ORDERS",
    "Batch",
    "audit_error",
    "directions_only",
    "starts_and_directions",
    "unique_only",
    "whole_vectors",
]

#: Orders of the norm at which the limits are tested.
ORDERS = (1.0, 1.2, 1.5, 2.0, 3.0, 4.0, 10.0, math.inf)


@dataclass(frozen=True, eq=False)
class Batch:
    """Starts v and directions g, with one order of the norm.

    Attributes:
        p: The order, from 1 to infinity.
        v: The starts, ``[m, n]``.
        g: The directions, ``[m, n]``, no row zero.
    """

    p: float
    v: Tensor
    g: Tensor

    @cached_property
    def printed(self) -> Tensor:
        """The maximiser of Lemma 1 as printed."""
        return dual_vector(self.g, self.p)

    @cached_property
    def repaired(self) -> Tensor:
        """The point nearest to v of the face that g exposes."""
        return limit_projection(self.v, self.g, self.p)

    @cached_property
    def limit(self) -> Tensor:
        """The projection of ``v + alpha g`` onto the unit sphere for a very large step."""
        return self.after(far_step(self.p))

    def after(self, alpha: float) -> Tensor:
        """Return the projection of ``v + alpha g`` onto the unit sphere, kept for later calls.

        Args:
            alpha: A step large enough that the point is outside the ball.

        Returns:
            ``[m, n]``.
        """
        if alpha not in self._kept:
            self._kept[alpha] = project_far(self.v, self.g, self.p, alpha)
        return self._kept[alpha]

    @cached_property
    def _kept(self) -> dict[float, Tensor]:
        return {}

    @cached_property
    def unique(self) -> Tensor:
        """Where the maximiser of Lemma 1 is the only one, ``[m]``."""
        return dual_face(self.g, self.p).dimension == 0

    def where(self, keep: Tensor) -> Batch:
        """Return some of the cases.

        Args:
            keep: Booleans ``[m]``.

        Returns:
            The batch of those.
        """
        return Batch(self.p, self.v[keep], self.g[keep])

    def description(self, i: int) -> dict[str, Any]:
        """Return a case in words and numbers.

        Args:
            i: Its number.

        Returns:
            Order, start and direction.
        """
        order = "inf" if self.p == math.inf else self.p
        return {"p": order, "v": self.v[i].tolist(), "g": self.g[i].tolist()}

    def size(self, i: int) -> tuple[int, ...]:
        """Return what orders the cases from small to large.

        Args:
            i: Its number.

        Returns:
            Length, whether the entries are whole, sum of sizes, number of minus signs.
        """
        both = torch.cat([self.v[i], self.g[i]])
        whole = int(bool((both != both.round()).any()))
        total = int(both.abs().sum() * 1000)
        return self.g.shape[1], whole, total, int((both < 0).sum())


def whole_vectors(n: int, most: int) -> Tensor:
    """Return all vectors with whole entries up to a size.

    Args:
        n: Length.
        most: Largest absolute entry.

    Returns:
        ``[(2 most + 1)^n, n]``, float64.
    """
    entries = range(-most, most + 1)
    return torch.tensor(list(product(entries, repeat=n)), dtype=torch.float64)


def starts_and_directions(count: int, seed: int, orders: Sequence[float] = ORDERS) -> list[Batch]:
    """Return starts and directions: small whole numbers, then ties and zeros in 3 to 5 entries.

    Args:
        count: Random cases per order and kind.
        seed: Seed.
        orders: The orders.

    Returns:
        The batches. Starts include 0 and points far outside the ball; directions are never 0.
    """
    pairs: list[tuple[Tensor, Tensor]] = []
    for n, most in ((1, 2), (2, 1)):
        v, g = whole_vectors(n, most), whole_vectors(n, most)
        g = g[(g != 0).any(1)]
        pairs.append((v.repeat_interleave(len(g), 0), g.repeat(len(v), 1)))
    generator = torch.Generator().manual_seed(seed)
    for n in (2, 3, 5):
        v = torch.randint(-3, 4, (count, n), generator=generator).double()
        g = torch.randint(-2, 3, (count, n), generator=generator).double()
        pairs.append((v[(g != 0).any(1)], g[(g != 0).any(1)]))
    smooth = torch.randn(2, count, 4, generator=generator, dtype=torch.float64)
    smooth[1] = (smooth[1] * 64).round() / 64  # no near ties, which need far larger steps
    pairs.append((smooth[0], smooth[1]))
    kept = [(v[(g != 0).any(1)], g[(g != 0).any(1)]) for v, g in pairs]
    return [Batch(float(p), v, g) for p in orders for v, g in kept]


def directions_only(count: int, seed: int, orders: Sequence[float] = ORDERS) -> list[Batch]:
    """Return directions with the start 0: small whole numbers and random ones.

    Args:
        count: Random cases per order and kind.
        seed: Seed.
        orders: The orders.

    Returns:
        The batches.
    """
    generator = torch.Generator().manual_seed(seed)
    kinds = [whole_vectors(n, most) for n, most in ((1, 2), (2, 3), (3, 1))]
    kinds.append(torch.randint(-2, 3, (count, 5), generator=generator).double())
    kinds.append(torch.randn(count, 6, generator=generator, dtype=torch.float64))
    kept = [z[(z != 0).any(1)] for z in kinds]
    return [Batch(float(p), torch.zeros_like(z), z) for p in orders for z in kept]


def unique_only(batches: Iterable[Batch]) -> list[Batch]:
    """Return the cases in which the maximiser of Lemma 1 is the only one.

    Args:
        batches: The cases.

    Returns:
        The batches, none empty.
    """
    return [b.where(b.unique) for b in batches if bool(b.unique.any())]


def audit_error(
    batches: Iterable[Batch],
    error: Callable[[Batch], Tensor],
    *,
    tolerance: float,
    family: str,
    show: Callable[[Batch], dict[str, Tensor]] | None = None,
) -> Finding:
    """Test a statement whose error is known for every case.

    Args:
        batches: The cases.
        error: The errors of a batch, ``[m]``.
        tolerance: Largest error.
        family: The family in words.
        show: What else to show of a counterexample, by name, ``[m, ...]``.

    Returns:
        The finding; the slack is minus the error.
    """

    def results() -> Iterator[Case]:
        for batch in batches:
            extra = show(batch) if show else {}
            for i, value in enumerate(error(batch).tolist()):
                if value <= tolerance:
                    yield -value, (), None
                else:
                    more = {name: values[i].tolist() for name, values in extra.items()}
                    yield -value, batch.size(i), {**batch.description(i), **more}

    return collect(results(), tolerance=tolerance, family=family)
