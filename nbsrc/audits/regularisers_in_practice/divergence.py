r"""When a penalty makes training diverge: an exact example, a predicted strength, and a search.

Gradient descent on :math:`\lambda w^2` multiplies w by :math:`1-2\eta\lambda`: it diverges if and
only if :math:`\eta\lambda>1`. The Jacobian of a product of two layers, :math:`J=ab`, has the
penalty :math:`\lambda a^2b^2`. From :math:`a=b=t` a step leads to
:math:`t(1-2\eta\lambda t^2)`: the condition becomes :math:`\eta\lambda t^2>1`, and once it holds
the size is cubed at every step. Floating-point numbers end soon after.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nbsrc.audits.finding import Case, collect
from nbsrc.claims import Finding
from nbsrc.regularizers import JacobianPenalty, Regularizer

__all__ = [
    "audit_depth_one",
    "audit_depth_two",
    "audit_momentum",
    "depth_two",
    "first_failing",
    "sharpness",
    "stable_strength",
    "tune",
]


def audit_depth_one(largest: int, *, bound: float = 1.0) -> Finding:
    r"""Test on integers that descent on :math:`\lambda w^2` grows if and only if its product > 1.

    The step size is 1, the start w = 1. Grows means that :math:`|w|` has grown after two steps.

    Args:
        largest: Strengths 0, 1/2, 1, ... up to this number are tried, with exact halves.
        bound: What the product is compared with; anything else than 1 must fail.

    Returns:
        The finding.
    """
    cases: list[Case] = []
    for doubled in range(2 * largest + 1):
        w, product = 1, doubled / 2
        for _ in range(2):
            w -= doubled * w
        grows = abs(w) > 1
        right = grows == (product > bound)
        cases.append((0.0 if right else -1.0, (doubled,), f"lambda {product:g}, w = 1 -> {w}"))
    return collect(cases, tolerance=0.0, family="step 1, w = 1, lambda in halves")


def depth_two(start: int, steps: int) -> list[int]:
    r"""Descend on :math:`a^2b^2` with step size 1 from a = b, in exact integers.

    Args:
        start: The common value of the two weights.
        steps: Number of steps.

    Returns:
        The common value before and after every step.
    """
    a = b = start
    values = [a]
    for _ in range(steps):
        a, b = a - 2 * a * b * b, b - 2 * a * a * b
        assert a == b
        values.append(a)
    return values


def audit_depth_two(largest: int) -> Finding:
    """Test that sizes up to 1 stay and larger ones are at least cubed, step by step.

    Args:
        largest: Starts 0, 1, ..., this number.

    Returns:
        The finding; the slack of a growing start is the least surplus over the cube, relative.
    """
    cases: list[Case] = []
    for start in range(largest + 1):
        values = depth_two(start, 3)
        words = " -> ".join(str(v) for v in values)
        pairs = zip(values[1:], values, strict=False)
        if start <= 1:
            slack = 1.0 - max(abs(v) for v in values)
        else:
            slack = min(math.log(abs(new)) - 3 * math.log(abs(old)) for new, old in pairs)
        cases.append((slack, (start,), words))
    return collect(cases, tolerance=0.0, family="step 1, lambda 1, a = b = 0, 1, 2, ...")


def audit_momentum(bound: Fraction = Fraction(2), *, steps: int = 200) -> Finding:
    r"""Test in fractions that heavy-ball descent is stable below :math:`2(1+\beta)` and not above.

    The quadratic has curvature 1, momentum is 0, 1/2, 7/10 or 9/10, the start w = 1. A step size an
    eighth below the edge must shrink w a thousandfold, one an eighth above make it grow a
    thousandfold; at the edge neither.

    Args:
        bound: The edge over :math:`1+\beta`; anything else than 2 must fail.
        steps: Number of steps.

    Returns:
        The finding.
    """
    cases: list[Case] = []
    for place, tenths in enumerate((0, 5, 7, 9)):
        momentum = Fraction(tenths, 10)
        for side in (-1, 0, 1):
            rate = bound * (1 + momentum) * (1 + Fraction(side, 8))
            w, velocity = Fraction(1), Fraction(0)
            for _ in range(steps):
                velocity = momentum * velocity + w
                w -= rate * velocity
            found = (abs(w) > 1000) - (abs(w) < Fraction(1, 1000))
            words = f"momentum {momentum}, step {rate}: |w| = {float(abs(w)):.2g}"
            cases.append((0.0 if found == side else -1.0, (place, side), words))
    return collect(cases, tolerance=0.0, family="curvature 1, four momenta, about the edge")


def sharpness(model: nn.Module, x: Tensor, *, iterations: int = 30) -> float:
    r"""Return the largest eigenvalue of the Hessian of :math:`\mu^2` in the weights.

    Args:
        model: The network.
        x: Images over which :math:`\mu^2` is averaged.
        iterations: Power iterations, from the gradient.

    Returns:
        The Rayleigh quotient after the last iteration, a lower bound of the largest modulus.
    """
    weights = [q for q in model.parameters() if q.requires_grad]
    labels = torch.zeros(len(x), dtype=torch.long)
    value = JacobianPenalty(1.0).penalty(model, x, labels, model(x))
    slopes = torch.autograd.grad(value, weights, create_graph=True, materialize_grads=True)
    v = [s.detach().clone() for s in slopes]
    quotient = 0.0
    for _ in range(iterations):
        length = math.sqrt(sum(float(part.square().sum()) for part in v))
        if length == 0:
            return 0.0
        v = [part / length for part in v]
        product = torch.autograd.grad(slopes, weights, v, retain_graph=True, materialize_grads=True)
        quotient = sum(float((a * b).sum()) for a, b in zip(v, product, strict=True))
        v = list(product)
    return quotient


def stable_strength(sharp: float, learning_rate: float, momentum: float) -> float:
    r"""Return the strength at which descent with momentum stops being stable at a point.

    Heavy-ball descent on a quadratic of curvature h is stable if and only if
    :math:`0<\eta\lambda h<2(1+\beta)`, see :func:`audit_momentum`. A network is no quadratic.

    Args:
        sharp: h, the largest curvature of the penalty of strength 1.
        learning_rate: The step size.
        momentum: The momentum.

    Returns:
        The strength.
    """
    return math.inf if sharp <= 0 else 2 * (1 + momentum) / (learning_rate * sharp)


def tune(
    model: nn.Module, images: Tensor, labels: Tensor, regularizer: Regularizer | None, *,
    steps: int, seed: int, learning_rate: float = 0.01, momentum: float = 0.9,
    weight_decay: float = 5e-4, batch_size: int = 64, clip: float | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Train a network in place until something is not finite, and say what was so first.

    Args:
        model: The network.
        images: Images to draw batches from, with replacement.
        labels: Their labels.
        regularizer: The penalty, or None.
        steps: Most steps.
        seed: Seed of the batches.
        learning_rate: The step size, constant.
        momentum: The momentum.
        weight_decay: As in torch's SGD.
        batch_size: Images of a step.
        clip: Bound of the gradient's norm, or None.

    Returns:
        ``failed`` (the step, None if all were finite), ``first`` (what was not finite first:
        loss, penalty, gradient or weights), ``penalties`` (the penalty at every step).
    """
    generator = torch.Generator().manual_seed(seed)
    weights = list(model.parameters())
    optimizer = torch.optim.SGD(
        weights, lr=learning_rate, momentum=momentum, weight_decay=weight_decay
    )
    penalties: list[float] = []
    for step in range(1, steps + 1):
        chosen = torch.randint(len(images), (batch_size,), generator=generator)
        x, y = images[chosen], labels[chosen]
        logits = model(x)
        loss = F.cross_entropy(logits, y)
        added = None if regularizer is None else regularizer.penalty(model, x, y, logits)
        penalty = torch.zeros(()) if added is None else added
        penalties.append(float(penalty.detach()))
        optimizer.zero_grad()
        if bool(loss.isfinite()) and bool(penalty.isfinite()):
            (loss + penalty).backward()
        gradients = [q.grad for q in weights if q.grad is not None]
        finite = {
            "loss": bool(loss.isfinite()),
            "penalty": bool(penalty.isfinite()),
            "gradient": all(bool(g.isfinite().all()) for g in gradients),
        }
        first = next((name for name, fine in finite.items() if not fine), None)
        if first is None:
            if clip is not None:
                nn.utils.clip_grad_norm_(weights, clip)
            optimizer.step()
            if not all(bool(q.isfinite().all()) for q in weights):
                first = "weights"
        if first is not None:
            return {"failed": step, "first": first, "penalties": penalties}
    return {"failed": None, "first": None, "penalties": penalties}


def first_failing(
    outcomes: Sequence[tuple[float, dict[str, Any]]],
) -> tuple[float | None, float | None]:
    """Return the weakest strength that failed, and the strongest that did not.

    Args:
        outcomes: Strengths with what :func:`tune` returned.

    Returns:
        The two strengths, None where there is none.
    """
    bad = [strength for strength, found in outcomes if found["failed"] is not None]
    good = [strength for strength, found in outcomes if found["failed"] is None]
    return min(bad, default=None), max(good, default=None)
