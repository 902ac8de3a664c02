"""Tables of accuracies at a glance: changes against plain as maps, and clean against robust."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from nbsrc.audits.accuracy_statistics import correlations, near_plain_spread
from nbsrc.audits.accuracy_tables import ACCURACIES, METHODS, AccuracyTable, Change, changes
from nbsrc.figures import COLORS, MARKERS
from nbsrc.plots.taps import Rows

__all__ = ["MODEL_NAMES", "draw_changes", "draw_tradeoff", "setting_label"]

MODEL_NAMES = {"vgg": "VGG", "resnet": "ResNet", "senet": "SENet", "regnet": "RegNet"}
_SHORT = {
    "wd": "weight\ndecay",
    "svc": "singular\nvalue\nclipping",
    "l1": "$\\ell_1$ norm\ndecay",
    "li": "$\\ell_\\infty$ norm\ndecay",
}
_DARK = 20.0  # points: changes of this size and more have the darkest colour
_MAP = LinearSegmentedColormap.from_list("loss_gain", [COLORS["red"], "white", COLORS["blue"]])


def setting_label(column: str) -> str:
    """Return the strength that a column's name holds, as it is printed.

    Args:
        column: Such as ``"l1_1e-3"`` or ``"svc0.5"``.

    Returns:
        The strength, powers of ten in mathematical notation.

    Example:
        >>> setting_label("l1_1e-3"), setting_label("svc0.5")
        ('$10^{-3}$', '0.5')
    """
    strength = column.removeprefix("wd").removeprefix("svc").rpartition("_")[2]
    return f"$10^{{{strength[2:]}}}$" if strength.startswith("1e") else strength


def draw_changes(table: AccuracyTable, *, marked: Sequence[str] = ()) -> tuple[Figure, Rows]:
    """Draw what every regularised run changes against plain, as two maps with numbers.

    Args:
        table: The table.
        marked: Columns whose label gets a star.

    Returns:
        The figure, and a row per run.
    """
    found = changes(table)
    methods = [m for m in METHODS if table.block(m)]
    lines = [(m, c) for m in methods for c in table.block(m)]
    figure, axes = plt.subplots(1, 2, figsize=(7, 0.29 * len(lines) + 1.5), sharey=True)
    for axis, accuracy in zip(axes, ACCURACIES, strict=True):
        values = {(c.model, c.column): getattr(c, accuracy) / 10 for c in found}
        _draw_map(axis, table.models, lines, values)
        axis.set_title(f"{accuracy} accuracy", fontsize=11)
    labels = [setting_label(c) + ("*" if c in marked else "") for _, c in lines]
    axes[0].set_yticks(range(len(lines)), labels, fontsize=10)
    for method in methods:
        where = [number for number, (m, _) in enumerate(lines) if m == method]
        axes[0].text(
            -0.30, float(np.mean(where)), _SHORT[method], ha="right", va="center", fontsize=10,
            transform=axes[0].get_yaxis_transform(),
        )  # fmt: skip
    figure.supxlabel("change against the plain run, percentage points", fontsize=10)
    return figure, [_row(change) for change in found]


def _draw_map(
    axis: Axes,
    models: Sequence[str],
    lines: Sequence[tuple[str, str]],
    values: dict[tuple[str, str], float],
) -> None:
    """Draw one map: a line per setting, a column per model; colours grow with the square root."""
    grid = np.array([[values[model, column] for model in models] for _, column in lines])
    shade = np.sign(grid) * np.sqrt(np.minimum(np.abs(grid), _DARK) / _DARK)
    axis.imshow(shade, cmap=_MAP, vmin=-1.15, vmax=1.15, aspect="auto")
    for (y, x), value in np.ndenumerate(grid):
        text = "0" if value == 0 else _signed(value, 1)
        axis.text(x, y, text, ha="center", va="center", fontsize=10)
    for y, ((method, _), (following, _)) in enumerate(itertools.pairwise(lines)):
        if method != following:
            axis.axhline(y + 0.5, color="black", lw=1.5)
    axis.set_xticks(range(len(models)), [MODEL_NAMES.get(m, m) for m in models], fontsize=10)
    axis.tick_params(length=0)
    axis.grid(visible=False)


def _signed(value: float, digits: int) -> str:
    """Return a number with its sign, a minus that is as wide as a plus."""
    return f"{value:+.{digits}f}".replace("-", "\N{MINUS SIGN}")


def _row(change: Change) -> dict[str, object]:
    """Return a change as a line of the figure's data."""
    return {
        "model": change.model,
        "method": METHODS[change.method],
        "column": change.column,
        "clean_change": change.clean / 10,
        "robust_change": change.robust / 10,
    }


def draw_tradeoff(table: AccuracyTable) -> tuple[Figure, Rows]:
    """Draw robust against clean accuracy of every run, one panel per model, with the correlation.

    The bar beside the plain run is two standard deviations of the four nearly unregularised runs
    to either side: what a table of single runs lets one guess about the spread between seeds.

    Args:
        table: The table.

    Returns:
        The figure, and a row per run.
    """
    height = math.ceil(len(table.models) / 2)
    figure, axes = plt.subplots(height, 2, figsize=(7, 2.9 * height + 0.6), squeeze=False)
    spread = near_plain_spread(table, "robust")
    colors = dict(zip(METHODS, ("blue", "orange", "green", "purple"), strict=True))
    rows: Rows = []
    for axis, line in zip(axes.flat, correlations(table), strict=False):
        at = {k: [table.cells[line.model, k, c] / 10 for c in table.columns] for k in ACCURACIES}
        for number, method in enumerate(METHODS):
            chosen = [i for i, c in enumerate(table.columns) if c.startswith(method)]
            axis.plot(
                [at["clean"][i] for i in chosen], [at["robust"][i] for i in chosen],
                MARKERS[number], ls="none", color=COLORS[colors[method]], ms=7,
                markeredgecolor="black", markeredgewidth=0.6,
            )  # fmt: skip
        axis.errorbar(
            at["clean"][0], at["robust"][0], yerr=2 * spread[line.model], fmt="*", ms=15,
            color="black", capsize=4,
        )  # fmt: skip
        name = MODEL_NAMES.get(line.model, line.model)
        axis.set_title(f"{name}: correlation {_signed(line.pearson, 2)}", fontsize=11)
        rows += [
            {"model": line.model, "column": c, "clean": at["clean"][i], "robust": at["robust"][i]}
            for i, c in enumerate(table.columns)
        ]
    handles = [
        Line2D([], [], marker=MARKERS[i], ls="none", color=COLORS[colors[m]], ms=7, mec="black",
               mew=0.6, label=_SHORT[m].replace("\n", " ")) for i, m in enumerate(METHODS)
    ]  # fmt: skip
    handles.append(Line2D([], [], marker="*", ls="none", color="black", ms=12, label="plain"))
    figure.legend(handles=handles, loc="outside lower center", ncols=3, fontsize=10)
    for axis in axes[-1]:
        axis.set_xlabel("clean accuracy, %")
    for axis in axes[:, 0]:
        axis.set_ylabel("robust accuracy, %")
    return figure, rows
