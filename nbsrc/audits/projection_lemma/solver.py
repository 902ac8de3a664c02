"""The projection onto an lp ball for every order, and steps that are as good as infinite."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from nbsrc.operator_norm import project_sphere

__all__ = ["far_step", "optimality_gap", "project_far", "project_outside"]


def far_step(p: float) -> float:
    """Return a step at which the projection equals its limit to ten digits or more.

    The distance falls like ``alpha^(-1/(p-1))`` at entries where g is 0, so large orders need
    enormous steps. For p = 1 and p = inf the limit is reached exactly, from a small step on.

    Args:
        p: The order.

    Returns:
        The step.
    """
    if p in {1, math.inf}:
        return 2.0**14
    return math.pow(10.0, 12 * max(1.0, p - 1))


def project_far(v: Tensor, g: Tensor, p: float, alpha: float) -> Tensor:
    """Return the nearest point of the unit sphere to ``v + alpha g``.

    Closed forms for p in {1, 2, inf}; otherwise the optimality conditions are solved.

    Args:
        v: ``[m, n]``.
        g: ``[m, n]``.
        p: The order.
        alpha: A step large enough that the point is outside the ball.

    Returns:
        ``[m, n]``.
    """
    w = v + alpha * g
    if p in {1, 2, math.inf}:
        return project_sphere(w, torch.zeros_like(w), 1.0, p)
    return project_outside(w, p)


def project_outside(w: Tensor, p: float) -> Tensor:
    r"""The nearest point of the unit ball of the p-norm to points outside of it.

    The nearest point y has the signs of w, and :math:`|y_i| + \mu|y_i|^{p-1} = |w_i|` with the
    multiplier :math:`\mu \ge 0` at which :math:`\|y\|_p = 1`. In the logarithm of :math:`|y_i|` the
    equation is convex, so Newton's method from above converges without safeguards. The multiplier
    is found by Newton's method too, with bisection where it leaves the bracket.

    Args:
        w: ``[m, n]``, every row of p-norm 1 or more.
        p: The order, above 1 and finite.

    Returns:
        ``[m, n]``.

    Raises:
        ValueError: If ``p`` is out of range or a row is inside the ball.
    """
    if not 1 < p < math.inf:
        raise ValueError(f"p must be above 1 and finite, got {p}")
    size = w.abs()
    scale = size.amax(-1, keepdim=True)
    lengths = scale.squeeze(-1) * torch.linalg.vector_norm(size / scale, p, dim=-1)
    if not bool((lengths >= 1).all()):
        raise ValueError(f"w must be outside the ball, got a row of norm {float(lengths.min())}")
    logs = size.log()
    high = scale.log() + math.log(w.shape[-1])
    low = torch.full_like(high, -80.0)
    t = (p - 1) * high / p  # a multiplier of the right order for every far point
    for _ in range(26):
        s, slope = _logarithms(logs, t, p)
        excess = torch.logsumexp(p * s, -1, keepdim=True)
        fall = p * (torch.softmax(p * s, -1) * slope).sum(-1, keepdim=True)
        low, high = torch.where(excess > 0, t, low), torch.where(excess > 0, high, t)
        newton, middle = t + excess / fall, (low + high) / 2
        t = torch.where((newton >= low) & (newton <= high), newton, middle)
    return w.sign() * _logarithms(logs, t, p)[0].exp()


def _logarithms(logs: Tensor, multiplier: Tensor, p: float) -> tuple[Tensor, Tensor]:
    """Solve ``e^s + e^(t + (p-1)s) = a`` for s (-inf where a is 0); and how fast s falls in t."""
    known = torch.where(torch.isinf(logs), torch.zeros_like(logs), logs)
    s = torch.minimum(known, (known - multiplier) / (p - 1))
    share = torch.zeros_like(s)
    for _ in range(8):
        first, second = s, multiplier + (p - 1) * s
        total = torch.logaddexp(first, second)
        share = (second - total).exp()
        s = s - (total - known) / (1 - share + (p - 1) * share)
    fall = share / (1 - share + (p - 1) * share)
    return torch.where(torch.isinf(logs), logs, s), fall


def optimality_gap(y: Tensor, w: Tensor, others: Tensor) -> Tensor:
    r"""How much y fails to be the nearest point to w of a convex set that holds other points.

    y is nearest if and only if :math:`(w-y)^\top(c-y) \le 0` for every c of the set; for a polytope
    its corners are enough.

    Args:
        y: ``[m, n]``.
        w: ``[m, n]``.
        others: Points of the set, ``[k, n]``.

    Returns:
        The largest product over the distance from w to y (0 if they agree), ``[m]``.
    """
    step = w - y
    products = step @ others.T - (step * y).sum(-1, keepdim=True)
    largest: Tensor = products.amax(-1) / step.norm(dim=-1).clamp(min=1e-300)
    return largest.clamp(min=0)
