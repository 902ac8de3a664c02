"""Appendix E step by step: how (16) and (17) are derived, and how they compare."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace

import torch

from nbsrc.audits.connections.chains import products_of_classes
from nbsrc.audits.connections.compare import audit_at_most, audit_equal, audit_true
from nbsrc.audits.connections.optima import lower_bound, taylor_optimum
from nbsrc.audits.connections.points import Point
from nbsrc.audits.connections.prop41 import Bound, eq16, eq17
from nbsrc.audits.finding import Case, collect
from nbsrc.claims import Finding

__all__ = [
    "audit_comparison",
    "audit_each_wins",
    "audit_lipschitz",
    "audit_monotone",
    "audit_optimum_after_shift",
    "audit_pair_count",
    "audit_same_after_shift",
    "audit_second_step",
    "eq37_first",
    "eq37_printed",
    "eq38_first",
    "shifted",
]

TOLERANCE = 1e-9


def eq37_printed(x: Point) -> float:
    """Return the first bound of (37) as printed, without xi under the root.

    Args:
        x: The point.

    Returns:
        The value.
    """
    return lower_bound(1.0, x.p_y / (2 * x.rest), 1.0) / (2 * x.rest * x.frobenius)


def eq37_first(x: Point) -> float:
    """Return the first bound of (37) with xi under the root, with the cancelling form left alone.

    Args:
        x: The point.

    Returns:
        The value.
    """
    slope, curvature = 2 * x.rest * x.frobenius, 2 * x.p_y * x.rest * x.frobenius**2
    return slope / curvature * (math.sqrt(1 + 2 * curvature * x.xi / slope**2) - 1)


def eq38_first(x: Point) -> float:
    """Return the first bound of (38), with the sum over pairs of classes.

    Args:
        x: The point.

    Returns:
        The value.
    """
    return lower_bound(2 * x.rest * x.frobenius, products_of_classes(x), x.xi)


def audit_second_step(points: Iterable[Point], first: Bound, second: Bound) -> Finding:
    """Test that the first bound of a line is at least the second.

    Args:
        points: Correctly classified points.
        first: The first bound.
        second: The second bound.

    Returns:
        The finding.
    """
    return audit_at_most(
        points, second, first, tolerance=TOLERANCE, family="correctly classified points"
    )


def audit_pair_count(points: Iterable[Point], pairs: str, *, repaired: bool = False) -> Finding:
    r"""Test that :math:`\sum_{i<j}\|v_i-v_j\|^2` is :math:`\tfrac12K(K-1)\nu^2`, as (38) has it.

    Args:
        points: Points.
        pairs: The pairs in ``nu^2``.
        repaired: Use ``K^2 / 2`` (ordered) or ``K^2`` (unordered) for the factor.

    Returns:
        The finding.
    """

    def factor(K: int) -> float:
        if repaired:
            return K**2 / 2 if pairs == "ordered" else K**2
        return K * (K - 1) / 2

    return audit_equal(
        points, lambda x: factor(x.classes) * x.nu2(pairs), lambda x: x.classes * x.spread,
        tolerance=TOLERANCE, family="two to ten classes",
    )  # fmt: skip


def audit_monotone(count: int, seed: int, *, sign: int = 1) -> Finding:
    """Test that Lemma 3.1's lower bound falls when the gradient or the Hessian bound grows.

    Args:
        count: How many random triples.
        seed: Seed.
        sign: Sign of xi; -1 for a negative control with the cancelling form.

    Returns:
        The finding; the slack is the relative fall.
    """
    g = torch.Generator().manual_seed(seed)

    def bound(slope: float, curvature: float, xi: float) -> float:
        if xi > 0:
            return lower_bound(slope, curvature, xi)
        return 2 * xi / (slope + math.sqrt(slope**2 + 2 * curvature * xi))

    def cases() -> Iterator[Case]:
        for number in range(count):
            G, h, xi, more = (10 ** (2 * torch.rand(4, generator=g).double() - 1)).tolist()
            xi = xi if sign > 0 else -min(xi, G**2 / (4 * (h + more)))
            old = bound(G, h, xi)
            fall = min(old - bound(G + more, h, xi), old - bound(G, h + more, xi))
            shown = {"gradient": G, "Hessian": h, "xi": xi, "more": more}
            yield fall / abs(old), (number,), shown

    return collect(cases(), tolerance=0, family="gradient, Hessian and xi over two decades")


def shifted(x: Point, amount: float) -> Point:
    """Add one vector to all columns of V, which no probability and no decision feels.

    Args:
        x: The point.
        amount: The entries of the vector.

    Returns:
        The point with the new V.
    """
    return replace(x, V=x.V + amount)


def audit_same_after_shift(points: Iterable[Point], bound: Bound) -> Finding:
    """Test that a bound does not change under a common shift of the columns, as r* does not.

    Args:
        points: Points.
        bound: The bound.

    Returns:
        The finding.
    """
    return audit_equal(
        points, bound, lambda x: bound(shifted(x, 3.0)), tolerance=1e-7,
        family="correctly classified points, all columns shifted by 3",
    )  # fmt: skip


def audit_optimum_after_shift(points: Iterable[Point]) -> Finding:
    """Test that the exact Taylor optimum does not change under a common shift of the columns.

    Args:
        points: Points.

    Returns:
        The finding.
    """
    return audit_same_after_shift(points, taylor_optimum)


def audit_lipschitz(points: Iterable[Point], seed: int, *, factor: float = 1.0) -> Finding:
    """Test that ``|V|_F`` is a Lipschitz constant of the affine piece.

    Random directions, and the one that V stretches most.

    Args:
        points: Points.
        seed: Seed.
        factor: Multiplies the constant.

    Returns:
        The finding.
    """
    g = torch.Generator().manual_seed(seed)

    def stretch(x: Point) -> float:
        steps = torch.randn(3, x.V.shape[0], generator=g, dtype=torch.float64)
        steps = torch.cat([steps, torch.linalg.svd(x.V, full_matrices=False)[0].T[:1]])
        return float(((steps @ x.V).norm(dim=1) / steps.norm(dim=1)).max())

    return audit_at_most(
        points, stretch, lambda x: factor * x.frobenius, tolerance=TOLERANCE,
        family="two to ten classes",
    )  # fmt: skip


def audit_comparison(points: Iterable[Point], *, mean_square: float = 1.0) -> Finding:
    r"""Test the rule that decides which of (16) and (17) is larger.

    With ordered pairs, (16) is larger exactly if :math:`(K-3)S < 2K\|\bar v\|^2`.

    Args:
        points: Points.
        mean_square: Multiplies the right side, for a negative control.

    Returns:
        The finding; near-ties are left out.
    """

    def decided(x: Point) -> bool:
        mean = float(x.V.mean(1).square().sum())
        left, right = (x.classes - 3) * x.spread, 2 * x.classes * mean_square * mean
        return (eq16(x) > eq17(x)) == (left < right)

    def clear(x: Point) -> bool:
        one, two = eq16(x), eq17(x)
        return abs(one - two) > 1e-9 * max(one, two)

    return audit_true(
        [x for x in points if clear(x)], decided, family="points where (16) and (17) differ"
    )


def audit_each_wins(points: Iterable[Point], first: Bound, second: Bound) -> Finding:
    """Test that neither of two bounds is always at least the other, so that both are of use.

    Args:
        points: Points.
        first: A bound.
        second: Another bound.

    Returns:
        The finding; it fails if one bound is never the larger one.
    """
    pairs = [(first(x), second(x)) for x in points]
    wins = {
        "first larger at": sum(a > b * (1 + TOLERANCE) for a, b in pairs),
        "second larger at": sum(b > a * (1 + TOLERANCE) for a, b in pairs),
    }
    found = collect(
        [(0.0 if min(wins.values()) else -1.0, (0,), wins)], tolerance=0, family="two bounds"
    )
    return replace(found, trials=len(pairs))
