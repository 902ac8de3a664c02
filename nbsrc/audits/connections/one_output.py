"""The logistic loss with one output, appendix G: what carries over from two outputs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from nbsrc.audits.connections.compare import ROUNDING, audit_equal, combine
from nbsrc.audits.connections.optima import quadratic_optimum
from nbsrc.claims import Finding
from nbsrc.perturbation import taylor_norm_from_margin

__all__ = [
    "OneOutput",
    "audit_as_two_classes",
    "audit_derivatives",
    "audit_perturbation",
    "one_outputs",
]


@dataclass(frozen=True, eq=False)
class OneOutput:
    """A linear piece ``v^T x`` with the loss ``log(1 + exp(-y v^T x))``.

    Attributes:
        v: Shape ``[n]``.
        x: The point, shape ``[n]``.
        y: +1 or -1.
    """

    v: Tensor
    x: Tensor
    y: int

    def loss(self, point: Tensor) -> Tensor:
        """Return the logistic loss.

        Args:
            point: Where, shape ``[n]``.

        Returns:
            The loss.
        """
        return F.softplus(-self.y * (self.v @ point))

    @cached_property
    def p(self) -> float:
        """The label's probability."""
        return float(torch.sigmoid(self.y * (self.v @ self.x)))

    @cached_property
    def rest(self) -> float:
        """``1 - p``, also where p rounds to nearly 1."""
        return float(torch.sigmoid(-self.y * (self.v @ self.x)))

    @property
    def size(self) -> tuple[int, ...]:
        """Inputs, whole numbers before others, sum of the entries."""
        entries = torch.cat([self.v, self.x])
        whole = bool((entries == entries.round()).all())
        return len(self.v), 1 - whole, int(entries.abs().sum())

    @property
    def description(self) -> dict[str, Any]:
        """v, x and y."""
        return {"v": self.v.tolist(), "x": self.x.tolist(), "y": self.y}


def one_outputs(count: int, seed: int) -> Iterator[OneOutput]:
    """Yield small whole cases, then random ones; right and wrong points, both labels.

    Args:
        count: How many random ones.
        seed: Seed.

    Yields:
        The cases.
    """
    for v, x, y in product((-1.0, 1.0, 2.0), (-1.0, 1.0, 2.0), (1, -1)):
        yield OneOutput(torch.tensor([v]).double(), torch.tensor([x]).double(), y)
    g = torch.Generator().manual_seed(seed)
    for number in range(count):
        n = 1 + number % 5
        v, x = torch.randn(2, n, generator=g, dtype=torch.float64)
        yield OneOutput(v, 2 * x, 1 if number % 2 else -1)


def audit_as_two_classes(cases: Iterable[OneOutput], *, second: float = 0.0) -> Finding:
    """Test that the loss is the cross-entropy with ``V = [v, 0]``.

    Args:
        cases: The cases.
        second: Second column, as a multiple of v; 0 in the paper.

    Returns:
        The finding.
    """

    def cross_entropy(c: OneOutput) -> Tensor:
        logits = torch.stack([c.v @ c.x, second * (c.v @ c.x)])
        return -torch.log_softmax(logits, 0)[0 if c.y == 1 else 1]

    # log_softmax adds exp(-t) to 1, and loses the digits of a small loss
    return audit_equal(
        cases, cross_entropy, lambda c: c.loss(c.x), tolerance=1e-9,
        family="right and wrong points, both labels", rounding=lambda _: ROUNDING,
    )  # fmt: skip


def audit_derivatives(cases: Iterable[OneOutput], *, sign: int = -1) -> Finding:
    """Test ``grad = -y (1 - p_y) v`` and ``H = p_y (1 - p_y) v v^T`` against autograd.

    Args:
        cases: The cases.
        sign: The gradient's sign.

    Returns:
        The finding.
    """
    listed, family = list(cases), "right and wrong points, both labels"
    return combine(
        audit_equal(
            listed, lambda c: sign * c.y * c.rest * c.v,
            lambda c: torch.autograd.functional.jacobian(c.loss, c.x), tolerance=1e-10,
            family=family,
        ),
        audit_equal(
            listed, lambda c: c.p * c.rest * torch.outer(c.v, c.v),
            lambda c: torch.autograd.functional.hessian(c.loss, c.x), tolerance=1e-10,
            family=family, rounding=lambda c: ROUNDING * float(c.v @ c.v),
        ),
    )  # fmt: skip


def audit_perturbation(cases: Iterable[OneOutput], *, factor: float = 1.0) -> Finding:
    """Test Proposition 3.1 with ``|v|`` for ``nu`` against the exact Taylor optimum.

    Args:
        cases: The cases; misclassified ones are left out.
        factor: Multiplies ``|v|``.

    Returns:
        The finding.
    """

    def optimum(c: OneOutput) -> Tensor:
        gradient = torch.autograd.functional.jacobian(c.loss, c.x)
        hessian = torch.autograd.functional.hessian(c.loss, c.x)
        slack = float(torch.tensor(2.0).double().log() - c.loss(c.x))
        result: Tensor = quadratic_optimum(gradient, hessian, slack).norm()
        return result

    return audit_equal(
        [c for c in cases if c.p > 0.5],
        lambda c: taylor_norm_from_margin(
            c.y * (c.v @ c.x), factor * c.v.norm()), optimum,
        tolerance=1e-8, family="correctly classified points, both labels",
    )  # fmt: skip
