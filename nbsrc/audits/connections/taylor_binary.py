"""Propositions 3.1, 3.2 and 3.3: the Taylor problem for two classes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import torch

from nbsrc.audits.connections.compare import audit_equal, relative_error
from nbsrc.audits.connections.derivatives import gradient, hessian, taylor_loss
from nbsrc.audits.connections.instances import Instance, box_corners
from nbsrc.audits.connections.quadratic import Quadratic, shortest_in_box_norm, shortest_step
from nbsrc.audits.finding import Case, collect
from nbsrc.claims import Finding
from nbsrc.perturbation import (
    taylor_norm_from_margin,
    taylor_perturbation,
    taylor_perturbation_norm,
    taylor_worst_loss,
)

__all__ = [
    "audit_box_norm",
    "audit_different_minimisers",
    "audit_norm",
    "audit_worst_taylor_loss",
    "eq8",
    "prop31",
    "prop32",
    "prop33",
    "taylor_problem",
]

TOLERANCE = 1e-8
CORRECT = "correctly classified points of two classes"


def taylor_problem(instance: Instance) -> Quadratic:
    """Return the constraint of the Taylor problem, from automatic differentiation.

    Args:
        instance: A correctly classified instance.

    Returns:
        Gradient, Hessian and ``xi = log K - L``.
    """
    return Quadratic(gradient(instance), hessian(instance), instance.xi)


def prop31(instance: Instance) -> float:
    """Return eq. (8), the l2 size.

    Args:
        instance: A correctly classified two-class instance.

    Returns:
        The printed value.
    """
    return float(taylor_perturbation_norm(instance.p, instance.nu))


def eq8(p: float, nu: float) -> float:
    """Return eq. (8) term by term, without a guard for its ends.

    Args:
        p: The label's probability, above 1/2.
        nu: The norm of ``v_+ - v_-``.

    Returns:
        The value; infinite or NaN where the formula has none.

    Example:
        >>> round(eq8(0.9, 2.0), 6), eq8(1.0, 2.0)
        (1.33498, inf)
    """
    label = torch.tensor(p, dtype=torch.float64)
    xi = torch.log(2 * label)
    return float((torch.sqrt(1 + 2 * label * xi / (1 - label)) - 1) / (label * nu))


def prop32(instance: Instance, order: float = 1) -> float:
    """Return eq. (9), the linf size.

    Args:
        instance: A correctly classified two-class instance.
        order: The norm of ``v_+ - v_-``; anything but 1 plants an error.

    Returns:
        The printed value.
    """
    width = torch.linalg.vector_norm(instance.a, order)
    return float(taylor_perturbation_norm(instance.p, width))


def prop33(instance: Instance, epsilon: float, order: float = 1) -> float:
    """Return eq. (10), the largest Taylor loss in the box.

    Args:
        instance: A two-class instance.
        epsilon: Half the side of the box.
        order: The norm of ``v_+ - v_-``; anything but 1 plants an error.

    Returns:
        The printed value.
    """
    width = torch.linalg.vector_norm(instance.a, order)
    return float(taylor_worst_loss(instance.p, width, epsilon))


def audit_norm(instances: Iterable[Instance], formula: Callable[[Instance], float]) -> Finding:
    """Test a formula for the l2 size of the Taylor problem against its exact solution.

    Args:
        instances: Correctly classified instances.
        formula: The formula.

    Returns:
        The finding.
    """
    return audit_equal(
        instances, formula, lambda x: shortest_step(taylor_problem(x)),
        tolerance=TOLERANCE, family=CORRECT,
    )  # fmt: skip


def audit_box_norm(instances: Iterable[Instance], formula: Callable[[Instance], float]) -> Finding:
    """Test a formula for the linf size of the Taylor problem against all corners of boxes.

    Args:
        instances: Correctly classified instances, at most eight inputs.
        formula: The formula.

    Returns:
        The finding.
    """
    return audit_equal(
        instances, formula, lambda x: shortest_in_box_norm(taylor_problem(x)),
        tolerance=TOLERANCE, family=CORRECT,
    )  # fmt: skip


def audit_worst_taylor_loss(
    instances: Iterable[Instance],
    radii: tuple[float, ...],
    formula: Callable[[Instance, float], float] = prop33,
) -> Finding:
    """Test a formula for the largest Taylor loss in the box against all its corners.

    Args:
        instances: Two-class instances, at most eight inputs.
        radii: Half sides of the box.
        formula: The formula.

    Returns:
        The finding.
    """

    def error(x: Instance) -> float:
        corners = box_corners(len(x.x))
        return max(
            relative_error(formula(x, radius), taylor_loss(x, radius * corners).max())
            for radius in radii
        )

    results = ((-error(x), x.size, x.description) for x in instances)
    return collect(results, tolerance=TOLERANCE, family="two classes, boxes of several sizes")


def audit_different_minimisers(instances: Iterable[Instance]) -> Finding:
    """Test footnote 2: the l2 minimiser is not a minimiser in the linf norm.

    Args:
        instances: Correctly classified instances.

    Returns:
        The finding; the slack is by how much its linf norm is above the smallest one, relative, or
        -1 where it is not.
    """

    def cases() -> Iterator[Case]:
        for x in instances:
            r = taylor_perturbation(x.logits(), x.V, x.label, 2)
            least = taylor_norm_from_margin(x.margin, x.a.abs().sum())
            excess = float(r.abs().max() / least) - 1
            yield (excess if excess > 1e-9 else -1.0), x.size, x.description

    return collect(cases(), tolerance=0, family="random correctly classified points")
