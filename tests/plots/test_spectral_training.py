"""The charts show what they are given."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pytest

from nbsrc.audits.spectral_training.settings import Series
from nbsrc.plots.spectral_training import Panel, draw_against_setting, draw_panels


def run(level: float) -> dict[str, object]:
    line = {"mean": [level, level / 2], "se": [0.1, 0.1]}
    return {"curve": line | {"radii": [1.0, 2.0]}, "spectrum": {"features": line, "random": line}}


GROUP = {"standard": [run(1.0), run(3.0)], "AT": [run(1.0), run(1.0)]}


def test_curves_are_means_over_seeds() -> None:
    panel = Panel("digits", GROUP, ("curve",), ("standard", "AT", "d.d. SNR"), line=1.5)
    figure, rows = draw_panels([panel], x="radius", y="accuracy")
    shown = {(row["method"], row["x"]): row["mean"] for row in rows}
    assert shown["standard", 1.0] == pytest.approx(2.0)
    assert shown["AT", 2.0] == pytest.approx(0.5)
    legend = figure.axes[1].get_legend()
    assert legend is not None
    assert legend.get_texts()[1].get_text() == "AT"
    plt.close(figure)


def test_ranks_start_at_one_and_the_baseline_is_named() -> None:
    panel = Panel("digits", GROUP, ("spectrum", "features"), ("AT",), None, ("spectrum", "random"))
    figure, rows = draw_panels([panel], x="rank", y="value", scale="log")
    assert [row["x"] for row in rows] == [1.0, 2.0, 1.0, 2.0]
    assert {row["method"] for row in rows} == {"AT", "random"}
    plt.close(figure)


def test_settings() -> None:
    first = Series([0.1, 1.0], [1.0, 0.9], [0.2, 0.5], [[0.1, 0.3], [0.5, 0.5]])
    second = Series([0.0, 1.0], [1.0, 0.9], [0.4, 0.5], [[0.4], [0.5]])
    figure, rows = draw_against_setting(
        [("a", first), ("b", second), ("c", second)], ["step", "share", "share"], [0.1, None, None]
    )
    assert len(rows) == 12
    assert figure.axes[0].get_xscale() == "log"
    assert not figure.legends
    assert figure.axes[3].get_legend() is not None
    plt.close(figure)
