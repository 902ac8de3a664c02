"""Appendix E's bound of the linf perturbation, eqs. (39) and (40), and its mixed notation."""

from __future__ import annotations

from collections.abc import Iterable

from nbsrc.audits.connections.compare import audit_at_most
from nbsrc.audits.connections.optima import linf_optimum, lower_bound, quadratic_optimum
from nbsrc.audits.connections.points import Point
from nbsrc.claims import Finding

__all__ = ["audit_eq39", "audit_eq40", "audit_first_order_term", "eq40", "eq40_sharper"]

TOLERANCE = 1e-9
FAMILY = "correctly classified points, up to five inputs"


def audit_first_order_term(points: Iterable[Point], *, mixed: bool) -> Finding:
    r"""Test Hölder's step in (39): :math:`\nabla^\top r \le \|\nabla\|_1\|\tilde r^*\|_\infty`.

    Args:
        points: Correctly classified points.
        mixed: Take the l2 optimum for r, as printed; else an r of linf norm
            :math:`\|\tilde r^*\|_\infty`, the one along the signs of the gradient.

    Returns:
        The finding.
    """

    def left(x: Point) -> float:
        if mixed:
            return float(x.gradient @ quadratic_optimum(x.gradient, x.hessian, x.xi))
        return float(x.gradient @ x.gradient.sign()) * linf_optimum(x)

    def right(x: Point) -> float:
        return float(x.gradient.abs().sum()) * linf_optimum(x)

    return audit_at_most(points, left, right, tolerance=TOLERANCE, family=FAMILY)


def audit_eq39(points: Iterable[Point], *, factor: float = 1.0) -> Finding:
    r"""Test :math:`\xi \le \|\nabla\|_1 R + \tfrac n2\|H\|_1R^2` at the linf optimum's size R.

    Args:
        points: Correctly classified points.
        factor: Multiplies the number of inputs n, for a negative control.

    Returns:
        The finding.
    """

    def right(x: Point) -> float:
        size, n = linf_optimum(x), x.V.shape[0]
        second = factor * n * float(x.hessian.abs().sum(0).max()) * size**2 / 2
        return float(x.gradient.abs().sum()) * size + second

    return audit_at_most(points, lambda x: x.xi, right, tolerance=TOLERANCE, family=FAMILY)


def eq40(x: Point, factor: float = 1.0) -> float:
    """Return the right side of (40).

    Args:
        x: The point.
        factor: Multiplies the number of inputs n, for a negative control.

    Returns:
        The bound.
    """
    curvature = factor * x.V.shape[0] * float(x.hessian.abs().sum(0).max())
    return lower_bound(float(x.gradient.abs().sum()), curvature, x.xi)


def eq40_sharper(x: Point) -> float:
    r"""Return (40) with :math:`\sum_{ij}|H_{ij}|` for :math:`n\|H\|_1`: never smaller.

    Args:
        x: The point.

    Returns:
        The bound.
    """
    return lower_bound(float(x.gradient.abs().sum()), float(x.hessian.abs().sum()), x.xi)


def audit_eq40(points: Iterable[Point], *, factor: float = 1.0, sharper: bool = False) -> Finding:
    """Test that (40) is at most the exact linf optimum.

    Args:
        points: Correctly classified points.
        factor: As in :func:`eq40`.
        sharper: Test :func:`eq40_sharper` instead.

    Returns:
        The finding.
    """

    def bound(x: Point) -> float:
        return eq40_sharper(x) if sharper else eq40(x, factor)

    return audit_at_most(points, bound, linf_optimum, tolerance=TOLERANCE, family=FAMILY)
