"""The proofs of Propositions 3.1 to 3.3, step by step: eqs. (20) to (25)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from nbsrc.audits.connections.compare import audit_at_most, audit_equal, audit_true, combine
from nbsrc.audits.connections.derivatives import gradient, hessian, taylor_loss
from nbsrc.audits.connections.instances import Instance, box_corners
from nbsrc.audits.connections.taylor_binary import prop31
from nbsrc.claims import Finding

__all__ = [
    "audit_box_bound",
    "audit_one_variable",
    "audit_roots",
    "audit_second_root",
    "audit_substitution",
    "eq20_second_line",
    "eq23",
]

TOLERANCE = 1e-8
CORRECT = "correctly classified points of two classes"


def audit_one_variable(
    instances: Iterable[Instance],
    factor: Callable[[Instance], float] = lambda x: x.p / x.q,
) -> Finding:
    """Test eq. (22): ``r^T H r = p_y / (1 - p_y) (gradient . r)^2`` for every r.

    Args:
        instances: Two-class instances.
        factor: The factor.

    Returns:
        The finding; both sides are compared as matrices.
    """
    return audit_equal(
        instances, lambda x: factor(x) * torch.outer(gradient(x), gradient(x)), hessian,
        tolerance=TOLERANCE, family="two classes, right and wrong points",
    )  # fmt: skip


def audit_roots(
    instances: Iterable[Instance], probability: Callable[[Instance], float] = lambda x: x.p
) -> Finding:
    """Test appendix C: r is feasible exactly if ``gradient . r`` is outside the two roots.

    Steps along the gradient are tried just inside and just outside either root.

    Args:
        instances: Correctly classified instances.
        probability: What stands for the probability; the label's, if not a planted error.

    Returns:
        The finding; the slack is 0 or -1.
    """

    def agrees(x: Instance) -> bool:
        p = probability(x)
        root = math.sqrt(1 + 2 * p * x.xi / (1 - p))
        slope = gradient(x)
        for end, sense in (((1 - p) / p * (root - 1), 1), (-(1 - p) / p * (root + 1), -1)):
            for push in (0.999, 1.001):
                r = end * push * slope / slope.square().sum()
                feasible = bool(taylor_loss(x, r) >= math.log(2))
                along = float(slope @ r)
                if feasible != (along >= end if sense == 1 else along <= end):
                    return False
        return True

    return audit_true(instances, agrees, family=CORRECT)


def audit_second_root(instances: Iterable[Instance]) -> Finding:
    """Test that the true loss at the second root is smaller than at the point itself.

    Args:
        instances: Correctly classified instances.

    Returns:
        The finding: the second branch of the Taylor constraint holds no adversarial example.
    """

    def smaller(x: Instance) -> bool:
        slope = gradient(x)
        end = -x.q / x.p * (math.sqrt(1 + 2 * x.p * x.xi / x.q) + 1)
        return bool(x.loss(end * slope / slope.square().sum()) < x.loss())

    return audit_true(instances, smaller, family=CORRECT)


def eq23(instance: Instance, probability: float) -> float:
    """Return eq. (23), whose first fraction divides by a ``p(x)`` without index.

    Args:
        instance: A correctly classified instance.
        probability: What stands for that ``p(x)``; everywhere else the label's is printed.

    Returns:
        The value.
    """
    root = math.sqrt(1 + 2 * instance.p * instance.xi / instance.q)
    return instance.q / probability / float(gradient(instance).abs().sum()) * (root - 1)


def audit_substitution(
    instances: Iterable[Instance], second_line: Callable[[Instance], float] | None = None
) -> Finding:
    """Test that the three lines of eq. (20) are equal.

    Args:
        instances: Correctly classified instances.
        second_line: The second line; by default the one with xi.

    Returns:
        The finding.
    """
    cases = list(instances)

    def first(x: Instance) -> float:
        slope, curvature = float(gradient(x).norm()), float(hessian(x).norm())
        return slope / curvature * (math.sqrt(1 + 2 * curvature * x.xi / slope**2) - 1)

    def second(x: Instance) -> float:
        return eq20_second_line(x, x.xi)

    middle = second if second_line is None else second_line
    exact = [x for x in cases if x.margin > 1e-3]  # below, the printed forms cancel
    return combine(
        audit_equal(exact, first, middle, tolerance=TOLERANCE, family=CORRECT),
        audit_equal(exact, middle, prop31, tolerance=TOLERANCE, family=CORRECT),
        family=CORRECT,
    )


def eq20_second_line(instance: Instance, xi: float = 1.0) -> float:
    """Return the second line of eq. (20).

    Args:
        instance: A correctly classified instance.
        xi: The factor under the root, which the printed line lacks (1).

    Returns:
        The value.
    """
    p, q, nu = instance.p, instance.q, instance.nu
    slope, curvature = q * nu, p * q * nu**2
    return slope / curvature * (math.sqrt(1 + 2 * curvature * xi / slope**2) - 1)


def audit_box_bound(instances: Iterable[Instance], epsilon: float, order: float) -> Finding:
    """Test eqs. (24)-(25): the bound of the Taylor increment in the box, attained at a corner.

    Args:
        instances: Two-class instances, at most eight inputs.
        epsilon: Half the side of the box.
        order: The norm of ``v_+ - v_-``, which eq. (25) prints without a subscript.

    Returns:
        The finding.
    """
    cases = list(instances)

    def largest(x: Instance) -> float:
        corners = box_corners(len(x.x))
        return float(taylor_loss(x, epsilon * corners).max() - x.loss())

    def bound(x: Instance) -> float:
        width = epsilon * float(torch.linalg.vector_norm(x.a, order))
        return width * x.q + width**2 * x.p * x.q / 2

    def at_corner(x: Instance) -> Tensor:
        return taylor_loss(x, epsilon * gradient(x).sign()) - x.loss()

    family = "two classes, right and wrong points"
    return combine(
        audit_at_most(cases, largest, bound, tolerance=TOLERANCE, family=family),
        audit_equal(cases, at_corner, bound, tolerance=TOLERANCE, family=family),
        family=family,
    )
