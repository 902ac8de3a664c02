"""Charts of paper B's measures of trained networks: a curve for every method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nbsrc.audits.spectral_training.records import Group, curve
from nbsrc.audits.spectral_training.settings import Series
from nbsrc.figures import COLORS, MARKERS
from nbsrc.plots.taps import Rows

__all__ = ["Panel", "draw_against_setting", "draw_panels"]

_LOOKS = {
    "standard": ("black", "-"),
    "AT": ("blue", "-"),
    "d.d. SNR": ("red", "-"),
    "d.d. SNR, eval": ("orange", ":"),
    "d.d. SNR, eval, a tenth": ("red", ":"),
    "global SNR": ("green", "-"),
    "global SNR, 10": ("green", ":"),
    "strong global SNR": ("purple", "-"),
    "AT linf": ("sky", "-"),
    "d.d. ONR": ("orange", "-"),
}


@dataclass(frozen=True)
class Panel:
    """One panel: what is drawn of which runs.

    Attributes:
        title: Its title.
        group: The runs.
        path: What leads to a curve with ``mean`` and ``se`` in a run's measures.
        methods: The methods drawn, those that are there and were measured.
        line: Place of the dashed line, the training radius; None for none.
        baseline: A further curve, drawn for the plain runs in grey.
    """

    title: str
    group: Group
    path: tuple[str, ...]
    methods: Sequence[str]
    line: float | None = None
    baseline: tuple[str, ...] | None = None


def draw_panels(
    panels: Sequence[Panel], *, x: str, y: str, baseline: str = "random", columns: int = 2,
    scale: str = "linear", share: bool = True,
) -> tuple[Figure, Rows]:  # fmt: skip
    """Draw curves with shades of one standard error over test images; means over the seeds.

    Args:
        panels: The panels, row by row.
        x: Label of the horizontal axis.
        y: Label of the vertical axis.
        baseline: Name of the panels' baseline.
        columns: Panels in a row.
        scale: Scale of the vertical axis.
        share: Whether the panels of a row share the vertical axis.

    Returns:
        The figure, and a row per panel, method and point.
    """
    lines = -(-len(panels) // columns)
    figure, axes = plt.subplots(
        lines, columns, figsize=(3.3 * columns, 2.5 * lines + 0.5), squeeze=False,
        sharey="row" if share else "none",
    )  # fmt: skip
    rows: Rows = []
    for number, panel in enumerate(panels):
        axis = axes[number // columns][number % columns]
        axis.set_title(panel.title, fontsize=9)
        axis.set_yscale(scale)
        axis.set_xlabel(x, fontsize=9)
        axis.tick_params(labelsize=8)
        if number % columns == 0:
            axis.set_ylabel(y, fontsize=9)
        if panel.line is not None:
            axis.axvline(panel.line, color="grey", ls="--", lw=1)
        there = (
            m for m in panel.methods if m in panel.group and panel.path[0] in panel.group[m][0]
        )
        drawn = [(m, panel.path, *_LOOKS[m]) for m in there]
        if panel.baseline is not None:
            drawn.append(("standard", panel.baseline, "grey", ":"))
        for method, path, color, style in drawn:
            shown = baseline if path is panel.baseline else method
            places, middle, error = _averaged(panel.group, method, path)
            shade = COLORS.get(color, color)
            axis.plot(places, middle, color=shade, ls=style, lw=1.6, label=shown)
            low, high = ([m + sign * e for m, e in zip(middle, error, strict=True)]
                         for sign in (-1, 1))  # fmt: skip
            axis.fill_between(places, low, high, color=shade, alpha=0.2, lw=0)
            rows += [
                {"panel": panel.title, "method": shown, "x": a, "mean": b, "se": c}
                for a, b, c in zip(places, middle, error, strict=True)
            ]
    _legend(figure, list(axes.flat), len(panels))
    return figure, rows


def draw_against_setting(
    series: Sequence[tuple[str, Series]], labels: Sequence[str], lines: Sequence[float | None]
) -> tuple[Figure, Rows]:
    """Draw clean and adversarial accuracy against a setting of the training, a panel for each.

    The shade reaches from the lowest to the highest seed.

    Args:
        series: By panel its title and the accuracies.
        labels: Labels of the horizontal axes; one with "step" is logarithmic.
        lines: Places of the dashed lines.

    Returns:
        The figure, and a row per point.
    """
    height = -(-len(series) // 2)
    figure, axes = plt.subplots(
        height, 2, figsize=(6.6, 2.5 * height + 0.5), sharey=True, squeeze=False
    )
    rows: Rows = []
    for axis, (title, entry), label, line in zip(axes.flat, series, labels, lines, strict=False):
        axis.set_title(title, fontsize=9)
        low, high = ([pick(values) for values in entry.by_seed] for pick in (min, max))
        axis.fill_between(entry.settings, low, high, color=COLORS["blue"], alpha=0.2, lw=0)
        for name, values, color, marker in (
            ("clean", entry.clean, "black", MARKERS[0]),
            ("attacked", entry.robust, "blue", MARKERS[1]),
        ):
            axis.plot(entry.settings, values, color=COLORS[color], marker=marker, ms=4, label=name)
            rows += [
                {"panel": title, "images": name, "setting": s, "accuracy": v}
                for s, v in zip(entry.settings, values, strict=True)
            ]
        if "step" in label:
            axis.set_xscale("log")
        if line is not None:
            axis.axvline(line, color="grey", ls="--", lw=1)
        axis.set_xlabel(label, fontsize=9)
        axis.tick_params(labelsize=8)
        axis.set_ylim(0, 1.02)
    for axis in axes[:, 0]:
        axis.set_ylabel("accuracy (share)", fontsize=9)
    _legend(figure, list(axes.flat), len(series))
    return figure, rows


def _legend(figure: Figure, axes: Sequence[Axes], used: int) -> None:
    """Put one legend into the first empty panel, or below all if there is none."""
    entries: dict[str, Any] = {}
    for axis in axes[:used]:
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    for axis in axes[used:]:
        axis.axis("off")
    handles, labels = list(entries.values()), list(entries)
    if used < len(axes):
        axes[used].legend(handles, labels, loc="center", fontsize=9)
    else:
        figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=9)


def _averaged(
    group: Group, method: str, path: tuple[str, ...]
) -> tuple[list[float], list[float], list[float]]:
    """Return the places of a curve, and the means over seeds of its means and errors."""
    first = group[method][0][path[0]]
    found = [
        [mean(column) for column in zip(*curve(group, method, *path, kind), strict=True)]
        for kind in ("mean", "se")
    ]
    if path[0] == "spectrum":
        return [float(n + 1) for n in range(len(found[0]))], found[0], found[1]
    return [float(v) for v in first["radii"]], found[0], found[1]
