"""Charts of operator norms of trained networks: bounds on and off data, noise, stability."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from nbsrc.figures import COLORS, MARKERS
from nbsrc.plots.taps import Rows

__all__ = ["draw_looseness", "draw_noise", "draw_stability"]

LINES = ("-", "--")


def draw_looseness(rows: Sequence[Mapping[str, Any]]) -> tuple[Figure, Rows]:
    """Draw the product bound beside the norms of the Jacobian on data and off data.

    Args:
        rows: With ``training``, ``place``, ``low``, ``middle``, ``high``.

    Returns:
        The figure, and the rows.
    """
    figure, axis = plt.subplots(figsize=(6.6, 3.8))
    trainings = list(dict.fromkeys(row["training"] for row in rows))
    places = list(dict.fromkeys(row["place"] for row in rows))
    for number, place in enumerate(places):
        own = [row for row in rows if row["place"] == place]
        x = [trainings.index(row["training"]) + 0.2 * (number - (len(places) - 1) / 2)
             for row in own]  # fmt: skip
        middle = [row["middle"] for row in own]
        spread = [
            [row["middle"] - row["low"] for row in own],
            [row["high"] - row["middle"] for row in own],
        ]
        color = COLORS[("blue", "green", "orange", "red")[number]]
        axis.errorbar(
            x, middle, yerr=spread, fmt=MARKERS[number], color=color, capsize=3, label=place,
        )  # fmt: skip
    axis.set_yscale("log")
    axis.set_yticks([2, 5, 10, 20, 50], ["2", "5", "10", "20", "50"])
    axis.minorticks_off()
    axis.set_xticks(range(len(trainings)), trainings)
    axis.set_xlim(-0.5, len(trainings) - 0.5)
    axis.set_ylabel("σ or its bound (logits per pixel range)", fontsize=9)
    figure.legend(loc="outside lower center", ncols=2, fontsize=9)
    return figure, [dict(row) for row in rows]


def draw_noise(rows: Sequence[Mapping[str, Any]]) -> tuple[Figure, Rows]:
    """Draw accuracy under random noise and under an attack of the same length.

    Args:
        rows: With ``eps``, ``noise`` and ``attack``, accuracies from 0 to 1.

    Returns:
        The figure, and the rows.
    """
    figure, axis = plt.subplots(figsize=(6, 3.4))
    x = [row["eps"] for row in rows]
    for number, (name, words, color) in enumerate((
        ("noise", "random noise", "blue"),
        ("attack", "attack", "red"),
    )):
        axis.plot(
            x, [100 * row[name] for row in rows], LINES[number], marker=MARKERS[number],
            color=COLORS[color], label=words,
        )  # fmt: skip
    axis.set_ylim(0, 102)
    axis.set_xlabel("l2 length of the perturbation (pixel range = 1)")
    axis.set_ylabel("test accuracy (per cent)")
    figure.legend(loc="outside lower center", ncols=2, fontsize=9)
    return figure, [dict(row) for row in rows]


def draw_stability(
    rounding: Sequence[Mapping[str, Any]], jumps: Sequence[Mapping[str, Any]]
) -> tuple[Figure, Rows]:
    """Draw rounding errors and jumps of the two forms of the regulariser.

    Args:
        rounding: Rows of :func:`nbsrc.audits.operator_norms.stability.rounding_rows`.
        jumps: Rows of :func:`nbsrc.audits.operator_norms.stability.jump_rows`.

    Returns:
        The figure, and all rows.
    """
    figure, axes = plt.subplots(1, 2, figsize=(7.4, 3.6))
    labels = ("rounding error (relative)", "largest jump per step (relative)")
    for axis, rows, label in zip(axes, (rounding, jumps), labels, strict=True):
        for number, (name, words, color) in enumerate((
            ("spectral", "σ²", "blue"),
            ("squares", "sum of squares / ε²", "red"),
        )):
            axis.plot(
                [row["eps"] for row in rows], [row[name] for row in rows], LINES[number],
                marker=MARKERS[number], color=COLORS[color], label=words,
            )  # fmt: skip
        axis.set_xscale("log")
        axis.set_yscale("log")
        axis.set_xlabel("ε (pixel range = 1)")
        axis.set_ylabel(label)
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=2, fontsize=9)
    return figure, [
        {"what": what, **row} for what, rows in (("rounding", rounding), ("jump", jumps))
        for row in rows
    ]  # fmt: skip
