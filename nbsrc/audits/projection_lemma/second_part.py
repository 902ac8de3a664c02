"""Lemma 2, second part: one infinite step of projected gradient ascent in a ball."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.projection_lemma.cases import ORDERS, Batch, whole_vectors
from nbsrc.audits.projection_lemma.maximiser import special_case
from nbsrc.audits.projection_lemma.solver import far_step, project_far
from nbsrc.claims import Finding
from nbsrc.operator_norm import project_ball

__all__ = [
    "BallBatch",
    "audit_components_leave",
    "audit_line",
    "audit_next",
    "balls",
    "of_the_form",
]


@dataclass(frozen=True, eq=False)
class BallBatch(Batch):
    """A ball around x, an iterate in it, and a direction.

    Attributes:
        x: The centre, ``[n]``.
        eps: The radius.
    """

    x: Tensor
    eps: float

    @property
    def previous(self) -> Tensor:
        """The iterate ``x_{k-1} = x + eps v``, ``[m, n]``."""
        return self.x + self.eps * self.v

    @cached_property
    def next(self) -> Tensor:
        """The limit of the projected step, from closed forms or the optimality conditions."""
        return self.step(far_step(self.p))

    @cached_property
    def sooner(self) -> Tensor:
        """The same for a third of that step, or the root of it for 1 < p < inf."""
        return self.step(self.sooner_step)

    @property
    def sooner_step(self) -> float:
        """The step of :attr:`sooner`."""
        far = far_step(self.p)
        return far / 3 if self.p in {1, math.inf} else math.sqrt(far)

    def step(self, alpha: float) -> Tensor:
        """Return the projection of ``x_{k-1} + alpha v_k`` onto the ball.

        Args:
            alpha: The step, large.

        Returns:
            ``[m, n]``.
        """
        if self.p in {1, 2, math.inf}:
            return project_ball(
                self.previous + alpha * self.g, self.x.expand_as(self.v), self.eps, self.p
            )
        start = (self.previous - self.x) / self.eps
        return self.x + self.eps * project_far(start, self.g, self.p, alpha / self.eps)

    @cached_property
    def lines(self) -> dict[str, Tensor]:
        """The limits of four groups of lines of the derivation (59) to (69).

        (59)-(63) with the iterate; (64)-(65) without it, onto the ball; (66)-(67) onto the sphere;
        (69) is the formula.
        """
        zero, far = torch.zeros_like(self.v), far_step(self.p)
        sphere = self.x + self.eps * project_far(zero, self.g, self.p, far / self.eps)
        without = BallBatch(self.p, zero, self.g, self.x, self.eps).next
        return {"(63)": self.next, "(65)": without, "(67)": sphere, "(69)": self.printed_next}

    @property
    def printed_next(self) -> Tensor:
        """Eq. (47)."""
        return self.x + self.eps * self.printed

    @property
    def repaired_next(self) -> Tensor:
        """The nearest point to the iterate of the face that the direction exposes."""
        return self.x + self.eps * self.repaired

    def description(self, i: int) -> dict[str, Any]:
        """Return a case in words and numbers.

        Args:
            i: Its number.

        Returns:
            Order, centre, radius, iterate and direction.
        """
        return {
            "p": "inf" if self.p == math.inf else self.p,
            "x": self.x.tolist(),
            "eps": self.eps,
            "x_{k-1}": self.previous[i].tolist(),
            "v_k": self.g[i].tolist(),
        }

    def size(self, i: int) -> tuple[int, ...]:
        """Return what orders the cases: the length, then the centre 0 and radius 1 first.

        Args:
            i: Its number.

        Returns:
            The key.
        """
        plain = int(self.eps != 1) + int(bool(self.x.any()))
        return (self.g.shape[1], plain, *super().size(i))


def balls(count: int, seed: int, orders: Sequence[float] = ORDERS) -> list[BallBatch]:
    """Return balls with iterates in the middle, inside and on the boundary.

    Args:
        count: Random cases per order.
        seed: Seed.
        orders: The orders.

    Returns:
        The batches.
    """
    generator = torch.Generator().manual_seed(seed)
    found = []
    for p in map(float, orders):
        for n, eps in ((1, 1.0), (2, 1.0), (2, 0.25), (4, 0.5)):
            if n < 3:
                v, g = whole_vectors(n, 1), whole_vectors(n, 2 // n)
                g = g[(g != 0).any(1)]
                v = torch.cat([v, 0.5 * v])
                v, g = v.repeat_interleave(len(g), 0), g.repeat(len(v), 1)
            else:
                v = torch.randint(-2, 3, (count, n), generator=generator).double()
                g = torch.randint(-2, 3, (count, n), generator=generator).double()
                v, g = v[(g != 0).any(1)], g[(g != 0).any(1)]
            length = torch.linalg.vector_norm(v, p, dim=-1, keepdim=True)
            v = v / length.clamp(min=1)
            x = torch.zeros(n).double() if eps == 1 else torch.arange(1, n + 1).double()
            found.append(BallBatch(p, v, g, x, eps))
    return found


def of_the_form(batches: Sequence[BallBatch]) -> list[BallBatch]:
    """Return the cases with each direction z replaced by F(z).

    Args:
        batches: Balls.

    Returns:
        The batches.
    """
    return [BallBatch(b.p, b.v, special_case(b.g, b.p), b.x, b.eps) for b in batches]


def audit_next(batches: Sequence[BallBatch], claim: Callable[[BallBatch], Tensor]) -> Finding:
    """Test a claimed limit of the projected step, at a far step and at its third.

    The third (or, for 1 < p < inf, half of the exponent) must be within ``100 (alpha/8)^(-1/max(1,
    p-1))``, where alpha is in units of the radius.

    Args:
        batches: Balls.
        claim: The claimed next iterate, ``[m, n]``.

    Returns:
        The finding; smallest bound minus distance, in units of the radius.
    """

    def results() -> Iterator[Case]:
        for b in batches:
            claimed, alpha = claim(b), b.sooner_step
            exact = b.p in {1, math.inf}
            slack = 1e-9 - (b.next - claimed).abs().amax(-1) / b.eps
            bound = 1e-9 if exact else 100 * (alpha / 8) ** (-1 / max(1.0, b.p - 1))
            slack = torch.minimum(slack, bound - (b.sooner - claimed).abs().amax(-1) / b.eps)
            for i, s in enumerate(slack.tolist()):
                shown = {"limit": b.next[i].tolist(), "claim": claimed[i].tolist()}
                yield s, b.size(i), {**b.description(i), **shown}

    return collect(results(), tolerance=0, family="balls, iterates in them, growing steps")


def audit_line(batches: Sequence[BallBatch], one: str, two: str) -> Finding:
    """Test that two lines of (59) to (69) have the same limit.

    Args:
        batches: Balls.
        one: A key of :attr:`BallBatch.lines`.
        two: Another.

    Returns:
        The finding; minus the difference in units of the radius.
    """

    def results() -> Iterator[Case]:
        for b in batches:
            lines = b.lines
            error = (lines[one] - lines[two]).abs().amax(-1) / b.eps
            for i, s in enumerate(error.tolist()):
                shown = {one: lines[one][i].tolist(), two: lines[two][i].tolist()}
                yield -s, b.size(i), {**b.description(i), **shown}

    return collect(results(), tolerance=1e-9, family=f"balls, lines {one} and {two}")


def audit_components_leave(batches: Sequence[BallBatch], *, nonzero: bool) -> Finding:
    """Test that components leave ``[x - eps, x + eps]`` for a large step, and the point the ball.

    Args:
        batches: Balls.
        nonzero: Only the components where v_k is not 0; otherwise all.

    Returns:
        The finding; the slack is 0 or -1.
    """

    def results() -> Iterator[Case]:
        for b in batches:
            moved = b.previous + far_step(b.p) * b.g - b.x
            out = (moved.abs() > b.eps) | ((b.g == 0) & nonzero)
            left = torch.linalg.vector_norm(moved, b.p, dim=-1) > b.eps
            for i, good in enumerate((out.all(-1) & left).tolist()):
                yield (0.0 if good else -1.0), b.size(i), b.description(i)

    return collect(results(), tolerance=0, family="balls and directions")
