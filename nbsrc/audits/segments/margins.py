"""Margins and the decision boundary: eq. (2), the end of section 3, Assumption 3.1."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from nbsrc.audits.connections.compare import audit_true
from nbsrc.audits.finding import Case, collect
from nbsrc.audits.segments.approaches import Approach, margin_never_rises
from nbsrc.audits.segments.paths import Path
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


def audit_scores(paths: Iterable[Path], *, relu: bool, first_rival: bool = False) -> Finding:
    """Test ``M(T x, y) = (w_y - w_yhat)^T T'x`` at x, for every label y.

    Args:
        paths: Networks and points; those with a single output are left out.
        relu: Apply the ReLU to the scores, as eq. (2) does.
        first_rival: Take the first other class for ``y-hat`` and not the best one.

    Returns:
        The finding; error relative to the scores.
    """

    def cases() -> Iterator[Case]:
        for path in paths:
            *lower, top = path.weights
            if len(top) < 2:
                continue
            hidden = Path(tuple(lower), path.x, path.x).features(path.x)  # T'x
            linear = top @ hidden
            scores = Path(path.weights, path.x, path.x, linear_top=not relu).features(path.x)
            for y in range(len(top)):
                others = [i for i in range(len(top)) if i != y]
                best = others[0] if first_rival else max(others, key=linear.tolist().__getitem__)
                u = float((top[y] - top[best]) @ hidden)
                margin = float(scores[y] - scores[others].max())
                shown = {"W": [W.tolist() for W in path.weights] if top.numel() <= 6 else "random",
                         "x": path.x.tolist(), "y": y, "M": margin, "u": u}  # fmt: skip
                scale = max(1.0, float(linear.abs().amax()))
                yield -abs(margin - u) / scale, path.size, shown

    return collect(cases(), tolerance=1e-12, family="every label of networks with several outputs")


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


def audit_monotone(approaches: Iterable[Approach], *, backward: bool = False) -> Finding:
    """Test Assumption 3.1: from x to x' the margin of y never rises.

    Args:
        approaches: The approaches.
        backward: Go from x' to x instead, where it has to rise.

    Returns:
        The finding.
    """

    def falls(a: Approach) -> bool:
        if not backward:
            return a.monotone
        back = Path(a.scores.weights, a.scores.end, a.scores.x, linear_top=True)
        return margin_never_rises(back.regions, a.label)

    return audit_true(approaches, falls, family=FAMILY)
