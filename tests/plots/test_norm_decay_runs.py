"""The charts of trained networks' norms."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt

from nbsrc.audits.norm_decay_runs.records import Pair
from nbsrc.plots.norm_decay_runs import draw_layer_ratios_of, draw_norms_in_training


def a_run(norms: list[float], regularizer: list[Any] = ()) -> Any:  # type: ignore[assignment]
    history = [
        {"epoch": n, "norms": [{"name": "conv1", "kind": "conv", "l1": v, "linf": 2 * v},
                               {"name": "bn1", "kind": "batch-norm", "l1": 1.0, "linf": 1.0}]}
        for n, v in enumerate(norms)
    ]  # fmt: skip
    return {"label": "a", "seed": 0, "model": {"name": "resnet18"}, "history": history,
            "regularizer": list(regularizer), "settings": {"weight_decay": 0.0}}  # fmt: skip


def test_every_norm_of_every_epoch_is_drawn() -> None:
    figure, rows = draw_norms_in_training({"plain": a_run([1.0, 2.0])})
    assert [r["norm"] for r in rows if r["layer"] == "conv1"] == [1.0, 2.0]
    assert len(rows) == 4
    assert all(axis.get_yscale() == "log" for axis in figure.axes)
    plt.close(figure)


def test_ratios_are_those_to_the_plain_run() -> None:
    pair = Pair(a_run([1.0, 6.0], [{"kind": "Trades"}]), a_run([1.0, 2.0]))
    figure, rows = draw_layer_ratios_of([pair])
    assert [r["ratio"] for r in rows] == [3.0]
    assert figure.axes[0].get_yticklabels()[0].get_text() == "resnet18 TRADES"
    plt.close(figure)
