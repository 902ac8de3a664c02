"""Section 7.5: the gradient of a p-norm and its limit for growing p."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import torch
from mpmath import mp, mpf  # type: ignore[import-untyped]

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.projection_lemma.cases import whole_vectors
from nbsrc.claims import Finding

__all__ = [
    "GROWING",
    "Quantity",
    "audit_gradient",
    "audit_growing_order",
    "audit_kinks",
    "audit_subgradient",
    "points",
    "printed_gradient",
    "slope",
]

Vector = tuple[float, ...]
#: From a vector and an order: the quantity, its claimed limit, and a proved bound of the distance.
Quantity = Callable[[Vector, int], tuple[list[float], list[float], float]]

GROWING = (10, 100, 1000, 100_000)
DIGITS, STEP = 90, 40  # one-sided differences with step 1e-40 in 90 digits


def points(count: int, seed: int, *, zero: bool = False) -> list[Vector]:
    """Return vectors: whole numbers in one and two dimensions, then random ones.

    Args:
        count: How many random ones, with three to five entries, some tied or 0.
        seed: Seed.
        zero: Whether the zero vector is among them.

    Returns:
        The vectors.
    """
    generator = torch.Generator().manual_seed(seed)
    found = [tuple(x) for n in (1, 2) for x in whole_vectors(n, 2).tolist()]
    for i in range(count):
        x = torch.randn(3 + i % 3, generator=generator, dtype=torch.float64)
        if i % 2:
            x = (2 * x).round()
        found.append(tuple(x.tolist()))
    return [x for x in found if zero or any(x)]


def printed_gradient(x: Vector, p: float) -> list[float]:
    """Return eq. (28) as printed; for p = inf its limit (29); NaN where it is 0/0.

    Args:
        x: The point.
        p: The order.

    Returns:
        The vector.
    """
    if not any(x):
        return [math.nan] * len(x)
    if p == math.inf:
        largest = max(map(abs, x))
        tied = [abs(a) == largest for a in x]
        return [math.copysign(t / sum(tied), a) for a, t in zip(x, tied, strict=True)]
    with mp.workdps(DIGITS):
        norm = _norm(x, p) ** (mpf(p) - 1)
        return [float(mp.sign(a) * abs(mpf(a)) ** (mpf(p) - 1) / norm) for a in x]


def _norm(x: Sequence[Any], p: float) -> Any:
    if p == math.inf:
        return max(abs(mpf(a)) for a in x)
    return sum(abs(mpf(a)) ** mpf(p) for a in x) ** (1 / mpf(p))


def slope(x: Vector, h: Vector, p: float) -> float:
    """Return the one-sided derivative of the p-norm at x in the direction h.

    Args:
        x: The point.
        h: The direction.
        p: The order, at least 1.3 or 1; infinity gives the max norm.

    Returns:
        The derivative, right to ten digits.
    """
    with mp.workdps(DIGITS):
        t = mpf(10) ** -STEP
        moved = [mpf(a) + t * mpf(b) for a, b in zip(x, h, strict=True)]
        return float((_norm(moved, p) - _norm(x, p)) / t)


def audit_gradient(
    vectors: Iterable[Vector],
    orders: Sequence[float],
    gradient: Callable[[Vector, float], list[float]] = printed_gradient,
) -> Finding:
    """Test that a formula gives every one-sided derivative, as a gradient does.

    Args:
        vectors: The points.
        orders: The orders.
        gradient: The formula.

    Returns:
        The finding; the slack is minus the largest error, -1 where the formula is 0/0.
    """

    def results() -> Iterator[Case]:
        for x in vectors:
            n = len(x)
            units = [
                tuple(float(s * (i == j)) for j in range(n)) for i in range(n) for s in (1, -1)
            ]
            mixed = [tuple((-1.0) ** (j * k) * (j + 1) for j in range(n)) for k in (0, 1)]
            for p in orders:
                g = gradient(x, p)
                errors = [
                    abs(slope(x, h, p) - sum(a * b for a, b in zip(g, h, strict=True)))
                    for h in (*units, *mixed)
                ]
                worst = max(errors) if all(e == e for e in errors) else 1.0
                yield -worst, _size(x), {"p": _order(p), "x": list(x), "formula": _words(g)}

    return collect(results(), tolerance=1e-9, family="points and orders, one-sided derivatives")


def audit_subgradient(
    vectors: Iterable[Vector],
    orders: Sequence[float],
    gradient: Callable[[Vector, float], list[float]] = printed_gradient,
) -> Finding:
    """Test that a formula is a subgradient: the norm lies above its tangent everywhere.

    Args:
        vectors: The points, not zero.
        orders: The orders.
        gradient: The formula.

    Returns:
        The finding; the slack is the smallest height above the tangent, at whole numbers.
    """

    def results() -> Iterator[Case]:
        grids = {n: whole_vectors(n, 1) * 2 for n in range(1, 6)}
        for x in vectors:
            for p in orders:
                g = torch.tensor(gradient(x, p), dtype=torch.float64)
                here = torch.tensor(x, dtype=torch.float64)
                others = torch.cat([grids[len(x)], here - grids[len(x)] / 7])
                tangent = torch.linalg.vector_norm(here, p) + (others - here) @ g
                height = torch.linalg.vector_norm(others, p, dim=1) - tangent
                yield float(height.min()), _size(x), {"p": _order(p), "x": list(x)}

    return collect(results(), tolerance=1e-12, family="points and orders, tangents")


def audit_kinks(vectors: Iterable[Vector], orders: Sequence[float]) -> Finding:
    """Test that the norm has no gradient at points: some line through each has two slopes.

    Args:
        vectors: The points.
        orders: The orders.

    Returns:
        The finding; the slack is 0 where one-sided derivatives along a unit vector and its negative
        do not add up to 0, otherwise -1.
    """

    def results() -> Iterator[Case]:
        for x in vectors:
            n = len(x)
            for p in orders:
                bends = []
                for i in range(n):
                    ahead = tuple(float(i == j) for j in range(n))
                    back = tuple(-a for a in ahead)
                    bends.append(abs(slope(x, ahead, p) + slope(x, back, p)))
                yield (0.0 if max(bends) > 1e-6 else -1.0), _size(x), {"p": _order(p), "x": list(x)}

    return collect(results(), tolerance=0, family="points, slopes along the axes")


def audit_growing_order(vectors: Iterable[Vector], quantity: Quantity) -> Finding:
    """Test a limit for growing orders against a proved bound of the distance.

    Args:
        vectors: The points, not zero.
        quantity: The quantity, its limit and the bound.

    Returns:
        The finding; the slack is the smallest bound minus distance over four orders.
    """

    def results() -> Iterator[Case]:
        for x in vectors:
            for p in GROWING:
                value, limit, bound = quantity(x, p)
                error = max(abs(a - b) for a, b in zip(value, limit, strict=True))
                shown = {"p": p, "x": list(x), "value": value, "limit": limit}
                yield bound - error, _size(x), shown

    return collect(results(), tolerance=1e-12, family="points, p = 10, 100, 1000 and 100000")


def _size(x: Vector) -> tuple[int, ...]:
    whole = all(a == round(a) for a in x)
    return len(x), int(not whole), int(1000 * sum(map(abs, x))), sum(a < 0 for a in x)


def _order(p: float) -> float | str:
    return "inf" if p == math.inf else p


def _words(values: list[float]) -> list[float] | str:
    return "not defined: 0/0" if values[0] != values[0] else values
