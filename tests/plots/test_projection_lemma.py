"""The charts of the page on the projection lemma draw what they are given."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pytest

from nbsrc.plots import projection_lemma as plots


@pytest.fixture(autouse=True)
def _close() -> None:
    yield
    plt.close("all")


def test_ties() -> None:
    figure, rows = plots.draw_ties((0.5, 8.0))
    assert len(figure.axes) == 4
    assert len(rows) == 4
    for row in rows:
        if row["alpha"] == 8:  # past the exact step
            assert row["projection"] == row["limit"] != row["printed"]
    labels = {line.get_label() for line in figure.axes[0].get_lines()}
    assert {"start v", "limit as printed", "nearest maximiser to v"} <= labels


def test_steps() -> None:
    _, rows = plots.draw_steps(points=9, measured=3)
    assert len(rows) == 9
    for row in rows:
        assert row["found"] == pytest.approx(row["worst"], abs=1e-9)
    assert all(r["found"] < 1e-12 for r in rows if r["ratio"] >= 2 and r["p"] != "p = 2")


def test_slow() -> None:
    figure, rows = plots.draw_slow((2, 10), decades=3)
    last = {r["p"]: r["y"] for r in rows if r["alpha"] == pytest.approx(1000)}
    assert last["p = 2"] == pytest.approx(1e-3, rel=1e-3)
    assert last["p = 2"] < last["p = 10"] < last[r"p = $\infty$"] == 1
    assert len(figure.axes[0].texts) == 3


def test_twice() -> None:
    _, rows = plots.draw_twice([(2, 1), (1, 0)], points=9)
    by = {(r["z"], r["1/p"]): r["difference"] for r in rows}
    for end in (0.0, 0.5, 1.0):
        assert by["[2, 1]", end] == pytest.approx(0, abs=1e-15)
    assert by["[2, 1]", 0.25] > 0.05
    assert by["[1, 0]", 0.25] == 0


def test_regression() -> None:
    _, rows = plots.draw_regression(1.0, 1.0, 0.5, points=26)
    assert rows[0].keys() == {"w", "worst", "regularised", "printed", "repaired"}
    for row in rows:
        assert row["worst"] == pytest.approx(row["regularised"]) == pytest.approx(row["repaired"])
    assert min(row["printed"] for row in rows) < 0.1 < min(row["worst"] for row in rows)
