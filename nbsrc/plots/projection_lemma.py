"""Charts of the projection lemma: ties, step sizes, slow entries, F twice, robust regression."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from nbsrc.audits.projection_lemma.robust import curves
from nbsrc.audits.projection_lemma.steps import measured_error, slow_entry, worst_error
from nbsrc.figures import COLORS
from nbsrc.operator_norm import dual_face, dual_vector, limit_projection, project_sphere
from nbsrc.plots.taps import Rows

__all__ = ["draw_regression", "draw_slow", "draw_steps", "draw_ties", "draw_twice"]

STEPS = (0.25, 0.5, 4.0)
TIES = {1.0: ((0.2, -0.7), (1.0, 1.0)), math.inf: ((-0.2, 0.6), (1.0, 0.0))}


def _name(p: float) -> str:
    return r"p = $\infty$" if p == math.inf else f"p = {p:g}"


def draw_ties(steps: Sequence[float] = STEPS) -> tuple[Figure, Rows]:
    """Draw projected steps of growing size in the plane, where the maximiser is not unique.

    Args:
        steps: The step sizes, one column each.

    Returns:
        The figure, and a row per order and step.
    """
    figure, axes = plt.subplots(2, len(steps), figsize=(7, 5.2), sharex=True, sharey=True)
    rows: Rows = []
    for line, (p, (start, direction)) in zip(axes, TIES.items(), strict=True):
        v, g = (torch.tensor([w], dtype=torch.float64) for w in (start, direction))
        printed, true = dual_vector(g, p)[0], limit_projection(v, g, p)[0]
        for axis, alpha in zip(line, steps, strict=True):
            moved = v + alpha * g
            found = project_sphere(moved, torch.zeros_like(v), 1.0, p)
            _draw_ball(axis, p, dual_face(g[0], p).vertices())
            _draw_step(axis, v[0], moved[0], found[0])
            axis.plot(*printed, "X", ms=11, color=COLORS["red"], label="limit as printed")
            axis.plot(*true, "o", ms=13, mfc="none", mew=2, color=COLORS["green"],
                      label="nearest maximiser to v")  # fmt: skip
            axis.set_title(rf"{_name(p)}, $\alpha$ = {alpha:g}", fontsize=10)
            rows.append({
                "p": _name(p), "alpha": alpha,
                "v": str(list(start)), "g": str(list(direction)),
                "projection": str([round(x, 6) for x in found[0].tolist()]),
                "printed": str(printed.tolist()),
                "limit": str([round(x, 6) for x in true.tolist()]),
            })  # fmt: skip
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=9)
    return figure, rows


def _draw_ball(axis: Axes, p: float, face: Tensor) -> None:
    corners = [(1, 0), (0, 1), (-1, 0), (0, -1), (1, 0)]
    if p == math.inf:
        corners = [(1, 1), (-1, 1), (-1, -1), (1, -1), (1, 1)]
    axis.plot(*zip(*corners, strict=True), color="#888888", lw=1.2)
    axis.plot(*face.T.tolist(), color=COLORS["sky"], lw=5, alpha=0.8, label="all maximisers")
    axis.set_aspect("equal")
    axis.set_xlim(-1.2, 1.9)
    axis.set_ylim(-1.2, 1.9)
    axis.set_xticks([-1, 0, 1])
    axis.set_yticks([-1, 0, 1])


def _draw_step(axis: Axes, v: Tensor, moved: Tensor, found: Tensor) -> None:
    axis.plot(*torch.stack([v, moved]).T.tolist(), color="black", lw=1.2)
    axis.plot(*torch.stack([moved, found]).T.tolist(), ":", color="black", lw=1.5)
    axis.plot(*v.tolist(), "s", color="black", ms=6, label="start v")
    axis.plot(*found.tolist(), "D", color=COLORS["blue"], ms=7, label="projection of the step")


def draw_steps(points: int = 121, measured: int = 13) -> tuple[Figure, Rows]:
    """Draw the worst distance to the limit over the step, both in units of the radius.

    Args:
        points: Points of each curve.
        measured: Measured distances on each curve.

    Returns:
        The figure, and a row per order and measured step.
    """
    figure, axis = plt.subplots(figsize=(7, 4.4))
    grid = torch.logspace(-1, 3, points, dtype=torch.float64).tolist()
    ratios = torch.logspace(-1, 3, measured, dtype=torch.float64).tolist()
    directions = {2.0: (0.6, 0.8), 1.0: (1.0, 0.0), math.inf: (1.0, -1.0)}
    styles = {2.0: ("blue", "-", "o"), 1.0: ("red", "-", "s"), math.inf: ("green", "--", "^")}
    rows: Rows = []
    for p, (color, line, marker) in styles.items():
        curve = [worst_error(p, r) for r in grid]
        kept = [(r, e) for r, e in zip(grid, curve, strict=True) if e > 0]
        if p != 2:
            kept += [(1.999, 1e-3), (2.0, 1e-4)]
        axis.plot(*zip(*kept, strict=True), line, color=COLORS[color], label=_name(p))
        v = torch.tensor(directions[p], dtype=torch.float64)
        for r in ratios:
            found = measured_error(v, p, r, count=50, seed=0)
            rows.append({"p": _name(p), "ratio": r, "worst": worst_error(p, r), "found": found})
            if found > 1e-4:
                axis.plot(r, found, marker, color=COLORS[color], ms=5)
    axis.axvline(2, color="#666666", lw=1, ls=":")
    axis.text(2.15, 3e-4, "from 2 on: exactly 0\nfor p = 1 and p = $\\infty$", fontsize=9)
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_ylim(2e-4, 4)
    axis.set_xlabel(r"step over radius, $\alpha/\epsilon$ (no unit)")
    axis.set_ylabel("worst distance to the limit / radius\n(in the p-norm)")
    axis.legend(loc="upper right")
    return figure, rows


def draw_slow(
    orders: Sequence[float] = (1.5, 2, 3, 4, 10), decades: int = 9
) -> tuple[Figure, Rows]:
    """Draw what is left of the start (0, 1) in its own entry after a step along (1, 0).

    Args:
        orders: The orders; p = inf is added.
        decades: Largest step as a power of ten.

    Returns:
        The figure, and a row per order and step.
    """
    figure, axis = plt.subplots(figsize=(7, 4.4))
    alphas = [10.0 ** (k / 2) for k in range(1, 2 * decades + 1)]
    rows: Rows = []
    palette = [COLORS[c] for c in ("purple", "blue", "green", "orange", "red", "black")]
    for number, p in enumerate([*orders, math.inf]):
        values = [1.0 if p == math.inf else slow_entry(p, a) for a in alphas]
        axis.plot(alphas, values, color=palette[number % len(palette)])
        shown = [(a, y) for a, y in zip(alphas, values, strict=True) if y > 1.5e-6]
        axis.text(shown[-1][0] * 1.15, shown[-1][1], _name(p), fontsize=9, va="center")
        rows += [{"p": _name(p), "alpha": a, "y": y} for a, y in zip(alphas, values, strict=True)]
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_ylim(1e-6, 2)
    axis.set_xlim(2, 10.0 ** (decades + 1.6))
    axis.set_xlabel(r"step $\alpha$ (no unit)")
    axis.set_ylabel("second entry of the projection\n(limit as printed: 0)")
    return figure, rows


def draw_twice(vectors: Sequence[Sequence[float]], points: int = 101) -> tuple[Figure, Rows]:
    """Draw how far F(F(z)) is from F(z), over 1/p.

    Args:
        vectors: The vectors z.
        points: Points of each curve, odd.

    Returns:
        The figure, and a row per vector and order.
    """
    figure, axis = plt.subplots(figsize=(7, 4))
    palette = [COLORS[c] for c in ("blue", "red", "green")]
    rows: Rows = []
    for number, z in enumerate(vectors):
        values = []
        for k in range(points):
            p = math.inf if k == 0 else (points - 1) / k
            once = dual_vector(torch.tensor([z], dtype=torch.float64), p)
            error = float((dual_vector(once, p) - once).abs().max())
            values.append(error)
            rows.append({"z": str(list(z)), "1/p": k / (points - 1), "difference": error})
        words = ", ".join(f"{a:g}" for a in z)
        grid = [k / (points - 1) for k in range(points)]
        axis.plot(grid, values, ("-", "--", "-.")[number % 3], color=palette[number % 3],
                  label=f"z = ({words})")  # fmt: skip
    axis.plot([0, 0.5, 1], [0, 0, 0], "o", ms=9, color="black", clip_on=False, zorder=5)
    axis.set_xticks(
        [0, 0.1, 0.25, 1 / 3, 0.5, 2 / 3, 1],
        ["0\np = ∞", "1/10", "1/4", "1/3", "1/2\np = 2", "2/3", "1\np = 1"], fontsize=9,
    )  # fmt: skip
    axis.set_xlabel("1/p (no unit)")
    axis.set_ylabel("largest entry of |F(F(z)) − F(z)|")
    figure.legend(loc="outside lower center", ncols=3, fontsize=9)
    return figure, rows


def draw_regression(y: float, x: float, budget: float, points: int = 161) -> tuple[Figure, Rows]:
    """Draw the losses of a regression with one number, over the weight.

    Args:
        y: The target.
        x: The input.
        budget: lambda, the largest change of x.
        points: Points of each curve.

    Returns:
        The figure, and a row per weight.
    """
    weights = [-0.5 + 2.5 * k / (points - 1) for k in range(points)]
    found: Mapping[str, list[float]] = curves(y, x, budget, weights)
    figure, axis = plt.subplots(figsize=(7, 4.2))
    axis.plot(weights, found["worst"], color=COLORS["sky"], lw=6, label="worst loss (enumerated)")
    axis.plot(weights, found["regularised"], "--", color="black",
              label=r"$|y-xw|+\lambda|w|$")  # fmt: skip
    axis.plot(weights[::8], found["repaired"][::8], "o", color=COLORS["green"],
              label=r"at $\Delta^*$ repaired (minus)")  # fmt: skip
    axis.plot(weights, found["printed"], ":", color=COLORS["red"], lw=3,
              label=r"at $\Delta^*$ as printed (plus)")  # fmt: skip
    axis.set_xlabel("weight w (no unit)")
    axis.set_ylabel("loss (unit of y)")
    figure.legend(loc="outside lower center", ncols=2, fontsize=9)
    keys = ("worst", "regularised", "printed", "repaired")
    rows = [
        {"w": w, **{key: found[key][number] for key in keys}} for number, w in enumerate(weights)
    ]
    return figure, rows
