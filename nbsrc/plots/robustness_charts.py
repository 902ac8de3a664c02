"""Charts of the chain of reasoning, of several activations, and of the example 1/x."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from nbsrc.audits.robustness.activations import ActivationRow
from nbsrc.audits.robustness.chain import Links
from nbsrc.audits.robustness.reciprocal import best_error, best_error_on_grid
from nbsrc.figures import COLORS, MARKERS
from nbsrc.plots.taps import Rows

__all__ = ["draw_activations", "draw_chain", "draw_reciprocal"]


def draw_chain(links: Sequence[Links]) -> tuple[Figure, Rows]:
    """Draw the quantities of the chain, one line per network.

    Args:
        links: Measured networks.

    Returns:
        The figure, and a row per network.
    """
    stages = ("layer_norm", "product", "global_constant", "local_constant")
    ticks = ["largest\nlayer norm", "product of\nlayer norms", "Lipschitz\nconstant",
             "Lipschitz on\nthe balls"]  # fmt: skip
    floor = 1e-8
    figure, axis = plt.subplots(figsize=(7, 6.2))
    palette = [c for name, c in COLORS.items() if name != "yellow"]
    rows: Rows = []
    for number, link in enumerate(links):
        values = [float(getattr(link, stage)) for stage in stages]
        # Lines that coincide are set apart by a hair, so that each can be followed.
        shift = 1.35 ** (number - (len(links) - 1) / 2)
        heights = [max(v, floor) * shift for v in values]
        robust = link.robust_accuracy
        axis.plot(
            range(4), heights, marker=MARKERS[number], color=palette[number], markersize=7,
            lw=1.8, ls="-" if robust == 1 else ":",
            label=f"{link.name} (robust accuracy {robust:g})",
        )  # fmt: skip
        row: dict[str, Any] = {"network": link.name, "robust accuracy": robust}
        rows.append(row | dict(zip(stages, values, strict=True)))
    axis.set_yscale("log")
    axis.set_xticks(range(4), ticks)
    decades = [10.0**k for k in (-4, 0, 4, 8, 12, 16, 20, 24)]
    axis.set_yticks(
        [floor, *decades], ["0", *(f"$10^{{{round(math.log10(d))}}}$" for d in decades)]
    )
    axis.set_ylim(floor / 8, 1e26)
    axis.minorticks_off()
    axis.set_ylabel("linf norm or constant (output per input)")
    figure.legend(loc="outside lower center", ncols=2, fontsize=9)
    return figure, rows


def draw_activations(table: Sequence[ActivationRow]) -> tuple[Figure, Rows]:
    """Draw bounds and proven deviations of robust networks with several activations.

    Args:
        table: A row per activation.

    Returns:
        The figure, and the rows.
    """
    figure, axis = plt.subplots(figsize=(7, 4.2))
    floor = 1e-15
    rows: Rows = []
    for number, row in enumerate(reversed(table)):
        bound, deviation = max(row.bound, floor), max(row.deviation, floor)
        axis.plot([deviation, bound], [number, number], color="#999999", lw=1.5)
        axis.plot(bound, number, "|", color=COLORS["black"], markersize=14, mew=2.5)
        axis.plot(
            deviation, number, "o", color=COLORS["blue"], markersize=8, mew=2,
            markerfacecolor=COLORS["blue"] if row.certified else "white",
        )  # fmt: skip
        rows.append(asdict(row))
    axis.axvline(0.5, color=COLORS["red"], ls="--")
    axis.text(0.45, len(table) - 0.45, "0.5", color=COLORS["red"], ha="right", va="center")
    axis.set_xscale("log")
    axis.set_xlim(floor / 3, 3)
    decades = [1e-12, 1e-9, 1e-6, 1e-3, 1.0]
    axis.set_xticks([floor, *decades], ["0", "1e-12", "1e-9", "1e-6", "0.001", "1"])
    axis.minorticks_off()
    axis.set_yticks(range(len(table)), [f"{r.name} ({r.road})" for r in reversed(table)])
    axis.set_ylim(-0.6, len(table) - 0.1)
    axis.set_xlabel("distance of the output from the label over all balls (no unit)")
    handles = [
        Line2D([], [], ls="none", marker="|", ms=12, mew=2.5, color="black", label="bound chosen"),
        Line2D([], [], ls="none", marker="o", ms=8, color=COLORS["blue"], label="certified"),
        Line2D([], [], ls="none", marker="o", ms=8, mew=2, mfc="white", color=COLORS["blue"],
               label="largest seen (no certificate)"),
    ]  # fmt: skip
    figure.legend(handles=handles, loc="outside lower center", ncols=3, fontsize=9)
    return figure, rows


def draw_reciprocal(points: int = 401) -> tuple[Figure, Rows]:
    """Draw 1/x with its best slow fits, and the least error against the slope allowed.

    Args:
        points: Number of points of the curves and of the linear programme's grid.

    Returns:
        The figure, and rows of slope, formula and linear programme.
    """
    figure, axes = plt.subplots(1, 2, figsize=(7, 3.6))
    x = torch.linspace(0.5, 1, points, dtype=torch.float64)
    axes[0].plot(x, 1 / x, color=COLORS["black"], label="1/x")
    for slope, style, color in ((1.0, "--", "blue"), (2.0, "-.", "red")):
        cones = 1 / x[None] + slope * (x[:, None] - x[None]).abs()
        fit = cones.min(dim=1).values + best_error(slope)
        axes[0].plot(x, fit, style, color=COLORS[color], label=f"slope at most {slope:g}")
    axes[0].set(xlabel="x (no unit)", ylabel="value (no unit)", title="best fits")
    axes[0].legend(fontsize=9)
    slopes = [k / 8 for k in range(37)]
    dots = [k / 2 for k in range(10)]
    axes[1].plot(slopes, [best_error(s) for s in slopes], color=COLORS["black"], label="formula")
    solved = [best_error_on_grid(s, points) for s in dots]
    axes[1].plot(dots, solved, "o", color=COLORS["orange"], label="linear programme")
    axes[1].set(xlabel="slope allowed, L (no unit)", ylabel="least error (no unit)", title="error")
    axes[1].legend(fontsize=9)
    rows: Rows = [
        {"slope": s, "formula": best_error(s), "linear programme": v}
        for s, v in zip(dots, solved, strict=True)
    ]
    return figure, rows
