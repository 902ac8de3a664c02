"""How far points are from the nearest point of another class, per norm and data set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from nbsrc.figures import COLORS
from nbsrc.plots.taps import Rows
from nbsrc.separation import Separation

__all__ = ["draw_separations"]

_TITLES = {
    "l1": r"$\ell_1$: sum of all pixel differences",
    "l2": r"$\ell_2$: Euclidean distance",
    "linf": r"$\ell_\infty$: largest pixel difference",
}
# name of a set: (label, colour of its outline, line style)
_SETS = {
    "digits": ("digits", COLORS["blue"], "-"),
    "mnist": ("MNIST", COLORS["green"], "--"),
    "cifar10": ("CIFAR-10", COLORS["purple"], "-"),
}
_LEVELS = 16  # of the digits: their linf distances are multiples of 1/16
_BINS = 40


def draw_separations(
    digits: Mapping[str, Separation],
    recorded: Mapping[str, Any],
    two_eps: Mapping[str, Mapping[str, float]],
) -> tuple[Figure, Rows]:
    """Draw the distances to the nearest point of another class, one panel per norm.

    Digits are computed live and drawn filled; the training sets of MNIST and CIFAR-10 are recorded
    and drawn as outlines. Each is scaled to its own highest bin. A triangle marks the minimum of a
    set, a vertical line twice its attack size: separable means triangle to the right of the line.

    Args:
        digits: Separation of the digits for ``"l1"``, ``"l2"`` and ``"linf"``.
        recorded: ``sets`` of results/A_separation.json; a norm may be missing.
        two_eps: For each norm twice the attack size of some of the sets.

    Returns:
        The figure, and a row per bin and set.
    """
    figure, axes = plt.subplots(len(digits), 1, figsize=(7, 2.5 * len(digits) + 0.7))
    rows: Rows = []
    for axis, (norm, found) in zip(np.atleast_1d(axes), digits.items(), strict=True):
        nearest = found.nearest[found.nearest.isfinite()].numpy()
        edges = np.linspace(0, 1.02 * nearest.max(), _BINS + 1)
        if norm == "linf":
            edges = (np.arange(_LEVELS + 2) - 0.5) / _LEVELS
        rows += _draw(axis, norm, "digits", np.histogram(nearest, edges)[0], edges)
        minima = {"digits": found.distance}
        tops = [nearest.max()]
        for name in ("mnist", "cifar10"):
            if norm not in recorded[name]["train"]:
                continue
            entry = recorded[name]["train"][norm]
            counts = np.array(entry["histogram"]["counts"])
            grid = np.linspace(0, entry["histogram"]["top"], len(counts) + 1)
            rows += _draw(axis, norm, name, counts, grid)
            minima[name] = entry["distance"]
            tops.append(entry["histogram"]["top"])
        _mark(axis, minima, two_eps.get(norm, {}))
        axis.set_title(_TITLES[norm], fontsize=11)
        if norm == "linf":
            axis.set_xlim(0, 1.04)
        else:
            _logarithmic(axis, 0.6 * min(minima.values()), 1.05 * max(tops))
    axis.set_xlabel("distance to the nearest image of another class (pixels from 0 to 1)")
    figure.supylabel("number of images, highest bin = 1", fontsize=10)
    figure.legend(handles=_handles(), loc="outside lower center", ncols=3, fontsize=10)
    return figure, rows


def _draw(axis: Axes, norm: str, name: str, counts: Any, edges: Any) -> Rows:
    """Draw one histogram and return its bins."""
    height = counts / counts.max()
    if name == "digits":
        axis.stairs(height, edges, fill=True, color=COLORS["sky"])
    else:
        _, color, style = _SETS[name]
        axis.stairs(height, edges, color=color, ls=style, lw=2)
    return [
        {"norm": norm, "set": name, "from": float(a), "to": float(b), "count": int(count)}
        for a, b, count in zip(edges[:-1], edges[1:], counts, strict=True)
    ]


def _mark(axis: Axes, minima: Mapping[str, float], two_eps: Mapping[str, float]) -> None:
    """Mark twice the attack sizes by lines and the minima by triangles."""
    for name, value in two_eps.items():
        color = _SETS[name][1]
        axis.axvline(value, color=color, lw=2.5, ls=_SETS[name][2])
        axis.annotate(
            r"$2\epsilon$", (value, 1.0), xytext=(5, 0), textcoords="offset points", color=color,
            va="top", fontsize=12, bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
        )  # fmt: skip
    for name, value in minima.items():
        axis.plot(
            value, 0, "^", color=_SETS[name][1], ms=11, mec="black", mew=0.8, clip_on=False,
            zorder=5,
        )  # fmt: skip
    axis.set_ylim(0, 1.08)
    axis.set_yticks([0, 0.5, 1])


def _logarithmic(axis: Axes, low: float, high: float) -> None:
    """Use a logarithmic axis with plain numbers."""
    axis.set_xscale("log")
    ticks = [m * 10.0**k for k in range(-2, 5) for m in (1, 2, 5) if low <= m * 10.0**k <= high]
    axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axis.minorticks_off()
    axis.set_xlim(low, high)


def _handles() -> list[Any]:
    """Return the legend, a column per set."""
    handles: list[Any] = [Patch(color=COLORS["sky"], label="digits")]
    for name, (label, color, style) in _SETS.items():
        if name != "digits":
            handles.append(Line2D([], [], color=color, ls=style, label=label))
        handles.append(
            Line2D([], [], marker="^", ls="none", color=color, mec="black", ms=10,
                   label="smallest distance")
        )  # fmt: skip
    return handles
