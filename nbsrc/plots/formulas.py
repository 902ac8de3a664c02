"""The map of where the printed formulas are exact, and the chart of the l2 bounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from nbsrc.audits.axes import AxisVerdict, judge_axis
from nbsrc.figures import COLORS, MARKERS
from nbsrc.plots.taps import Rows

__all__ = ["BOUND_LABELS", "KINDS", "draw_exactness_map", "draw_l2_bounds", "kind_of_axis"]

# What a cell of the map says: (symbol, colour, words). Symbols carry the meaning without colour.
KINDS: tuple[tuple[str, str, str], ...] = (
    ("", "#FFFFFF", "the kernel does not fit the padded image: no layer"),
    ("●", "#9CCDE8", "Assumption 1 holds: (1) and (2) exact"),
    ("○", "#BFE3D5", "Assumption 1 fails as printed, (1) and (2) exact all the same"),
    ("1", "#F6D58A", "only (1) exact; (2) too large"),
    ("×", "#EBA27A", "(1) and (2) too large"),
    ("0", "#BBBBBB", "no tap meets a pixel: the norm is 0, (1) and (2) are not"),
)


BOUND_LABELS = {
    "column": r"lower: $\Vert M\Vert_{1\to2}$ (columns)",
    "row": r"lower: $\Vert M\Vert_{2\to\infty}$ (rows)",
    "mean": r"lower: $\Vert M\Vert_F/\sqrt{\min(m,n)}$",
    "product": r"upper: $\sqrt{\Vert M\Vert_1\Vert M\Vert_\infty}$",
    "reshaped": r"upper: $\sqrt{N_1N_2}\,\Vert K_{resh}\Vert_2$",
    "reshaped_transposed": "upper: the same, transposed layer",
    "frobenius": r"upper: $\Vert M\Vert_F$",
    "theorem1": "upper: Theorem 1, eq. (3)",
    "symbol": "upper: torus (Fourier)",
}


def kind_of_axis(verdict: AxisVerdict) -> int:
    """Return the index into :data:`KINDS` of a judged axis.

    Args:
        verdict: The axis.

    Returns:
        The index, 1 to 5.
    """
    if verdict.assumption:
        return 1
    if verdict.l1_exact and verdict.linf_exact:
        return 2
    if not verdict.touched:
        return 5
    return 3 if verdict.l1_exact else 4


def draw_exactness_map(
    strides: Sequence[int], paddings: Sequence[int], largest: int = 8
) -> tuple[Figure, Rows]:
    """Draw, for one axis, where eqs. (1) and (2) are exact, over input and kernel size.

    Args:
        strides: Strides, one row of panels each.
        paddings: Paddings, one column of panels each.
        largest: Largest input and kernel size.

    Returns:
        The figure, and a row per cell.
    """
    sizes = range(1, largest + 1)
    figure, axes = plt.subplots(
        len(strides), len(paddings), figsize=(9.6, 2.5 * len(strides) + 2.0),
        sharex=True, sharey=True, squeeze=False,
    )  # fmt: skip
    colors = ListedColormap([color for _, color, _ in KINDS])
    rows: Rows = []
    for i, stride in enumerate(strides):
        for j, padding in enumerate(paddings):
            kinds = np.zeros((largest, largest), dtype=int)
            for h in sizes:
                for k in sizes:
                    fits = k <= h + 2 * padding
                    kind = kind_of_axis(judge_axis(h, k, stride, padding)) if fits else 0
                    kinds[k - 1, h - 1] = kind
                    axes[i, j].text(h, k, KINDS[kind][0], ha="center", va="center", fontsize=8)
                    rows.append({"h": h, "k": k, "s": stride, "p": padding, "kind": KINDS[kind][2]})
            box = (0.5, largest + 0.5, 0.5, largest + 0.5)
            axes[i, j].imshow(
                kinds, cmap=colors, vmin=-0.5, vmax=len(KINDS) - 0.5, origin="lower", extent=box
            )
            axes[i, j].set_title(f"stride {stride}, padding {padding}", fontsize=9)
            axes[i, j].grid(visible=False)
            axes[i, j].set_xticks(sizes)
            axes[i, j].set_yticks(sizes)
    for axis in axes[-1]:
        axis.set_xlabel("input size h (pixels)")
    for axis in axes[:, 0]:
        axis.set_ylabel("kernel size k (taps)")
    handles = [
        Patch(facecolor=color, edgecolor="black", label=f"{symbol or 'blank'}  {words}")
        for symbol, color, words in KINDS
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=1, fontsize=9)
    return figure, rows


def draw_l2_bounds(
    layers: Sequence[str], truth: Sequence[float], bounds: Sequence[Mapping[str, float]]
) -> tuple[Figure, Rows]:
    """Draw every bound of the l2 norm divided by the certified norm, on a logarithmic axis.

    Args:
        layers: Names of the layers.
        truth: Their l2 norms.
        bounds: Their bounds, by name.

    Returns:
        The figure, and a row per layer and bound.
    """
    figure, axis = plt.subplots(figsize=(8.6, 0.42 * len(layers) + 3.2))
    rows: Rows = []
    palette = [*COLORS.values(), "#666666"]
    for number, (name, label) in enumerate(BOUND_LABELS.items()):
        ratios = [layer[name] / value for layer, value in zip(bounds, truth, strict=True)]
        axis.plot(
            ratios, range(len(layers)), MARKERS[number % len(MARKERS)], linestyle="none",
            color=palette[number], markeredgecolor="black", markersize=8, label=label,
        )  # fmt: skip
        for layer, value, ratio in zip(layers, truth, ratios, strict=True):
            rows.append({"layer": layer, "bound": name, "l2": value, "ratio": ratio})
    axis.axvline(1, color="black", lw=1.5)
    axis.set_xscale("log")
    axis.set_yticks(range(len(layers)), layers)
    axis.invert_yaxis()
    axis.set_xlabel(r"bound divided by the $\ell_2$ norm (no unit; left of 1: lower bounds)")
    figure.legend(loc="outside lower center", ncols=3, fontsize=9)
    return figure, rows
