"""Proposition 4.1: the lower bounds (16) and (17), their repair, and one sharper than both."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import torch
from scipy.optimize import brentq, minimize

from nbsrc.audits.connections.compare import audit_at_most
from nbsrc.audits.connections.optima import lower_bound, taylor_optimum
from nbsrc.audits.connections.points import Point
from nbsrc.claims import Finding

__all__ = [
    "audit_lower_bound",
    "audit_tighter",
    "audit_upper_bound",
    "eq16",
    "eq16_repaired",
    "eq17",
    "eq17_with_printed_xi",
    "largest_ratio",
    "lemma31",
    "lemma31_upper",
    "sharpened",
    "two_class_threshold",
]

TOLERANCE = 1e-9
Bound = Callable[[Point], float]


def eq16(x: Point, pairs: str = "ordered") -> float:
    r"""Return the right side of (16), free of cancellation.

    It is Lemma 3.1's bound at :math:`G = 2(1-p_y)\|V\|_F` and
    :math:`h = \tfrac12K(K-1)p_y(1-p_y)\nu^2`.

    Args:
        x: The point.
        pairs: The pairs in ``nu^2``: ``"ordered"`` or ``"unordered"``.

    Returns:
        The bound.
    """
    K = x.classes
    curvature = K * (K - 1) / 2 * x.p_y * x.rest * x.nu2(pairs)
    return lower_bound(2 * x.rest * x.frobenius, curvature, x.xi)


def eq16_repaired(x: Point) -> float:
    r"""Return (16) with :math:`K^2` for :math:`K(K-1)` and ordered pairs in :math:`\nu^2`.

    Args:
        x: The point.

    Returns:
        The bound.
    """
    curvature = x.classes**2 / 2 * x.p_y * x.rest * x.nu2("ordered")
    return lower_bound(2 * x.rest * x.frobenius, curvature, x.xi)


def eq17(x: Point, xi: float | None = None) -> float:
    r"""Return the right side of (17), free of cancellation.

    Args:
        x: The point.
        xi: The threshold minus the loss; ``log K + log p_y`` by default.

    Returns:
        The bound, infinite for ``V = 0``.
    """
    slack = x.xi if xi is None else xi
    return lower_bound(2 * x.rest * x.frobenius, 2 * x.p_y * x.rest * x.frobenius**2, slack)


def eq17_with_printed_xi(x: Point) -> float:
    """Return (17) with ``xi = log K - log p_y``, as the sentence after it has it.

    Args:
        x: The point.

    Returns:
        The value.
    """
    return eq17(x, math.log(x.classes) - math.log(x.p_y))


def sharpened(x: Point) -> float:
    r"""Return the sharpened bound, equal to Proposition 3.1 for two classes.

    .. math::
        \|r^*\|_2 \ge \frac{1}{\sqrt2\,p_y\sigma}\Big(\sqrt{1+\frac{2p_y\xi}{1-p_y}}-1\Big),
        \qquad \sigma = \|V-\bar v\mathbf 1^\top\|_2

    Args:
        x: The point; the label is a most probable class.

    Returns:
        The bound.
    """
    sigma = float(torch.linalg.matrix_norm(x.centred, 2))
    return lower_bound(math.sqrt(2) * x.rest * sigma, 2 * x.p_y * x.rest * sigma**2, x.xi)


def lemma31(x: Point) -> float:
    """Return Lemma 3.1's lower bound (33), from the gradient and Hessian themselves.

    Args:
        x: The point.

    Returns:
        The bound.
    """
    return lower_bound(x.slope, x.curvature, x.xi)


def lemma31_upper(x: Point, *, whole: bool = False) -> float:
    r"""Return Lemma 3.1's upper bound (33), with :math:`|\nabla^\top u|` for the gradient's length.

    Args:
        x: The point.
        whole: Use :math:`\|\nabla\|` all the same, for a negative control.

    Returns:
        The bound.
    """
    top = torch.linalg.eigh(x.hessian).eigenvectors[:, -1]
    slope = x.slope if whole else abs(float(x.gradient @ top))
    return lower_bound(slope, x.curvature, x.xi)


def audit_upper_bound(points: Iterable[Point], bound: Bound) -> Finding:
    """Test that a bound is at least the exact size of the Taylor perturbation.

    Args:
        points: Correctly classified points.
        bound: The bound.

    Returns:
        The finding; the slack is relative.
    """
    return audit_at_most(
        points, taylor_optimum, bound, tolerance=TOLERANCE, family="correctly classified points"
    )


def audit_lower_bound(
    points: Iterable[Point], bound: Bound, *, family: str = "correctly classified points"
) -> Finding:
    """Test that a bound is at most the exact size of the Taylor perturbation.

    Args:
        points: Points with ``xi >= 0``.
        bound: The bound.
        family: The family in words.

    Returns:
        The finding; the slack is relative.
    """
    return audit_at_most(points, bound, taylor_optimum, tolerance=TOLERANCE, family=family)


def audit_tighter(points: Iterable[Point], weak: Bound, strong: Bound) -> Finding:
    """Test that one lower bound is never below another.

    Args:
        points: Points.
        weak: The bound that should never be larger.
        strong: The other one.

    Returns:
        The finding.
    """
    return audit_at_most(
        points, weak, strong, tolerance=TOLERANCE, family="correctly classified points"
    )


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
