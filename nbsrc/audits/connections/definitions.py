"""The definitions of sections 2 and 3: softmax, threshold, slack, and what is squared."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch

from nbsrc.audits.connections.compare import audit_equal, audit_true, entrywise_error
from nbsrc.audits.connections.derivatives import gradient, hessian, jacobian
from nbsrc.audits.connections.instances import Instance
from nbsrc.audits.finding import collect
from nbsrc.claims import Finding
from nbsrc.perturbation import penalty_values

__all__ = [
    "audit_four_penalties",
    "audit_sigmoid",
    "audit_slack",
    "audit_softmax",
    "audit_squares",
    "audit_threshold",
]

FAMILY = "whole-number and random points, right and wrong"


def audit_softmax(instances: Iterable[Instance], *, common: bool = True) -> Finding:
    """Test that the softmax sums to one and does not see a common shift of the logits.

    Args:
        instances: Instances.
        common: Shift all logits by 7; if not, only the first, which plants an error.

    Returns:
        The finding.
    """

    def right(x: Instance) -> bool:
        z = x.logits()
        shift = torch.full_like(z, 7.0)
        if not common:
            shift[1:] = 0
        moved = torch.exp(z + shift - z.max()) / torch.exp(z + shift - z.max()).sum()
        p = torch.softmax(z, -1)
        return abs(float(p.sum()) - 1) < 1e-12 and bool((p - moved).abs().max() < 1e-12)

    return audit_true(instances, right, family=FAMILY)


def audit_sigmoid(instances: Iterable[Instance], scale: float = 1.0) -> Finding:
    """Test ``p_+ = 1 / (1 + exp(-(z_+ - z_-)))`` and ``p_- = 1 - p_+``.

    Args:
        instances: Two-class instances.
        scale: Factor of the difference; anything but 1 plants an error.

    Returns:
        The finding.
    """

    def by_sigmoid(x: Instance) -> torch.Tensor:
        z = x.logits()
        plus = torch.sigmoid(scale * (z[0] - z[1]))
        return torch.stack([plus, 1 - plus])

    return audit_equal(
        instances,
        lambda x: torch.softmax(x.logits(), -1),
        by_sigmoid,
        tolerance=1e-12,
        family=FAMILY,
    )


def audit_threshold(instances: Iterable[Instance], threshold: float = math.log(2)) -> Finding:
    """Test: the loss is at least the threshold exactly if no logit is below the true one's rival.

    A tie counts as misclassified, and must have the threshold as its loss.

    Args:
        instances: Instances.
        threshold: beta.

    Returns:
        The finding.
    """

    def right(x: Instance) -> bool:
        loss = float(x.loss())
        if abs(x.margin) < 1e-12:
            return abs(loss - threshold) < 1e-9
        return (loss >= threshold) == (x.margin < 0)

    return audit_true(instances, right, family=FAMILY)


def audit_slack(instances: Iterable[Instance], factor: float = 2.0) -> Finding:
    """Test ``xi = log(2 p_y)``.

    Args:
        instances: Two-class instances.
        factor: The factor of p; anything but 2 plants an error.

    Returns:
        The finding.
    """
    return audit_equal(
        (x for x in instances if abs(x.margin) > 1e-3),
        lambda x: x.xi,
        lambda x: math.log(factor * x.p),
        tolerance=1e-9,
        family=FAMILY,
    )


def audit_squares(instances: Iterable[Instance], *, curvature_squared: bool) -> Finding:
    """Test that the penalties of eq. (11) are the squares of the norms that section 2.2 names.

    Args:
        instances: Two-class instances.
        curvature_squared: Expect ``|H|_2`` squared like the others; if not, ``|H|_2`` itself.

    Returns:
        The finding.
    """

    def norms(x: Instance) -> torch.Tensor:
        curvature = torch.linalg.matrix_norm(hessian(x), 2)
        return torch.stack([
            jacobian(x).norm() ** 2,
            gradient(x).norm() ** 2,
            curvature**2 if curvature_squared else curvature,
        ])  # fmt: skip

    def printed(x: Instance) -> torch.Tensor:
        nu2 = x.nu**2
        return torch.tensor(
            [float(x.V.square().sum()), x.q**2 * nu2, x.p * x.q * nu2], dtype=torch.float64
        )

    results = ((-entrywise_error(printed(x), norms(x)), x.size, x.description) for x in instances)
    return collect(results, tolerance=1e-9, family=FAMILY)


def audit_four_penalties(instances: Iterable[Instance], *, swap: bool = False) -> Finding:
    """Test the four penalties in closed form against automatic differentiation.

    Args:
        instances: Instances with any number of classes.
        swap: Exchange input gradient and curvature, which plants an error.

    Returns:
        The finding.
    """

    def closed(x: Instance) -> torch.Tensor:
        found = penalty_values(torch.softmax(x.logits(), -1), x.V, x.label)
        values = [
            found.jacobian, found.cross_lipschitz, found.input_gradient, found.curvature,
        ]  # fmt: skip
        return torch.stack([values[i] for i in ((0, 1, 3, 2) if swap else range(4))])

    def truth(x: Instance) -> torch.Tensor:
        J = jacobian(x)
        pairs = torch.cdist(J, J).square().sum() / 2 / x.classes
        slope = gradient(x).square().sum()
        values = [J.square().sum(), pairs, slope, torch.linalg.matrix_norm(hessian(x), 2)]
        return torch.stack(values)

    results = ((-entrywise_error(closed(x), truth(x)), x.size, x.description) for x in instances)
    return collect(results, tolerance=1e-9, family=FAMILY)
