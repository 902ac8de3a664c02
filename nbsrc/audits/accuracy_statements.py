"""Sentences about tables of accuracies, tested on the printed cells.

Words are made operational as mildly as they can be: *typically* and *tends to* mean more than half
of the cells; *slightly* and *basically the same* mean at most :data:`SLIGHT` points. A statement
that fails the mild reading fails every stricter one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from nbsrc.audits.accuracy_statistics import correlations, noise
from nbsrc.audits.accuracy_tables import METHODS, AccuracyTable, Change, changes
from nbsrc.audits.finding import collect
from nbsrc.claims import Finding

__all__ = [
    "GROUPS",
    "SLIGHT",
    "audit_at_most",
    "audit_both_fall",
    "audit_can_raise",
    "audit_most",
    "audit_numbers",
    "audit_ranges",
    "audit_strongest_loses_most",
    "audit_tradeoff",
]


#: Points that still pass as a slight change; losing 5 of 35 points is one image in seven.
SLIGHT = 5.0
GROUPS: Mapping[str, Callable[[Change], str]] = {
    "all": lambda change: "all cells",
    "method": lambda change: METHODS[change.method],
    "model": lambda change: change.model,
}


def audit_most(found: Sequence[Change], accuracy: str, direction: int, by: str) -> Finding:
    """Test that in every group more than half of the runs change in one direction.

    Args:
        found: The changes.
        accuracy: ``"clean"`` or ``"robust"``.
        direction: 1 for above plain, -1 for below.
        by: A key of ``GROUPS``.

    Returns:
        A finding over the groups; slack is the share beyond one half, less half a cell.
    """
    groups: dict[str, list[Change]] = {}
    for change in found:
        groups.setdefault(GROUPS[by](change), []).append(change)
    cases = []
    for name, members in groups.items():
        hits = sum(direction * getattr(change, accuracy) > 0 for change in members)
        slack = (2 * hits - len(members) - 1) / (2 * len(members))
        cases.append((slack, (hits,), f"{name}: {hits} of {len(members)}"))
    return collect(cases, tolerance=0, family=f"{len(found)} runs by {by}")


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


def audit_both_fall(found: Sequence[Change]) -> Finding:
    """Test that runs lose clean and robust accuracy.

    Args:
        found: The changes.

    Returns:
        A finding over the runs; slack is the smaller loss in points, less the last digit.
    """
    cases = [
        (
            (min(-c.clean, -c.robust) - 1) / 10,
            (-max(c.clean, c.robust),),
            f"{c.words}: clean {c.clean / 10:+}, robust {c.robust / 10:+}",
        )
        for c in found
    ]
    return collect(cases, tolerance=0, family=f"{len(found)} runs")


def audit_tradeoff(table: AccuracyTable) -> Finding:
    """Test that clean and robust accuracy are negatively correlated in every model.

    Args:
        table: The table.

    Returns:
        A finding over the models; slack is minus the larger one of both correlations.
    """
    cases = [
        (
            -max(c.pearson, c.spearman),
            (number,),
            f"{c.model}: Pearson {c.pearson:+.2f}, Spearman {c.spearman:+.2f}; of two runs the one "
            f"better on clean images is better under attack in {c.aligned} pairs, worse in "
            f"{c.opposed}",
        )
        for number, c in enumerate(correlations(table))
    ]
    return collect(cases, tolerance=0, family=f"{len(table.columns)} runs of each model")


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
            f"{name}: stated {value}, computed {computed[name]:.2f}",
        )
        for number, (name, value) in enumerate(stated.items())
    ]
    return collect(cases, tolerance=1e-9, family=f"{len(stated)} numbers of the corrected sentence")
