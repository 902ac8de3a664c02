"""The charts of the chapter on perturbations draw what they are given."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pytest

from nbsrc.audits.connections.inequality_map import INEQUALITIES, inequality_map
from nbsrc.audits.connections.ten_digits import Distances
from nbsrc.plots import perturbations as plots


@pytest.fixture(autouse=True)
def _close() -> None:
    yield
    plt.close("all")


def test_confidence() -> None:
    figure, rows = plots.draw_confidence(21)
    assert len(rows) == 3 * 21
    middle = next(r for r in rows if r["penalty"] == "curvature" and abs(r["p_y"] - 0.5) < 1e-9)
    assert middle["weight"] == pytest.approx(0.25)
    assert middle["absolute slope"] == pytest.approx(0)
    assert len(figure.axes) == 2


def test_bound_ratios() -> None:
    curves = [
        {"K": K, "bound": b, "odds": o, "ratio": K / o} for K in (2, 3) for b in "ab"
        for o in (1.0, 2.0)
    ]  # fmt: skip
    figure, rows = plots.draw_bound_ratios(curves)
    assert rows == curves
    assert [axis.get_title() for axis in figure.axes] == ["K = 2", "K = 3"]
    line = figure.axes[1].get_lines()[0]
    assert list(line.get_ydata()) == [3.0, 1.5]


def test_map_has_a_symbol_per_possible_cell() -> None:
    cells = inequality_map((2, 4), (0.3, 0.9))
    figure, rows = plots.draw_inequality_map(cells)
    assert rows == cells
    assert len(figure.axes) == len(INEQUALITIES)
    for axis, name in zip(figure.axes, INEQUALITIES, strict=True):
        fails = sum(r["is"] == "fails" for r in cells if r["inequality"] == name)
        assert sum(text.get_text() == "×" for text in axis.texts) == fails


def test_phases_mark_the_given_values() -> None:
    figure, rows = plots.draw_phases({"one": 1.0})
    assert {r["penalty"] for r in rows} == {"input gradient", "curvature"}
    signs = {r["penalty"]: r["slope"] for r in rows if r["nu gamma"] == pytest.approx(2.0)}
    assert signs["input gradient"] < 0 < signs["curvature"]
    assert any(text.get_text() == " one" for text in figure.axes[0].texts)


def test_drift_shows_zero_on_the_floor() -> None:
    figure, rows = plots.draw_drift({"same": [0.0, 0.0], "other": [0.0, 0.5]})
    assert [r["difference"] for r in rows] == [0.0, 0.0, 0.0, 0.5]
    assert min(figure.axes[0].get_lines()[0].get_ydata()) == 1e-17


def test_times() -> None:
    times = [{"method": "exact", "inputs": 784, "milliseconds": 0.5}]
    figure, rows = plots.draw_curvature_times(times)
    assert rows == times
    assert figure.axes[0].get_yticklabels()[0].get_text() == "exact, n = 784"


def test_distances() -> None:
    points = [Distances(7, 0.5, True, 2.0, 0.25, 1.0, 0.9)]
    figure, rows = plots.draw_distances(points)
    assert rows[0]["image"] == 7
    assert rows[0]["taylor"] == 2.0
    labels = [line.get_label() for line in figure.axes[0].get_lines()]
    assert len(labels) == 4
