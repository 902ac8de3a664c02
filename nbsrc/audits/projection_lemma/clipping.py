"""Lemma 3: the order of max and min in clipping, and its proof line by line."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import torch

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.projection_lemma.cases import whole_vectors
from nbsrc.claims import Finding
from nbsrc.operator_norm import project_ball

__all__ = [
    "GRID",
    "audit_clip_is_projection",
    "audit_exchange",
    "audit_indicators",
    "audit_lines",
    "indicator_max",
    "lines",
]

GRID = tuple(k / 4 for k in range(-12, 13))


def audit_exchange(radii: Sequence[float]) -> Finding:
    """Test ``max(-eps, min(eps, x)) = min(eps, max(-eps, x))``.

    Args:
        radii: The values of eps.

    Returns:
        The finding; exact.
    """

    def results() -> Iterator[Case]:
        for eps in radii:
            for x in (*GRID, eps, -eps):
                left, right = max(-eps, min(eps, x)), min(eps, max(-eps, x))
                size = (int(eps < 0), int(8 * abs(eps)), int(8 * abs(x)))
                yield -abs(left - right), size, {"eps": eps, "x": x, "left": left, "right": right}

    return collect(results(), tolerance=0, family="numbers on a grid, ends of the interval")


def audit_clip_is_projection(orders: Sequence[float]) -> Finding:
    """Test that clipping to ``[-eps, eps]`` is the projection onto the ball of the p-norm.

    Args:
        orders: Orders among 1, 2 and infinity.

    Returns:
        The finding; minus the largest difference.
    """

    def results() -> Iterator[Case]:
        for p in orders:
            for n in (1, 2, 3):
                w = whole_vectors(n, 2)
                for eps in (1.0, 2.5):
                    truth = project_ball(w, torch.zeros_like(w), eps, p)
                    error = (w.clamp(-eps, eps) - truth).abs().amax(-1)
                    for i, s in enumerate(error.tolist()):
                        point = w[i].tolist()
                        size = (n, int(10 * eps), int(w[i].abs().sum()), sum(a < 0 for a in point))
                        order = "inf" if p == math.inf else p
                        shown = {"p": order, "eps": eps, "x": point, "nearest": truth[i].tolist()}
                        yield -s, size, shown

    return collect(results(), tolerance=1e-12, family="whole numbers, eps = 1 and 2.5")


def indicator_max(a: float, x: float) -> float:
    """Return the last form of eq. (96).

    Args:
        a: A number.
        x: A number.

    Returns:
        ``a + [a < x] (x - a)``.
    """
    return a + (a < x) * (x - a)


def audit_indicators(
    maximum: Callable[[float, float], float] = indicator_max,
) -> Finding:
    """Test both forms of (96) and of (97) on a grid with equal numbers; exact in binary fractions.

    Args:
        maximum: The last form of (96).

    Returns:
        The finding.
    """

    def results() -> Iterator[Case]:
        for a in GRID:
            for x in GRID:
                forms = [maximum(a, x), a + max(0.0, x - a)]
                below = [a + (x < a) * (x - a), a + min(0.0, x - a)]
                error = max(abs(f - max(a, x)) for f in forms)
                error = max(error, *(abs(f - min(a, x)) for f in below))
                yield -error, (int(4 * (abs(a) + abs(x))),), {"a": a, "x": x}

    return collect(results(), tolerance=0, family="pairs of numbers on a grid")


def lines(eps: float, x: float, *, closed: bool = False) -> dict[int, float]:
    """Return the value of every line of the proof, (98) to (107).

    Args:
        eps: The radius.
        x: A number.
        closed: Whether (102) and (103) count ``x = eps`` among the numbers above, as they must.

    Returns:
        The values by equation number.
    """
    inside = float(-eps < x < eps)
    above = float(eps <= x) if closed else float(eps < x)
    low, high = min(eps, x), max(-eps, x)
    return {
        98: max(-eps, min(eps, x)),
        99: -eps + (-eps < low) * (low + eps),
        100: -eps + (-eps < x) * (2 * eps + (x < eps) * (x - eps)),
        101: -eps + 2 * eps * (-eps < x) + inside * (x - eps),
        102: -eps + 2 * eps * (inside + above) + inside * (x - eps),
        103: -eps + 2 * eps * above + inside * (x + eps),
        104: -eps + 2 * eps * (1 - (x < eps)) + inside * (x + eps),
        105: eps + (x < eps) * (-2 * eps + (-eps < x) * (x + eps)),
        106: eps + (high < eps) * (high - eps),
        107: min(eps, max(-eps, x)),
    }


def audit_lines(radii: Sequence[float], *, closed: bool = False) -> Finding:
    """Test that all lines of the proof agree, and the two identities that it uses.

    Args:
        radii: The values of eps.
        closed: See :func:`lines`.

    Returns:
        The finding; exact.
    """

    def results() -> Iterator[Case]:
        for eps in radii:
            for x in (*GRID, eps, -eps):
                values = lines(eps, x, closed=closed)
                wrong = {k: v for k, v in values.items() if v != values[98]}
                used = (-eps < min(eps, x)) == (-eps < x) and (max(-eps, x) < eps) == (x < eps)
                error = max((abs(v - values[98]) for v in wrong.values()), default=0.0)
                shown = {"eps": eps, "x": x, "(98)": values[98], "wrong lines": list(wrong)}
                size = (int(8 * abs(eps - 1)), int(8 * abs(x)))
                yield (-error if used else -1.0), size, shown

    return collect(results(), tolerance=0, family="numbers on a grid, ends of the interval")
