"""Comparisons at equal confidence: rescaled logits, and plain networks that were trained less."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise

from nbsrc.audits.adversarial_margins.records import Run, gap
from nbsrc.audits.finding import Case, collect
from nbsrc.claims import Finding

__all__ = [
    "at_factor", "at_mean_margin", "audit_beyond_fitting", "audit_gap_follows_scale",
    "interpolated", "rescaled_gap", "stopped_gap"
]  # fmt: skip


def interpolated(x: float, points: Sequence[tuple[float, float]]) -> float:
    """Return the value of a piecewise linear curve.

    Args:
        x: Where.
        points: Points of the curve in any order.

    Returns:
        The value; NaN outside of the points.

    Example:
        >>> interpolated(1.5, [(2.0, 10.0), (1.0, 0.0)])
        5.0
    """
    ordered = sorted(points)
    for (left, low), (right, high) in pairwise(ordered):
        if left <= x <= right:
            share = (x - left) / (right - left) if right > left else 0.0
            return low + share * (high - low)
    return math.nan


def at_factor(run: Run, factor: float, part: str, curve: str) -> float:
    """Return what a network has with its logits multiplied by a factor.

    Args:
        run: A run with the measure ``rescaled``.
        factor: The factor.
        part: ``"train"`` or ``"test"``.
        curve: ``"loss"``, ``"near_zero"``, ``"middle"`` or ``"mean_abs"``.

    Returns:
        The value between the recorded factors; NaN outside of them.
    """
    found = run["measures"]["rescaled"]
    points = [(math.log(f), v) for f, v in zip(found["factors"], found[part][curve], strict=True)]
    return interpolated(math.log(factor), points)


def at_mean_margin(run: Run, target: float, part: str, curve: str) -> float:
    """Return what a network has once the mean size of the margins of its logits is a given one.

    Args:
        run: A run with the measure ``rescaled``.
        target: The mean size of the margins.
        part: ``"train"`` or ``"test"``.
        curve: As in :func:`at_factor`.

    Returns:
        The value; NaN if the factor is not among the recorded ones.
    """
    raw = run["measures"]["rescaled"][part]["mean_abs_raw"]
    return at_factor(run, target / raw, part, curve) if raw else math.nan


def rescaled_gap(plain: Run, loss: float) -> float:
    """Return the loss gap of a network whose logits are rescaled to a given training loss.

    Args:
        plain: A run with the measure ``rescaled``.
        loss: The training loss.

    Returns:
        The gap, over the factors up to that of the least training loss; NaN if none fits.
    """
    found = plain["measures"]["rescaled"]
    train, test = (found[part]["loss"] for part in ("train", "test"))
    last = train.index(min(train)) + 1
    return interpolated(loss, [(a, b - a) for a, b in zip(train[:last], test[:last], strict=True)])


def stopped_gap(run: Run, stopped: Sequence[Run], what: str = "loss") -> float:
    """Return the gap that plain networks trained for less long have at a run's training loss.

    Args:
        run: The run.
        stopped: Plain runs of several lengths.
        what: As in :func:`nbsrc.audits.adversarial_margins.records.gap`.

    Returns:
        The gap interpolated over the logarithm of the training loss; NaN outside of it.
    """

    def place(other: Run) -> float:
        return math.log(max(float(other["measures"]["gaps"]["train_loss"]), 1e-12))

    return interpolated(place(run), [(place(other), gap(other, what)) for other in stopped])


def audit_beyond_fitting(runs: Sequence[Run], plain: Sequence[Run]) -> Finding:
    """Test that runs have a smaller loss gap than plain training at the same training loss.

    The plain side is the smaller of two gaps: that of plain runs of other lengths, and that of the
    longest plain run with rescaled logits. Plain runs of the same seed are taken, or else those of
    the first seed, if the seed has none of other lengths.

    Args:
        runs: The runs.
        plain: Plain runs of all lengths.

    Returns:
        The finding over runs whose training loss lies within those of the plain ones; the slack is
        the plain gap minus the run's own.
    """
    first = min((other["seed"] for other in plain), default=0)

    def cases() -> Iterable[Case]:
        for number, run in enumerate(runs):
            same = [other for other in plain if other["seed"] == run["seed"]]
            used = same if len(same) > 1 else [other for other in plain if other["seed"] == first]
            longest = max(same or used, key=lambda other: float(other["axes"].get("parts", 24)))
            stopped = stopped_gap(run, used)
            rescaled = rescaled_gap(longest, float(run["measures"]["gaps"]["train_loss"]))
            known = [value for value in (stopped, rescaled) if not math.isnan(value)]
            if known:
                shown = {"run": run["label"], "seed": run["seed"], "gap": gap(run),
                         "stopped": stopped, "rescaled": rescaled}  # fmt: skip
                yield min(known) - gap(run), (number,), shown

    return collect(cases(), tolerance=0, family="loss gaps at equal training loss")


def audit_gap_follows_scale(runs: Iterable[Run], factor: float, share: float) -> Finding:
    """Test that multiplying the logits makes the loss gap at most a share of what it was.

    Args:
        runs: Runs with the measure ``rescaled``.
        factor: The factor.
        share: The share.

    Returns:
        The finding; the slack is the share minus the ratio of the gaps.
    """

    def cases() -> Iterable[Case]:
        for number, run in enumerate(runs):
            gaps = [
                at_factor(run, f, "test", "loss") - at_factor(run, f, "train", "loss")
                for f in (1.0, factor)
            ]
            shown = {"run": run["label"], "seed": run["seed"], "gaps": gaps}
            yield share - gaps[1] / gaps[0], (number,), shown

    return collect(cases(), tolerance=0, family=f"loss gaps with logits times {factor:g}")
