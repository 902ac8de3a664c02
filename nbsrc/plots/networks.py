"""Charts of the layer norms of whole networks, and of measured times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from nbsrc.figures import COLORS, MARKERS
from nbsrc.plots.taps import Rows

__all__ = ["draw_layer_ratios", "draw_norms_before_after", "draw_times"]


def draw_layer_ratios(networks: Mapping[str, Sequence[Mapping[str, Any]]]) -> tuple[Figure, Rows]:
    """Draw the printed linf formula divided by the exact norm, layer by layer.

    Args:
        networks: For every network its convolutions in order, each with ``name``, ``ratio``
            (printed divided by exact linf norm), ``assumption1`` and ``groups``.

    Returns:
        The figure, and a row per layer.
    """
    figure, axes = plt.subplots(
        len(networks), 1, figsize=(8.6, 2.1 * len(networks) + 0.7), squeeze=False
    )
    rows: Rows = []
    for axis, (network, layers) in zip(axes.flat, networks.items(), strict=True):
        for number, layer in enumerate(layers, start=1):
            grouped = layer["groups"] > 1
            axis.plot(
                number, layer["ratio"], "D" if grouped else "o", markersize=8,
                color=COLORS["blue"] if layer["assumption1"] else COLORS["red"],
                markerfacecolor=COLORS["blue"] if layer["assumption1"] else "white",
                markeredgewidth=2,
            )  # fmt: skip
            rows.append({"network": network, "number": number, **layer})
        axis.axhline(1, color="black", lw=1)
        axis.set_title(network, fontsize=10)
        axis.set_ylabel("printed / exact\n(no unit)")
        axis.set_ylim(0.6, 1.25 * max(2.0, *(layer["ratio"] for layer in layers)))
        axis.set_yscale("log")
        ticks = [t for t in (1, 2, 4, 8) if t <= axis.get_ylim()[1]]
        axis.set_yticks(ticks, [str(t) for t in ticks])
        axis.minorticks_off()
        axis.xaxis.get_major_locator().set_params(integer=True)
    axes[-1, 0].set_xlabel("convolution, in the order of the network")
    handles = [
        Line2D([], [], marker="o", ls="none", ms=8, color=COLORS["blue"],
               label="Assumption 1 holds"),
        Line2D([], [], marker="o", ls="none", ms=8, mew=2, color=COLORS["red"], mfc="white",
               label="Assumption 1 fails (hollow)"),
        Line2D([], [], marker="D", ls="none", ms=8, color="#444444", mfc="none", mew=2,
               label="grouped convolution (diamond)"),
    ]  # fmt: skip
    figure.legend(handles=handles, loc="outside lower center", ncols=3, fontsize=9)
    return figure, rows


def draw_times(
    kernels: Sequence[str], times: Mapping[str, Sequence[float | None]], unit: str
) -> tuple[Figure, Rows]:
    """Draw times of several methods for several kernels on a logarithmic axis.

    Args:
        kernels: Names of the kernels.
        times: Times of every method per kernel; None where there is none.
        unit: The unit of the times, for the axis.

    Returns:
        The figure, and a row per method and kernel.
    """
    figure, axis = plt.subplots(figsize=(8.6, 4.6))
    palette = list(COLORS.values())
    rows: Rows = []
    for number, (method, values) in enumerate(times.items()):
        known = [(x, value) for x, value in enumerate(values) if value is not None]
        paper = method.startswith("paper")
        axis.plot(
            [x for x, _ in known], [value for _, value in known],
            MARKERS[number % 4], ls="--" if paper else "-", color=palette[number % 4],
            markersize=8, markerfacecolor="white" if paper else palette[number % 4],
            markeredgewidth=2, label=method,
        )  # fmt: skip
        for kernel, value in zip(kernels, values, strict=True):
            rows.append({"kernel": kernel, "method": method, "value": value})
    axis.set_yscale("log")
    axis.set_xticks(range(len(kernels)), kernels, fontsize=9)
    axis.set_xlabel("kernel (height, width, inputs, outputs)")
    axis.set_ylabel(f"time ({unit})")
    figure.legend(loc="outside lower center", ncols=2, fontsize=9)
    return figure, rows


def draw_norms_before_after(
    before: Mapping[str, float], after: Mapping[str, Mapping[str, float]], label: str
) -> tuple[Figure, Rows]:
    """Draw every layer's norm before training and after several trainings.

    Args:
        before: Norm per layer before training.
        after: For every training its norm per layer.
        label: What the norm is, for the axis.

    Returns:
        The figure, and a row per layer and state.
    """
    figure, axis = plt.subplots(figsize=(8.6, 0.42 * len(before) + 2.2))
    states = {"before training": before, **after}
    colors = ["#777777", *COLORS.values()]
    rows: Rows = []
    for number, (state, norms) in enumerate(states.items()):
        axis.plot(
            [norms[name] for name in before], [n + 0.12 * number for n in range(len(before))],
            MARKERS[number],
            linestyle="none", color=colors[number], markersize=9, label=state,
            markerfacecolor="white" if number == 0 else colors[number], markeredgewidth=2,
        )  # fmt: skip
        rows += [{"layer": n, "state": state, "norm": norms[n]} for n in before]
    axis.set_yticks(range(len(before)), list(before))
    axis.invert_yaxis()
    axis.set_xscale("log")
    axis.set_xlabel(label)
    figure.legend(loc="outside lower center", ncols=4, fontsize=9)
    return figure, rows
