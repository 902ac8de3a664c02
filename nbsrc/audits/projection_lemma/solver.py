"""The projection onto an lp ball for every order between 1 and infinity."""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["optimality_gap", "project_outside"]


def project_outside(w: Tensor, p: float) -> Tensor:
    r"""The nearest point of the unit ball of the p-norm to points outside of it.

    The nearest point y has the signs of w, and :math:`|y_i| + \mu|y_i|^{p-1} = |w_i|` with the
    multiplier :math:`\mu \ge 0` at which :math:`\|y\|_p = 1`. In the logarithm of :math:`|y_i|` the
    equation is convex, so Newton's method from above converges without safeguards. The multiplier
    is found by bisection.

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
    for _ in range(66):
        middle = (low + high) / 2
        too_long = torch.logsumexp(p * _logarithms(logs, middle, p), -1, keepdim=True) > 0
        low, high = torch.where(too_long, middle, low), torch.where(too_long, high, middle)
    return w.sign() * _logarithms(logs, high, p).exp()


def _logarithms(logs: Tensor, multiplier: Tensor, p: float) -> Tensor:
    """Solve ``e^s + e^(t + (p-1)s) = a`` for s, given log a and t; -inf where a is 0."""
    known = torch.where(torch.isinf(logs), torch.zeros_like(logs), logs)
    s = torch.minimum(known, (known - multiplier) / (p - 1))
    for _ in range(8):
        first, second = s, multiplier + (p - 1) * s
        total = torch.logaddexp(first, second)
        slope = (first - total).exp() + (p - 1) * (second - total).exp()
        s = s - (total - known) / slope
    return torch.where(torch.isinf(logs), logs, s)


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
