"""Margins against instance-space margins: eqs. (5), (9) and (13), and the proof's geometry."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import torch

from nbsrc.audits.connections.compare import audit_at_most
from nbsrc.audits.finding import Case, collect
from nbsrc.audits.margin_bound.networks import Example
from nbsrc.claims import Finding
from nbsrc.linear_region import affine_map, region_radius, segment_regions

__all__ = [
    "audit_closest",
    "audit_decomposition",
    "audit_margin_bound",
    "audit_path_bound",
    "audit_smallest_margin",
    "audit_zero_at_boundary",
    "with_hypotheses",
]


def with_hypotheses(examples: Iterable[Example]) -> list[Example]:
    """Keep the examples for which every hypothesis of Theorem 3.1 holds.

    The instance space is a finite set of points with their predicted labels; the network is robust
    with radius v_min > 0 (no tie is nearer, so no other class gets ahead in the closed balls), the
    cover is of that radius, and Assumption 3.1 holds at every point.

    Args:
        examples: Examples.

    Returns:
        Those with a positive margin, a positive finite v_min, and a falling margin.
    """
    kept = []
    for e in examples:
        if float(e.margin()) > 1e-12 and 0 < e.v_min < float("inf"):
            others = [Example(e.weights, p, support=e.support) for p in e.points]
            if all(o.monotone for o in others):
                kept.append(e)
    return kept


def audit_margin_bound(examples: Iterable[Example], factor: float = 1.0) -> Finding:
    """Test that eq. (5) is a lower bound of the margin of the example.

    Args:
        examples: Examples that meet the hypotheses.
        factor: Factor of the margin.

    Returns:
        The finding.
    """
    return audit_at_most(
        examples, lambda e: e.printed, lambda e: factor * float(e.margin()), tolerance=1e-9,
        family="bias-free networks with every hypothesis of the theorem verified",
    )  # fmt: skip


def audit_smallest_margin(examples: Iterable[Example], factor: float = 1.0) -> Finding:
    """Test that the smallest margin over the instance space is at least eq. (5).

    Args:
        examples: Examples that meet the hypotheses; every point has its predicted label.
        factor: Factor of the margin.

    Returns:
        The finding.
    """

    def smallest(e: Example) -> float:
        top = e.scores(e.points).sort(1).values
        return factor * float((top[:, -1] - top[:, -2]).min())

    return audit_at_most(
        examples, lambda e: e.printed, smallest, tolerance=1e-9,
        family="bias-free networks, one cell, every hypothesis of the theorem verified",
    )  # fmt: skip


def audit_path_bound(examples: Iterable[Example]) -> Finding:
    """Test eq. (13): the exact value of (12) against the right side.

    Args:
        examples: Two-class examples.

    Returns:
        The finding; (12) is the sum over the pieces of the way of the size of the change.
    """

    def path(e: Example) -> float:
        return float(e.margin(e.path).diff().abs().sum())

    def right(e: Example) -> float:
        length = float((e.x - e.nearest).norm())
        return e.printed / e.v_min * length

    return audit_at_most(
        examples, right, path, tolerance=1e-9, family="pieces of the way, exact breakpoints"
    )


def audit_zero_at_boundary(examples: Iterable[Example], *, fixed: bool) -> Finding:
    """Test eq. (9): the margin is 0 at the nearest boundary point.

    Args:
        examples: Examples with two inputs.
        fixed: Whether the other class is the one that is best at x, as in eqs. (10) to (13); else
            the best one at each point.

    Returns:
        The finding; the slack is minus the size of the margin there, relative to the scores.
    """

    def cases() -> Iterator[Case]:
        for e in examples:
            scores = e.scores(e.nearest)
            rival = e.scores(e.x).clone()
            rival[e.y] = -torch.inf
            u = scores[e.y] - scores[int(rival.argmax())] if fixed else e.margin(e.nearest[None])[0]
            scale = float(scores.abs().max().clamp(min=float(e.scores(e.x).abs().max())))
            shown = {**e.description, "nearest": e.nearest.tolist(), "u there": float(u)}
            yield -abs(float(u)) / scale, e.size, shown

    return collect(cases(), tolerance=1e-9, family="networks on the plane, exact boundary points")


def audit_closest(examples: Iterable[Example], *, last: bool, skip: int = 0) -> Finding:
    """Test that x - x' is orthogonal to the null space of the gradient of regions crossed.

    Args:
        examples: Examples with two inputs.
        last: Only the region that the way ends in, and only if x' lies in the interior of a
            boundary facet of it (x' is no corner).
        skip: With ``last``: how many pieces before the last one to take instead.

    Returns:
        The finding; the slack is minus the sine of the angle to the gradient.
    """

    def cases() -> Iterator[Case]:
        for e in examples:
            step, rival = e.x - e.nearest, e.boundary.rival
            if rival is None or float(step.norm()) < 1e-9:
                continue
            pieces = segment_regions(e.module, e.x, e.nearest)
            count = len(pieces.breakpoints) - 1
            chosen = range(count) if not last else range(count - 1 - skip, count - skip)
            if last and (min(chosen) < 0 or not _interior(e)):
                continue
            for j in chosen:
                t = float(pieces.breakpoints[j : j + 2].mean())
                A = affine_map(e.module, (e.x - t * step)[None])[0][0]
                gradient = A[e.predicted] - A[rival]
                if float(gradient.norm()) < 1e-12:
                    yield -1.0, e.size, {**e.description, "gradient": gradient.tolist()}
                    continue
                cosine = float(gradient @ step / gradient.norm() / step.norm())
                shown = {**e.description, "nearest": e.nearest.tolist(), "piece": j + 1,
                         "gradient": gradient.tolist()}  # fmt: skip
                yield -(max(0.0, 1 - cosine**2) ** 0.5), e.size, shown

    return collect(cases(), tolerance=1e-6, family="regions on the way to the nearest point")


def _interior(e: Example) -> bool:
    """Whether the boundary is one straight line around the nearest point."""
    if float(region_radius(e.module, e.nearest[None], 2)[0]) < 1e-9:
        return False
    top = e.scores(e.nearest).sort().values
    return len(top) == 2 or float(top[-1] - top[-3]) > 1e-9


def audit_decomposition(
    examples: Iterable[Example], keep: Callable[[Example], bool] = lambda _: True
) -> Finding:
    """Test the argument: the point reached by the parallel part alone is on the boundary.

    For every region on the way the difference x - x' is split into the part along the gradient and
    the rest; the claim is that x minus the first part is a boundary point.

    Args:
        examples: Two-class examples with two inputs.
        keep: Which of them to test.

    Returns:
        The finding; the slack is minus the margin there relative to that of x.
    """

    def cases() -> Iterator[Case]:
        for e in examples:
            step = e.x - e.nearest
            if float(step.norm()) < 1e-9 or not keep(e):
                continue
            pieces = segment_regions(e.module, e.x, e.nearest)
            for one, two in zip(pieces.breakpoints[:-1], pieces.breakpoints[1:], strict=True):
                A = affine_map(e.module, (e.x - (one + two) / 2 * step)[None])[0][0]
                gradient = A[e.predicted] - A[1 - e.predicted]
                if float(gradient.norm()) < 1e-12:
                    continue
                first = gradient * (gradient @ step) / (gradient @ gradient)
                u = float(e.margin((e.x - first)[None]))
                shown = {**e.description, "nearest": e.nearest.tolist(), "part": first.tolist(),
                         "u(x'')": u}  # fmt: skip
                yield -abs(u) / float(e.margin()), e.size, shown

    return collect(cases(), tolerance=1e-8, family="regions on the way to the nearest point")
