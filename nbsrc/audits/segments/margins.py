"""Margins and the decision boundary: eq. (2), the end of section 3, Assumption 3.1."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from itertools import product

import torch
from torch import Tensor

from nbsrc.audits.connections.compare import audit_true, relative_error
from nbsrc.audits.finding import Case, collect
from nbsrc.audits.segments.approaches import Approach
from nbsrc.claims import Finding

__all__ = [
    "audit_gain_bound",
    "audit_monotone",
    "audit_scores",
    "audit_tied_margin",
    "lead",
]

TOLERANCE = 1e-9
FAMILY = "segments to the nearest boundary point, two inputs"


def lead(a: Approach, points: Tensor, rival: int) -> Tensor:
    """Return ``(w_y - w_r)^T I_{L-1}``, the lead of the label over one class.

    Args:
        a: The approach.
        points: ``[..., 2]``.
        rival: r.

    Returns:
        ``[...]``.
    """
    scores = a.scores.features(points)
    return scores[..., a.label] - scores[..., rival]


def audit_scores(*, final: Callable[[Tensor], Tensor] | None, seed: int = 0) -> Finding:
    """Test ``M(T x, y) = (w_y - w_yhat)^T T'x`` for every label y.

    Args:
        final: What is applied to the scores: ReLU in eq. (2), None for nothing.
        seed: Seed of the random scores.

    Returns:
        The finding; scores ``W_L T'x`` are small whole numbers first, two to five classes.
    """
    g = torch.Generator().manual_seed(seed)
    whole = [torch.tensor(v).double() for v in product((0, 1, -1, 2, -2), repeat=2)]
    drawn = [torch.randn(2 + n % 4, generator=g).double() for n in range(200)]

    def margin(scores: Tensor, y: int) -> tuple[float, int]:
        others = scores.clone()
        others[y] = -math.inf
        return float(scores[y] - others.max()), int(others.argmax())

    def cases() -> Iterator[Case]:
        for scores in [*whole, *drawn]:
            for y in range(len(scores)):
                u, _ = margin(scores, y)
                printed, _ = margin(scores if final is None else final(scores), y)
                size = (len(scores), int((scores != scores.round()).any()),
                        int(scores.abs().sum()))  # fmt: skip
                shown = {"W_L T'x": scores.tolist(), "y": y, "M": printed, "u": u}
                yield -relative_error(printed, u), size, shown

    return collect(cases(), tolerance=0, family="scores of two to five classes, every label")


def audit_tied_margin(approaches: Iterable[Approach], *, corrected: bool) -> Finding:
    """Test that the margin is ``(w_y - w_r)^T (I_{L-1}(x) - I_{L-1}(x'))``.

    Args:
        approaches: The approaches.
        corrected: False for the printed claim; r may be the runner-up at x or the class that ties
            at x', whichever fits better. True: for the class r that ties at x' the right side is
            ``s_y - s_r`` at x, which is at least the margin.

    Returns:
        The finding; error relative to the scores.
    """

    def cases() -> Iterator[Case]:
        for a in approaches:
            margin = float(a.margins(a.scores.x[None])[0])
            linear = [
                float(lead(a, a.scores.x, r) - lead(a, a.scores.end, r))
                for r in (a.rival, a.rival_at_end)
            ]
            shown = {**a.description, "M": margin, "y-hat at x": a.rival, "at x'": a.rival_at_end,
                     "linear": linear}  # fmt: skip
            if corrected:
                ahead = float(lead(a, a.scores.x, a.rival_at_end))
                slack = min(-abs(linear[1] - ahead), ahead - margin)
            else:
                slack = -min(abs(value - margin) for value in linear)
            yield slack / a.scale, a.size, shown

    return collect(cases(), tolerance=TOLERANCE, family=FAMILY)


def audit_gain_bound(approaches: Iterable[Approach], *, share: float = 1.0) -> Finding:
    """Test ``M(x) <= |w_y - w_r| prod_{i<L} sigma_max(W_i) |x - x'|``, r the class that ties at x'.

    Args:
        approaches: The approaches.
        share: A factor below 1 breaks it.

    Returns:
        The finding; slack relative to the bound.
    """

    def cases() -> Iterator[Case]:
        for a in approaches:
            *lower, top = a.scores.weights
            gain = float((top[a.label] - top[a.rival_at_end]).norm())
            for W in lower:
                gain *= float(torch.linalg.matrix_norm(W, 2))
            margin = float(a.margins(a.scores.x[None])[0])
            bound = share * gain * float(a.scores.delta.norm())
            yield (bound - margin) / max(bound, margin), a.size, a.description

    return collect(cases(), tolerance=TOLERANCE, family=FAMILY)


def audit_monotone(approaches: Iterable[Approach]) -> Finding:
    """Test Assumption 3.1: from x to x' the margin of y never rises.

    Args:
        approaches: The approaches.

    Returns:
        The finding.
    """
    return audit_true(approaches, lambda a: a.monotone, family=FAMILY)
