"""Charts of operator norms: what is drawn is what is written."""

from __future__ import annotations

import math
from collections.abc import Iterator

import matplotlib.pyplot as plt
import pytest
import torch

from nbsrc.plots import operator_norms as plots


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    plt.close("all")


def test_landscape_shows_a_local_and_the_global_maximum() -> None:
    J = torch.tensor([[2.0, 0.0], [1.0, 2.0]], dtype=torch.float64)
    figure, rows = plots.draw_landscape(J, (math.inf, 2.0), [[1.0, -0.8], [1.0, 0.1]], 0.1)
    last = [row["gain"] for row in rows if row["step"] == 40]
    assert last == pytest.approx([math.sqrt(5), math.sqrt(13)])
    assert max(row["gain"] for row in rows) == pytest.approx(math.sqrt(13))
    assert len(figure.axes) == 2


def test_shares() -> None:
    given = [
        {"pair": "(1, inf)", "share of starts": 0.25, "mean gap": 0.1, "best of 10": 1.0},
        {"pair": "(2, 2)", "share of starts": 1.0, "mean gap": 0.0, "best of 10": 1.0},
    ]
    figure, rows = plots.draw_shares(given)
    assert rows == given
    assert [bar.get_height() for bar in figure.axes[0].patches] == [25, 100]
    assert [tick.get_text() for tick in figure.axes[0].get_xticklabels()] == ["(1, ∞)", "(2, 2)"]


def test_extraction_draws_a_line_per_method_and_one_for_the_exact_ways() -> None:
    given = [
        {"method": "vmap of vjp", "parameter": None, "median": 1e-7, "largest": 2e-7},
        {"method": "differences", "parameter": 0.1, "median": 1e-3, "largest": 2e-3},
        {"method": "differences", "parameter": 1.0, "median": 1e-4, "largest": 2e-4},
    ]
    figure, rows = plots.draw_extraction(given)
    assert len(figure.axes[0].lines) == 2
    assert rows[0]["parameter"] == ""


def test_ratios() -> None:
    ratio = {"radii": 1.0, "median": 0.5, "p90": 0.9, "largest": 1.0}
    assert plots.draw_ratios([ratio])[1] == [ratio]
