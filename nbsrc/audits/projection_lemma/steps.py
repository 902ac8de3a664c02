"""How large a step must be: where the limit is reached exactly, and the worst error otherwise."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.projection_lemma.cases import whole_vectors
from nbsrc.audits.projection_lemma.maximiser import special_case
from nbsrc.audits.projection_lemma.solver import project_outside
from nbsrc.claims import Finding
from nbsrc.operator_norm import limit_projection, project_ball

__all__ = [
    "audit_attained",
    "audit_exact_from",
    "audit_slow_entry",
    "audit_worst_error",
    "measured_error",
    "naive_error",
    "slow_entry",
    "worst_error",
]


def worst_error(p: float, ratio: float) -> float:
    """Return the largest distance to the limit over all iterates of the ball, over its radius.

    In the p-norm, for a direction of Lemma 1's form: signs without zeros for p = inf, one signed
    unit vector for p = 1, any vector of norm 1 in two dimensions or more for p = 2.

    Args:
        p: 1, 2 or infinity.
        ratio: Step over radius.

    Returns:
        ``max(2 - ratio, 0)`` for p in {1, inf}. For p = 2: ``2 - ratio`` up to 1, then
        ``sqrt(2 - ratio)`` up to the root of 2, then ``2 sin(arcsin(1 / ratio) / 2)``.
    """
    if p != 2:
        return max(2 - ratio, 0.0)
    if ratio <= 1:
        return 2 - ratio
    return math.sqrt(2 - ratio) if ratio * ratio <= 2 else naive_error(ratio)


def naive_error(ratio: float) -> float:
    """Return ``2 sin(arcsin(1 / ratio) / 2)``, the p = 2 formula for all points outside.

    Args:
        ratio: Step over radius, at least 1.

    Returns:
        The error over the radius.
    """
    return 2 * math.sin(math.asin(1 / ratio) / 2)


def _worst_starts(v: Tensor, p: float, ratio: float) -> Tensor:
    """Iterates of the unit ball that are far from the limit: antipodes, and tangents for p = 2."""
    if p != 2:
        return torch.stack([-v, -v])
    n = len(v)
    basis = torch.eye(n, dtype=torch.float64)[int(v.abs().argmin())]
    across = basis - (basis @ v) * v
    across = across / across.norm()
    if ratio <= 1:
        return torch.stack([-v, -v])
    along = -ratio / 2 if ratio * ratio <= 2 else -1 / ratio
    side = math.sqrt(1 - along * along)
    return torch.stack([along * v + side * across, along * v - side * across])


def measured_error(v: Tensor, p: float, ratio: float, *, count: int, seed: int) -> float:
    """Return the largest distance to the limit over worst, whole-numbered and random iterates.

    Args:
        v: A direction of Lemma 1's form, ``[n]``; others of p-norm 1 may be tried.
        p: 1, 2 or infinity.
        ratio: Step over radius.
        count: Random iterates.
        seed: Seed.

    Returns:
        The distance in the p-norm, radius 1.
    """
    generator = torch.Generator().manual_seed(seed)
    random = torch.randn(count, len(v), generator=generator, dtype=torch.float64)
    starts = torch.cat([_worst_starts(v, p, ratio), whole_vectors(len(v), 1), random])
    length = torch.linalg.vector_norm(starts, p, dim=-1, keepdim=True)
    starts = starts / length.clamp(min=1)
    zero = torch.zeros_like(starts)
    moved = project_ball(starts + ratio * v, zero, 1.0, p)
    limit = limit_projection(starts, v.expand_as(starts), p)
    return float(torch.linalg.vector_norm(moved - limit, p, dim=-1).max())


def _directions(p: float, count: int, seed: int) -> list[Tensor]:
    """Directions of Lemma 1's form, without zeros (p = inf) and ties (p = 1), n = 2 to 4."""
    generator = torch.Generator().manual_seed(seed)
    found = []
    for i in range(count):
        z = torch.randn(1, 2 + i % 3, generator=generator, dtype=torch.float64)
        found.append(special_case(z, p)[0])
    return found


def audit_exact_from(
    ratio: float,
    orders: Sequence[float],
    *,
    count: int,
    seed: int,
    ties: bool = False,
    needed: bool = False,
) -> Finding:
    """Test that a step of so many radii performs the limit update, from every iterate.

    Or, if ``needed``, that for every direction it fails to from some iterate.

    Args:
        ratio: Step over radius.
        orders: Orders among 1, 2 and infinity.
        count: Directions per order.
        seed: Seed.
        ties: Use directions with ties and zeros; for p = 1 with m ties the step is ``(1 + m) / 2``
            times as large.
        needed: Test the second sentence. For p = 1 directions without a zero entry are left out if
            they have ties: for these less may do.

    Returns:
        The finding; minus the largest error over the radius, or 0 and -1.
    """

    def results() -> Iterator[Case]:
        for p in orders:
            directions = _directions(p, count, seed)
            if ties:
                kinds = [whole_vectors(3, 1), whole_vectors(4, 1)[::3]]
                directions = [v for z in kinds for v in special_case(z[z.any(1)], p)]
            for v in directions:
                tied = int((v != 0).sum()) if ties and p == 1 else 1
                if needed and 1 < tied == len(v):
                    continue
                error = measured_error(v, p, ratio * (1 + tied) / 2, count=60, seed=seed)
                shown = {"p": "inf" if p == math.inf else p, "v_k": v.tolist(), "ratio": ratio}
                slack = (0.0 if error > 1e-6 else -1.0) if needed else -error
                yield slack, (len(v),), shown

    return collect(
        results(), tolerance=1e-12, family="directions of norm 1, worst and random starts"
    )


def audit_worst_error(ratios: Sequence[float], *, count: int, seed: int) -> Finding:
    """Test that no iterate is farther from the limit than :func:`worst_error`.

    Args:
        ratios: Steps over the radius.
        count: Directions per order.
        seed: Seed.

    Returns:
        The finding; bound minus distance.
    """

    def results() -> Iterator[Case]:
        for p in (1.0, 2.0, math.inf):
            for v in _directions(p, count, seed):
                for ratio in ratios:
                    bound = worst_error(p, ratio)
                    found = measured_error(v, p, ratio, count=60, seed=seed)
                    shown = {"p": "inf" if p == math.inf else p, "ratio": ratio, "found": found}
                    yield bound - found, (len(v),), shown

    return collect(results(), tolerance=1e-12, family="directions, steps, worst and random starts")


def audit_attained(ratios: Sequence[float], *, seed: int, naive: bool = False) -> Finding:
    """Test that the worst error is attained by an iterate of the ball.

    Args:
        ratios: Steps over the radius.
        seed: Seed.
        naive: Use :func:`naive_error` for p = 2 from ratio 1 on.

    Returns:
        The finding; minus what is missing to the worst error.
    """

    def results() -> Iterator[Case]:
        for p in (1.0, 2.0, math.inf):
            for v in _directions(p, 6, seed):
                for ratio in ratios:
                    claim = naive_error if naive and p == 2 and ratio >= 1 else None
                    bound = claim(ratio) if claim else worst_error(p, ratio)
                    found = measured_error(v, p, ratio, count=1, seed=seed)
                    shown = {"p": "inf" if p == math.inf else p, "ratio": ratio, "found": found}
                    yield found - bound, (len(v), int(8 * ratio)), shown

    return collect(results(), tolerance=1e-9, family="directions and steps, worst starts")


def slow_entry(p: float, alpha: float) -> float:
    """Return what is left of the start (0, 1) in its own entry after a step along (1, 0).

    Args:
        p: The order, above 1 and finite.
        alpha: The step, above 1.

    Returns:
        The second entry of the projection onto the sphere; its limit is 0.
    """
    w = torch.tensor([[alpha, 1.0]], dtype=torch.float64)
    return float(project_outside(w, p)[0, 1])


def audit_slow_entry(orders: Sequence[float], alphas: Sequence[float], rate: float = 1) -> Finding:
    """Test both bounds of what is left of the start, y of :func:`slow_entry`.

    With ``s = (1 - y) (1 - (alpha - 1)^(-p/(p-1))) / alpha`` they are ``s^(1/(p-1)) <= y`` and
    ``y <= (alpha - 1)^(-1/(p-1))``.

    Args:
        orders: The orders.
        alphas: The steps, above 2.
        rate: Factor of the exponent.

    Returns:
        The finding; relative slack.
    """

    def results() -> Iterator[Case]:
        for p in orders:
            for alpha in alphas:
                y = slow_entry(p, alpha)
                upper = (alpha - 1) ** (-rate / (p - 1))
                lower = ((1 - y) / alpha * (1 - (alpha - 1) ** (-p / (p - 1)))) ** (rate / (p - 1))
                slack = min(1 - y / upper, 1 - lower / y)
                yield slack, (int(10 * p), int(alpha)), {"p": p, "alpha": alpha, "y": y}

    return collect(results(), tolerance=1e-9, family="orders and steps")
