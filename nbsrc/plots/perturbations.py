"""Charts of the penalties of Guo et al.: confidence, bounds, inequalities, phases, trainings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from nbsrc.audits.connections.confidence import WEIGHTS, slope_of
from nbsrc.audits.connections.inequality_map import INEQUALITIES
from nbsrc.audits.connections.ten_digits import Distances
from nbsrc.audits.connections.tied import slopes
from nbsrc.figures import COLORS
from nbsrc.plots.taps import Rows

__all__ = [
    "draw_bound_ratios",
    "draw_confidence",
    "draw_curvature_times",
    "draw_distances",
    "draw_drift",
    "draw_inequality_map",
    "draw_phases",
]

LINES = ("-", "--", "-.", ":")
CELLS = {"holds": ("#9CCDE8", "●"), "fails": ("#EBA27A", "×"), "impossible": ("#FFFFFF", "")}


def draw_confidence(points: int = 199) -> tuple[Figure, Rows]:
    """Draw Figure 3: what multiplies ``nu^2`` in each penalty, and the size of its slope.

    Args:
        points: Probabilities on the axis.

    Returns:
        The figure, and a row per probability and penalty.
    """
    p = torch.linspace(0.005, 0.995, points, dtype=torch.float64)
    figure, axes = plt.subplots(2, 1, figsize=(7, 5.6), sharex=True)
    colors = {"cross-Lipschitz": "black", "input gradient": "blue", "curvature": "green"}
    rows: Rows = []
    for (name, weight), line in zip(WEIGHTS.items(), LINES, strict=False):
        values, steep = weight(p), slope_of(weight, p).abs()
        style = {"color": COLORS[colors[name]], "linestyle": line, "label": name}
        axes[0].plot(p.numpy(), values.numpy(), **style)
        axes[1].plot(p.numpy(), steep.numpy(), **style)
        rows += [
            {"penalty": name, "p_y": a, "weight": b, "absolute slope": c}
            for a, b, c in zip(p.tolist(), values.tolist(), steep.tolist(), strict=True)
        ]
    for axis in axes:
        axis.axvline(0.5, color="#666666", lw=1)
    axes[0].set_ylabel(r"penalty / $\nu^2$ (no unit)")
    axes[1].set_ylabel("absolute slope (no unit)")
    axes[1].set_xlabel(r"probability of the label $p_y$ (misclassified left of 1/2)")
    axes[0].legend()
    return figure, rows


def draw_bound_ratios(curves: Sequence[Mapping[str, Any]]) -> tuple[Figure, Rows]:
    """Draw bounds divided by the exact value, one panel per number of classes.

    Args:
        curves: Rows with ``K``, ``bound``, ``odds`` (``p_y / (1 - p_y)``) and ``ratio``.

    Returns:
        The figure, and the rows.
    """
    classes = list(dict.fromkeys(row["K"] for row in curves))
    names = list(dict.fromkeys(row["bound"] for row in curves))
    figure, axes = plt.subplots(
        1, len(classes), figsize=(3.2 * len(classes), 3.9), sharey=True, squeeze=False
    )
    palette = [COLORS[c] for c in ("red", "orange", "blue", "black")]
    for axis, K in zip(axes.flat, classes, strict=True):
        for number, name in enumerate(names):
            line = [row for row in curves if row["K"] == K and row["bound"] == name]
            axis.plot(
                [row["odds"] for row in line], [row["ratio"] for row in line],
                LINES[number], color=palette[number], label=name,
            )  # fmt: skip
        axis.axhline(1, color="#666666", lw=1)
        axis.set_xscale("log")
        axis.set_title(f"K = {K}", fontsize=10)
        axis.set_xlabel(r"odds $p_y/(1-p_y)$")
    axes[0, 0].set_ylabel(r"bound / exact $\Vert r^*\Vert_2$ (no unit)")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=9)
    return figure, [dict(row) for row in curves]


def draw_inequality_map(cells: Sequence[Mapping[str, Any]]) -> tuple[Figure, Rows]:
    """Draw where each inequality holds for every V, one panel per inequality.

    Args:
        cells: Rows of :func:`nbsrc.audits.connections.inequality_map.inequality_map`.

    Returns:
        The figure, and the rows.
    """
    classes = sorted({row["K"] for row in cells})
    levels = sorted({row["p_y"] for row in cells})
    figure, axes = plt.subplots(1, len(INEQUALITIES), figsize=(9.4, 4.6), sharey=True)
    words = list(CELLS)
    colors = ListedColormap([color for color, _ in CELLS.values()])
    for axis, (name, title) in zip(axes, INEQUALITIES.items(), strict=True):
        grid = np.zeros((len(levels), len(classes)))
        for row in cells:
            if row["inequality"] == name:
                i, j = levels.index(row["p_y"]), classes.index(row["K"])
                grid[i, j] = words.index(row["is"])
                axis.text(j, i, CELLS[row["is"]][1], ha="center", va="center", fontsize=7)
        axis.imshow(grid, cmap=colors, vmin=-0.5, vmax=2.5, origin="lower", aspect="auto")
        axis.set_title(title, fontsize=8)
        axis.set_xticks(range(len(classes)), [str(K) for K in classes])
        axis.set_xlabel("classes K")
        axis.grid(visible=False)
    axes[0].set_yticks(range(len(levels)), [f"{level:.2f}" for level in levels], fontsize=8)
    axes[0].set_ylabel(r"$p_y$")
    handles = [
        Patch(facecolor=color, edgecolor="black", label=f"{symbol or 'blank'}  {word}")
        for (color, symbol), word in zip(
            CELLS.values(),
            ("holds for every V", "fails for some V", "the label is not on top"),
            strict=True,
        )
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, fontsize=9)
    return figure, [dict(row) for row in cells]


def draw_phases(marks: Mapping[str, float], largest: float = 5.0) -> tuple[Figure, Rows]:
    """Draw the derivatives of both penalties in nu over ``nu gamma``, with their signs.

    Args:
        marks: Values of ``nu gamma`` to mark, by name.
        largest: End of the axis.

    Returns:
        The figure, and a row per product.
    """
    t = torch.linspace(-2.0, largest, 281, dtype=torch.float64)
    found = slopes(torch.ones_like(t), t)
    figure, axis = plt.subplots(figsize=(7.4, 4.4))
    rows: Rows = []
    styles = {"input gradient": ("blue", "-"), "curvature": ("green", "--")}
    for name, (color, line) in styles.items():
        values = found[name]
        axis.plot(t.numpy(), values.numpy(), line, color=COLORS[color], label=name)
        rows += [
            {"penalty": name, "nu gamma": a, "p_y": 1 / (1 + float(np.exp(-a))), "slope": b}
            for a, b in zip(t.tolist(), values.tolist(), strict=True)
        ]
    axis.axhline(0, color="black", lw=1)
    axis.fill_between([-2, largest], -1, 0, color="#EBA27A", alpha=0.35, lw=0)
    for number, (name, value) in enumerate(marks.items()):
        axis.axvline(value, color="#444444", lw=1, ls=":")
        axis.text(value, 0.97 - 0.09 * number, " " + name, fontsize=8, va="top")
    axis.set_ylim(-0.15, 1.02)
    axis.set_xlim(-2, largest)
    axis.set_xlabel(r"$\nu\gamma = \log\,p_y/(1-p_y)$ (negative: misclassified)")
    axis.set_ylabel(r"derivative in $\nu$, at $\nu = 1$")
    axis.text(-1.9, -0.12, "below 0 the penalty pushes $\\nu$ up", fontsize=9)
    axis.legend(loc="upper right", bbox_to_anchor=(1, 0.72))
    return figure, rows


def draw_drift(paths: Mapping[str, Sequence[float]], floor: float = 1e-17) -> tuple[Figure, Rows]:
    """Draw how far pairs of trainings are from each other, step by step.

    Args:
        paths: Largest difference after every step, by name.
        floor: Where a difference of exactly 0 is drawn.

    Returns:
        The figure, and a row per name and step.
    """
    figure, axis = plt.subplots(figsize=(7.4, 4.2))
    rows: Rows = []
    for number, (name, values) in enumerate(paths.items()):
        shown = [max(value, floor) for value in values]
        axis.plot(shown, LINES[number % 4], color=list(COLORS.values())[number], label=name)
        rows += [{"pair": name, "step": i, "difference": v} for i, v in enumerate(values)]
    axis.set_yscale("log")
    axis.set_xlabel("training step")
    axis.set_ylabel(f"largest difference of a weight\n({floor:.0e}: none at all)")
    figure.legend(loc="outside lower center", ncols=1, fontsize=9)
    return figure, rows


def draw_distances(points: Sequence[Distances]) -> tuple[Figure, Rows]:
    """Draw the Taylor distance and two bounds of it over the exact distance.

    Args:
        points: Images of a trained network.

    Returns:
        The figure, and a row per image.
    """
    figure, axis = plt.subplots(figsize=(7.4, 5))
    exact = [x.exact for x in points]
    marks = {"taylor": ("o", "blue"), "sharpened": ("^", "orange"), "eq17": ("s", "red")}
    words = {"taylor": r"Taylor $\Vert r^*\Vert$", "sharpened": "sharpened bound", "eq17": "(17)"}
    for name, (marker, color) in marks.items():
        values = [getattr(x, name) for x in points]
        axis.plot(exact, values, marker, ls="none", ms=4, color=COLORS[color], label=words[name])
    ends = [min(exact), max(exact)]
    axis.plot(ends, ends, color="black", label="equal: a guarantee lies below")
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xlabel("exact distance of the affine piece (l2, pixel values from 0 to 1)")
    axis.set_ylabel("estimate (the same unit)")
    axis.legend()
    return figure, [
        {**x.description, "exact": x.exact, "is the network's": x.certified, "taylor": x.taylor,
         "sharpened": x.sharpened, "eq17": x.eq17}
        for x in points
    ]  # fmt: skip


def draw_curvature_times(times: Sequence[Mapping[str, Any]]) -> tuple[Figure, Rows]:
    """Draw recorded times of the curvature's norm.

    Args:
        times: Rows with ``method``, ``inputs`` and ``milliseconds``.

    Returns:
        The figure, and the rows.
    """
    labels = [f"{row['method']}, n = {row['inputs']}" for row in times]
    figure, axis = plt.subplots(figsize=(7.4, 0.4 * len(times) + 1.4))
    axis.barh(labels, [row["milliseconds"] for row in times], color=COLORS["sky"], edgecolor="k")
    for number, row in enumerate(times):
        value = row["milliseconds"]
        words = f"{value:,.0f}" if value >= 100 else f"{value:.2g}"
        axis.text(value, number, f" {words}", va="center")
    axis.set_xscale("log")
    axis.invert_yaxis()
    axis.margins(x=0.2)
    axis.set_xlabel("milliseconds per example")
    return figure, [dict(row) for row in times]
