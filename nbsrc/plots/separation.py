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
    "l1": r"$\ell_1$: sum over pixels",
    "l2": r"$\ell_2$",
    "linf": r"$\ell_\infty$: largest difference of a pixel",
}
_SETS = {"mnist": ("MNIST", "green", "--"), "cifar10": ("CIFAR-10", "purple", "-")}
_BINS = 40


def draw_separations(
    digits: Mapping[str, Separation],
    recorded: Mapping[str, Any],
    two_eps: Mapping[str, float],
) -> tuple[Figure, Rows]:
    """Draw the distances to the nearest point of another class, one panel per norm.

    Digits are computed live and drawn filled; training sets of MNIST and CIFAR-10 are recorded and
    drawn as outlines. Each is scaled to its own highest bin. Their minima are marked below.

    Args:
        digits: Separation of the digits for ``"l1"``, ``"l2"`` and ``"linf"``.
        recorded: ``sets`` of results/A_separation.json.
        two_eps: Twice the attack size for each norm: where the classes must not be closer.

    Returns:
        The figure, and a row per bin and set.
    """
    figure, axes = plt.subplots(len(digits), 1, figsize=(7, 2.5 * len(digits) + 0.7))
    rows: Rows = []
    for axis, (norm, found) in zip(np.atleast_1d(axes), digits.items(), strict=True):
        nearest = found.nearest[found.nearest.isfinite()].numpy()
        top = max(recorded[name]["train"][norm]["histogram"]["top"] for name in _SETS)
        edges = np.linspace(0, 1.02 * nearest.max() if norm != "linf" else 1, _BINS + 1)
        rows += _draw(axis, norm, "digits", np.histogram(nearest, edges)[0], edges)
        minima = {"digits": found.distance}
        for name in _SETS:
            entry = recorded[name]["train"][norm]
            counts = np.array(entry["histogram"]["counts"])
            grid = np.linspace(0, entry["histogram"]["top"], len(counts) + 1)
            rows += _draw(axis, norm, name, counts, grid)
            minima[name] = entry["distance"]
        _mark(axis, minima, two_eps[norm])
        axis.set_xlim(0, 1.02 * top)
        axis.set_title(_TITLES[norm], fontsize=11)
        if norm == "l1":
            axis.set_xscale("symlog", linthresh=10)
            axis.set_xticks([0, 5, 10, 20, 50, 100, 200, 500], labels=None)
            axis.set_xticklabels(["0", "5", "10", "20", "50", "100", "200", "500"])
            axis.set_xlim(0, 1.02 * top)
    axis.set_xlabel("distance to the nearest image of another class (pixels from 0 to 1)")
    figure.supylabel("share of images, highest bin = 1", fontsize=10)
    figure.legend(handles=_handles(), loc="outside lower center", ncols=3, fontsize=10)
    return figure, rows


def _draw(axis: Axes, norm: str, name: str, counts: Any, edges: Any) -> Rows:
    """Draw one histogram and return its bins."""
    height = counts / counts.max()
    if name == "digits":
        axis.stairs(height, edges, fill=True, color=COLORS["sky"])
    else:
        _, color, style = _SETS[name]
        axis.stairs(height, edges, color=COLORS[color], ls=style, lw=2)
    return [
        {"norm": norm, "set": name, "from": float(a), "to": float(b), "count": int(count)}
        for a, b, count in zip(edges[:-1], edges[1:], counts, strict=True)
    ]


def _mark(axis: Axes, minima: Mapping[str, float], two_eps: float) -> None:
    """Mark twice the attack size by a line and the minima by triangles below the axis."""
    axis.axvline(two_eps, color=COLORS["red"], lw=2.5)
    axis.text(
        two_eps, 1.16, r"$2\epsilon$", color=COLORS["red"], ha="center", va="center", fontsize=11
    )
    for name, value in minima.items():
        color = COLORS["blue"] if name == "digits" else COLORS[_SETS[name][1]]
        axis.plot(value, 0, "^", color=color, ms=11, mec="black", mew=0.8, clip_on=False, zorder=5)
    axis.set_ylim(0, 1.08)
    axis.set_yticks([0, 0.5, 1])


def _handles() -> list[Any]:
    """Return the legend."""
    marks = [("digits", COLORS["blue"]), *((n, COLORS[c]) for n, c, _ in _SETS.values())]
    return [
        Patch(color=COLORS["sky"], label="digits"),
        *(Line2D([], [], color=COLORS[c], ls=s, label=n) for n, c, s in _SETS.values()),
        *(
            Line2D([], [], marker="^", ls="none", color=c, mec="black", ms=10,
                   label=f"smallest, {n}") for n, c in marks
        ),
    ]  # fmt: skip
