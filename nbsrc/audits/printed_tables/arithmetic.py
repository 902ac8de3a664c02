"""Differences, shares, sums and averages recomputed from printed cells."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.printed_tables.cells import DIGITS, Run
from nbsrc.claims import Finding

__all__ = [
    "DIFFERENCES",
    "audit_differences",
    "audit_layers",
    "audit_printed_twice",
    "audit_shares",
    "chance_of_shares",
    "counts_of_share",
    "layer_counts",
    "off_by",
    "one_digit_off",
]

#: A difference, and what it is the difference of.
DIFFERENCES: Mapping[str, tuple[str, str]] = {
    "dAcc": ("TrnAcc", "TestAcc"),
    "dLoss": ("TestLoss", "TrnLoss"),
}


def off_by(run: Run, row: str, place: int) -> int:
    """How far a printed difference is from the difference of the printed cells.

    Args:
        run: The run.
        row: A key of ``DIFFERENCES``.
        place: Column.

    Returns:
        Units of the last digit, with sign.
    """
    first, second = DIFFERENCES[row]
    values = run.values
    return values[row][place] - (values[first][place] - values[second][place])


def audit_differences(runs: Iterable[Run], units: int = 1) -> Finding:
    """Test that each printed difference is one of the cells above it, up to rounding.

    Three rounded numbers a, b and c with a - b = c before rounding satisfy ``|a - b - c| < 1.5``
    in units of the last digit, so 1 at most.

    Args:
        runs: The runs.
        units: Largest deviation that passes; 0 asks for equality of the printed cells.

    Returns:
        The finding over all differences; slack is in units of the last digit.
    """

    def cases() -> Iterator[Case]:
        number = 0
        for run in runs:
            for row, (first, second) in DIFFERENCES.items():
                if not {row, first, second} <= set(run.values):
                    continue
                for place, strength in enumerate(run.strengths):
                    number += 1
                    cells = [run.shown(name, place) for name in (first, second, row)]
                    yield (
                        float(units - abs(off_by(run, row, place))),
                        (number,),
                        f"{run.words}, AR {strength}: {cells[0]} - {cells[1]} is printed as "
                        f"{cells[2]}",
                    )

    return collect(cases(), tolerance=0, family="printed differences of accuracies and losses")


def counts_of_share(percent: int, total: int, *, cut_off: bool = False) -> list[int]:
    """All counts whose share of a total prints as a percentage with two decimals.

    Args:
        percent: The printed percentage in hundredths.
        total: The total.
        cut_off: Whether further digits were dropped and not rounded; both ways of rounding a tie
            pass otherwise.

    Returns:
        The counts.

    Example:
        >>> counts_of_share(7240, 8502), counts_of_share(7240, 8502, cut_off=True)
        ([], [6156])
    """
    low = Fraction(percent if cut_off else 2 * percent - 1, 10_000 if cut_off else 20_000) * total
    high = Fraction(percent + 1 if cut_off else 2 * percent + 1, 10_000 if cut_off else 20_000)
    high *= total
    last = math.ceil(high) - 1 if cut_off else math.floor(high)
    return list(range(max(0, math.ceil(low)), min(total, last) + 1))


def audit_shares(runs: Iterable[Run], *, cut_off: Collection[tuple[str, str, int]] = ()) -> Finding:
    """Test that each accuracy under attack is a share of the correctly classified test images.

    CIFAR-10, CIFAR-100 and Tiny-ImageNet have 10,000 test images each (the validation images of the
    last), so an accuracy in hundredths of a per cent *is* the number of images.

    Args:
        runs: Runs with rows ``TestAcc`` and ``PGD``.
        cut_off: Cells (table, name, strength) in which further digits were dropped, not rounded.

    Returns:
        The finding; slack is 0 where a count exists and else minus the distance to the nearest
        share, in percentage points.
    """

    def cases() -> Iterator[Case]:
        number = 0
        for run in runs:
            for place, strength in enumerate(run.strengths):
                number += 1
                total = run.values["TestAcc"][place]  # of 10,000 images, so a unit is an image
                printed = run.values["PGD"][place]
                dropped = (run.table, run.name, strength) in cut_off
                found = counts_of_share(printed, total, cut_off=dropped)
                nearest = round(printed * total / 10_000)
                away = min(
                    abs(printed / 100 - 100 * (nearest + step) / total) for step in (-1, 0, 1)
                )
                yield (
                    0.0 if found else -away,
                    (number,),
                    f"{run.words}, AR {strength}: {run.shown('PGD', place)} % is no share of "
                    f"{total} images; {nearest}/{total} is {100 * nearest / total:.4f} %",
                )

    return collect(cases(), tolerance=0, family="accuracies under attack")


def chance_of_shares(runs: Iterable[Run]) -> float:
    """How likely percentages chosen at random would all be shares of these totals.

    Args:
        runs: Runs with rows ``TestAcc`` and ``PGD``; numbers above 0 count, once per run.

    Returns:
        The product over the cells of the number of shares with two decimals over 10,001.
    """
    chance = 1.0
    for run in runs:
        for place in range(len(run.strengths)):
            if run.values["PGD"][place]:
                chance *= min(1.0, (run.values["TestAcc"][place] + 1) / 10_001)
    return chance


def audit_printed_twice(first: Run, second: Run) -> Finding:
    """Test that two blocks are the same run printed twice.

    Args:
        first: A run.
        second: Another one.

    Returns:
        The finding over the cells that both have; slack is minus the difference.
    """

    def cases() -> Iterator[Case]:
        number = 0
        for row in first.values:
            if row not in second.values:
                continue
            for place, (one, two) in enumerate(
                zip(first.values[row], second.values[row], strict=True)
            ):
                number += 1
                text = f"{row}: {first.shown(row, place)} and {second.shown(row, place)}"
                yield -abs(one - two) / 10 ** DIGITS[row], (number,), text

    return collect(cases(), tolerance=0, family=f"{first.words}; {second.words}")


def layer_counts(total: str, average: str) -> tuple[float, float, list[int]]:
    """The numbers of layers that a printed total and a printed average allow.

    Args:
        total: The total as printed.
        average: The average as printed.

    Returns:
        The smallest and largest quotient within rounding, and the whole numbers between.

    Example:
        >>> layer_counts("4.7465", "0.1158")[2], layer_counts("0.4372", "0.1103")[2]
        ([41], [])
    """
    ends = []
    for text in (total, average):
        half = Fraction(1, 2 * 10 ** len(text.partition(".")[2]))
        ends.append((Fraction(text) - half, Fraction(text) + half))
    (low, high), (small, large) = ends
    least, most = low / large, high / small
    return float(least), float(most), list(range(math.ceil(least), math.floor(most) + 1))


def one_digit_off(text: str) -> Iterator[str]:
    """Yield the numbers that differ from a printed one in one digit.

    Args:
        text: The number as printed.

    Yields:
        The numbers as text.
    """
    for place, old in enumerate(text):
        yield from (text[:place] + d + text[place + 1 :] for d in "0123456789" if "." != old != d)


def audit_layers(groups: Sequence[tuple[str, str]], layers: Iterable[int] | None) -> Finding:
    """Test that totals and averages belong to whole numbers of layers, and to all of them.

    Args:
        groups: Total and average of each group of layers.
        layers: How many layers there may be together; None asks for whole numbers only.

    Returns:
        The finding: one case per group, and one for the sum of the groups if asked for.
    """
    found = [layer_counts(*group) for group in groups]
    cases: list[Case] = []
    for number, ((total, average), (least, most, whole)) in enumerate(
        zip(groups, found, strict=True)
    ):
        text = f"{total} / {average} lies between {least:.4f} and {most:.4f}"
        middle = (least + most) / 2
        cases.append((0.0 if whole else -abs(middle - round(middle)), (number,), text))
    if layers is not None:
        wanted = set(layers)
        sums = {0}
        for _, _, whole in found:
            sums = {one + two for one in sums for two in whole}
        text = f"the groups have {sorted(sums)} layers, not {sorted(wanted)}"
        cases.append((0.0 if sums & wanted else -1.0, (len(groups),), text))
    return collect(cases, tolerance=0, family="groups of layers")
