"""Sentences about the tables that are not about one trend."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from nbsrc.audits.finding import collect
from nbsrc.audits.printed_tables.cells import Run
from nbsrc.audits.printed_tables.trends import change
from nbsrc.claims import Finding

__all__ = [
    "audit_factor", "audit_gradual", "audit_rows", "audit_setup", "audit_sign_of_loss",
    "with_strengths",
]  # fmt: skip

NETWORKS: Mapping[str, tuple[str, ...]] = {
    "C.tab2": ("ResNet-56, FGSM",),
    "C.tab3": ("ResNet-56", "ResNet-110"),
    "C.tab4": ("ResNet-56", "ResNet-110"),
    "C.tab5": ("WideResNet",),
}


def with_strengths(run: Run, strengths: tuple[int, ...]) -> Run:
    """A copy with other strengths, for negative controls.

    Args:
        run: The run.
        strengths: The strengths, as many as there are columns.

    Returns:
        The changed run.
    """
    return replace(run, strengths=strengths)


def audit_setup(runs: Iterable[Run]) -> Finding:
    """Test section 4.1's list of strengths and networks against the tables.

    Strengths 4, 8 and 16; 0 as well for Tiny-ImageNet and for nothing else; ResNet-56 and
    ResNet-110 on CIFAR, a wide ResNet on Tiny-ImageNet; none of them missing.

    Args:
        runs: The runs.

    Returns:
        The finding, one case per run and one per network that section 4.1 names.
    """
    cases = []
    listed = list(runs)
    for number, run in enumerate(listed):
        wanted = (0, 4, 8, 16) if run.data == "Tiny-ImageNet" else (4, 8, 16)
        known = run.name in NETWORKS.get(run.table, (run.name,))
        right = run.strengths == wanted and known
        text = f"{run.words}: strengths {', '.join(map(str, run.strengths))}"
        cases.append((0.0 if right else -1.0, (number,), text))
    there = {(run.table, run.name) for run in listed}
    for table, names in NETWORKS.items():
        for name in names:
            missing = f"Table {table[-1]} has no {name}"
            cases.append((0.0 if (table, name) in there else -1.0, (len(cases),), missing))
    return collect(cases, tolerance=0, family="the blocks of Tables 2 to 6")


def audit_rows(runs: Iterable[Run], rows: Sequence[str]) -> Finding:
    """Test that blocks have the rows that a figure needs.

    Args:
        runs: The runs.
        rows: Names of rows.

    Returns:
        The finding, one case per run and row.
    """
    cases = [
        (0.0 if row in run.values else -1.0, (number,), f"{run.words} has no row {row}")
        for number, (run, row) in enumerate(itertools.product(runs, rows))
    ]
    return collect(cases, tolerance=0, family=f"rows {', '.join(rows)}")


def audit_gradual(runs: Sequence[Run], row: str) -> Finding:
    """Test that a rising row turns into a falling one gradually, from run to run.

    Args:
        runs: Runs in the order of a growing restriction.
        row: The row.

    Returns:
        The finding: the change from first to last strength is above 0 in the first run, below 0 in
        the last, and falls from each run to the next.
    """
    changes = [round(change(run, row), 6) for run in runs]
    cases = [
        (changes[0], (0,), f"{runs[0].name}: {changes[0]:+g}"),
        (-changes[-1], (1,), f"{runs[-1].name}: {changes[-1]:+g}"),
    ]
    for number, (one, two) in enumerate(itertools.pairwise(range(len(runs)))):
        text = (
            f"{row} changes by {changes[one]:+g} with {runs[one].name} and by {changes[two]:+g} "
            f"with {runs[two].name}"
        )
        cases.append((changes[one] - changes[two], (2 + number,), text))
    return collect(cases, tolerance=0, family=f"change of {row} from first to last strength")


def audit_factor(groups: Mapping[str, Sequence[tuple[str, str]]], factor: float) -> Finding:
    """Test that the first total is at least some times the second one.

    Args:
        groups: By name two pairs of a printed total and a printed average.
        factor: The factor.

    Returns:
        The finding; slack is the quotient of the totals minus the factor.
    """
    cases = []
    for number, (name, (first, second)) in enumerate(groups.items()):
        quotient = float(first[0]) / float(second[0])
        text = f"{name}: {first[0]} / {second[0]} = {quotient:.2f}"
        cases.append((quotient - factor, (number,), text))
    return collect(cases, tolerance=0, family="totals of two groups of layers")


def audit_sign_of_loss(probabilities: Iterable[float], *, minus: bool) -> Finding:
    """Test that the logarithm of a probability, or minus it, can be a cross-entropy loss.

    Args:
        probabilities: Estimated probabilities of the label, above 0.
        minus: Whether the loss is minus the logarithm.

    Returns:
        The finding; slack is the value, as a cross-entropy is at least 0.
    """
    sign = -1 if minus else 1
    cases = [
        (sign * math.log(p), (number,), f"probability {p:g}: loss {sign * math.log(p):.3g}")
        for number, p in enumerate(sorted(probabilities, reverse=True))
    ]
    return collect(cases, tolerance=0, family="probabilities of a label")
