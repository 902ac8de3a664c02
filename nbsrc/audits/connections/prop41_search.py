"""Proposition 4.1 pushed to its limits: local search, and the threshold for two classes."""

from __future__ import annotations

import math

import torch
from scipy.optimize import brentq, minimize

from nbsrc.audits.connections.optima import taylor_optimum
from nbsrc.audits.connections.points import Point
from nbsrc.audits.connections.prop41 import Bound

__all__ = ["largest_ratio", "two_class_threshold"]


def largest_ratio(bound: Bound, classes: int, seed: int, *, starts: int = 3) -> float:
    """Return the largest ratio of a bound to the exact optimum that a local search finds.

    Nelder and Mead over the columns (one input) and the logits, from random starts with a single
    strong rival.

    Args:
        bound: The bound.
        classes: Number of classes.
        seed: Seed.
        starts: Number of starts.

    Returns:
        The largest ratio at points that are correctly classified.
    """
    g = torch.Generator().manual_seed(seed)

    def value(parameters: torch.Tensor) -> float:
        logits = torch.cat([parameters[classes:].abs().sum()[None], parameters[classes:]])
        x = Point(parameters[None, :classes], logits.clamp(-40, 40).exp(), 0)
        exact = taylor_optimum(x) if x.correct and x.spread > 1e-9 else math.inf
        return bound(x) / exact if 0 < exact < math.inf else 0.0

    best = 0.0
    for _ in range(starts):
        start = torch.randn(2 * classes - 1, generator=g, dtype=torch.float64)
        start[0], start[1], start[classes] = 1.0, -1.0, 4.0
        found = minimize(
            lambda v: -value(torch.from_numpy(v.copy())), start.numpy(), method="Nelder-Mead",
            options={"maxfev": 150 * classes, "xatol": 1e-6, "fatol": 1e-9},
        )  # fmt: skip
        best = max(best, -float(found.fun))
    return best


def two_class_threshold(pairs: str = "ordered", ratio: float = math.sqrt(0.5)) -> float:
    r"""Return the probability above which (16) exceeds the exact value for two classes.

    With :math:`m = \|V\|_F/\|v_+-v_-\| \ge 1/\sqrt2` and :math:`u = p\,\xi/(1-p)` the bound is too
    large exactly where :math:`2m + \sqrt{4m^2 + cu} < 1 + \sqrt{1 + 2u}`, with c = 1 for ordered
    and 1/2 for unordered pairs: a single interval of probabilities up to 1.

    Args:
        pairs: ``"ordered"`` or ``"unordered"``.
        ratio: m.

    Returns:
        The threshold.

    Raises:
        ValueError: If ``ratio`` is below its smallest value or ``pairs`` is unknown.

    Example:
        >>> round(two_class_threshold(), 4)
        0.8507
    """
    if pairs not in ("ordered", "unordered"):
        raise ValueError(f"pairs must be 'ordered' or 'unordered', got {pairs!r}")
    if ratio < math.sqrt(0.5) * (1 - 1e-12):
        raise ValueError(f"ratio must be at least sqrt(1/2), got {ratio}")
    c = 1.0 if pairs == "ordered" else 0.5

    def difference(t: float) -> float:  # t = log(p / (1 - p))
        u = math.exp(t) * math.log1p(math.tanh(t / 2))
        return 2 * ratio + math.sqrt(4 * ratio**2 + c * u) - 1 - math.sqrt(1 + 2 * u)

    high = 1.0
    while difference(high) > 0:
        high *= 2
    root = float(brentq(difference, 1e-6, high))
    return 1 / (1 + math.exp(-root))
