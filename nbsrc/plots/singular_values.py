"""Charts of singular values, variances of norms, margins and confidence (Wen, Li & Jia)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure

from nbsrc.audits.singular_values.cases import Scores
from nbsrc.audits.singular_values.concentration import Zigzag
from nbsrc.audits.singular_values.confidence import cross_entropy
from nbsrc.audits.singular_values.sampling import FUNCTIONS, sphere_sample
from nbsrc.audits.singular_values.scores import margin
from nbsrc.figures import COLORS, MARKERS
from nbsrc.layer_spectra import relu_moments, spectrum, square_moments
from nbsrc.plots.taps import Rows

__all__ = [
    "draw_concentration",
    "draw_layer_statistics",
    "draw_loss_curve",
    "draw_margin_and_loss",
    "draw_spectra",
    "draw_spread",
]

SHAPES = {"tall, 16 x 8": (16, 8), "square, 8 x 8": (8, 8), "wide, 4 x 8": (4, 8)}
PALETTE = [COLORS[name] for name in ("blue", "red", "green", "orange")]


def draw_spread(spreads: Sequence[float], *, count: int, seed: int) -> tuple[Figure, Rows]:
    """Draw the variance of ``|W d|^2`` over the spread of the singular values, formula and sample.

    Args:
        spreads: Half ranges of singular values that are equidistant around 1.
        count: Random directions for each dot.
        seed: Seed.

    Returns:
        The figure, and a row per dot.
    """
    g = torch.Generator().manual_seed(seed)
    panels = {"square": r"$\|W\delta\|^2$", "relu": r"$\|\mathrm{ReLU}(W\delta)\|^2$"}
    figure, axes = plt.subplots(2, 1, figsize=(6.4, 6.4), sharex=True)
    rows: Rows = []
    for number, (shape, (m, n)) in enumerate(SHAPES.items()):
        U, _, Vh = torch.linalg.svd(
            torch.randn(m, n, generator=g, dtype=torch.float64), full_matrices=False
        )
        steps = torch.linspace(-1, 1, min(m, n), dtype=torch.float64)
        lines: dict[str, list[tuple[float, float, float]]] = {name: [] for name in panels}
        for spread in spreads:
            W = U @ torch.diag(1 + spread * steps) @ Vh
            found, d = spectrum(W), sphere_sample(n, count, g)
            for name, formula in (("square", square_moments), ("relu", relu_moments)):
                exact, values = formula(W), FUNCTIONS[name](d @ W.T)
                sampled = float(values.var()) / float(values.mean()) ** 2
                relative = exact.variance / exact.mean**2
                lines[name].append((found.std, relative, sampled))
                rows.append({"shape": shape, "function": name, "std of sigma": found.std,
                             "formula": relative, "sample": sampled})  # fmt: skip
        for axis, name in zip(axes, panels, strict=True):
            x, y, dots = zip(*lines[name], strict=True)
            axis.plot(x, y, ("-", "--", "-.")[number], color=PALETTE[number])
            axis.plot(x, dots, MARKERS[number], ls="none", ms=5, color=PALETTE[number],
                      mfc="white", label=shape)  # fmt: skip
    for axis, title in zip(axes, panels.values(), strict=True):
        axis.set_ylim(bottom=-0.015)
        axis.set_ylabel(f"variance / mean$^2$ of\n{title} (no unit)")
    axes[1].set_xlabel(r"standard deviation of $\sigma(W)$, mean 1 (no unit)")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=9)
    return figure, rows


def draw_layer_statistics(rows: Sequence[Mapping[str, Any]]) -> tuple[Figure, Rows]:
    """Draw the statistic of Figure 1a, and the one that is divided by the mean, per layer.

    Args:
        rows: Rows with ``network``, ``layer``, ``type``, ``std`` and ``std / mean``.

    Returns:
        The figure, and the rows.
    """
    figure, axes = plt.subplots(2, 1, figsize=(6.4, 5.6), sharex=True)
    names = list(dict.fromkeys(row["network"] for row in rows))
    for number, name in enumerate(names):
        own = [row for row in rows if row["network"] == name]
        ticks = [f"{i}: {row['type']}" for i, row in enumerate(own, start=1)]
        for axis, key in zip(axes, ("std", "std / mean"), strict=True):
            shift = 0.12 * (number - (len(names) - 1) / 2)
            axis.plot([i + shift for i in range(len(own))], [row[key] for row in own],
                      MARKERS[number], ms=9, color=PALETTE[number], label=name)  # fmt: skip
            axis.set_xticks(range(len(own)), ticks)
    axes[0].set_yscale("log", base=2)
    axes[0].set_ylabel("std of singular values\n(Figure 1a, no unit)")
    axes[1].set_ylabel("std / mean\n(no unit)")
    axes[1].set_ylim(0, 1.15 * max(row["std / mean"] for row in rows))
    axes[1].set_xlabel("layer")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=1, fontsize=9)
    return figure, [dict(row) for row in rows]


def draw_margin_and_loss(
    classes: Sequence[int], *, count: int, seed: int
) -> tuple[Figure, Rows]:  # fmt: skip
    """Draw the cross-entropy of random scores over their margin, between its two bounds.

    Args:
        classes: Numbers of classes, one panel each.
        count: Score vectors per panel.
        seed: Seed.

    Returns:
        The figure, and a row per score vector.
    """
    g = torch.Generator().manual_seed(seed)
    figure, axes = plt.subplots(
        1, len(classes), figsize=(3.4 * len(classes), 4), sharey=True, squeeze=False
    )
    rows: Rows = []
    grid = torch.linspace(-4, 4, 161, dtype=torch.float64)
    for axis, L in zip(axes.flat, classes, strict=True):
        vectors = 2.2 * torch.randn(count, L, generator=g, dtype=torch.float64)
        cases = [Scores(tuple(v.tolist()), 0) for v in vectors]
        points = [(margin(x), cross_entropy(x)) for x in cases]
        points = [q for q in points if abs(q[0]) <= 4]
        rows += [{"classes": L, "margin": a, "loss": b} for a, b in points]
        axis.plot(*zip(*points, strict=True), "o", ms=3, color=COLORS["sky"], alpha=0.7)
        axis.plot(grid, torch.log1p(torch.exp(-grid)), color="black", label="one rival")
        axis.plot(grid, torch.log1p((L - 1) * torch.exp(-grid)), "--", color=COLORS["red"],
                  label="all rivals tied")  # fmt: skip
        axis.axhline(1.0, color=COLORS["green"], lw=1.5, ls=":", label=r"loss 1: $p_y$ = 0.37")
        axis.set_title(f"{L} classes", fontsize=10)
        axis.set_xlabel(r"margin $\mathcal{M}(s, y)$ (no unit)")
    axes[0, 0].set_ylabel("cross-entropy (nats)")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=9)
    return figure, rows


def draw_loss_curve(rows: Sequence[Mapping[str, float]]) -> tuple[Figure, Rows]:
    """Draw training and test loss of one network when its scores are multiplied by a factor.

    Args:
        rows: Rows with ``scale``, ``train``, ``test`` and ``gap``.

    Returns:
        The figure, and the rows.
    """
    figure, axis = plt.subplots(figsize=(6.4, 4.2))
    scale = [row["scale"] for row in rows]
    for number, (name, line) in enumerate((("test", "-"), ("train", "--"), ("gap", ":"))):
        axis.plot(scale, [row[name] for row in rows], line, color=PALETTE[number],
                  marker=MARKERS[number], ms=4,
                  label={"gap": "gap, test - train"}.get(name, f"{name} loss"))  # fmt: skip
    best = min(rows, key=lambda row: row["test"])
    axis.axvline(1, color="#555555", lw=1)
    axis.annotate("the network\nas trained", (1, 0.02), xycoords=("data", "axes fraction"),
                  xytext=(4, 0), textcoords="offset points", fontsize=8)  # fmt: skip
    axis.plot(best["scale"], best["test"], "*", ms=14, color=COLORS["black"],
              label="smallest test loss")  # fmt: skip
    axis.set_xscale("log")
    axis.set_ylim(0, 1.15 * max(rows[-1]["test"], 1.5 * best["test"]))
    axis.set_xlabel("factor of all scores (confidence; every decision stays the same)")
    axis.set_ylabel("mean cross-entropy (nats)")
    figure.legend(loc="outside lower center", ncols=2, fontsize=9)
    return figure, [dict(row) for row in rows]


def draw_spectra(rows: Sequence[Mapping[str, Any]]) -> tuple[Figure, Rows]:
    """Draw all singular values of a layer, as it is applied and on tori.

    Args:
        rows: Rows with ``spectrum``, ``index`` and ``value``.

    Returns:
        The figure, and the rows.
    """
    figure, axis = plt.subplots(figsize=(6.4, 4.2))
    for number, name in enumerate(dict.fromkeys(row["spectrum"] for row in rows)):
        own = [row for row in rows if row["spectrum"] == name]
        axis.plot([row["index"] for row in own], [row["value"] for row in own],
                  ("-", "--", ":")[number % 3], marker=MARKERS[number], ms=4,
                  color=PALETTE[number], label=name)  # fmt: skip
    axis.set_ylim(bottom=0)
    axis.set_xlabel("rank of the singular value, largest first")
    axis.set_ylabel("singular value (no unit)")
    figure.legend(loc="outside lower center", ncols=2, fontsize=9)
    return figure, [dict(row) for row in rows]


def draw_concentration(nets: Mapping[str, Zigzag], points: int = 141) -> tuple[Figure, Rows]:
    """Draw margins along a line, with the margins of the test set marked.

    Args:
        nets: Networks with one input, by name.
        points: Inputs on the axis.

    Returns:
        The figure, and a row per network and input.
    """
    x = torch.linspace(-0.5, 6.5, points, dtype=torch.float64)
    figure, axis = plt.subplots(figsize=(6.4, 4))
    rows: Rows = []
    for number, (name, net) in enumerate(nets.items()):
        y = net.margins(x)
        axis.plot(x, y, ("-", "--")[number % 2], color=PALETTE[number], label=name)
        axis.plot([0, 2, 4, 6], net.test_margins, MARKERS[number], ms=8, color=PALETTE[number])
        rows += [
            {"network": name, "x": a, "margin": b}
            for a, b in zip(x.tolist(), y.tolist(), strict=True)
        ]
    axis.fill_between([-0.5, 6.5], -1.4, 0, color="#EBA27A", alpha=0.3, lw=0)
    axis.set_xlim(-0.5, 6.5)
    axis.set_ylim(-1.4, None)
    axis.text(-0.4, -1.3, "misclassified", fontsize=9)
    axis.set_xlabel("input x (markers: the test set)")
    axis.set_ylabel("margin (no unit)")
    figure.legend(loc="outside lower center", ncols=1, fontsize=9)
    return figure, rows
