"""Charts of trained networks: what is drawn is what is written."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib.pyplot as plt
import pytest

from nbsrc.plots import operator_norms_digits as plots


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    plt.close("all")


def test_looseness() -> None:
    place = {"training": "standard", "low": 1.0, "middle": 2.0, "high": 3.0}
    figure, rows = plots.draw_looseness([{**place, "place": "data"}, {**place, "place": "bound"}])
    assert rows[0]["middle"] == 2
    assert [tick.get_text() for tick in figure.axes[0].get_xticklabels()] == ["standard"]


def test_noise() -> None:
    figure, rows = plots.draw_noise([{"eps": 0.5, "noise": 0.9, "attack": 0.1}])
    assert rows[0]["attack"] == 0.1
    assert [line.get_ydata()[0] for line in figure.axes[0].lines] == [90, 10]


def test_stability() -> None:
    row = {"eps": 0.1, "spectral": 1e-7, "squares": 1e-6}
    written = plots.draw_stability([row], [row])[1]
    assert [r["what"] for r in written] == ["rounding", "jump"]
