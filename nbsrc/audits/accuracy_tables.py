"""Tables of clean and robust accuracies as data: cells, changes against plain, agreement.

Accuracies are held as integers in tenths of a percentage point, as printed, so that every
difference is exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nbsrc import claims
from nbsrc.audits.finding import collect
from nbsrc.claims import Finding

__all__ = [
    "ACCURACIES", "FILLED", "METHODS", "AccuracyTable", "Cell", "Change",
    "agreement", "changes", "possible", "read_table"
]  # fmt: skip

ACCURACIES = ("clean", "robust")
#: Names of the methods by the prefix of their columns.
METHODS: Mapping[str, str] = {
    "wd": "weight decay",
    "svc": "singular value clipping",
    "l1": "l1 norm decay",
    "li": "linf norm decay",
}
Cell = tuple[str, str, str]  # model, accuracy, column
#: Cells of Table 3 that the scan lacks and the ledger filled from Table 2.
FILLED: frozenset[Cell] = frozenset(
    (model, accuracy, column)
    for model in ("vgg", "resnet")
    for accuracy in ACCURACIES
    for column in ("li_1e-3", "li_1e-4", "li_1e-5")
)


@dataclass(frozen=True)
class AccuracyTable:
    """A printed table of accuracies.

    Attributes:
        name: The ledger row it comes from.
        columns: Column names, ``plain`` first; the others are a method's prefix and a strength,
            strongest first within a method.
        cells: Accuracy in tenths of a point by (model, accuracy, column).
    """

    name: str
    columns: tuple[str, ...]
    cells: Mapping[Cell, int]

    @property
    def models(self) -> tuple[str, ...]:
        """The models in printed order."""
        return tuple(dict.fromkeys(model for model, _, _ in self.cells))

    def block(self, method: str) -> tuple[str, ...]:
        """Return the columns of a method, strongest first.

        Args:
            method: A key of ``METHODS``.

        Returns:
            The column names.
        """
        return tuple(c for c in self.columns if c.startswith(method))

    def planted(self, values: Mapping[Cell, float]) -> AccuracyTable:
        """Return a copy with other values, for negative controls.

        Args:
            values: Percentages by cell.

        Returns:
            The changed table.

        Raises:
            ValueError: If a cell does not exist.
        """
        unknown = [cell for cell in values if cell not in self.cells]
        if unknown:
            raise ValueError(f"values must name cells of {self.name}, got {unknown[0]}")
        new = {cell: round(10 * value) for cell, value in values.items()}
        return replace(self, cells={**self.cells, **new})

    def shuffled(self, seed: int) -> AccuracyTable:
        """Return a copy with the robust accuracies of each model in random order.

        Args:
            seed: Seed of the order.

        Returns:
            The changed table; plain stays where it is.
        """
        rng = np.random.default_rng(seed)
        new = dict(self.cells)
        for model in self.models:
            order = rng.permutation(self.columns[1:])
            for column, source in zip(self.columns[1:], order, strict=True):
                new[model, "robust", column] = self.cells[model, "robust", str(source)]
        return replace(self, cells=new)


@dataclass(frozen=True)
class Change:
    """A regularised run against the plain run of the same model, in tenths of a point.

    Attributes:
        model: The model.
        method: Key of ``METHODS``.
        column: The column, which names method and strength.
        rank: 0 for the strongest setting of the method in this table.
        clean: Change of clean accuracy.
        robust: Change of robust accuracy.
    """

    model: str
    method: str
    column: str
    rank: int
    clean: int
    robust: int

    @property
    def words(self) -> str:
        """The run in words."""
        return f"{self.model}, {self.column.replace('_', ' ')}"


def read_table(claim_id: str) -> AccuracyTable:
    """Read a transcribed table from the ledger.

    Args:
        claim_id: ``"A.tab2"``, ``"A.tab3"``, ``"A.tab4"`` or ``"A.poster.table"``.

    Returns:
        The table.

    Raises:
        ValueError: If the row holds no table of this form.
    """
    row = claims.row(claim_id)
    if row.columns is None or not isinstance(row.data, Mapping) or row.columns[0] != "plain":
        raise ValueError(f"claim_id must name a table of accuracies, got {claim_id!r}")
    cells: dict[Cell, int] = {}
    for model, lines in row.data.items():
        for accuracy in ACCURACIES:
            values: list[Any] = lines[accuracy]
            for column, value in zip(row.columns, values, strict=True):
                cells[model, accuracy, column] = round(10 * float(value))
    return AccuracyTable(claim_id, tuple(row.columns), cells)


def changes(table: AccuracyTable) -> list[Change]:
    """Return every regularised run of a table against plain.

    Args:
        table: The table.

    Returns:
        One change per model and column but the plain one.
    """
    found = []
    for model in table.models:
        for method in METHODS:
            for rank, column in enumerate(table.block(method)):
                clean, robust = (
                    table.cells[model, accuracy, column] - table.cells[model, accuracy, "plain"]
                    for accuracy in ACCURACIES
                )
                found.append(Change(model, method, column, rank, clean, robust))
    return found


def agreement(
    first: AccuracyTable, second: AccuracyTable, *, leave_out: Iterable[Cell] = ()
) -> Finding:
    """Compare two printings of the same numbers cell by cell.

    Args:
        first: A table.
        second: A table with other or further columns.
        leave_out: Cells that agree by construction and prove nothing.

    Returns:
        A finding over the cells both have; slack is minus the difference in points.
    """
    skipped = set(leave_out)
    common = [cell for cell in first.cells if cell in second.cells and cell not in skipped]
    cases = (
        (
            -abs(first.cells[cell] - second.cells[cell]) / 10,
            (number,),
            f"{cell[0]} {cell[1]} {cell[2]}: {first.cells[cell] / 10} in {first.name}, "
            f"{second.cells[cell] / 10} in {second.name}",
        )
        for number, cell in enumerate(common)
    )
    return collect(cases, tolerance=0, family=f"{len(common)} cells of both tables")


def possible(table: AccuracyTable) -> Finding:
    """Test what every pair of accuracies obeys: 0 <= robust <= clean <= 100.

    An attack of radius eps may leave the image as it is, so the robust accuracy on a set of images
    is at most the clean one on the same set.

    Args:
        table: The table.

    Returns:
        A finding over the pairs; slack is the smallest room in points.
    """
    cases = []
    for number, (model, accuracy, column) in enumerate(table.cells):
        if accuracy == "clean":
            clean, robust = (
                table.cells[model, "clean", column],
                table.cells[model, "robust", column],
            )
            room = min(robust, clean - robust, 1000 - clean) / 10
            text = f"{model} {column}: clean {clean / 10}, robust {robust / 10}"
            cases.append((room, (number,), text))
    return collect(cases, tolerance=0, family=f"{len(cases)} pairs of clean and robust accuracy")
