"""The printed tables as runs: one network trained at several strengths of adversarial training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from nbsrc import claims

__all__ = ["DIGITS", "TABLES", "Run", "read_runs", "select"]

#: Decimals that are printed: accuracies are percentages.
DIGITS: Mapping[str, int] = {
    "TrnAcc": 2, "TestAcc": 2, "dAcc": 2, "PGD": 2, "TrnLoss": 3, "TestLoss": 3, "dLoss": 3,
}  # fmt: skip
#: The tables of accuracies and losses, and their data set; Table 2 names it in each block.
TABLES: Mapping[str, str | None] = {
    "C.tab2": None, "C.tab3": "CIFAR10", "C.tab4": "CIFAR100", "C.tab5": "Tiny-ImageNet",
    "C.tab6": "CIFAR10",
}  # fmt: skip


@dataclass(frozen=True)
class Run:
    """One block of a table.

    Attributes:
        table: The ledger row, such as ``"C.tab3"``.
        name: The block's name: a network, or a bound on spectral norms.
        data: The data set.
        strengths: Strengths of adversarial training (0 to 255), in printed order.
        values: For each row of the block the printed numbers, in units of the last digit.
    """

    table: str
    name: str
    data: str
    strengths: tuple[int, ...]
    values: Mapping[str, tuple[int, ...]]

    @property
    def words(self) -> str:
        """The run in words."""
        return f"Table {self.table[-1]}, {self.data}, {self.name}"

    def shown(self, row: str, place: int) -> str:
        """A printed number with its decimals.

        Args:
            row: Name of the row.
            place: Column, from 0.

        Returns:
            The number as text.

        Example:
            >>> Run("C.tab3", "net", "CIFAR10", (4,), {"dLoss": (40,)}).shown("dLoss", 0)
            '0.040'
        """
        digits = DIGITS[row]
        return f"{self.values[row][place] / 10**digits:.{digits}f}"

    def planted(self, row: str, place: int, units: int) -> Run:
        """A copy with one number changed, for negative controls.

        Args:
            row: Name of the row.
            place: Column, from 0.
            units: What to add, in units of the last digit.

        Returns:
            The changed run.

        Raises:
            ValueError: If there is no such cell.
        """
        if row not in self.values or not 0 <= place < len(self.strengths):
            raise ValueError(f"{self.words} has no cell {row!r}, {place}")
        cells = list(self.values[row])
        cells[place] += units
        return replace(self, values={**self.values, row: tuple(cells)})


def read_runs() -> list[Run]:
    """Read the blocks of Tables 2 to 6 from the ledger.

    Returns:
        The runs in printed order.
    """
    found = []
    for table, data in TABLES.items():
        content: Mapping[str, Any] = claims.row(table).data
        strengths = tuple(content["columns_AR"])
        for name, block in content.items():
            if name == "columns_AR":
                continue
            values = {
                row: tuple(round(number * 10 ** DIGITS[row]) for number in numbers)
                for row, numbers in block.items()
            }
            network = "ResNet-56, FGSM" if data is None else name
            found.append(Run(table, network, data or name, strengths, values))
    return found


def select(
    runs: Iterable[Run], *, table: str | None = None, data: str | None = None,
    name: str | None = None,
) -> list[Run]:  # fmt: skip
    """Choose runs.

    Args:
        runs: The runs.
        table: The ledger row of their table.
        data: Their data set.
        name: Their name.

    Returns:
        Those that agree with what is given.

    Raises:
        ValueError: If there are none.
    """
    chosen = [
        run for run in runs
        if table in {None, run.table} and data in {None, run.data} and name in {None, run.name}
    ]  # fmt: skip
    if not chosen:
        raise ValueError(f"no run has table {table!r}, data {data!r}, name {name!r}")
    return chosen
