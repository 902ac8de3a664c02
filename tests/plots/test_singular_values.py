"""The charts of the page on singular values draw what they are given."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pytest

from nbsrc.audits.singular_values.concentration import Zigzag
from nbsrc.plots import singular_values as plots


@pytest.fixture(autouse=True)
def _close() -> None:
    yield
    plt.close("all")


def test_spread() -> None:
    figure, rows = plots.draw_spread((0.0, 0.5), count=4000, seed=0)
    assert len(rows) == 3 * 2 * 2
    at_zero = {r["shape"][:4]: r["formula"] for r in rows
               if r["function"] == "square" and r["std of sigma"] < 1e-9}  # fmt: skip
    assert at_zero["squa"] == pytest.approx(0, abs=1e-12)
    assert at_zero["tall"] == pytest.approx(0, abs=1e-12)
    assert at_zero["wide"] == pytest.approx(0.2)
    assert min(r["formula"] for r in rows if r["function"] == "relu") > 0.05
    assert all(abs(r["formula"] - r["sample"]) < 0.1 for r in rows)
    assert len(figure.axes) == 2


def test_layer_statistics() -> None:
    rows = [{"network": n, "layer": str(i), "type": "Linear", "std": 1.0 + i, "std / mean": 0.5}
            for n in "ab" for i in range(3)]  # fmt: skip
    figure, found = plots.draw_layer_statistics(rows)
    assert found == rows
    assert list(figure.axes[0].get_lines()[0].get_ydata()) == [1.0, 2.0, 3.0]


def test_margin_and_loss() -> None:
    figure, rows = plots.draw_margin_and_loss((2, 10), count=40, seed=0)
    assert {r["classes"] for r in rows} == {2, 10}
    assert [axis.get_title() for axis in figure.axes] == ["2 classes", "10 classes"]
    assert max(abs(r["margin"]) for r in rows) <= 4


def test_loss_curve() -> None:
    rows = [{"scale": s, "train": 1 / s, "test": 1 / s + s / 10, "gap": s / 10,
             "test accuracy": 0.9} for s in (0.5, 1.0, 2.0)]  # fmt: skip
    figure, found = plots.draw_loss_curve(rows)
    assert found == rows
    assert list(figure.axes[0].get_lines()[0].get_xdata()) == [0.5, 1.0, 2.0]


def test_spectra() -> None:
    rows = [{"spectrum": n, "index": i, "value": 3.0 - i} for n in "ab" for i in (1, 2)]
    figure, found = plots.draw_spectra(rows)
    assert found == rows
    assert len(figure.axes[0].get_lines()) == 2


def test_concentration() -> None:
    figure, rows = plots.draw_concentration({"teeth": Zigzag(1, 0, 2)}, points=15)
    assert len(rows) == 15
    assert next(r["margin"] for r in rows if r["x"] == pytest.approx(1.0)) == pytest.approx(-1)
    assert figure.axes[0].get_ylabel() == "margin (no unit)"
