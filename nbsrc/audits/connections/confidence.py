"""Figure 3 and the remarks on confidence: how each penalty weighs the label's probability."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
from torch import Tensor

from nbsrc.audits.connections.compare import ROUNDING, relative_error
from nbsrc.audits.connections.derivatives import gradient, hessian
from nbsrc.audits.connections.instances import Instance
from nbsrc.audits.finding import Case, collect
from nbsrc.claims import Finding
from nbsrc.perturbation import taylor_perturbation_norm

__all__ = [
    "WEIGHTS",
    "audit_decreasing",
    "audit_no_probability",
    "audit_one_ratio",
    "audit_slope_grows",
    "audit_weights",
    "distance_weight",
    "probability_grid",
    "slope_of",
]

Weight = Callable[[Tensor], Tensor]
WEIGHTS: dict[str, Weight] = {
    "cross-Lipschitz": torch.ones_like,
    "input gradient": lambda p: (1 - p) ** 2,
    "curvature": lambda p: p * (1 - p),
}
"""What multiplies ``nu^2`` in a penalty, as a function of the label's probability."""


def distance_weight(p: Tensor) -> Tensor:
    """Return ``nu |r*|`` of Proposition 3.1 as a function of the label's probability.

    Args:
        p: Probabilities in [1/2, 1).

    Returns:
        The values.
    """
    return taylor_perturbation_norm(p, 1.0)


def probability_grid(count: int, *, above_half: bool) -> Tensor:
    """Return probabilities from one end to the other, dense near 1.

    Args:
        count: How many.
        above_half: Only from 1/2 on.

    Returns:
        Increasing, shape ``[count]``, inside (0, 1).
    """
    low = 1e-3 if above_half else -14.0
    return torch.sigmoid(torch.linspace(low, 14.0, count, dtype=torch.float64))


def slope_of(weight: Weight, p: Tensor) -> Tensor:
    """Return the derivative of a weight by autograd.

    Args:
        weight: The weight.
        p: Probabilities.

    Returns:
        ``d weight / d p``.
    """
    at = p.clone().requires_grad_()
    value = weight(at).sum()
    if not value.requires_grad:
        return torch.zeros_like(p)
    return torch.autograd.grad(value, at)[0]


def audit_weights(instances: Iterable[Instance], weights: dict[str, Weight]) -> Finding:
    """Test Figure 3: ``|grad|^2 / nu^2`` and ``|H|_2 / nu^2`` are the drawn functions of ``p_y``.

    Args:
        instances: Two-class instances with ``v_+ != v_-``, right and wrong.
        weights: The functions, as in :data:`WEIGHTS`.

    Returns:
        The finding.
    """

    def error(x: Instance) -> float:
        p = torch.tensor(x.p, dtype=torch.float64)
        curvature = torch.linalg.eigvalsh(hessian(x))[-1] / x.nu**2
        return max(
            abs(float(weights["input gradient"](p) - gradient(x).square().sum() / x.nu**2)),
            abs(float(weights["curvature"](p) - curvature)),
        )

    cases = ((-error(x), x.size, x.description) for x in instances if x.nu > 0)
    return collect(cases, tolerance=1e-9, family="two classes, right and wrong points")


def _pairs(values: Sequence[float], p: Tensor, sign: int) -> Iterator[Case]:
    for number in range(len(values) - 1):
        low, high = values[number], values[number + 1]
        shown = {"p": float(p[number]), "next p": float(p[number + 1])}
        step = sign * (high - low)
        yield (
            step or -1e-300,
            (number,),
            shown,
        )  # standing still is no change in the right direction


def audit_decreasing(weight: Weight, p: Tensor) -> Finding:
    """Test that a weight falls as the probability grows, so that it rewards confidence.

    Args:
        weight: The weight.
        p: Increasing probabilities.

    Returns:
        The finding; the slack is the fall from one probability to the next.
    """
    cases = _pairs(weight(p).tolist(), p, -1)
    return collect(cases, tolerance=0, family=f"p from {p[0]:.2g} to 1 - {1 - p[-1]:.1g}")


def audit_slope_grows(weight: Weight, p: Tensor, *, shrinks: bool = False) -> Finding:
    """Test that the absolute slope of a weight grows with the probability.

    Args:
        weight: The weight.
        p: Increasing probabilities.
        shrinks: Test that it shrinks instead.

    Returns:
        The finding.
    """
    cases = _pairs(slope_of(weight, p).abs().tolist(), p, -1 if shrinks else 1)
    return collect(cases, tolerance=0, family=f"p from {p[0]:.2g} to 1 - {1 - p[-1]:.1g}")


def audit_no_probability(
    instances: Iterable[Instance], penalty: Callable[[Tensor, Tensor, int], Tensor]
) -> Finding:
    """Test that a penalty does not change when only the probabilities do.

    Args:
        instances: Instances.
        penalty: Maps V, the logits and the label to the penalty.

    Returns:
        The finding; the slack is minus the gradient's size with respect to the logits.
    """

    def cases() -> Iterator[Case]:
        for x in instances:
            z = x.logits().clone().requires_grad_()
            value = penalty(x.V, z, x.label) + 0 * z.sum()
            slope = torch.autograd.grad(value, z)[0]
            yield -float(slope.abs().max()), x.size, x.description

    return collect(cases(), tolerance=0, family="two to five classes")


def audit_one_ratio(
    instances: Iterable[Instance], penalty: Callable[[Instance], float], weight: Weight
) -> Finding:
    """Test that a penalty is ``nu^2`` times a function of the probability.

    Args:
        instances: Two-class instances.
        penalty: The penalty.
        weight: The function.

    Returns:
        The finding.
    """

    def error(x: Instance) -> float:
        p = torch.tensor(x.p, dtype=torch.float64)
        # the columns cancel in autograd's derivatives, not in nu
        rounding = ROUNDING * float(x.V.square().sum())
        return relative_error(penalty(x), float(weight(p)) * x.nu**2, rounding=rounding)

    cases = ((-error(x), x.size, x.description) for x in instances)
    return collect(cases, tolerance=1e-9, family="two classes, right and wrong points")
