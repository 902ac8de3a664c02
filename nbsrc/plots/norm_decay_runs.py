"""Charts of the norms of layers in training, and of adversarially trained networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from nbsrc.audits.norm_decay_runs.records import (
    BATCH_NORM,
    WEIGHTS,
    Pair,
    Run,
    epoch_norms,
    method_of,
)
from nbsrc.figures import COLORS, MARKERS
from nbsrc.plots.taps import Rows

__all__ = ["draw_layer_ratios_of", "draw_norms_in_training"]


def draw_norms_in_training(runs: Mapping[str, Run], order: str = "l1") -> tuple[Figure, Rows]:
    """Draw the norms of all layers after every epoch, weights above and batch norm below.

    Args:
        runs: A run for each column, by its title.
        order: The norm.

    Returns:
        The figure, and a row per run, layer and epoch.
    """
    figure, axes = plt.subplots(
        2, len(runs), figsize=(2.3 * len(runs), 4.6), sharex=True, sharey="row", squeeze=False
    )
    rows: Rows = []
    for column, (title, run) in enumerate(runs.items()):
        axes[0][column].set_title(title, fontsize=9)
        for line, kinds, color in ((0, WEIGHTS, "blue"), (1, BATCH_NORM, "red")):
            axis = axes[line][column]
            curves: dict[str, list[tuple[int, float]]] = {}
            for epoch in run["history"]:
                for name, norm in epoch_norms(epoch, order, kinds).items():
                    curves.setdefault(name, []).append((epoch["epoch"], norm))
                    rows.append({"run": run["label"], "layer": name, "epoch": epoch["epoch"],
                                 "norm": norm})  # fmt: skip
            for curve in curves.values():
                axis.plot(*zip(*curve, strict=True), color=COLORS[color], lw=1, alpha=0.6)
            axis.set_yscale("log")
        axes[1][column].set_xlabel("epoch")
    axes[0][0].set_ylabel(f"{order} norm of\nconvolutions, linear")
    axes[1][0].set_ylabel("norm of batch norm")
    return figure, rows


def draw_layer_ratios_of(found: Sequence[Pair], order: str = "linf") -> tuple[Figure, Rows]:
    """Draw every layer's norm over that of the plain partner, a line per network and method.

    Args:
        found: The pairs.
        order: The norm.

    Returns:
        The figure, and a row per layer.
    """
    names = list(dict.fromkeys(f"{p.run['model']['name']} {method_of(p.run)}" for p in found))
    figure, axis = plt.subplots(figsize=(6.4, 0.38 * len(names) + 1.2))
    rows: Rows = []
    for pair in found:
        name = f"{pair.run['model']['name']} {method_of(pair.run)}"
        ends = [epoch_norms(run["history"][-1], order) for run in (pair.run, pair.plain)]
        ratios = {layer: norm / ends[1][layer] for layer, norm in ends[0].items()}
        axis.scatter(
            list(ratios.values()), [names.index(name)] * len(ratios), color=COLORS["blue"],
            marker=MARKERS[pair.run["seed"]], s=16, alpha=0.5,
        )  # fmt: skip
        rows += [
            {"run": pair.run["label"], "seed": pair.run["seed"], "layer": layer, "ratio": ratio}
            for layer, ratio in ratios.items()
        ]
    axis.axvline(1, color=COLORS["black"], lw=1)
    axis.set_xscale("log")
    axis.set_yticks(range(len(names)), names, fontsize=8)
    axis.invert_yaxis()
    axis.set_xlabel(f"{order} norm of a layer / same layer of the plain network (no unit)")
    return figure, rows
