"""The panels show every curve, and the rows what they show."""

from __future__ import annotations

import matplotlib.pyplot as plt

from nbsrc.experiments import load_recorded
from nbsrc.plots.regularisers_in_practice import draw_divergence, draw_robustness


def test_a_panel_per_network_and_attack() -> None:
    record = load_recorded("D_mnist_binary")
    assert record is not None
    figure, rows = draw_robustness(record)
    axes = figure.axes
    plt.close(figure)
    assert len(axes) == 8
    assert all(len(axis.containers) == 4 for axis in axes)
    assert {row["attack"] for row in rows} == {"FGSM", "PGD", "DeepFool", "C&W"}
    assert max(row["strength"] for row in rows) == 1.6
    mlp = [row for row in rows if row["network"] == "lenet_300_100" and row["attack"] == "PGD"]
    assert len(mlp) == 32
    assert max(row["initialisations"] for row in mlp) == 10


def test_failing_curves_end_where_numbers_do() -> None:
    figure, rows = draw_divergence({0.5: [1.0, 0.5, 0.25], 2.0: [4.0, 8.0, float("inf")]})
    (axis,) = figure.axes
    curves = [list(line.get_ydata()) for line in axis.get_lines()]
    plt.close(figure)
    assert curves == [[2.0, 1.0, 0.5], [2.0, 4.0]]
    assert [row["fails"] for row in rows] == [False] * 3 + [True] * 2
