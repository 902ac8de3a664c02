"""Charts of the printed tables of Wen, Li & Jia: the audit at a glance, gaps, shares, layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from nbsrc.audits.printed_tables.arithmetic import (
    DIFFERENCES,
    counts_of_share,
    layer_counts,
    off_by,
)
from nbsrc.audits.printed_tables.cells import DIGITS, Run
from nbsrc.audits.printed_tables.trends import total_accuracy
from nbsrc.figures import COLORS, MARKERS
from nbsrc.plots.taps import Rows

__all__ = ["STATES", "cell_state", "draw_audit", "draw_gaps", "draw_layers", "draw_robust"]

#: What a cell can be: the words, the colour and the sign in the chart.
STATES: Mapping[str, tuple[str, str]] = {
    "not checkable": ("#FFFFFF", ""),
    "agrees": ("#9CCDE8", "●"),
    "off by one in the last digit": ("#F0E442", "1"),
    "impossible": ("#EBA27A", "×"),
}
ROWS = ("TrnAcc", "TestAcc", "dAcc", "TrnLoss", "TestLoss", "dLoss", "PGD")
LABELS = {
    "TrnAcc": "train acc.", "TestAcc": "test acc.", "dAcc": "acc. gap", "TrnLoss": "train loss",
    "TestLoss": "test loss", "dLoss": "loss gap", "PGD": "PGD acc.",
}  # fmt: skip


def cell_state(run: Run, row: str, place: int) -> str:
    """What the other cells say of one cell.

    Args:
        run: The run.
        row: The row.
        place: Column.

    Returns:
        A key of ``STATES``.
    """
    if row == "PGD":
        found = counts_of_share(run.values[row][place], run.values["TestAcc"][place])
        return "agrees" if found else "impossible"
    if row not in DIFFERENCES or not set(DIFFERENCES[row]) <= set(run.values):
        return "not checkable"
    away = abs(off_by(run, row, place))
    return ("agrees", "off by one in the last digit", "impossible")[min(away, 2)]


def draw_audit(runs: Sequence[Run]) -> tuple[Figure, Rows]:
    """Draw every printed cell with what the other cells say of it.

    Args:
        runs: The runs.

    Returns:
        The figure, and a row per cell.
    """
    words = list(STATES)
    grid: list[list[int]] = []
    ticks: list[str] = []
    rows: Rows = []
    for run in runs:
        for place, strength in enumerate(run.strengths):
            line = []
            for row in ROWS:
                state = cell_state(run, row, place) if row in run.values else "not checkable"
                line.append(words.index(state))
                if row in run.values:
                    rows.append({
                        "table": int(run.table[-1]), "data": run.data, "run": run.name,
                        "AR": strength, "row": row, "printed": run.shown(row, place),
                        "state": state,
                    })  # fmt: skip
            grid.append(line)
            ticks.append(f"{run.words.replace('Table ', 'T')}, {strength}")
    figure, axis = plt.subplots(figsize=(7.4, 0.24 * len(grid) + 1.6))
    colors = ListedColormap([color for color, _ in STATES.values()])
    axis.imshow(np.array(grid), cmap=colors, vmin=-0.5, vmax=len(STATES) - 0.5, aspect="auto")
    for i, numbers in enumerate(grid):
        for j, number in enumerate(numbers):
            axis.text(j, i, STATES[words[number]][1], ha="center", va="center", fontsize=8)
    axis.set_xticks(range(len(ROWS)), [LABELS[row] for row in ROWS], fontsize=8)
    axis.set_yticks(range(len(ticks)), ticks, fontsize=8)
    axis.xaxis.tick_top()
    axis.grid(visible=False)
    axis.set_ylabel("table, data, run, strength of training")
    handles = [
        Patch(facecolor=color, edgecolor="black", label=f"{sign or 'blank'}  {word}")
        for word, (color, sign) in STATES.items()
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2, fontsize=8)
    return figure, rows


def draw_gaps(runs: Sequence[Run]) -> tuple[Figure, Rows]:
    """Redraw the gaps of Figures 3a, 6a and 7a: loss gap and accuracy gap over the strength.

    Args:
        runs: Runs with both gaps.

    Returns:
        The figure, and a row per run and strength.
    """
    columns = 3
    lines = -(-len(runs) // columns)
    figure, axes = plt.subplots(lines, columns, figsize=(7.6, 2.1 * lines + 0.6), squeeze=False)
    rows: Rows = []
    for axis, run in zip(axes.flat, runs, strict=False):
        loss, error = (
            [v / 10 ** DIGITS[row] for v in run.values[row]] for row in ("dLoss", "dAcc")
        )
        other = axis.twinx()
        axis.plot(
            run.strengths, loss, "-", marker="o", color=COLORS["blue"], label="loss gap (left)"
        )
        other.plot(
            run.strengths, error, "--", marker="s", color=COLORS["red"],
            label="accuracy gap, points (right)",
        )  # fmt: skip
        axis.set_title(f"T{run.table[-1]} {run.data}\n{run.name}", fontsize=8)
        axis.set_xticks(run.strengths)
        axis.tick_params(labelsize=8)
        other.tick_params(labelsize=8)
        other.grid(visible=False)
        rows += [
            {"table": int(run.table[-1]), "data": run.data, "run": run.name, "AR": s,
             "loss gap": a, "accuracy gap": b}
            for s, a, b in zip(run.strengths, loss, error, strict=True)
        ]  # fmt: skip
    for axis in axes.flat[len(runs) :]:
        axis.axis("off")
    figure.supxlabel("strength of adversarial training (0 to 255)", fontsize=9)
    handles = [*axes[0, 0].get_legend_handles_labels()[0]]
    handles += [
        line for other in figure.axes if other not in set(axes.flat) for line in other.lines
    ][:1]
    figure.legend(
        handles, [h.get_label() for h in handles], loc="outside upper center", ncols=2, fontsize=9
    )
    return figure, rows


def draw_robust(runs: Sequence[Run]) -> tuple[Figure, Rows]:
    """Redraw Figure 12: accuracy under attack of correct images, and of all images.

    Args:
        runs: Runs with ``PGD``.

    Returns:
        The figure, and a row per run and strength.
    """
    figure, axes = plt.subplots(1, 2, figsize=(7.6, 4.4), sharey=True)
    rows: Rows = []
    palette = list(COLORS.values())
    for number, run in enumerate(runs):
        printed = [v / 100 for v in run.values["PGD"]]
        total = [total_accuracy(run, place) for place in range(len(run.strengths))]
        style = {
            "color": palette[number], "marker": MARKERS[number],
            "linestyle": ("-", "--")[number % 2], "label": f"{run.data}, {run.name}",
        }  # fmt: skip
        axes[0].plot(run.strengths, printed, **style)
        axes[1].plot(run.strengths, total, **style)
        rows += [
            {"data": run.data, "run": run.name, "AR": s, "of correct images": a, "of all images": b}
            for s, a, b in zip(run.strengths, printed, total, strict=True)
        ]
    axes[0].set_title("as printed: of images\nclassified correctly", fontsize=9)
    axes[1].set_title("of all test images", fontsize=9)
    axes[0].set_ylabel("still correct after PGD at 8/255 (%)")
    for axis in axes:
        axis.set_xticks([0, 4, 8, 16])
        axis.set_xlabel("strength of training")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=9)
    return figure, rows


def draw_layers(groups: Mapping[str, tuple[str, str]]) -> tuple[Figure, Rows]:
    """Draw the numbers of layers that each total and average of appendix B.2 allow.

    Args:
        groups: Total and average as printed, by name.

    Returns:
        The figure, and a row per group.
    """
    figure, axes = plt.subplots(1, len(groups), figsize=(7.6, 2.4))
    rows: Rows = []
    for axis, (name, (total, average)) in zip(np.atleast_1d(axes), groups.items(), strict=True):
        least, most, whole = layer_counts(total, average)
        nearest = round((least + most) / 2)
        color = COLORS["blue"] if whole else COLORS["red"]
        axis.plot([least, most], [0, 0], color=color, lw=8, solid_capstyle="butt")
        axis.axvline(nearest, color="black", lw=1)
        axis.set_xlim(nearest - 0.06, nearest + 0.06)
        axis.set_xticks([nearest - 0.04, nearest, nearest + 0.04])
        axis.tick_params(axis="x", labelsize=8)
        axis.set_yticks([])
        verdict = "a whole number" if whole else "no whole number"
        axis.set_title(f"{name}\n{total} / {average}\n{verdict}", fontsize=8)
        rows.append({
            "group": name, "total": total, "average": average, "least": least, "most": most,
            "whole": str(whole[0]) if whole else "none",
        })  # fmt: skip
    figure.supxlabel("number of layers: what rounding of both numbers allows", fontsize=9)
    return figure, rows
