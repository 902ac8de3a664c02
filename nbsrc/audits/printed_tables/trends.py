"""Sentences about trends: what rises or falls with the strength of adversarial training."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from nbsrc import claims
from nbsrc.audits.finding import Case, collect
from nbsrc.audits.printed_tables.cells import DIGITS, Run
from nbsrc.claims import Finding

__all__ = [
    "audit_ends", "audit_order", "audit_steps", "audit_variation", "change",
    "total_accuracy", "variation",
]  # fmt: skip


def change(run: Run, row: str) -> float:
    """The change of a row from the first to the last strength.

    Args:
        run: The run.
        row: The row.

    Returns:
        Last minus first.
    """
    values = run.values[row]
    units: float = 10 ** DIGITS[row]
    return (values[-1] - values[0]) / units


def audit_steps(runs: Iterable[Run], row: str, direction: int) -> Finding:
    """Test that a row rises, or falls, from every strength to the next.

    Args:
        runs: The runs.
        row: The row.
        direction: 1 for rising, -1 for falling.

    Returns:
        The finding over all steps; slack is the change in the direction less half a unit of the
        last digit, so equal numbers do not pass.
    """

    def cases() -> Iterator[Case]:
        number = 0
        for run in runs:
            unit = 10 ** DIGITS[row]
            columns = list(zip(run.strengths, run.values[row], strict=True))
            for place, ((low, one), (high, two)) in enumerate(itertools.pairwise(columns)):
                number += 1
                yield (
                    (direction * (two - one) - 0.5) / unit,
                    (number,),
                    f"{run.words}, {row}: {run.shown(row, place)} at AR {low}, "
                    f"{run.shown(row, place + 1)} at AR {high}",
                )

    return collect(cases(), tolerance=0, family=f"steps of {row}")


def audit_ends(runs: Iterable[Run], row: str, direction: int) -> Finding:
    """Test that a row is larger, or smaller, at the last strength than at the first.

    Args:
        runs: The runs.
        row: The row.
        direction: 1 for larger, -1 for smaller.

    Returns:
        The finding, one case per run.
    """
    cases = [
        (
            direction * change(run, row) - 0.5 / 10 ** DIGITS[row],
            (number,),
            f"{run.words}, {row}: {run.shown(row, 0)} at AR {run.strengths[0]}, "
            f"{run.shown(row, -1)} at AR {run.strengths[-1]}",
        )
        for number, run in enumerate(runs)
    ]
    return collect(cases, tolerance=0, family=f"first and last {row}")


def audit_order(runs: Sequence[Run], row: str) -> Finding:
    """Test that a row falls from each run to the next, at every strength.

    Args:
        runs: Runs in the order of a growing restriction.
        row: The row.

    Returns:
        The finding.
    """

    def cases() -> Iterator[Case]:
        number = 0
        for place, strength in enumerate(runs[0].strengths):
            for one, two in itertools.pairwise(runs):
                number += 1
                fall = one.values[row][place] - two.values[row][place]
                yield (
                    (fall - 0.5) / 10 ** DIGITS[row],
                    (number,),
                    f"{row} at AR {strength}: {one.shown(row, place)} with {one.name}, "
                    f"{two.shown(row, place)} with {two.name}",
                )

    return collect(cases(), tolerance=0, family=f"{row} of networks more and more restricted")


def total_accuracy(run: Run, place: int) -> float:
    """The accuracy under attack over all test images, from the one over those classified correctly.

    Args:
        run: A run with rows ``TestAcc`` and ``PGD``.
        place: Column.

    Returns:
        The product, in per cent.
    """
    return run.values["TestAcc"][place] * run.values["PGD"][place] / 10**6


def variation() -> dict[tuple[str, int, int], tuple[float, float]]:
    """Table 1: mean and standard deviation of the largest change of the loss.

    Returns:
        For data set, attack size and strength of training the two numbers.
    """
    content: Mapping[str, Any] = claims.row("C.tab1").data
    return {
        (data, int(eps[3:]), int(strength[2:])): (float(numbers[0]), float(numbers[1]))
        for data, block in content.items()
        for eps, line in block.items()
        for strength, numbers in line.items()
    }


def audit_variation(
    table: Mapping[tuple[str, int, int], tuple[float, float]], along: str, direction: int
) -> Finding:
    """Test that means and standard deviations of Table 1 rise or fall along an axis.

    Args:
        table: The cells.
        along: ``"attack"`` for the size of the attack, ``"defence"`` for the strength of training.
        direction: 1 for rising, -1 for falling.

    Returns:
        The finding over all steps and both numbers.

    Raises:
        ValueError: If the axis is unknown.
    """
    if along not in {"attack", "defence"}:
        raise ValueError(f"along must be 'attack' or 'defence', got {along!r}")
    axis = 1 if along == "attack" else 2

    def cases() -> Iterator[Case]:
        number = 0
        others = sorted({tuple(v for i, v in enumerate(key) if i != axis) for key in table})
        for other in others:
            line = sorted(
                (key[axis], key) for key in table
                if tuple(v for i, v in enumerate(key) if i != axis) == other
            )  # fmt: skip
            for (_, one), (_, two) in itertools.pairwise(line):
                for place, name in enumerate(("mean", "standard deviation")):
                    number += 1
                    step = direction * (table[two][place] - table[one][place]) - 5e-5
                    text = f"{name}: {table[one][place]} at {one}, {table[two][place]} at {two}"
                    yield step, (number,), text

    return collect(cases(), tolerance=0, family=f"steps of Table 1 along the {along}")
