"""Counts, correlations and noise of tables of accuracies."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from nbsrc.audits.accuracy_statistics import (
    beyond_noise,
    correlations,
    near_plain_spread,
    noise,
    standard_error,
    summarise,
)
from nbsrc.audits.accuracy_tables import AccuracyTable, Change, changes, read_table

TABLE2, TABLE3 = read_table("A.tab2"), read_table("A.tab3")


def test_summary_counts_every_change_once() -> None:
    found = [Change("m", "wd", "wd1e-2", 0, 0, r) for r in (-30, -10, 0, 20)]
    summary = summarise(found, "robust")
    assert (summary.cells, summary.above, summary.equal, summary.below) == (4, 1, 1, 2)
    assert (summary.mean, summary.median) == (-0.5, -0.5)
    assert (summary.lowest, summary.highest) == (-3.0, 2.0)
    with pytest.raises(ValueError, match="found must hold at least one change"):
        summarise([], "clean")


def test_summary_of_table2_by_another_path() -> None:
    robust = {
        m: np.array([TABLE2.cells[m, "robust", c] for c in TABLE2.columns]) for m in TABLE2.models
    }
    gaps = np.concatenate([v[1:] - v[0] for v in robust.values()])
    summary = summarise(changes(TABLE2), "robust")
    assert summary.below == (gaps < 0).sum() == 42
    assert summary.mean == pytest.approx(gaps.mean() / 10)
    assert summary.lowest == -17.0


def test_correlations_against_numpy_and_pair_counts() -> None:
    for line in correlations(TABLE2):
        clean, robust = (
            [TABLE2.cells[line.model, kind, c] for c in TABLE2.columns]
            for kind in ("clean", "robust")
        )
        assert line.pearson == pytest.approx(np.corrcoef(clean, robust)[0, 1])
        products = np.subtract.outer(clean, clean) * np.subtract.outer(robust, robust)
        assert line.aligned == (products > 0).sum() // 2
        assert line.opposed == (products < 0).sum() // 2
    assert [np.sign(c.pearson) for c in correlations(TABLE2)] == [1, 1, -1, -1]
    assert all(c.pearson > 0 for c in correlations(TABLE3))


def test_a_perfect_tradeoff_has_correlation_minus_one() -> None:
    cells = {("m", "clean", f"wd{i}"): i for i in range(5)}
    cells |= {("m", "robust", f"wd{i}"): 50 - i for i in range(5)}
    table = AccuracyTable("made up", tuple(f"wd{i}" for i in range(5)), cells)
    (line,) = correlations(table)
    assert line.pearson == pytest.approx(-1)
    assert line.spearman == pytest.approx(-1)
    assert (line.opposed, line.aligned) == (10, 0)


def test_standard_error_is_the_deviation_of_a_binomial_share() -> None:
    rng = np.random.default_rng(0)
    drawn = rng.binomial(10_000, 0.35, size=20_000) / 100
    assert standard_error(35) == pytest.approx(drawn.std(), rel=0.03)
    assert standard_error(0) == standard_error(100) == 0
    with pytest.raises(ValueError, match="percent must be between 0 and 100, got 101"):
        standard_error(101)
    with pytest.raises(ValueError, match="images must be at least 1, got 0"):
        standard_error(50, images=0)


def test_noise_of_a_change_has_both_runs() -> None:
    change = changes(TABLE2)[0]
    expected = math.sqrt(standard_error(60.2) ** 2 + standard_error(56.3) ** 2)
    assert noise(TABLE2, change, "robust") == pytest.approx(expected)


def test_beyond_noise_sees_a_table_without_changes() -> None:
    flat = {cell: TABLE2.cells[cell[0], cell[1], "plain"] for cell in TABLE2.cells}
    assert beyond_noise(replace(TABLE2, cells=flat), "robust") == (0, 0)
    up, down = beyond_noise(TABLE2, "robust")
    assert (up, down) == (10, 35)


def test_spread_of_the_weakest_runs() -> None:
    values = [34.8, 31.0, 34.3, 30.6]
    assert near_plain_spread(TABLE2, "robust")["regnet"] == pytest.approx(np.std(values, ddof=1))
