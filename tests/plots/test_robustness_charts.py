"""Charts of the chain, of activations and of 1/x: their rows are what is drawn."""

from __future__ import annotations

import math
from collections.abc import Iterator

import matplotlib.pyplot as plt
import numpy as np
import pytest

from nbsrc.audits.robustness.activations import ActivationRow
from nbsrc.audits.robustness.chain import Links
from nbsrc.audits.robustness.reciprocal import best_error
from nbsrc.plots import robustness_charts as charts

LINKS = [
    Links("plain", 3.0, 20.0, 6.0, 0.0, 1.0, 1.0, decided=True),
    Links("inflated", 1e6, 1e24, 6.0, 0.0, 1.0, 1.0, decided=True),
    Links("wrong", 3.0, 2.0, 0.5, 1e-9, 1.0, 0.0, decided=True),
]


@pytest.fixture(autouse=True)
def _close() -> Iterator[None]:
    yield
    plt.close("all")


@pytest.mark.parametrize("count", [1, 3])
def test_chain(count: int) -> None:
    figure, rows = charts.draw_chain(LINKS[:count])
    axis = figure.axes[0]
    assert [row["network"] for row in rows] == [x.name for x in LINKS[:count]]
    assert len(axis.lines) == count
    stages = ("layer_norm", "product", "global_constant", "local_constant")
    for drawn, row, link in zip(axis.lines, rows, LINKS, strict=False):
        assert [row[stage] for stage in stages] == [getattr(link, stage) for stage in stages]
        assert row["robust accuracy"] == link.robust_accuracy
        heights = np.asarray(drawn.get_ydata())
        wanted = np.maximum([row[stage] for stage in stages], 1e-8)
        shift = heights / wanted
        assert np.ptp(shift) < 1e-12 * shift[0]  # one hair for the whole line
        assert 1 / 4 < shift[0] < 4
        assert drawn.get_linestyle() == ("-" if link.robust_accuracy == 1 else ":")
        assert link.name in drawn.get_label()
    low, high = axis.get_ylim()
    assert low < 1e-8 < 1e24 < high


def test_chain_has_a_colour_and_a_marker_for_seven_networks() -> None:
    figure, _ = charts.draw_chain([LINKS[0]] * 7)
    looks = {(x.get_color(), x.get_marker()) for x in figure.axes[0].lines}
    assert len(looks) == 7


def test_activations() -> None:
    table = [
        ActivationRow("ReLU", "as constructed", 0.0, 1e-14, certified=True, robust_accuracy=1),
        ActivationRow("x squared", "iterated", 0.04, 2e-6, certified=False, robust_accuracy=1),
        ActivationRow("softplus", "unscaled", math.inf, 2.0, certified=True, robust_accuracy=0),
    ]
    figure, rows = charts.draw_activations(table)
    axis = figure.axes[0]
    assert [row["name"] for row in rows] == ["softplus", "x squared", "ReLU"]  # bottom to top
    labels = [text.get_text() for text in axis.get_yticklabels()]
    assert labels == [f"{row['name']} ({row['road']})" for row in rows]
    dots = [line for line in axis.lines if line.get_marker() == "o"]
    assert [float(x.get_xdata()[0]) for x in dots] == [row["deviation"] for row in rows]
    assert [x.get_markerfacecolor() == "white" for x in dots] == [
        not row["certified"] for row in rows
    ]
    bars = [float(line.get_xdata()[0]) for line in axis.lines if line.get_marker() == "|"]
    assert bars == [math.inf, 0.04, 1e-15]
    thresholds = [line for line in axis.lines if line.get_linestyle() == "--"]
    assert [float(line.get_xdata()[0]) for line in thresholds] == [0.5]
    assert charts.draw_activations([])[1] == []


def test_reciprocal() -> None:
    figure, rows = charts.draw_reciprocal(101)
    fits, errors = figure.axes
    x, target = (np.asarray(part) for part in fits.lines[0].get_data())
    assert target == pytest.approx(1 / x)
    for drawn, slope in zip(fits.lines[1:], (1.0, 2.0), strict=True):
        fit = np.asarray(drawn.get_ydata())
        assert np.abs(np.diff(fit) / np.diff(x)).max() <= slope + 1e-9
        assert np.abs(fit - target).max() == pytest.approx(best_error(slope), abs=1e-4)
    formula, dots = errors.lines
    assert list(dots.get_xdata()) == [row["slope"] for row in rows]
    assert list(dots.get_ydata()) == [row["linear programme"] for row in rows]
    curve = dict(zip(formula.get_xdata(), formula.get_ydata(), strict=True))
    assert all(curve[row["slope"]] == row["formula"] for row in rows)
    for row in rows:
        assert row["linear programme"] == pytest.approx(row["formula"], abs=1e-3)


def test_reciprocal_on_two_points() -> None:
    _, rows = charts.draw_reciprocal(2)
    assert len(rows) == 10
