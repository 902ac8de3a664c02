"""Charts of networks and times."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pytest

from nbsrc.plots.networks import draw_layer_ratios, draw_norms_before_after, draw_times


@pytest.fixture(autouse=True)
def _close() -> None:
    yield
    plt.close("all")


def test_layer_ratios_show_what_is_outside_without_colour() -> None:
    layers = [
        {"name": "in", "ratio": 1.0, "assumption1": True, "groups": 1},
        {"name": "out", "ratio": 2.0, "assumption1": False, "groups": 4},
    ]
    figure, rows = draw_layer_ratios({"net": layers})
    inside, outside = figure.axes[0].lines[:2]
    assert (inside.get_marker(), outside.get_marker()) == ("o", "D")
    assert outside.get_markerfacecolor() == "white"
    assert [row["number"] for row in rows] == [1, 2]


def test_times_skip_what_was_not_measured() -> None:
    figure, rows = draw_times(["k1", "k2"], {"ours": [1.0, None], "paper": [2.0, 3.0]}, "ms")
    ours, paper = figure.axes[0].lines
    assert list(ours.get_xdata()) == [0]
    assert paper.get_linestyle() == "--"
    assert rows[1] == {"kernel": "k2", "method": "ours", "value": None}


def test_norms_before_and_after() -> None:
    figure, rows = draw_norms_before_after({"conv": 1.0}, {"plain": {"conv": 3.0}}, "norm")
    assert [row["norm"] for row in rows] == [1.0, 3.0]
    assert figure.axes[0].get_xlabel() == "norm"
