"""Charts of the margin bound: margins and distances, the cover, the bounds, a trained network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, Patch
from torch import Tensor, nn

from nbsrc.audits.margin_bound.networks import Example
from nbsrc.audits.margin_bound.terms import SecondTerm
from nbsrc.audits.margin_bound.theorem import Trial
from nbsrc.figures import COLORS
from nbsrc.margins import first_ball_cells, row_rank_constant
from nbsrc.plots.taps import Rows

__all__ = ["draw_bounds", "draw_cover", "draw_margins", "draw_second_term", "draw_trained"]

CLASSES = ("blue", "orange")


def draw_margins(count: int = 91) -> tuple[Figure, Rows]:
    """Draw the true margin of ``relu(x)`` beside eq. (5) and the repaired bound.

    Args:
        count: Points on the quarter circles from -85 to 44 degrees.

    Returns:
        The figure, and a row per point.
    """
    eye = torch.eye(2, dtype=torch.float64)
    rows: Rows = []
    for degrees in torch.linspace(-85, 44, count, dtype=torch.float64).tolist():
        angle = math.radians(degrees)
        x = torch.tensor([math.cos(angle), math.sin(angle)], dtype=torch.float64)
        e = Example((eye, eye), x)
        rows.append({"angle": degrees, "true margin": float(e.margin()), "eq (5)": e.printed,
                     "repaired": row_rank_constant(e.weights, 0) * e.v_min})  # fmt: skip
    figure, axis = plt.subplots(figsize=(7, 4.4))
    angles = [row["angle"] for row in rows]
    true, printed = ([row[k] for row in rows] for k in ("true margin", "eq (5)"))
    above = [p > t + 1e-9 for p, t in zip(printed, true, strict=True)]
    axis.fill_between(angles, true, printed, where=above, color=COLORS["red"], alpha=0.2, lw=0)
    axis.plot(angles, printed, "--", color=COLORS["red"], label='eq. (5), "lower bound"')
    axis.plot(angles, true, "-", color=COLORS["black"], label="true margin")
    axis.plot(angles, [row["repaired"] for row in rows], "-.", color=COLORS["blue"],
              label="repaired lower bound")  # fmt: skip
    axis.axvline(0, color="#666666", lw=1)
    axis.text(-62, 0.13, "second unit is off", fontsize=9, ha="center")
    axis.text(21, 0.06, "both units on", fontsize=9, ha="center")
    axis.set_xlabel("angle of the input on the unit circle (degrees)")
    axis.set_ylabel("margin (units of the scores)")
    axis.set_ylim(0, 1.5)
    figure.legend(loc="outside lower center", ncols=3, fontsize=9)
    return figure, rows


def draw_cover(
    points: Tensor, labels: Tensor, centres: Tensor, eps: float, seen: Tensor
) -> tuple[Figure, Rows]:
    """Draw the covering argument: balls, cells, boundary, margin, and a cell with two labels.

    Args:
        points: ``[N, 2]``; the prediction is class 1 left of 0 and class 2 right of it.
        labels: Labels 0 or 1 ``[N]``.
        centres: Centres of the balls ``[K, 2]``.
        eps: Radius.
        seen: Whether a point is in the sample ``[N]``.

    Returns:
        The figure, and a row per point.
    """
    cells = first_ball_cells(points, centres, eps)
    figure, axis = plt.subplots(figsize=(7, 4.9))
    edge = float(points[:, 0].abs().min())
    axis.axvspan(-edge, edge, color=COLORS["sky"], alpha=0.25, lw=0)
    axis.axvline(0, color="black", lw=2)
    tints = ("#F3EBD3", "#E4EEF6", "#E7F3E4", "#F4E4EC", "#ECECEC")
    mixed = [i for i in range(len(centres)) if len(set(labels[cells == i].tolist())) > 1]
    for i, c in enumerate(centres.tolist()):
        warn = i in mixed
        color, width = (COLORS["red"], 2.5) if warn else ("#555555", 1)
        face = tints[i % len(tints)]
        axis.add_patch(Circle((c[0], c[1]), eps, fc=face, ec=color, lw=width, alpha=0.8, zorder=1))
        axis.plot(*c, "+", color="#333333", ms=9, zorder=3)
        axis.text(c[0], c[1] + eps * 0.72, f"C{i + 1}", ha="center", fontsize=9, zorder=4)
    for y, (color, marker) in enumerate(zip(CLASSES, "os", strict=True)):
        for mine, face in ((True, COLORS[color]), (False, "white")):
            chosen = (labels == y) & (seen == mine)
            axis.plot(*points[chosen].T.numpy(), marker, ls="none", ms=7, zorder=5,
                      markerfacecolor=face, markeredgecolor=COLORS[color], mew=1.8)  # fmt: skip
    axis.set_aspect("equal")
    axis.set_xlabel("first input (arbitrary unit)")
    axis.set_ylabel("second input (same unit)")
    handles = [
        *(Line2D([], [], marker=m, ls="none", color=COLORS[c], ms=7, label=f"label {y + 1}")
          for y, (c, m) in enumerate(zip(CLASSES, "os", strict=True))),
        Line2D([], [], marker="o", ls="none", mfc="white", mec="#555555", label="not in sample"),
        Line2D([], [], color="black", lw=2, label="decision boundary"),
        Patch(color=COLORS["sky"], alpha=0.25, label="instance-space margin"),
        Patch(facecolor="white", edgecolor=COLORS["red"], lw=2.5, label="ball with two labels"),
    ]  # fmt: skip
    figure.legend(handles=handles, loc="outside lower center", ncols=3, fontsize=9)
    rows = [
        {"x1": p[0], "x2": p[1], "label": int(y) + 1, "cell": int(c) + 1, "in the sample": bool(s)}
        for p, y, c, s in zip(points.tolist(), labels, cells, seen, strict=True)
    ]
    return figure, rows


def draw_bounds(cases: Sequence[Trial]) -> tuple[Figure, Rows]:
    """Draw the error of memorising networks and the bounds over the size of the sample.

    Args:
        cases: Trials with one eta, sizes rising.

    Returns:
        The figure, and a row per size.
    """
    rows: Rows = [
        {"m": t.m, "error": t.memory.error, "error for every sample": t.certain,
         "eq (4)": t.printed, "end of the proof": t.proof_end, "repaired": t.repaired}
        for t in cases
    ]  # fmt: skip
    figure, axis = plt.subplots(figsize=(7, 4.4))
    m = [row["m"] for row in rows]
    axis.plot(m, [row["repaired"] for row in rows], "-.", color=COLORS["blue"],
              label="repaired bound")  # fmt: skip
    axis.plot(m, [row["error"] for row in rows], "o-", color=COLORS["black"], ms=5,
              label="generalisation error")  # fmt: skip
    axis.plot(m, [row["eq (4)"] for row in rows], "--", color=COLORS["red"],
              label="eq. (4) with (5)")  # fmt: skip
    axis.plot(m, [row["end of the proof"] for row in rows], ":", color=COLORS["purple"],
              label="end of the proof, with (5)")  # fmt: skip
    axis.axhline(1, color="#666666", lw=1)
    axis.text(m[-1], 1.35, "above 1 a bound says nothing", ha="right", fontsize=9)
    axis.set_xscale("log")
    axis.set_ylim(0, 1.75)
    axis.set_xlabel("examples in the sample, m")
    axis.set_ylabel("ramp loss (no unit)")
    figure.legend(loc="outside lower center", ncols=2, fontsize=9)
    return figure, rows


def draw_second_term(cases: Sequence[SecondTerm]) -> tuple[Figure, Rows]:
    """Draw the second term of (4) over the dimension.

    Args:
        cases: Settings with one m and eta.

    Returns:
        The figure, and a row per setting.
    """
    figure, axis = plt.subplots(figsize=(7, 4.2))
    ratios = list(dict.fromkeys(c.ratio for c in cases))
    palette = ("black", "blue", "orange", "red")
    for number, ratio in enumerate(ratios):
        line = [c for c in cases if c.ratio == ratio]
        axis.plot([c.k for c in line], [c.value for c in line], "osD^"[number], ls="-", ms=4,
                  color=COLORS[palette[number]], label=f"C/ε = {ratio:g}")  # fmt: skip
    axis.axhspan(1, 1e10, color=COLORS["red"], alpha=0.12, lw=0)
    axis.axhline(1, color=COLORS["red"], lw=1)
    axis.text(1, 3e3, "no information:\nthe loss is at most 1", fontsize=9, va="center")
    axis.set_yscale("log")
    axis.set_ylim(5e-3, 1e5)
    axis.set_xlabel("dimension k of the inputs' manifold")
    axis.set_ylabel("second term of (4) (no unit)")
    axis.set_xticks(range(0, 21, 5))
    figure.legend(loc="outside lower center", ncols=4, fontsize=9)
    return figure, [c.description for c in cases]


def draw_trained(
    nets: Sequence[tuple[str, nn.Module]],
    points: Tensor,
    labels: Tensor,
    eps: float,
    distances: Sequence[Sequence[float]],
) -> tuple[Figure, Rows]:
    """Draw Figure 2a: trained networks with their boundaries and the guard regions.

    Args:
        nets: Titles and networks with two inputs and two classes.
        points: Training inputs ``[N, 2]``.
        labels: Labels ``[N]``.
        eps: Radius of the guard regions.
        distances: The exact v(x) of the points, per network.

    Returns:
        The figure, and a row per network and point.
    """
    figure, axes = plt.subplots(1, len(nets), figsize=(8.4, 4.1), sharey=True, squeeze=False)
    rows: Rows = []
    red = COLORS["red"]
    for axis, (title, net), found in zip(axes.flat, nets, distances, strict=True):
        _background(axis, net, points)
        for p, y, v in zip(points.tolist(), labels.tolist(), found, strict=True):
            safe = v >= eps
            face, color, width = ("#FFE89A", "#777777", 0.8) if safe else ("white", red, 2.2)
            axis.add_patch(
                Circle((p[0], p[1]), eps, fc=face, ec=color, lw=width, alpha=0.9, zorder=2)
            )
            axis.plot(*p, "os"[y], color=COLORS[CLASSES[y]], ms=4.5, zorder=4)
            rows.append({"network": title, "x1": p[0], "x2": p[1], "label": y + 1, "v": v})
        axis.set_title(f"{title}\nsmallest v(x) = {min(found):.2f}", fontsize=10)
        axis.set_aspect("equal")
        axis.set_xlabel("first input")
    axes[0, 0].set_ylabel("second input")
    handles = [
        Line2D([], [], color="black", lw=2, label="decision boundary"),
        Patch(fc="#FFE89A", ec="#777777", label=f"ball of radius {eps:g}, v(x) ≥ {eps:g}"),
        Patch(fc="white", ec=red, lw=2.2, label=f"v(x) < {eps:g}"),
    ]  # fmt: skip
    figure.legend(handles=handles, loc="outside lower center", ncols=3, fontsize=9)
    return figure, rows


def _background(axis: Axes, net: nn.Module, points: Tensor) -> None:
    low, high = points.amin(0) - 0.5, points.amax(0) + 0.5
    steps = 241
    x = torch.linspace(float(low[0]), float(high[0]), steps, dtype=torch.float64)
    y = torch.linspace(float(low[1]), float(high[1]), steps, dtype=torch.float64)
    with torch.no_grad():
        scores = net(torch.cartesian_prod(x, y).to(next(net.parameters()).dtype))
    gap: Any = (scores[:, 0] - scores[:, 1]).reshape(steps, steps).T.numpy()
    axis.contourf(x.numpy(), y.numpy(), gap, levels=[-1e9, 0, 1e9], colors=["#FCEFD9", "#DCEAF4"],
                  zorder=0)  # fmt: skip
    axis.contour(x.numpy(), y.numpy(), gap, levels=[0], colors="black", linewidths=2, zorder=3)
    axis.grid(visible=False)
