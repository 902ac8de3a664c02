"""Robustness against the strength of a penalty, the panels of paper D's Figures 2, 4 and 5."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nbsrc.audits.regularisers_in_practice.records import (
    ATTACKS,
    PENALTIES,
    TITLES,
    Record,
    cell,
    curve,
    nets_of,
    runs_of,
)
from nbsrc.figures import COLORS
from nbsrc.plots.taps import Rows

__all__ = ["draw_divergence", "draw_robustness"]

_LOOK = {
    "JacobianPenalty": ("Jacobian", "blue", "o", "-"),
    "CrossLipschitz": ("cross-Lipschitz", "orange", "x", (0, (2, 2))),
    "InputGradient": ("input gradient", "green", "s", "-"),
    "Curvature": ("curvature", "purple", "^", "-"),
}


def draw_robustness(record: Record) -> tuple[Figure, Rows]:
    """Draw what each attack leaves or needs against the strength of the penalty.

    Means over the initialisations, bars of one standard deviation; a grey band is the reference.

    Args:
        record: The experiment.

    Returns:
        The figure, a row per attack and a column per network, and a row of data per point.
    """
    nets = nets_of(record)
    width = 6.4 if len(nets) < 3 else 7.6
    figure, axes = plt.subplots(
        len(ATTACKS), len(nets), figsize=(width, 8.8), sharex=True, squeeze=False
    )
    rows: Rows = []
    for line, attack in enumerate(ATTACKS):
        for column, net in enumerate(nets):
            axis = axes[line][column]
            rows += _panel(axis, record, net, attack)
            axis.set_title(f"{TITLES[net]}, {attack}", fontsize=10)
            axis.set_xscale("log")
        size = ATTACKS[attack] == "mean"
        axes[line][0].set_ylabel(
            r"$\ell_2$ size (pixel units)" if size else "accuracy under attack"
        )
    for axis in axes[-1]:
        axis.set_xlabel(r"strength $\lambda$ (no unit)")
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=3, fontsize=9)
    return figure, rows


def draw_divergence(
    penalties: Mapping[float, Sequence[float]], *, steps: int = 30
) -> tuple[Figure, Rows]:
    """Draw the penalty step by step, a curve per strength; those that end in infinity are red.

    Args:
        penalties: By strength, the penalty at every step; what is not finite ends a curve.
        steps: Most steps shown.

    Returns:
        The figure, and a row of data per point.
    """
    figure, axis = plt.subplots(figsize=(6.4, 3.6))
    rows: Rows = []
    for number, (strength, values) in enumerate(sorted(penalties.items())):
        failed = not all(math.isfinite(value) for value in values)
        shown = [value / strength for value in values if math.isfinite(value)][:steps]
        axis.plot(
            range(1, len(shown) + 1), shown, label=f"{strength:g}{' (fails)' if failed else ''}",
            color=COLORS["red" if failed else "blue"], ls="--" if failed else "-",
            marker="osv^Dx*P"[number % 8], ms=4, lw=1.2,
        )  # fmt: skip
        rows += [
            {"strength": strength, "step": step, "mu squared": value, "fails": failed}
            for step, value in enumerate(shown, start=1)
        ]
    axis.set_yscale("log")
    axis.set_ylim(1e-2, 1e12)
    axis.set_xlabel("step of fine-tuning")
    axis.set_ylabel(r"$\mu^2$, mean of the batch")
    figure.legend(title=r"strength $\lambda$", loc="outside right upper", fontsize=9)
    return figure, rows


def _panel(axis: Axes, record: Record, net: str, attack: str) -> Rows:
    """Draw one panel and return its points."""
    rows: Rows = []
    before = cell(runs_of(record, net), attack, ATTACKS[attack])
    if before.values:
        low, high = before.mean - before.spread, before.mean + before.spread
        axis.axhspan(low, high, color="0.85")
        axis.axhline(before.mean, color="0.5", lw=1, label="reference")
    for penalty in PENALTIES:
        label, color, marker, style = _LOOK[penalty]
        points = [(s, c) for s, c in curve(record, net, penalty, attack) if c.values and s <= 1.6]
        axis.errorbar(
            [strength for strength, _ in points],
            [found.mean for _, found in points],
            [found.spread for _, found in points],
            label=label, color=COLORS[color], marker=marker, ls=style, lw=1.2, ms=4, capsize=2,
        )  # fmt: skip
        rows += [
            {"network": net, "attack": attack, "penalty": penalty, "strength": strength,
             "mean": found.mean, "std": found.spread, "initialisations": len(found.values),
             "diverged": found.diverged, "reference": before.mean}
            for strength, found in points
        ]  # fmt: skip
    low, high = axis.get_ylim()
    if high - low < 1e-6:  # all points on each other
        axis.set_ylim(low - 0.01, high + 0.04)
    return rows
