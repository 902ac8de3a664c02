"""Proposition 4.1: the lower bounds (16) and (17), their repair, and one sharper than both."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import torch

from nbsrc.audits.connections.compare import audit_at_most
from nbsrc.audits.connections.optima import lower_bound, taylor_optimum
from nbsrc.audits.connections.points import Point
from nbsrc.claims import Finding

__all__ = [
    "audit_lower_bound",
    "audit_tighter",
    "audit_upper_bound",
    "eq16",
    "eq16_repaired",
    "eq17",
    "eq17_with_printed_xi",
    "eq33_printed",
    "lemma31",
    "lemma31_upper",
    "printed_form",
    "sharpened",
]

TOLERANCE = 1e-9
Bound = Callable[[Point], float]


def eq16(x: Point, pairs: str = "ordered") -> float:
    r"""Return the right side of (16), free of cancellation.

    It is Lemma 3.1's bound at :math:`G = 2(1-p_y)\|V\|_F` and
    :math:`h = \tfrac12K(K-1)p_y(1-p_y)\nu^2`.

    Args:
        x: The point.
        pairs: The pairs in ``nu^2``: ``"ordered"`` or ``"unordered"``.

    Returns:
        The bound.
    """
    K = x.classes
    curvature = K * (K - 1) / 2 * x.p_y * x.rest * x.nu2(pairs)
    return lower_bound(2 * x.rest * x.frobenius, curvature, x.xi)


def eq16_repaired(x: Point, count: float | None = None) -> float:
    r"""Return (16) with :math:`2K` for :math:`K(K-1)` and ordered pairs in :math:`\nu^2`.

    Args:
        x: The point.
        count: What replaces ``K(K-1)``; ``2K``, the smallest that is true, by default.

    Returns:
        The bound.
    """
    curvature = (2 * x.classes if count is None else count) / 2 * x.p_y * x.rest
    return lower_bound(2 * x.rest * x.frobenius, curvature * x.nu2("ordered"), x.xi)


def eq17(x: Point, xi: float | None = None) -> float:
    r"""Return the right side of (17), free of cancellation.

    Args:
        x: The point.
        xi: The threshold minus the loss; ``log K + log p_y`` by default.

    Returns:
        The bound, infinite for ``V = 0``.
    """
    slack = x.xi if xi is None else xi
    return lower_bound(2 * x.rest * x.frobenius, 2 * x.p_y * x.rest * x.frobenius**2, slack)


def eq17_with_printed_xi(x: Point) -> float:
    """Return (17) with ``xi = log K - log p_y``, as the sentence after it has it.

    Args:
        x: The point.

    Returns:
        The value.
    """
    return eq17(x, math.log(x.classes) - math.log(x.p_y))


def sharpened(x: Point) -> float:
    r"""Return the sharpened bound, equal to Proposition 3.1 for two classes.

    .. math::
        \|r^*\|_2 \ge \frac{1}{\sqrt2\,p_y\sigma}\Big(\sqrt{1+\frac{2p_y\xi}{1-p_y}}-1\Big),
        \qquad \sigma = \|V-\bar v\mathbf 1^\top\|_2

    Args:
        x: The point; the label is a most probable class.

    Returns:
        The bound.
    """
    sigma = float(torch.linalg.matrix_norm(x.centred, 2))
    return lower_bound(math.sqrt(2) * x.rest * sigma, 2 * x.p_y * x.rest * sigma**2, x.xi)


def printed_form(slope: float, curvature: float, xi: float) -> float:
    """Return (6) and (33) as printed: the ratio times the root minus one.

    Args:
        slope: What stands for the gradient.
        curvature: What stands for the Hessian.
        xi: The threshold minus the loss.

    Returns:
        The value, NaN where the formula divides by zero.
    """
    if slope == 0 or curvature == 0:
        return math.nan
    return slope / curvature * (math.sqrt(1 + 2 * curvature * xi / slope**2) - 1)


def eq33_printed(x: Point, *, upper: bool) -> float:
    """Return one of the bounds (33) letter by letter.

    Args:
        x: The point.
        upper: The upper bound.

    Returns:
        The value, NaN where the formula divides by zero.
    """
    top = torch.linalg.eigh(x.hessian).eigenvectors[:, -1]
    slope = abs(float(x.gradient @ top)) if upper else x.slope
    return printed_form(slope, x.curvature, x.xi)


def lemma31(x: Point) -> float:
    """Return Lemma 3.1's lower bound (33), from the gradient and Hessian themselves.

    Args:
        x: The point.

    Returns:
        The bound.
    """
    return lower_bound(x.slope, x.curvature, x.xi)


def lemma31_upper(x: Point, *, whole: bool = False) -> float:
    r"""Return Lemma 3.1's upper bound (33), with :math:`|\nabla^\top u|` for the gradient's length.

    Args:
        x: The point.
        whole: Use :math:`\|\nabla\|` all the same, for a negative control.

    Returns:
        The bound.
    """
    top = torch.linalg.eigh(x.hessian).eigenvectors[:, -1]
    slope = x.slope if whole else abs(float(x.gradient @ top))
    return lower_bound(slope, x.curvature, x.xi)


def audit_upper_bound(points: Iterable[Point], bound: Bound) -> Finding:
    """Test that a bound is at least the exact size of the Taylor perturbation.

    Args:
        points: Correctly classified points.
        bound: The bound.

    Returns:
        The finding; the slack is relative.
    """
    return audit_at_most(
        points, taylor_optimum, bound, tolerance=TOLERANCE, family="correctly classified points"
    )


def audit_lower_bound(
    points: Iterable[Point], bound: Bound, *, family: str = "correctly classified points"
) -> Finding:
    """Test that a bound is at most the exact size of the Taylor perturbation.

    Args:
        points: Points with ``xi >= 0``.
        bound: The bound.
        family: The family in words.

    Returns:
        The finding; the slack is relative.
    """
    return audit_at_most(points, bound, taylor_optimum, tolerance=TOLERANCE, family=family)


def audit_tighter(points: Iterable[Point], weak: Bound, strong: Bound) -> Finding:
    """Test that one lower bound is never below another.

    Args:
        points: Points.
        weak: The bound that should never be larger.
        strong: The other one.

    Returns:
        The finding.
    """
    return audit_at_most(
        points, weak, strong, tolerance=TOLERANCE, family="correctly classified points"
    )
