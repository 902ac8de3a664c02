"""Arithmetic on the printed tables: ratios recomputed from the cells."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Ratio", "table1_ratios"]


class Ratio(NamedTuple):
    """A ratio of two printed times.

    Attributes:
        value: Slower time divided by faster time.
        kernel: The kernel (height, width, inputs, outputs) of the row.
        slow: Column of the slower method.
        fast: Column of the faster method.
    """

    value: float
    kernel: str
    slow: str
    fast: str


def table1_ratios(columns: list[str], rows: list[list[object]]) -> list[Ratio]:
    """Return every ratio of a competitor's time to one of ours in Table 1, largest first.

    Args:
        columns: The table's columns: the kernel, two competitors, two of ours.
        rows: The table's rows in that order.

    Returns:
        Four ratios per row.

    Raises:
        ValueError: If a row has not five cells.

    Example:
        >>> table1_ratios(["kernel", "a", "b", "c", "d"], [["k", 8, 4, 2, 1]])[0]
        Ratio(value=8.0, kernel='k', slow='a', fast='d')
    """
    ratios = []
    for row in rows:
        if len(row) != 5 or len(columns) != 5:
            raise ValueError(f"rows must have five cells, got {row!r}")
        kernel, *times = row
        for slow in (0, 1):
            for fast in (2, 3):
                value = float(str(times[slow])) / float(str(times[fast]))
                names = columns[slow + 1], columns[fast + 1]
                ratios.append(Ratio(value, str(kernel), *names))
    return sorted(ratios, reverse=True)
