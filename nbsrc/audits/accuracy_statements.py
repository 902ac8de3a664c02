"""Sentences about tables of accuracies, tested on the printed cells.

*Typically*, *tends to* and *basically* mean more than half: of all cells, of the cells of every
network and of those of every method. *Slightly* and *basically the same* mean at most
:data:`SLIGHT` points. A sentence that says *can* is tested for one run of every method.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from nbsrc.audits.accuracy_statistics import noise
from nbsrc.audits.accuracy_tables import METHODS, AccuracyTable, Change, changes
from nbsrc.audits.finding import collect
from nbsrc.claims import Finding

__all__ = [
    "GROUPS",
    "SLIGHT",
    "audit_at_most",
    "audit_can_lower_slightly",
    "audit_can_raise",
    "audit_majorities",
    "audit_majority",
    "audit_numbers",
    "audit_ranges",
    "audit_strongest_loses_most",
    "both_fall",
    "clean_rises",
    "robust_falls",
    "robust_is_close",
]


#: Points that still pass as a slight change; losing 5 of 35 points is one image in seven.
SLIGHT = 5.0
GROUPS: Mapping[str, Callable[[Change], str]] = {
    "all": lambda change: "all cells",
    "method": lambda change: METHODS[change.method],
    "model": lambda change: change.model,
}


def clean_rises(change: Change) -> bool:
    """Whether clean accuracy is above plain.

    Args:
        change: The run.

    Returns:
        The answer.
    """
    return change.clean > 0


def robust_falls(change: Change) -> bool:
    """Whether robust accuracy is below plain.

    Args:
        change: The run.

    Returns:
        The answer.
    """
    return change.robust < 0


def both_fall(change: Change) -> bool:
    """Whether clean and robust accuracy are below plain.

    Args:
        change: The run.

    Returns:
        The answer.
    """
    return change.clean < 0 and change.robust < 0


def robust_is_close(change: Change) -> bool:
    """Whether robust accuracy is within ``SLIGHT`` points of plain.

    Args:
        change: The run.

    Returns:
        The answer.
    """
    return abs(change.robust) <= 10 * SLIGHT


def audit_majority(found: Sequence[Change], says: Callable[[Change], bool], by: str) -> Finding:
    """Test that in every group more than half of the runs are as a sentence says.

    Args:
        found: The changes.
        says: What the sentence says of a run.
        by: A key of ``GROUPS``.

    Returns:
        A finding over the groups; slack is the share beyond one half, less half a cell.
    """
    cases = [
        ((2 * hits - size - 1) / (2 * size), (number,), f"{name}: {hits} of {size}")
        for number, (name, hits, size) in enumerate(_counts(found, says, by))
    ]
    return collect(cases, tolerance=0, family=f"{len(found)} runs by {by}")


def audit_majorities(found: Sequence[Change], says: Callable[[Change], bool]) -> Finding:
    """Test a majority of all runs, of every model's runs and of every method's runs.

    Args:
        found: The changes.
        says: What the sentence says of a run.

    Returns:
        A finding over the groups of all groupings; the counterexample names every group that has no
        majority.
    """
    counts = [count for by in GROUPS for count in _counts(found, says, by)]
    slacks = [(2 * hits - size - 1) / (2 * size) for _, hits, size in counts]
    failing = [
        f"{name}: {hits} of {size}"
        for (name, hits, size), slack in zip(counts, slacks, strict=True)
        if slack < 0
    ]
    return Finding(
        holds=bool(counts) and not failing,
        worst_slack=min(slacks, default=None),
        trials=len(counts),
        counterexample="; ".join(failing) or None,
        family=f"majorities of {len(found)} runs: of all, of every network, of every method",
    )


def _counts(
    found: Sequence[Change], says: Callable[[Change], bool], by: str
) -> list[tuple[str, int, int]]:
    """Return for every group its name, how many of its runs are as said, and its size."""
    groups: dict[str, list[bool]] = {}
    for change in found:
        groups.setdefault(GROUPS[by](change), []).append(says(change))
    return [(name, sum(members), len(members)) for name, members in groups.items()]


def audit_can_raise(table: AccuracyTable) -> Finding:
    """Test that every method raises some clean accuracy by more than two standard errors.

    Args:
        table: The table.

    Returns:
        A finding over the methods; slack is the best gain less two standard errors, in points.
    """
    cases = []
    found = changes(table)
    for number, (method, name) in enumerate(METHODS.items()):
        best = max((c for c in found if c.method == method), key=lambda c: c.clean)
        slack = best.clean / 10 - 2 * noise(table, best, "clean")
        cases.append((slack, (number,), f"{name}: at most {best.clean / 10:+} ({best.words})"))
    return collect(cases, tolerance=0, family="the best run of each of the four methods")


def audit_can_lower_slightly(table: AccuracyTable) -> Finding:
    """Test that every method has a loss of robust accuracy that is certain and yet slight.

    Certain means more than two standard errors, slight at most ``SLIGHT`` points.

    Args:
        table: The table.

    Returns:
        A finding over the methods; slack is the largest slight loss less two standard errors, in
        points.
    """
    cases = []
    found = changes(table)
    for number, (method, name) in enumerate(METHODS.items()):
        slight = [c for c in found if c.method == method and -10 * SLIGHT <= c.robust <= 0]
        slacks = [-c.robust / 10 - 2 * noise(table, c, "robust") for c in slight]
        cases.append((max(slacks, default=-SLIGHT), (number,), f"{name}: no such run"))
    return collect(cases, tolerance=0, family="a run of each of the four methods")


def audit_at_most(
    found: Sequence[Change], *, loss: float = math.inf, gain: float = math.inf
) -> Finding:
    """Test that robust accuracy changes by no more than some points.

    Args:
        found: The changes.
        loss: Largest loss in points.
        gain: Largest gain in points.

    Returns:
        A finding over the runs; the counterexample is the largest violation.
    """
    cases = []
    for change in found:
        slack = min(loss + change.robust / 10, gain - change.robust / 10)
        cases.append((slack, (-abs(change.robust),), f"{change.words}: {change.robust / 10:+}"))
    return collect(cases, tolerance=1e-9, family=f"robust accuracy of {len(found)} runs")


def audit_strongest_loses_most(found: Sequence[Change]) -> Finding:
    """Test that each method's strongest setting has the lowest mean change of robust accuracy.

    Args:
        found: The changes of a whole table.

    Returns:
        A finding over methods and weaker settings; slack is the difference of the means in points.
    """
    cases = []
    for method, name in METHODS.items():
        means = {
            rank: float(np.mean([c.robust for c in found if (c.method, c.rank) == (method, rank)]))
            for rank in sorted({c.rank for c in found if c.method == method})
        }
        for rank in list(means)[1:]:
            text = f"{name}: mean {means[0] / 10:+.1f} at the strongest, {means[rank] / 10:+.1f} at"
            text += f" setting {rank + 1}"
            cases.append(((means[rank] - means[0]) / 10, (rank,), text))
    return collect(cases, tolerance=0, family="means over the models, by method and setting")


def audit_ranges(
    table: AccuracyTable, expected: Mapping[str, Sequence[float]], *, skip_strongest: bool = False
) -> Finding:
    """Test that a table's columns are the settings that the text lists.

    Args:
        table: The table.
        expected: Strengths by method, strongest first.
        skip_strongest: Whether the table leaves out the first of each method.

    Returns:
        A finding over the methods; slack is minus the number of settings missing or in excess.
    """
    cases = []
    for number, method in enumerate(METHODS):
        printed = [float(c.removeprefix(method).removeprefix("_")) for c in table.block(method)]
        wanted = list(expected[method])[1 if skip_strongest else 0 :]
        wrong = len(set(printed) ^ set(wanted)) + (printed != wanted)
        cases.append((-float(wrong), (number,), f"{METHODS[method]}: {printed}, text {wanted}"))
    return collect(cases, tolerance=0, family=f"columns of {table.name}")


def audit_numbers(stated: Mapping[str, float], computed: Mapping[str, float]) -> Finding:
    """Test that numbers stated in a sentence are those of the table, to one decimal.

    Args:
        stated: Numbers by name.
        computed: What the table gives, under the same names.

    Returns:
        A finding over the numbers; slack is minus the difference.
    """
    cases = [
        (
            -abs(round(computed[name], 1) - value),
            (number,),
            f"{name}: stated {value}, computed {round(computed[name], 2)}",
        )
        for number, (name, value) in enumerate(stated.items())
    ]
    return collect(cases, tolerance=1e-9, family=f"{len(stated)} numbers of the corrected sentence")
