"""The threshold log K: which losses go with which decisions, and what it does to the distance."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import torch

from nbsrc.audits.connections.compare import audit_true
from nbsrc.audits.connections.optima import quadratic_optimum
from nbsrc.audits.connections.points import Point
from nbsrc.claims import Finding

__all__ = [
    "audit_high_loss_is_wrong",
    "audit_threshold",
    "audit_wrong_is_high_loss",
    "decision_distance",
    "log_two_distance",
]

ROUNDING = 1e-12


def audit_high_loss_is_wrong(
    points: Iterable[Point], least_loss: Callable[[int], float]
) -> Finding:
    """Test that a loss of at least the threshold means that the label is not strictly on top.

    Args:
        points: Points, right and wrong.
        least_loss: The threshold for K classes.

    Returns:
        The finding.
    """

    def holds(x: Point) -> bool:
        return -math.log(x.p_y) < least_loss(x.classes) - ROUNDING or not x.correct

    return audit_true(points, holds, family="right and wrong points, two to ten classes")


def audit_wrong_is_high_loss(
    points: Iterable[Point], least_loss: Callable[[int], float]
) -> Finding:
    """Test that a label that is not strictly on top means a loss of at least the threshold.

    Args:
        points: Points, right and wrong.
        least_loss: The threshold for K classes.

    Returns:
        The finding.
    """

    def holds(x: Point) -> bool:
        return x.correct or -math.log(x.p_y) >= least_loss(x.classes) - ROUNDING

    return audit_true(points, holds, family="right and wrong points, two to ten classes")


def audit_threshold(points: Iterable[Point], least_loss: Callable[[int], float]) -> Finding:
    """Test that a loss of at least the threshold is the same as not being strictly on top.

    Args:
        points: Points, right and wrong.
        least_loss: The threshold for K classes.

    Returns:
        The finding.
    """

    def holds(x: Point) -> bool:
        return x.correct == (-math.log(x.p_y) < least_loss(x.classes) - ROUNDING)

    return audit_true(points, holds, family="right and wrong points, two to ten classes")


def decision_distance(x: Point) -> float:
    """Return the exact l2 distance of the affine piece to the next class.

    Args:
        x: A correctly classified point.

    Returns:
        ``min_j (z_y - z_j) / |v_y - v_j|``; infinite if no column differs.
    """
    gaps = (x.V - x.V[:, [x.label]]).norm(dim=0)
    margins = float(x.weights[x.label].log()) - x.weights.log()
    ratios = torch.where(gaps > 0, margins / gaps, math.inf)
    ratios[x.label] = math.inf
    return float(ratios.min())


def log_two_distance(x: Point) -> float:
    """Return the size of the Taylor perturbation with threshold log 2 instead of log K.

    Args:
        x: The point.

    Returns:
        The length; 0 where the loss is at least log 2 already.
    """
    slack = math.log(2) + math.log(x.p_y)
    return float(quadratic_optimum(x.gradient, x.hessian, slack).norm())
