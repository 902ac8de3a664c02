"""Section 7.1: robust linear regression over balls of induced norms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import torch
from torch import Tensor

from nbsrc.operator_norm import dual_vector, exact_operator_norm, holder_conjugate

__all__ = ["Problem", "induced", "perturbation", "problems"]


@dataclass(frozen=True, eq=False)
class Problem:
    r"""Data, weights and the two norms: :math:`g = \|\cdot\|_p` and :math:`h(u) = \|Mu\|_q`.

    Attributes:
        X: ``[n, d]``.
        y: ``[n]``.
        w: ``[d]``.
        M: ``[m, n]``; the identity for a norm h, a singular matrix for a semi-norm.
        p: The order of g.
        q: The order of h.
        budget: lambda.
    """

    X: Tensor
    y: Tensor
    w: Tensor
    M: Tensor
    p: float
    q: float
    budget: float

    def h(self, u: Tensor) -> Tensor:
        """The loss.

        Args:
            u: ``[..., n]``.

        Returns:
            ``[...]``.
        """
        value: Tensor = torch.linalg.vector_norm(u @ self.M.T, self.q, dim=-1)
        return value

    @property
    def g(self) -> float:
        """The norm of the weights."""
        return float(torch.linalg.vector_norm(self.w, self.p))

    @property
    def residual(self) -> Tensor:
        """``r = y - X w``."""
        return self.y - self.X @ self.w

    @property
    def size(self) -> tuple[int, ...]:
        """Orders the cases from small to large."""
        numbers = torch.cat([self.X.flatten(), self.y, self.w])
        whole = int(bool((numbers != numbers.round()).any()))
        return numbers.numel(), whole, int(100 * numbers.abs().sum()), int((numbers < 0).sum())

    @property
    def description(self) -> dict[str, Any]:
        """The case in words and numbers."""
        orders = {k: "inf" if v == math.inf else v for k, v in (("p", self.p), ("q", self.q))}
        data = {"X": self.X.tolist(), "y": self.y.tolist(), "w": self.w.tolist()}
        semi = (
            {} if torch.equal(self.M, torch.eye(len(self.y)).double()) else {"M": self.M.tolist()}
        )
        return {**orders, **data, "lambda": self.budget, **semi}


def induced(problem: Problem, A: Tensor) -> float:
    r"""Return :math:`\max_{w\ne0} h(Aw) / g(w)`, exactly.

    Args:
        problem: The norms.
        A: ``[n, d]``.

    Returns:
        The induced (semi-)norm: the (p, q) operator norm of MA.
    """
    p, q = problem.p, problem.q
    return float(exact_operator_norm(problem.M @ A, p, q))


def problems(
    count: int, seed: int, orders: Sequence[float] = (1.0, 2.0, math.inf), *, semi: bool = True
) -> list[Problem]:
    """Return problems: whole numbers with one and two data points, then random ones.

    Args:
        count: Random problems per pair of orders.
        seed: Seed.
        orders: Orders of g and of h.
        semi: Whether h is also a semi-norm that is no norm.

    Returns:
        The problems; w = 0, r = 0 and lambda = 0 occur.
    """
    generator = torch.Generator().manual_seed(seed)
    found = []
    for p, q in product(orders, orders):
        for a, b, c in product((0.0, 1.0), (0.0, 1.0), (0.0, 1.0, -1.0)):
            X, y, w = (torch.tensor(t).double() for t in ([[a]], [b], [c]))
            found.append(Problem(X, y, w, torch.eye(1).double(), p, q, 1.0))
        if semi:  # h(u) = |u_1| does not see the second data point
            X, y, w, M = (torch.tensor(t).double() for t in ([[0], [1]], [1, 1], [1], [[1, 0]]))
            found.append(Problem(X, y, w, M, p, q, 1.0))
        for i in range(count):
            n, d = 1 + i % 3, 1 + (i // 3) % 3
            X, y, w = (
                torch.randn(*s, generator=generator, dtype=torch.float64)
                for s in ((n, d), (n,), (d,))
            )
            if i % 2:
                X, y, w = X.round(), y.round(), (2 * w).round()
            M = torch.eye(n).double()
            if semi and i % 4 == 3:
                M = torch.randint(-1, 2, (1, n), generator=generator).double()
                M[0, 0] = 1  # not identically 0
            found.append(Problem(X, y, w, M, p, q, float(i % 5) / 2))
    return found


def perturbation(problem: Problem, sign: int, *, direction: Tensor | None = None) -> Tensor:
    r"""Return :math:`\pm\frac{\lambda}{h(r)} r v^\top` of eq. (22), v a maximiser of ``v.w``.

    Args:
        problem: The problem; h(r) > 0 unless a direction is given.
        sign: +1 as printed or scanned, -1 repaired.
        direction: u in place of ``r / h(r)``.

    Returns:
        ``[n, d]``.
    """
    r = problem.residual
    u = r / problem.h(r) if direction is None else direction
    w = problem.w if problem.w.any() else torch.ones_like(problem.w)  # any v does for w = 0
    v = dual_vector(w, holder_conjugate(problem.p))
    return sign * problem.budget * torch.outer(u, v)
