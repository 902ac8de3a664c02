"""Percentages as counts: which printed accuracies are a share of whole images."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.margin_tables.intervals import Interval, rounded
from nbsrc.audits.margin_tables.printed import Line, Table
from nbsrc.claims import Finding

__all__ = [
    "IMAGES", "Attacked", "attacked", "audit_accuracies", "audit_conditional", "chance",
    "expected_by_chance", "nearest", "possible_counts"
]  # fmt: skip

#: Test images of CIFAR10 and CIFAR100, and validation images of Tiny-ImageNet.
IMAGES = 10_000


@dataclass(frozen=True)
class Attacked:
    """A printed accuracy under attack with the test accuracy of the same network.

    Attributes:
        pgd: Line of the accuracy under attack.
        test: Line of the test accuracy.
        index: Which cell.
    """

    pgd: Line
    test: Line
    index: int

    @property
    def correct(self) -> Fraction:
        """How many test images were classified correctly without attack."""
        return self.test.value(self.index) * IMAGES / 100

    @property
    def counts(self) -> list[int]:
        """How many of them may have stayed correct: those whose share rounds to the cell."""
        return possible_counts(self.pgd.cells[self.index], int(self.correct))

    @property
    def unconditional(self) -> Interval:
        """Accuracy under attack among all test images, in per cent.

        Counts of images where one fits, else the product of the two printed percentages.
        """
        if self.counts:
            ends = [Fraction(100 * k, IMAGES) for k in self.counts]
            return Interval(min(ends), max(ends))
        share = self.pgd.interval(self.index)
        test = self.test.value(self.index) / 100
        return Interval(share.low * test, share.high * test)

    @property
    def words(self) -> str:
        """The cell with the number of images it is a share of."""
        at = f"{self.pgd.words}, AR {self.pgd.strengths[self.index]}"
        return f"{at}: {self.pgd.text(self.index)} of {int(self.correct)} images"


def attacked(*tables: Table) -> list[Attacked]:
    """Return every accuracy under attack of some tables.

    Args:
        *tables: The tables.

    Returns:
        One entry per cell, in printed order.
    """
    return [
        Attacked(line, table.line(line.net, "TestAcc"), index)
        for table in tables
        for line in table.pick("PGD")
        for index, _ in enumerate(line.strengths)
    ]


def possible_counts(cell: int, images: int) -> list[int]:
    """Return the counts whose share rounds to a printed percentage.

    Args:
        cell: The percentage in hundredths of a point.
        images: Number of images, at least 1.

    Returns:
        The counts; empty if there is none.

    Raises:
        ValueError: If there is no image.

    Example:
        >>> possible_counts(3333, 3), possible_counts(5000, 3)
        ([1], [])
    """
    if images < 1:
        raise ValueError(f"images must be at least 1, got {images}")
    share = rounded(cell, 2)
    ends = Interval(max(share.low, Fraction(0)), min(share.high, Fraction(100)))
    return Interval(ends.low * images / 100, ends.high * images / 100).whole_numbers()


def nearest(cell: int, images: int) -> tuple[Fraction, Fraction]:
    """Return the two shares of whole images around a printed percentage.

    Args:
        cell: The percentage in hundredths of a point.
        images: Number of images.

    Returns:
        The largest share that is at most the percentage and the smallest that is above, per cent.
    """
    below = math.floor(Fraction(cell * images, 10_000))
    return Fraction(100 * below, images), Fraction(100 * (below + 1), images)


def audit_accuracies(*tables: Table, images: int = IMAGES) -> Finding:
    """Test that every test accuracy is a share of so many whole images.

    Args:
        *tables: The tables.
        images: Size of the test set.

    Returns:
        A finding over the cells; the slack is 0, or minus the distance to the nearest rounding.
    """

    def cases() -> Iterator[Case]:
        number = 0
        for line in (x for table in tables for x in table.pick("TestAcc")):
            for index, cell in enumerate(line.cells):
                number += 1
                text = f"{line.words}, AR {line.strengths[index]}: {line.text(index)} of {images}"
                yield _slack(cell, images), (number,), text

    return collect(cases(), tolerance=0, family=f"test accuracies, {images} images")


def audit_conditional(cells: Sequence[Attacked]) -> Finding:
    """Test that every accuracy under attack is a share of the correctly classified images.

    Args:
        cells: The cells.

    Returns:
        A finding over the cells; the slack is 0, or minus the distance in points by which the
        nearest share misses the rounding interval.
    """

    def cases() -> Iterator[Case]:
        for number, cell in enumerate(cells):
            images = int(cell.correct)
            printed = cell.pgd.cells[cell.index]
            low, high = (float(x) for x in nearest(printed, images))
            text = f"{cell.words}; nearest shares {low:.3f} and {high:.3f}"
            yield _slack(printed, images), (number,), text

    return collect(cases(), tolerance=0, family=f"{len(cells)} accuracies under attack")


def _slack(cell: int, images: int) -> float:
    if possible_counts(cell, images):
        return 0.0
    value = Fraction(cell, 100)
    distance = min(abs(value - x) for x in nearest(cell, images))
    return float(Fraction(1, 200) - distance)


def chance(images: int) -> Fraction:
    """Return how likely a random percentage of two decimals is a share of whole images.

    Args:
        images: Number of images.

    Returns:
        The share of the 10,001 percentages from 0.00 to 100.00 that some count rounds to.

    Example:
        >>> chance(10_000), chance(1) == Fraction(2, 10_001)
        (Fraction(1, 1), True)
    """
    reached: set[int] = set()
    for k in range(images + 1):
        twice = Fraction(20_000 * k, images)  # two roundings where the share is half way
        low = math.ceil((twice - 1) / 2)
        reached.update(range(low, math.floor((twice + 1) / 2) + 1))
    return Fraction(len(reached), 10_001)


def expected_by_chance(cells: Sequence[Attacked], successes: int) -> tuple[float, float]:
    """Return what random percentages would do.

    Args:
        cells: The cells.
        successes: A number of cells that are shares.

    Returns:
        The expected number of shares among random percentages, and the probability of at least
        ``successes``.
    """
    shares = [float(chance(int(cell.correct))) for cell in cells]
    law = [1.0]
    for p in shares:
        longer = [0.0] * (len(law) + 1)
        for k, weight in enumerate(law):
            longer[k] += weight * (1 - p)
            longer[k + 1] += weight * p
        law = longer
    return sum(shares), sum(law[successes:])
