"""The charts of adversarially trained networks."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt

from nbsrc.plots import adversarial_margins as plots


def a_run(radius: float) -> Any:
    rows = [{"name": n, "std": radius} for n in ("a", "b")]
    part = {"counts": [1, 3], "probabilities": [1, 3], "losses": [2, 1]}
    return {
        "label": "run", "seed": 0, "axes": {"radius": radius},
        "measures": {
            "spectra": {"layers": rows}, "margins": {"edges": [-1, 0, 1], "test": part},
            "gaps": {"train_loss": 0.1, "test_loss": 0.3},
            "predictions": {"probability_edges": [0, 0.5, 1], "loss_edges": [0, 5, 10],
                            "test": part},
        },
    }  # fmt: skip


GROUPS = {4.0: [a_run(4)], 16.0: [a_run(16)]}


def test_every_value_is_a_dot() -> None:
    tables = {"PGD": {4.0: [1.0, 2.0], 16.0: [3.0]}, "FGSM": {4.0: [1.0]}}
    figure, rows = plots.draw_trends({"digits": tables, "b": tables, "c": tables}, ["gap"] * 3)
    assert len(rows) == 12
    assert sum(axis.get_visible() for axis in figure.axes) == 3
    plt.close(figure)


def test_histograms_are_shares() -> None:
    figure, rows = plots.draw_margins({"digits": GROUPS})
    assert [row["share"] for row in rows] == [0.25, 0.75] * 2
    plt.close(figure)
    figure, rows = plots.draw_outputs(GROUPS)
    assert [row["share"] for row in rows[4:6]] == [0.5, 0.25]  # the rest lies beyond the edge
    plt.close(figure)


def test_layers_and_gaps() -> None:
    figure, rows = plots.draw_layers({"digits": GROUPS}, {"std": "spread"})
    assert [row["value"] for row in rows] == [4.0, 4.0, 16.0, 16.0]
    plt.close(figure)
    figure, rows = plots.draw_gaps_at_loss({"digits": ([a_run(0)], {"AR": [a_run(4)]})})
    assert [round(row["gap"], 3) for row in rows] == [0.2, 0.2]
    plt.close(figure)
