"""Sentences about trends, tested on printed cells.

*Increase* and *decrease* are read step by step: every larger strength against the next smaller
one. A *trend* is read as the change from the smallest to the largest strength.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from fractions import Fraction

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.margin_tables.counting import IMAGES
from nbsrc.audits.margin_tables.printed import Line, Step, Table
from nbsrc.claims import Finding

__all__ = [
    "audit_falls", "audit_net", "audit_ordered", "audit_same_signs", "net_changes", "opposite",
    "slope", "unclear_steps"
]  # fmt: skip


def audit_falls(lines: Iterable[Line], *, sign: int = -1) -> Finding:
    """Test that lines fall at every step, or rise.

    Args:
        lines: The lines.
        sign: -1 for falling, 1 for rising.

    Returns:
        A finding over the steps; the slack is the change in the right direction less one unit of
        the last place, in units. A step without change counts as a violation.
    """
    cases: list[Case] = [
        (float(sign * step.change - 1), (number,), step.words)
        for number, step in enumerate(s for line in lines for s in line.steps())
    ]
    word = "rise" if sign > 0 else "fall"
    return collect(cases, tolerance=0, family=f"steps of the lines that should {word}")


def audit_net(lines: Iterable[Line], *, sign: int = -1) -> Finding:
    """Test that lines end below their start, or above.

    Args:
        lines: The lines.
        sign: -1 for below, 1 for above.

    Returns:
        A finding over the lines; the slack is the change in the right direction less one unit.
    """
    cases: list[Case] = [
        (
            float(sign * line.change - 1),
            (number,),
            f"{line.words}: {line.text(0)} at AR {line.strengths[0]}, "
            f"{line.text(len(line.cells) - 1)} at AR {line.strengths[-1]}",
        )
        for number, line in enumerate(lines)
    ]
    return collect(cases, tolerance=0, family="lines from the smallest to the largest strength")


def net_changes(lines: Iterable[Line]) -> dict[str, Fraction]:
    """Return the change of each line from its first to its last cell.

    Args:
        lines: The lines.

    Returns:
        The exact change by network.
    """
    return {line.net: Fraction(line.change, 10**line.decimals) for line in lines}


def slope(line: Line) -> Fraction:
    """Return the slope of the least-squares line through a line's cells.

    Args:
        line: The line.

    Returns:
        The exact slope per unit of strength.
    """
    n = len(line.cells)
    mean = Fraction(sum(line.strengths), n)
    over = sum((x - mean) * line.value(i) for i, x in enumerate(line.strengths))
    return Fraction(over) / Fraction(sum((x - mean) ** 2 for x in line.strengths))


def audit_same_signs(pairs: Sequence[tuple[Line, Line]]) -> Finding:
    """Test that pairs of lines change in the same direction from first to last strength.

    Args:
        pairs: The pairs.

    Returns:
        A finding over the pairs; the slack is 0 or -1.
    """
    cases: list[Case] = []
    for number, (one, two) in enumerate(pairs):
        shown = [f"{x.words} {x.text(0)} to {x.text(len(x.cells) - 1)}" for x in (one, two)]
        same = (one.change > 0) == (two.change > 0) and (one.change < 0) == (two.change < 0)
        cases.append((0.0 if same else -1.0, (number,), "; ".join(shown)))
    return collect(cases, tolerance=0, family="lines of both kinds of training")


def audit_ordered(lines: Sequence[Line], *, sign: int = -1) -> Finding:
    """Test that at every strength the cells fall from each line to the next, or rise.

    Args:
        lines: Lines of one quantity in the order that the sentence names.
        sign: -1 for falling, 1 for rising.

    Returns:
        A finding over strengths and neighbouring lines; the slack is the change in the right
        direction less one unit.
    """
    cases: list[Case] = []
    for one, two in itertools.pairwise(lines):
        for index, strength in enumerate(one.strengths):
            change = two.cells[index] - one.cells[index]
            text = f"{two.words}, AR {strength}: {one.text(index)} for {one.net}, "
            text += f"{two.text(index)} for {two.net}"
            cases.append((float(sign * change - 1), (len(cases),), text))
    return collect(cases, tolerance=0, family="neighbouring lines at every strength")


def opposite(tables: Iterable[Table], quantity: str, sign: int) -> list[Step]:
    """Return the steps of a quantity that go against a direction, or stay.

    Args:
        tables: The tables.
        quantity: The quantity.
        sign: The direction that is said.

    Returns:
        The steps.
    """
    steps = [s for table in tables for line in table.pick(quantity) for s in line.steps()]
    return [step for step in steps if sign * step.change <= 0]


def unclear_steps(lines: Iterable[Line], *, images: int = IMAGES) -> list[Step]:
    """Return the steps of accuracies that are within two standard errors of their difference.

    The two networks are taken as tested on independent samples of images. This is a rough guide:
    they were tested on the same images, which makes the error smaller, and each is one training
    run, which makes it larger.

    Args:
        lines: Lines of test accuracies.
        images: Number of test images.

    Returns:
        The steps.
    """
    found = []
    for step in (s for line in lines for s in line.steps()):
        shares = [step.line.cells[step.start + k] / 10_000 for k in (0, 1)]
        error = math.sqrt(sum(p * (1 - p) / images for p in shares))
        if abs(step.change) / 10_000 < 2 * error:
            found.append(step)
    return found
