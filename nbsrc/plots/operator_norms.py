"""Charts of operator norms: landscape and local maxima, cells, extraction of the Jacobian."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure
from torch import Tensor

from nbsrc.figures import COLORS, MARKERS
from nbsrc.operator_norm import power_method
from nbsrc.plots.taps import Rows

__all__ = [
    "draw_extraction",
    "draw_landscape",
    "draw_ratios",
    "draw_shares",
]

LINES = ("-", "--", "-.", ":")


def draw_ratios(rows: Sequence[Mapping[str, Any]]) -> tuple[Figure, Rows]:
    """Draw how the ratio of (3) leaves its bound behind outside the cell.

    Args:
        rows: With ``radii`` (length of the step in cell radii), ``median``, ``p90``, ``largest``:
            quantiles of the ratio over sigma.

    Returns:
        The figure, and the rows.
    """
    figure, axis = plt.subplots(figsize=(6.2, 3.6))
    x = [row["radii"] for row in rows]
    for number, (name, color) in enumerate((
        ("largest", "red"),
        ("p90", "orange"),
        ("median", "blue"),
    )):
        words = {"p90": "9 of 10 are below", "median": "half are below"}.get(name, name)
        axis.plot(
            x, [row[name] for row in rows], LINES[number], marker=MARKERS[number],
            color=COLORS[color], label=words,
        )  # fmt: skip
    axis.axhline(1, color="#666666", lw=1)
    axis.axvline(1, color="#666666", lw=1, ls=":")
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xlabel("length of the step (cell radii)")
    axis.set_ylabel("ratio of (3) / σ (no unit)")
    figure.legend(loc="outside lower center", ncols=3, fontsize=9)
    return figure, [dict(row) for row in rows]


def draw_landscape(
    J: Tensor, pair: tuple[float, float], starts: Sequence[Sequence[float]], alpha: float
) -> tuple[Figure, Rows]:
    """Draw the gain around the unit sphere of the p-norm, and where iterations go.

    Args:
        J: ``[d, 2]``.
        pair: p and q.
        starts: Starts of iterations with a finite step.
        alpha: The step size.

    Returns:
        The figure, and a row per angle and per iterate.
    """
    p, q = pair
    degrees = torch.arange(-90.0, 91.0, 1.0, dtype=torch.float64)
    angles = degrees * math.pi / 180
    circle = torch.stack([angles.cos(), angles.sin()], 1)
    sphere = circle / torch.linalg.vector_norm(circle, p, dim=1, keepdim=True)
    gains = torch.linalg.vector_norm(sphere @ J.T, q, dim=1)
    figure, axes = plt.subplots(1, 2, figsize=(7.6, 3.7), width_ratios=(1, 1.5))
    full = torch.cat([sphere, -sphere, sphere[:1]])
    axes[0].plot(*full.T.tolist(), color="#666666", lw=1.5)
    axes[1].plot(degrees.tolist(), gains.tolist(), color="#666666", lw=1.5)
    rows: Rows = [
        {"what": "sphere", "step": 0, "degrees": a, "gain": b}
        for a, b in zip(degrees.tolist(), gains.tolist(), strict=True)
    ]
    for number, v in enumerate(starts):
        start = torch.tensor(v, dtype=torch.float64)
        start = start / torch.linalg.vector_norm(start, p)
        run = power_method(J, p, q, start, 40, alpha, keep_iterates=True)
        assert run.vs is not None
        turns = (torch.atan2(run.vs[:, 1], run.vs[:, 0]) * 180 / math.pi).tolist()
        color, name = COLORS[("red", "blue", "green")[number]], f"start {number + 1}"
        style = {"color": color, "marker": MARKERS[number], "ms": 4, "lw": 1}
        axes[0].plot(*run.vs.T.tolist(), **style)
        axes[1].plot(turns, run.gains.tolist(), label=name, **style)
        end = {"color": color, "marker": MARKERS[number], "ms": 11, "mec": "black", "ls": ""}
        axes[0].plot(*run.vs[-1:].T.tolist(), **end)
        axes[1].plot(turns[-1:], run.gains[-1:].tolist(), **end)
        rows += [
            {"what": name, "step": k, "degrees": a, "gain": b}
            for k, (a, b) in enumerate(zip(turns, run.gains.tolist(), strict=True))
        ]
    axes[0].set_aspect("equal")
    axes[0].set_xlabel(r"$v_1$ (no unit)")
    axes[0].set_ylabel(r"$v_2$ (no unit)")
    axes[1].set_xlabel("direction of v (degrees)")
    axes[1].set_xticks(range(-90, 91, 45))
    axes[1].set_ylabel(r"gain $\Vert Jv\Vert_q$ (no unit)")
    figure.legend(loc="outside lower center", ncols=3, fontsize=9)
    return figure, rows


def draw_shares(rows: Sequence[Mapping[str, Any]]) -> tuple[Figure, Rows]:
    """Draw how often the iteration reaches the norm, for each pair.

    Args:
        rows: Rows of :func:`nbsrc.audits.operator_norms.iteration.shares`.

    Returns:
        The figure, and the rows.
    """
    figure, axis = plt.subplots(figsize=(6.6, 3.7))
    places = list(range(len(rows)))
    axis.bar(
        places, [100 * row["share of starts"] for row in rows], 0.6,
        color=COLORS["sky"], label="single random starts",
    )  # fmt: skip
    axis.plot(
        places, [100 * row["best of 10"] for row in rows], "D",
        color=COLORS["red"], label="matrices, best of 10 starts",
    )  # fmt: skip
    axis.set_xticks(places, [row["pair"].replace("inf", "∞") for row in rows], fontsize=9)
    axis.set_xlabel("pair (p, q): domain, co-domain")
    axis.set_ylabel("reach the norm (per cent)")
    axis.set_ylim(0, 105)
    figure.legend(loc="outside lower center", ncols=2, fontsize=9)
    return figure, [dict(row) for row in rows]


def draw_extraction(rows: Sequence[Mapping[str, Any]]) -> tuple[Figure, Rows]:
    """Draw the error of extracted Jacobians over the size of the perturbations.

    Args:
        rows: Rows of :func:`nbsrc.audits.operator_norms.extraction.errors`.

    Returns:
        The figure, and the rows.
    """
    figure, axis = plt.subplots(figsize=(6.6, 4.2))
    names = list(dict.fromkeys(row["method"] for row in rows if row["parameter"] is not None))
    palette = ("red", "orange", "purple", "sky", "blue", "green")
    for number, name in enumerate(names):
        line = [row for row in rows if row["method"] == name]
        axis.plot(
            [row["parameter"] for row in line], [row["median"] for row in line],
            LINES[number % 4], marker=MARKERS[number], ms=5, color=COLORS[palette[number]],
            label=name,
        )  # fmt: skip
    exact = [row for row in rows if row["parameter"] is None]
    if exact:
        level = max(row["median"] for row in exact)
        axis.axhline(level, color=COLORS["black"], lw=1.5, label="backward pass or masked product")
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xlabel("size of the perturbations (pixel range = 1)")
    axis.set_ylabel("relative error of J (no unit)")
    figure.legend(loc="outside lower center", ncols=2, fontsize=8)
    written = [{**row, "parameter": "" if row["parameter"] is None else row["parameter"]}
               for row in rows]  # fmt: skip
    return figure, written
