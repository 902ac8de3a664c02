"""Eqs. (10) to (12): the margin as an integral over the segment."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.segments.approaches import Approach
from nbsrc.audits.segments.margins import FAMILY, TOLERANCE, lead
from nbsrc.audits.segments.paths import Path
from nbsrc.claims import Finding

__all__ = [
    "absolute_sum",
    "audit_absolute_integral",
    "audit_constant_integrand",
    "audit_gradient_integral",
    "audit_repaired_sum",
    "audit_variation",
    "lead_never_rises",
]


def _steps(a: Approach, rival: int) -> Tensor:
    """Return ``(w_y - w_r)^T prod W_i^{q_j} (x - x')`` for every piece."""
    return a.scores.steps[:, a.label] - a.scores.steps[:, rival]


def absolute_sum(a: Approach) -> float:
    """Return ``sum_j (e_j - s_j) |(w_y - w_yhat)^T prod W_i^{q_j} (x - x')|``.

    Args:
        a: The approach; ``y-hat`` is the best other class at x.

    Returns:
        The sum.
    """
    return float(a.scores.shares @ _steps(a, a.rival).abs())


def lead_never_rises(a: Approach) -> bool:
    """Decide whether u, the lead of y over the best other class at x, never rises from x to x'.

    Args:
        a: The approach.

    Returns:
        Whether its values at the breakpoints, between which it is affine, do not rise.
    """
    regions = a.scores.regions
    rises = lead(a, regions.points(regions.breakpoints), a.rival).diff()
    return float(rises.amax()) <= 1e-12 * a.scale


def audit_gradient_integral(
    approaches: Iterable[Approach], *, of: str = "u", sign: int = -1
) -> Finding:
    """Test eq. (10): ``u(x) - u(x') = int_0^1 J(x + sign t (x - x')) dt (x - x')``.

    Args:
        approaches: The approaches.
        of: Whose Jacobian J is: ``"u"``, or ``"features"`` for ``I_{L-1}`` as the text has it.
        sign: -1 as printed, which runs from x to x'.

    Returns:
        The finding; the integral is exact.
    """

    def integral(a: Approach) -> Tensor:
        weights = a.scores.weights
        lower = weights if of == "u" else weights[:-1]
        end = a.scores.x + sign * (a.scores.x - a.scores.end)
        line = Path(lower, a.scores.x, end, linear_top=of == "u")
        if not lower:
            return a.scores.delta
        parts = []
        for j in range(len(line.regions)):
            moved = a.scores.delta
            for W in line.induced(j):
                moved = W @ moved
            parts.append(moved)
        total = line.shares @ torch.stack(parts)
        return total if of != "u" else (total[a.label] - total[a.rival])[None]

    def difference(a: Approach) -> Tensor:
        return (lead(a, a.scores.x, a.rival) - lead(a, a.scores.end, a.rival))[None]

    def cases() -> Iterator[Case]:
        for a in approaches:
            left, right = difference(a), integral(a)
            error = 1.0
            if left.shape == right.shape:
                error = float((left - right).abs()) / max(a.scale, float(right.abs()))
            shown = {**a.description, "left": left.tolist(), "right": right.tolist()}
            yield -error, a.size, shown

    return collect(cases(), tolerance=TOLERANCE, family=FAMILY)


def audit_absolute_integral(approaches: Iterable[Approach]) -> Finding:
    """Test eq. (11): the integral of ``(w_y - w_yhat)^T prod W_i (x - x')`` is that of its size.

    Args:
        approaches: The approaches.

    Returns:
        The finding; error relative to the scores.
    """

    def cases() -> Iterator[Case]:
        for a in approaches:
            integral = float(a.scores.shares @ _steps(a, a.rival))
            total = absolute_sum(a)
            shown = {**a.description, "y-hat": a.rival, "tied at x'": a.rival_at_end,
                     "integral": integral, "of absolute values": total}  # fmt: skip
            yield -abs(integral - total) / a.scale, a.size, shown

    return collect(cases(), tolerance=TOLERANCE, family=FAMILY)


def audit_variation(
    approaches: Iterable[Approach],
    weighting: Callable[[Tensor], Tensor] | None = None,
    *,
    dropped: int = 0,
) -> Finding:
    """Test that the sum over pieces is the integral of eq. (11), evaluated as the variation of u.

    Args:
        approaches: The approaches.
        weighting: Weights in place of ``e_j - s_j``.
        dropped: How many breakpoints to leave out: the pieces behind take the first one's matrix.

    Returns:
        The finding; u is evaluated at 500 times and the breakpoints, without matrices.
    """

    def cases() -> Iterator[Case]:
        for a in approaches:
            regions = a.scores.regions
            grid = torch.linspace(0, 1, 500, dtype=torch.float64)
            times = torch.cat([grid, regions.breakpoints]).sort().values
            variation = float(lead(a, regions.points(times), a.rival).diff().abs().sum())
            shares = a.scores.shares if weighting is None else weighting(a.scores.shares)
            steps = _steps(a, a.rival).abs()
            total = float(shares @ torch.cat([steps[:1].expand(1 + dropped), steps[1 + dropped :]])
                          if len(steps) > dropped else shares @ steps)  # fmt: skip
            shown = {**a.description, "variation": variation, "sum": total}
            yield -abs(variation - total) / max(a.scale, total), a.size, shown

    return collect(cases(), tolerance=TOLERANCE, family=FAMILY)


def audit_constant_integrand(approaches: Iterable[Approach], seed: int) -> Finding:
    """Test that the integrand of (12) is constant on every piece.

    Args:
        approaches: The approaches.
        seed: Seed of the five times in each piece.

    Returns:
        The finding; derivatives of u by automatic differentiation against the piece's number.
    """
    g = torch.Generator().manual_seed(seed)

    def cases() -> Iterator[Case]:
        for a in approaches:
            ends = a.scores.regions.breakpoints
            inner = 0.02 + 0.96 * torch.rand(5, generator=g, dtype=torch.float64)
            times = ends[:-1, None] + a.scores.shares[:, None] * inner
            points = a.scores.regions.points(times.flatten()).requires_grad_()
            (gradient,) = torch.autograd.grad(lead(a, points, a.rival).sum(), points)
            values = (gradient @ a.scores.delta).reshape(times.shape)
            error = (values - _steps(a, a.rival)[:, None]).abs().amax()
            yield -float(error) / a.scale, a.size, a.description

    return collect(cases(), tolerance=TOLERANCE, family=FAMILY)


def audit_repaired_sum(approaches: Iterable[Approach], *, fixed: bool = False) -> Finding:
    """Test ``M(x) = sum_j (e_j - s_j) |(w_y - w_{r_j})^T prod W_i^{q_j} (x - x')|``.

    The pieces are also cut where the runner-up changes, ``r_j`` is the runner-up on piece j.

    Args:
        approaches: Approaches for which the margin never rises (Assumption 3.1).
        fixed: Take the runner-up at x on all pieces, as (12) does.

    Returns:
        The finding; error relative to the scores.
    """

    def cases() -> Iterator[Case]:
        for a in approaches:
            total = absolute_sum(a) if fixed else sum(
                share * abs(float(a.scores.steps[j, a.label] - a.scores.steps[j, r]))
                for share, j, r in a.refined
            )  # fmt: skip
            margin = float(a.margins(a.scores.x[None])[0])
            shown = {**a.description, "M": margin, "sum": total}
            yield -abs(total - margin) / a.scale, a.size, shown

    return collect(cases(), tolerance=TOLERANCE, family=FAMILY)
