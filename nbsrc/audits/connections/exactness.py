"""How far the Taylor problem is from the exact one inside a linear region (two classes)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from scipy.optimize import brentq

from nbsrc.audits.connections.compare import audit_at_most
from nbsrc.audits.connections.instances import Instance, box_corners
from nbsrc.audits.finding import Case, collect
from nbsrc.claims import Finding
from nbsrc.perturbation import (
    exact_perturbation_norm,
    exact_worst_loss,
    taylor_norm_from_margin,
    taylor_worst_loss,
)

__all__ = [
    "audit_class_is_kept",
    "audit_near_half",
    "audit_ratio",
    "audit_worst_loss",
    "crossing",
    "curvature_safe_loss",
    "curvature_safe_radius",
    "exact_radius",
    "margin_of_ratio",
    "ratio",
    "taylor_radius",
]


def taylor_radius(instance: Instance) -> float:
    """Return the l2 size of Proposition 3.1.

    Args:
        instance: A correctly classified two-class instance.

    Returns:
        The size, evaluated from the margin without cancellation.
    """
    return float(taylor_norm_from_margin(instance.margin, instance.nu))


def exact_radius(instance: Instance) -> float:
    """Return the exact l2 distance to the boundary of the affine classifier.

    Args:
        instance: A correctly classified instance.

    Returns:
        The distance, infinite if the columns are equal.
    """
    found = exact_perturbation_norm(instance.logits(), instance.V, instance.label, 2)
    return float(found.norm)


def curvature_safe_radius(instance: Instance) -> float:
    """Return the repaired radius: the Taylor problem with the largest curvature, 1/4 for p (1 - p).

    ``(4 / nu) (sqrt((1 - p)^2 + xi / 2) - (1 - p))``, evaluated without cancellation.

    Args:
        instance: A correctly classified two-class instance.

    Returns:
        The radius, never above the exact distance.
    """
    q, xi = instance.q, math.log1p(math.tanh(instance.margin / 2))
    return 2 * xi / (q + math.sqrt(q**2 + xi / 2)) / instance.nu


def curvature_safe_loss(instance: Instance, epsilon: float) -> float:
    """Return the repaired bound of the loss in the box: 1/4 in place of p (1 - p) in eq. (10).

    Args:
        instance: A two-class instance.
        epsilon: Half the side of the box.

    Returns:
        The bound.
    """
    reach = epsilon * float(instance.a.abs().sum())
    return float(instance.loss()) + instance.q * reach + reach**2 / 8


def ratio(margin: float) -> float:
    """Return the Taylor size over the exact distance, which depends on the margin alone.

    Args:
        margin: ``log(p / (1 - p))``, above 0.

    Returns:
        The ratio.

    Example:
        >>> round(ratio(2.0), 3)
        1.17
    """
    return float(taylor_norm_from_margin(margin, 1.0)) / margin


def margin_of_ratio(value: float) -> float:
    """Return the margin at which the Taylor size is a given multiple of the exact distance.

    Args:
        value: The multiple, above 1.

    Returns:
        The margin.
    """
    return float(brentq(lambda t: ratio(t) - value, 1e-2, 600.0, xtol=1e-13))


def crossing(margin: float) -> float:
    """Return the reach ``epsilon nu / margin`` beyond which eq. (10) is above the true worst loss.

    Args:
        margin: Margin, above 0.

    Returns:
        The smallest such reach, in units of the margin.
    """
    p = 1 / (1 + math.exp(-margin))

    def excess(reach: float) -> float:
        taylor = float(taylor_worst_loss(p, 1.0, reach * margin))
        return taylor - float(exact_worst_loss(margin, 1.0, reach * margin))

    high = 1.0
    while excess(high) <= 0:
        high *= 2
    return float(brentq(excess, 1.0, high, xtol=1e-12))


def audit_ratio(instances: Iterable[Instance], limit: float) -> Finding:
    """Test ``1 <= Taylor size / exact distance <= limit``.

    Args:
        instances: Correctly classified instances with a gradient.
        limit: The largest ratio.

    Returns:
        The finding; absolute slack of the ratio.
    """

    def cases() -> Iterator[Case]:
        for x in instances:
            value = taylor_radius(x) / exact_radius(x)
            shown = {**x.description, "p": x.p, "ratio": value}
            yield min(value - 1, limit - value), x.size, shown

    return collect(cases(), tolerance=1e-9, family="correctly classified points of two classes")


def audit_class_is_kept(
    instances: Iterable[Instance], radius: Callable[[Instance], float]
) -> Finding:
    """Test that no step shorter than the radius changes the class of the affine classifier.

    Steps of 1 part in 1e9 less than the radius are tried along both signs of ``v_+ - v_-``.

    Args:
        instances: Correctly classified instances with a gradient.
        radius: The radius that is said to be safe.

    Returns:
        The finding; the slack is the smallest margin left, over the margin at the point.
    """

    def cases() -> Iterator[Case]:
        for x in instances:
            length = radius(x)
            for sign in (1.0, -1.0):
                r = sign * (1 - 1e-9) * length * x.a / x.nu
                z = x.logits(r)
                left = float(z[x.label] - z[1 - x.label])
                shown = {**x.description, "radius": length, "margin left": left}
                yield left / x.margin, x.size, shown

    return collect(cases(), tolerance=0, family="steps along v_+ - v_- inside the region")


def audit_worst_loss(
    instances: Iterable[Instance],
    radii: tuple[float, ...],
    bound: Callable[[Instance, float], float],
) -> Finding:
    """Test that a formula bounds the true worst loss in the box from above, over all corners.

    Args:
        instances: Two-class instances, at most eight inputs.
        radii: Half sides of the box.
        bound: The bound.

    Returns:
        The finding.
    """

    def worst(x: Instance, radius: float) -> float:
        corners = box_corners(len(x.x))
        return float(x.loss(radius * corners).max())

    def cases() -> Iterator[Case]:
        for x in instances:
            for radius in radii:
                largest, value = worst(x, radius), bound(x, radius)
                shown: dict[str, Any] = {**x.description, "epsilon": radius}
                shown |= {"worst loss": largest, "bound": value}
                yield (value - largest) / max(value, largest), x.size, shown

    return collect(cases(), tolerance=1e-10, family="corners of boxes, inside the region")


def audit_near_half(instances: Iterable[Instance]) -> Finding:
    """Test ``nu |r*| <= 8 (p - 1/2)`` close to one half, so that ``|r*|`` goes to 0.

    Args:
        instances: Instances with p from just over 1/2 to 0.6.

    Returns:
        The finding.
    """
    return audit_at_most(
        instances, taylor_radius, lambda x: 8 * (x.p - 0.5), tolerance=0,
        family="nu = 1 and p from 0.6 down to one half",
    )  # fmt: skip
