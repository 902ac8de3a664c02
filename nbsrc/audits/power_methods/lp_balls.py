"""Projections onto lp balls for any finite p above 1, by solving the optimality conditions."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import brentq
from torch import Tensor

__all__ = ["project_lp_ball"]

Array = NDArray[np.float64]


def project_lp_ball(x: Tensor, center: Tensor, eps: Tensor, p: float) -> Tensor:
    r"""The nearest point of an lp ball for 1 < p < inf.

    With sizes :math:`a_i = |x_i - c_i|` the nearest point has sizes :math:`y_i` with :math:`y_i +
    \mu y_i^{p-1} = a_i` for the :math:`\mu \ge 0` at which :math:`\sum_i y_i^p = \epsilon^p`. The
    inner equations are solved by Newton's method for a convex function, from the right.

    Args:
        x: ``[batch, n]``.
        center: ``[batch, n]``.
        eps: Radii ``[batch]``.
        p: The order.

    Returns:
        ``[batch, n]``.

    Raises:
        ValueError: If p is 1 or less, or infinite.

    Example:
        >>> x, c = torch.tensor([[3.0, 3.0]]).double(), torch.zeros(1, 2).double()
        >>> [round(v, 6) for v in project_lp_ball(x, c, torch.ones(1).double(), 3.0)[0].tolist()]
        [0.793701, 0.793701]
    """
    if not 1 < p < float("inf"):
        raise ValueError(f"p must be above 1 and finite, got {p}")
    offsets = (x - center).detach().numpy()
    rows = [_one(o, float(e), p) for o, e in zip(offsets, eps.tolist(), strict=True)]
    return center + torch.from_numpy(np.stack(rows))


def _one(offset: Array, eps: float, p: float) -> Array:
    scaled = offset / eps
    a = np.abs(scaled)
    if float((a**p).sum()) <= 1:
        return offset

    def excess(log_mu: float) -> float:
        return float(np.log((_sizes(a, np.exp(log_mu), p) ** p).sum()))

    high = np.log(1 + a.max() * len(a) ** 2)
    while excess(high) > 0:
        high += 5
    low = high - 5
    while excess(low) < 0:
        low -= 5
    mu = np.exp(brentq(excess, low, high, xtol=1e-14, rtol=1e-15))
    return np.sign(offset) * _sizes(a, mu, p) * eps


def _sizes(a: Array, mu: float, p: float) -> Array:
    """Solve ``y + mu y^(p-1) = a``; for p < 2 in ``t = y^(p-1)``, where it is convex."""
    power, factor, linear = (p - 1, mu, 1.0) if p >= 2 else (1 / (p - 1), 1.0, mu)
    # both cases: linear * t + factor * t^power = a with power >= 1, convex and rising
    t = np.minimum(a / linear, (a / factor) ** (1 / power))
    for _ in range(60):
        value = linear * t + factor * t**power - a
        slope = linear + factor * power * t ** (power - 1)
        following = np.maximum(t - value / slope, 0)
        if np.all(np.abs(following - t) <= 1e-16 * np.maximum(t, 1e-300)):
            break
        t = following
    return t if p >= 2 else t**power
