"""Inequalities of appendix E for products of probabilities and for induced matrix norms."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from nbsrc.audits.connections.compare import audit_true
from nbsrc.audits.connections.points import Point
from nbsrc.claims import Finding

__all__ = ["audit_probabilities", "column_norm", "induced_links"]

TOLERANCE = 1e-9


def column_norm(matrix: Tensor, ord: float) -> float:
    """Return an induced matrix norm: 1 (largest column sum), inf (largest row sum) or 2.

    Args:
        matrix: The matrix.
        ord: 1, 2 or inf.

    Returns:
        The norm.
    """
    return float(torch.linalg.matrix_norm(matrix, ord))


def audit_probabilities(points: Iterable[Point], *, pairs: bool) -> Finding:
    """Test ``p_i (1 - p_i) <= p_y (1 - p_y)``, or ``p_i p_j <= p_y (1 - p_y)`` for ``i != j``.

    Args:
        points: The points.
        pairs: The second inequality instead of the first.

    Returns:
        The finding.
    """

    def holds(x: Point) -> bool:
        w, total = x.weights, float(x.weights.sum())
        rivals = w[:, None] * w[None]
        left = (
            float((rivals - rivals.diag().diag()).max())
            if pairs
            else float((w * torch.stack([total - w])).max())
        )
        own = float(w[x.label]) * float(x.others.sum())
        return left <= own * (1 + TOLERANCE)

    return audit_true(points, holds, family="points with any number of classes, all classes i, j")


def induced_links(norm: str, *, swapped: bool = False) -> tuple[Callable[[Point], float], ...]:
    r"""Return the inequalities with induced norms of appendix E.

    Args:
        norm: ``"gradient"``: :math:`\|\nabla\|_1 \le 2(1-p_y)\|V\|_1`; ``"hessian"``:
            :math:`\|H\|_1 \le 2p_y(1-p_y)\|V\|_1\|V\|_\infty`.
        swapped: Take V for its transpose, for a negative control.

    Returns:
        The quantities.

    Raises:
        ValueError: If ``norm`` is unknown.
    """
    one, inf = (float("inf"), 1.0) if swapped else (1.0, float("inf"))
    if norm == "gradient":
        return (
            lambda x: float(x.gradient.abs().sum()),
            lambda x: 2 * x.rest * column_norm(x.V, one),
        )
    if norm == "hessian":
        return (
            lambda x: column_norm(x.hessian, 1),
            lambda x: 2 * x.p_y * x.rest * column_norm(x.V, one) * column_norm(x.V, inf),
        )
    raise ValueError(f"norm must be 'gradient' or 'hessian', got {norm!r}")
