"""Charts of the norms of layers in training, and of adversarially trained networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

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

_NORMS = {"l1": r"$\ell_1$", "linf": r"$\ell_\infty$"}


def draw_norms_in_training(runs: Mapping[str, Run], order: str = "l1") -> tuple[Figure, Rows]:
    """Draw the norms of all layers after every epoch, weights on the left, batch norm right.

    Args:
        runs: A run for each line of panels, by its title.
        order: The norm.

    Returns:
        The figure, and a row per run, layer and epoch.
    """
    figure, axes = plt.subplots(
        len(runs), 2, figsize=(6.4, 1.5 * len(runs) + 0.6), sharex=True, sharey="col",
        squeeze=False,
    )  # fmt: skip
    rows: Rows = []
    for line, (title, run) in enumerate(runs.items()):
        for column, kinds, color in ((0, WEIGHTS, "blue"), (1, BATCH_NORM, "red")):
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
            axis.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            axis.yaxis.set_major_formatter("{x:g}")
            axis.yaxis.set_minor_formatter(NullFormatter())
        axes[line][0].set_ylabel(title.replace(", ", ",\n"), fontsize=9)
    axes[0][0].set_title(f"{_NORMS.get(order, order)} norm of convolutions, linear", fontsize=9)
    axes[0][1].set_title("norm of batch norm", fontsize=9)
    for axis in axes[-1]:
        axis.set_xlabel("epoch")
    return figure, rows


def draw_layer_ratios_of(found: Sequence[Pair], order: str = "linf") -> tuple[Figure, Rows]:
    """Draw every layer's norm over that of the plain partner, a row per network and method.

    The seeds of a row stand one below the other.

    Args:
        found: The pairs.
        order: The norm.

    Returns:
        The figure, and a row per layer.
    """
    ordered = sorted(found, key=lambda p: (p.run["model"]["name"], method_of(p.run)))
    names = list(dict.fromkeys(f"{p.run['model']['name']} {method_of(p.run)}" for p in ordered))
    seeds = sorted({pair.run["seed"] for pair in found})
    figure, axis = plt.subplots(figsize=(6.4, 0.46 * len(names) + 1.2))
    rows: Rows = []
    for pair in found:
        name = f"{pair.run['model']['name']} {method_of(pair.run)}"
        ends = [epoch_norms(run["history"][-1], order) for run in (pair.run, pair.plain)]
        ratios = {layer: norm / ends[1][layer] for layer, norm in ends[0].items()}
        place = seeds.index(pair.run["seed"])
        height = names.index(name) + 0.24 * (place - (len(seeds) - 1) / 2)
        axis.scatter(
            list(ratios.values()), [height] * len(ratios), color=COLORS["blue"],
            marker=MARKERS[place % len(MARKERS)], s=12, alpha=0.6,
        )  # fmt: skip
        rows += [
            {"run": pair.run["label"], "seed": pair.run["seed"], "layer": layer, "ratio": ratio}
            for layer, ratio in ratios.items()
        ]
    axis.axvline(1, color=COLORS["black"], lw=1)
    axis.set_xscale("log")
    axis.set_yticks(range(len(names)), names, fontsize=8)
    axis.invert_yaxis()
    axis.set_xlabel(
        f"{_NORMS.get(order, order)} norm of a layer / same layer of the plain network (no unit)"
    )
    return figure, rows
