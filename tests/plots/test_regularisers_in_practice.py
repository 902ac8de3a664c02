"""The panels show every curve, and the rows what they show."""

from __future__ import annotations

import matplotlib.pyplot as plt

from nbsrc.experiments import load_recorded
from nbsrc.plots.regularisers_in_practice import draw_robustness


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
