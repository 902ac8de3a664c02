"""Cells that are computed from other cells, and lines that are printed twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.margin_tables.printed import Line, Table
from nbsrc.claims import Finding

__all__ = ["Derived", "audit_gaps", "audit_possible", "audit_same_lines", "derived_cells"]

#: Gap, its minuend and its subtrahend; an error gap is the difference of accuracies.
_GAPS = (("dAcc", "TrnAcc", "TestAcc"), ("dLoss", "TestLoss", "TrnLoss"))


@dataclass(frozen=True)
class Derived:
    """A printed gap beside the difference of the two printed numbers.

    Attributes:
        line: The line of the gap.
        index: Which cell.
        expected: The difference of the printed numbers, in units of the last place.
        room: How many units rounding explains.
    """

    line: Line
    index: int
    expected: int
    room: int

    @property
    def error(self) -> int:
        """Printed gap minus difference, in units."""
        return self.line.cells[self.index] - self.expected

    @property
    def words(self) -> str:
        """The cell, what is printed, and what the printed numbers give."""
        scale = 10**self.line.decimals
        given = f"{self.expected / scale:.{self.line.decimals}f}"
        at = f"{self.line.words}, AR {self.line.strengths[self.index]}"
        return f"{at}: {self.line.text(self.index)} printed, {given} from the printed cells"


def derived_cells(table: Table) -> list[Derived]:
    """Return every gap of a table.

    A loss is an average rounded to its last place. The difference of two such losses, itself
    rounded, may differ from the difference of the printed ones by one unit. A test accuracy is a
    count of 10,000 images and needs no rounding at two decimals. Rounding commutes with
    subtracting a multiple of the unit, so an error gap must equal the difference of the printed
    accuracies.

    Args:
        table: The table.

    Returns:
        One entry per cell.
    """
    found = []
    for gap, minuend, subtrahend in _GAPS:
        for line in table.pick(gap):
            parts = {x.quantity: x for x in table.lines if x.net == line.net}
            if minuend not in parts or subtrahend not in parts:
                continue
            pairs = zip(parts[minuend].cells, parts[subtrahend].cells, strict=True)
            room = 0 if gap == "dAcc" else 1
            found += [Derived(line, i, a - b, room) for i, (a, b) in enumerate(pairs)]
    return found


def audit_gaps(*tables: Table) -> Finding:
    """Test that every printed gap is a possible rounding of its difference.

    Loss gaps are tested with intervals; accuracies of whole counts leave no room.

    Args:
        *tables: The tables.

    Returns:
        A finding over the gaps; the slack is the room left, in units of the last place.
    """

    def cases() -> Iterator[Case]:
        for number, cell in enumerate(x for table in tables for x in derived_cells(table)):
            yield float(cell.room - abs(cell.error)), (number,), cell.words

    return collect(cases(), tolerance=0, family=f"every gap of {_names(tables)}")


def audit_possible(*tables: Table) -> Finding:
    """Test what every cell obeys: percentages from 0 to 100, losses above 0.

    A loss of 0 is possible for no network with finite scores, but its rounding is.

    Args:
        *tables: The tables.

    Returns:
        A finding over the cells that are no gaps; the slack is the room, in the cell's own unit.
    """

    def cases() -> Iterator[Case]:
        number = 0
        for line in (x for table in tables for x in table.lines):
            for index, strength in enumerate(line.strengths):
                value = line.value(index)
                if line.quantity in ("TrnAcc", "TestAcc", "PGD"):
                    room = min(value, 100 - value)
                elif line.quantity in ("TrnLoss", "TestLoss"):
                    room = value
                else:
                    continue
                number += 1
                yield float(room), (number,), f"{line.words}, AR {strength}: {line.text(index)}"

    return collect(cases(), tolerance=0, family=f"cells of {_names(tables)}")


def audit_same_lines(first: Sequence[Line], second: Sequence[Line]) -> Finding:
    """Test that two blocks of lines are the same numbers.

    Args:
        first: The lines of one printing.
        second: Those of the other, with the same quantities.

    Returns:
        A finding over the cells; the slack is minus the difference.

    Raises:
        ValueError: If the blocks have not the same quantities and strengths.
    """
    others = {line.quantity: line for line in second}
    if {x.quantity for x in first} != set(others):
        raise ValueError("both blocks must have the same quantities")

    def cases() -> Iterator[Case]:
        number = 0
        for line in first:
            other = others[line.quantity]
            if line.strengths != other.strengths:
                raise ValueError("both blocks must have the same strengths")
            for index, strength in enumerate(line.strengths):
                error = abs(line.value(index) - other.value(index))
                number += 1
                text = f"AR {strength}: {line.words} {line.text(index)}, {other.words} "
                yield -float(Fraction(error)), (number,), text + other.text(index)

    return collect(cases(), tolerance=0, family=f"{sum(len(x.cells) for x in first)} cells")


def _names(tables: Sequence[Table]) -> str:
    return ", ".join(f"Table {table.name.removeprefix('C.tab')}" for table in tables)
