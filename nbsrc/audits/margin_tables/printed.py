"""Tables 2 to 6 as data: lines of cells against the strength of adversarial training.

Cells are held as whole numbers of units of the last printed place, so that every difference is
exact. The numbers are those of the ledger's rows.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from nbsrc import claims
from nbsrc.audits.margin_tables.intervals import Interval, rounded, units

__all__ = ["DECIMALS", "NAMES", "Line", "Step", "Table", "read_table"]

#: Printed decimals by quantity: percentages have two, losses three.
DECIMALS: Mapping[str, int] = {
    "TrnAcc": 2, "TestAcc": 2, "dAcc": 2, "PGD": 2, "TrnLoss": 3, "TestLoss": 3, "dLoss": 3
}  # fmt: skip
#: Quantities in words.
NAMES: Mapping[str, str] = {
    "TrnAcc": "training accuracy", "TestAcc": "test accuracy", "dAcc": "error gap",
    "PGD": "accuracy under attack", "TrnLoss": "training loss", "TestLoss": "test loss",
    "dLoss": "loss gap",
}  # fmt: skip
_DATASETS = {"C.tab3": "CIFAR10", "C.tab4": "CIFAR100", "C.tab5": "Tiny-ImageNet"}
_DATASETS["C.tab6"] = "CIFAR10"


@dataclass(frozen=True)
class Step:
    """Two neighbouring cells of a line.

    Attributes:
        line: The line.
        start: Index of the first cell.
    """

    line: Line
    start: int

    @property
    def change(self) -> int:
        """Second cell minus first, in units of the last place."""
        return self.line.cells[self.start + 1] - self.line.cells[self.start]

    @property
    def words(self) -> str:
        """The line, the two strengths and the two cells."""
        one, two = self.start, self.start + 1
        at = f"AR {self.line.strengths[one]} to {self.line.strengths[two]}"
        return f"{self.line.words}, {at}: {self.line.text(one)} to {self.line.text(two)}"


@dataclass(frozen=True)
class Line:
    """One printed line of a table.

    Attributes:
        table: The ledger's row.
        dataset: The data set.
        net: The network, the spectral control of Table 6, the data set in Table 2.
        quantity: A key of ``DECIMALS``.
        strengths: Strengths of adversarial training, in 1/255.
        cells: The cells in units of the last place.
    """

    table: str
    dataset: str
    net: str
    quantity: str
    strengths: tuple[int, ...]
    cells: tuple[int, ...]

    @property
    def decimals(self) -> int:
        """How many decimals are printed."""
        return DECIMALS[self.quantity]

    @property
    def change(self) -> int:
        """Last cell minus first, in units."""
        return self.cells[-1] - self.cells[0]

    @property
    def words(self) -> str:
        """Table, data set, network and quantity."""
        name = f"Table {self.table.removeprefix('C.tab')}"
        net = "FGSM" if self.net == self.dataset else self.net
        return f"{name}, {self.dataset}, {net}, {NAMES[self.quantity]}"

    def steps(self) -> list[Step]:
        """Return the pairs of neighbouring cells.

        Returns:
            One step fewer than cells.
        """
        return [Step(self, i) for i, _ in enumerate(itertools.pairwise(self.cells))]

    def text(self, index: int) -> str:
        """Return a cell as printed.

        Args:
            index: Which cell.

        Returns:
            The number with its decimals.
        """
        return f"{self.cells[index] / 10**self.decimals:.{self.decimals}f}"

    def value(self, index: int) -> Fraction:
        """Return a cell as an exact number.

        Args:
            index: Which cell.

        Returns:
            The number.
        """
        return Fraction(self.cells[index], 10**self.decimals)

    def interval(self, index: int) -> Interval:
        """Return the numbers that round to a cell.

        Args:
            index: Which cell.

        Returns:
            The interval.
        """
        return rounded(self.cells[index], self.decimals)


@dataclass(frozen=True)
class Table:
    """A printed table.

    Attributes:
        name: The ledger's row.
        lines: Its lines in printed order.
    """

    name: str
    lines: tuple[Line, ...]

    @property
    def nets(self) -> tuple[str, ...]:
        """Networks in printed order; data sets in Table 2."""
        return tuple(dict.fromkeys(line.net for line in self.lines))

    def pick(self, *quantities: str, nets: Iterable[str] | None = None) -> list[Line]:
        """Return the lines of some quantities.

        Args:
            *quantities: Keys of ``DECIMALS``.
            nets: Networks to keep; all by default.

        Returns:
            The lines in printed order.
        """
        kept = self.nets if nets is None else tuple(nets)
        return [x for x in self.lines if x.quantity in quantities and x.net in kept]

    def line(self, net: str, quantity: str) -> Line:
        """Return one line.

        Args:
            net: The network.
            quantity: A key of ``DECIMALS``.

        Returns:
            The line.

        Raises:
            ValueError: If the table has no such line.
        """
        for line in self.pick(quantity, nets=[net]):
            return line
        raise ValueError(f"{self.name} must have the line {quantity} of {net}, and has it not")

    def planted(self, values: Mapping[tuple[str, str, int], float]) -> Table:
        """Return a copy with other cells, for negative controls.

        Args:
            values: Printed numbers by network, quantity and strength.

        Returns:
            The changed table.

        Raises:
            ValueError: If a cell does not exist.
        """
        lines = {(x.net, x.quantity): x for x in self.lines}
        for (net, quantity, strength), value in values.items():
            line = lines.get((net, quantity))
            if line is None or strength not in line.strengths:
                raise ValueError(f"values must name cells of {self.name}, got {net}, {quantity}")
            cells = list(line.cells)
            cells[line.strengths.index(strength)] = units(value, line.decimals)
            lines[net, quantity] = replace(line, cells=tuple(cells))
        return replace(self, lines=tuple(lines.values()))


def read_table(claim_id: str) -> Table:
    """Read a printed table from the ledger.

    Args:
        claim_id: ``"C.tab2"`` to ``"C.tab6"``.

    Returns:
        The table.

    Raises:
        ValueError: If the row holds no such table.
    """
    row = claims.row(claim_id)
    if not isinstance(row.data, Mapping) or "columns_AR" not in row.data:
        raise ValueError(f"claim_id must name a table over strengths, got {claim_id!r}")
    strengths = tuple(int(x) for x in row.data["columns_AR"])
    lines = []
    for net, block in row.data.items():
        if net == "columns_AR":
            continue
        dataset = _DATASETS.get(claim_id, str(net))
        for quantity, printed in block.items():
            cells = tuple(units(x, DECIMALS[quantity]) for x in printed)
            if len(cells) != len(strengths):
                raise ValueError(f"{claim_id}: {net}, {quantity} must have {len(strengths)} cells")
            lines.append(Line(claim_id, dataset, net, quantity, strengths, cells))
    return Table(claim_id, tuple(lines))
