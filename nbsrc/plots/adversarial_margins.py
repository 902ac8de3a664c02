"""Charts of runs with adversarial training of several strengths."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nbsrc.audits.adversarial_margins.records import Groups, Run, Table, gap, layer_values, means
from nbsrc.figures import COLORS, MARKERS
from nbsrc.plots.taps import Rows

__all__ = ["draw_gaps_at_loss", "draw_layers", "draw_margins", "draw_outputs", "draw_trends"]

_HUES = ("blue", "orange", "red", "green", "purple", "black")


def draw_trends(
    panels: Mapping[str, Mapping[str, Table]], ylabels: Sequence[str]
) -> tuple[Figure, Rows]:
    """Draw values against the radius of the training: a line of means, a dot per seed.

    Args:
        panels: By title, tables by name of the line; two panels to a row.
        ylabels: Label of every panel's axis.

    Returns:
        The figure, and a row per dot.
    """
    lines = math.ceil(len(panels) / 2)
    figure, grid = plt.subplots(lines, 2, figsize=(6.4, 2.9 * lines + 0.4), squeeze=False)
    rows: Rows = []
    axes = list(grid.flat)
    names = list(dict.fromkeys(name for tables in panels.values() for name in tables))
    for axis, (title, tables), label in zip(axes, panels.items(), ylabels, strict=False):
        axis.set_title(title, fontsize=10)
        for name, values in tables.items():
            number = names.index(name)
            style = {"color": COLORS[_HUES[number % 6]], "marker": MARKERS[number % 8]}
            centre = means(values)
            axis.plot(list(centre), list(centre.values()), label=name, ms=4, **style)
            for strength, row in values.items():
                axis.scatter([strength] * len(row), row, s=12, alpha=0.4, **style)
                rows += [{"panel": title, "line": name, "radius": strength, "seed": seed,
                          "value": value} for seed, value in enumerate(row)]  # fmt: skip
            axis.set_xticks(sorted({s for t in tables.values() for s in t}))
        axis.set_ylabel(label)
        axis.set_xlabel("radius of training (/255)")
    for axis in axes[len(panels) :]:
        axis.set_visible(False)
    _legend(figure, axes[: len(panels)])
    return figure, rows


def draw_margins(sets: Mapping[str, Groups], part: str = "test") -> tuple[Figure, Rows]:
    """Draw how many margins of probabilities are below a value, for every strength.

    Args:
        sets: Runs by strength, by title of the panel; the first seed is drawn.
        part: ``"train"`` or ``"test"``.

    Returns:
        The figure, and a row per bin.
    """
    figure, axes = plt.subplots(1, len(sets), figsize=(6.4, 3.2), squeeze=False, sharey=True)
    rows: Rows = []
    for axis, (title, groups) in zip(axes[0], sets.items(), strict=True):
        for number, (strength, runs) in enumerate(groups.items()):
            found = runs[0]["measures"]["margins"]
            counts, total = found[part]["counts"], sum(found[part]["counts"])
            shares = [count / total for count in counts]
            name = f"{('weakest', 'middle', 'strongest')[number % 3]} radius"
            axis.stairs(shares, found["edges"], lw=1.8, label=name, color=COLORS[_HUES[number % 6]])
            rows += [
                {"panel": title, "radius": strength, "from": left, "share": share}
                for left, share in zip(found["edges"], shares, strict=False)
            ]
        axis.axvline(0, color=COLORS["black"], lw=0.8)
        axis.set_title(title, fontsize=10)
        axis.set_xlabel("margin of the probabilities")
        axis.set_yscale("log")
    axes[0][0].set_ylabel("share of images per bin")
    _legend(figure, [axes[0][0]])
    return figure, rows


def draw_layers(sets: Mapping[str, Groups], columns: Mapping[str, str]) -> tuple[Figure, Rows]:
    """Draw a statistic of the singular values per layer, weakest and strongest training.

    Args:
        sets: Runs by strength, by title of the column of panels.
        columns: Label of the axis by column of the spectra, a line of panels each.

    Returns:
        The figure, and a row per dot.
    """
    figure, axes = plt.subplots(
        len(columns), len(sets), figsize=(6.4, 2.5 * len(columns) + 0.4), squeeze=False
    )
    rows: Rows = []
    for line, (column, label) in zip(axes, columns.items(), strict=True):
        for axis, (title, groups) in zip(line, sets.items(), strict=True):
            ends = [(min(groups), "weakest radius"), (max(groups), "strongest radius")]
            for (strength, name), hue, marker in zip(ends, ("blue", "red"), "os", strict=True):
                for run in groups[strength]:
                    found = layer_values(run, column)
                    aside = 0.14 if marker == "s" else -0.14
                    axis.scatter(
                        [n + 1 + aside for n in range(len(found))], list(found.values()),
                        s=22, marker=marker,
                        color=COLORS[hue], alpha=0.6,
                        label=name if run is groups[strength][0] else None,
                    )  # fmt: skip
                    rows += [{"panel": title, "statistic": column, "radius": strength,
                              "seed": run["seed"], "layer": layer, "value": value}
                             for layer, value in found.items()]  # fmt: skip
            axis.set_title(title, fontsize=10)
            axis.set_xlabel("layer")
            axis.set_xticks(range(1, len(layer_values(groups[min(groups)][0], column)) + 1))
        line[0].set_ylabel(label)
    _legend(figure, [axes[0][0]])
    return figure, rows


def draw_outputs(groups: Groups, *, part: str = "test") -> tuple[Figure, Rows]:
    """Draw histograms of the label's probability and of the loss, for every strength.

    Args:
        groups: Runs by strength; the first seed is drawn.
        part: ``"train"`` or ``"test"``.

    Returns:
        The figure, and a row per bin.
    """
    figure, axes = plt.subplots(1, 2, figsize=(6.4, 3.2), sharey=True)
    rows: Rows = []
    kinds = (("probabilities", "probability_edges", "probability of the label"),
             ("losses", "loss_edges", "loss of an image"))  # fmt: skip
    for axis, (key, edge_key, label) in zip(axes, kinds, strict=True):
        for number, (strength, runs) in enumerate(groups.items()):
            found: Mapping[str, Any] = runs[0]["measures"]["predictions"]
            counts = found[part][key]
            total = sum(found[part]["probabilities"])
            shares = [count / total for count in counts]
            axis.stairs(shares, found[edge_key], lw=1.8, color=COLORS[_HUES[number % 6]],
                        label=f"radius {strength:g}/255")  # fmt: skip
            rows += [
                {"panel": label, "radius": strength, "from": left, "share": share}
                for left, share in zip(found[edge_key], shares, strict=False)
            ]
        axis.set_xlabel(label)
        axis.set_yscale("log")
    axes[0].set_ylabel("share of images per bin")
    _legend(figure, [axes[0]])
    return figure, rows


def draw_gaps_at_loss(
    sets: Mapping[str, tuple[Sequence[Run], Mapping[str, Sequence[Run]]]],
) -> tuple[Figure, Rows]:
    """Draw the loss gap against the training loss: plain runs of all lengths, and others.

    Args:
        sets: By title of the panel, the plain runs, and further runs by name.

    Returns:
        The figure, and a row per dot.
    """
    figure, axes = plt.subplots(1, len(sets), figsize=(6.4, 3.4), squeeze=False)
    rows: Rows = []
    for axis, (title, (plain, others)) in zip(axes[0], sets.items(), strict=True):
        groups = {"plain, trained for less or more": plain, **others}
        for number, (name, runs) in enumerate(groups.items()):
            found = [(float(r["measures"]["gaps"]["train_loss"]), gap(r)) for r in runs]
            axis.scatter(
                [a for a, _ in found], [b for _, b in found], s=26, label=name, alpha=0.8,
                color=COLORS[("black", "blue", "orange", "red")[number % 4]],
                marker=MARKERS[number % 8],
            )  # fmt: skip
            rows += [{"panel": title, "runs": name, "training loss": a, "gap": b}
                     for a, b in found]  # fmt: skip
        axis.set_xscale("log")
        axis.set_yscale("log")
        axis.set_title(title, fontsize=10)
        axis.set_xlabel("loss on training images")
    axes[0][0].set_ylabel("loss gap, test minus training")
    _legend(figure, [axes[0][0]])
    return figure, rows


def _legend(figure: Figure, axes: Sequence[Axes]) -> None:
    """Put one legend below all panels."""
    found: dict[str, Any] = {}
    for axis in axes:
        for handle, name in zip(*axis.get_legend_handles_labels(), strict=True):
            found.setdefault(name, handle)
    columns = 3 if len(found) == 3 else 2
    figure.legend(
        list(found.values()), list(found), loc="outside lower center", ncols=columns, fontsize=9
    )
