"""Arithmetic on printed tables."""

from __future__ import annotations

import pytest

from nbsrc.audits.tables import Ratio, table1_ratios

COLUMNS = ["kernel", "slow", "slower", "fast", "faster"]


def test_ratios_of_every_pair_largest_first() -> None:
    rows = [["a", 6, 8, 2, 4], ["b", "30", 10.0, 1, 5]]
    found = table1_ratios(COLUMNS, rows)
    assert found[0] == Ratio(30.0, "b", "slow", "fast")
    assert [r.value for r in found] == sorted((3, 1.5, 4, 2, 30, 6, 10, 2), reverse=True)
    assert {(r.kernel, r.slow, r.fast) for r in found} == {
        (k, s, f) for k in "ab" for s in ("slow", "slower") for f in ("fast", "faster")
    }


@pytest.mark.parametrize("row", [[], ["k", 1, 2, 3], ["k", 1, 2, 3, 4, 5]])
def test_rows_of_a_wrong_length(row: list[object]) -> None:
    with pytest.raises(ValueError, match="rows must have five cells, got"):
        table1_ratios(COLUMNS, [row])
    with pytest.raises(ValueError, match="rows must have five cells"):
        table1_ratios(COLUMNS[:4], [["k", 1, 2, 3, 4]])


def test_no_rows() -> None:
    assert table1_ratios(COLUMNS, []) == []
