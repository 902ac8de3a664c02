"""Charts of the chapter on power methods: iterates, twin trainings, radii, rays, bounds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nbsrc.audits.power_methods.cases import Case, linear_net
from nbsrc.audits.power_methods.theorem import attack_path, power_path
from nbsrc.figures import COLORS
from nbsrc.plots.taps import Rows

__all__ = [
    "draw_beyond",
    "draw_bound",
    "draw_radii",
    "draw_rays",
    "draw_twins",
    "draw_two_iterations",
]

#: Title, J, start, p, q of the panels of the two iterations.
PANELS = (
    ("p = 2, q = 2: generic", ((2.0, 1.0), (0.5, 1.5)), (-0.55, 0.75), 2.0, 2.0),
    ("p = inf, q = 1: a zero", ((1.0, 1.0), (1.0, 0.0)), (1.0, -1.0), math.inf, 1.0),
    ("p = 1, q = 2: a tie", ((1.0, 1.0), (0.0, 0.0)), (0.8, -0.2), 1.0, 2.0),
)


def draw_two_iterations(steps: int = 4) -> tuple[Figure, Rows]:
    """Draw attack and power method (12) on the unit sphere of R^2, three examples.

    Args:
        steps: Iterations.

    Returns:
        The figure, and a row per panel, method and iterate.
    """
    figure, axes = plt.subplots(1, 3, figsize=(8.4, 3.6))
    rows: Rows = []
    for axis, (title, J, start, p, q) in zip(axes, PANELS, strict=True):
        point = torch.zeros(1, 2, dtype=torch.float64)
        first = torch.tensor([start], dtype=torch.float64)
        case = Case(linear_net(J), point, first, "plane", whole=True)
        paths = {
            "attack $(x_k-x)/\\epsilon$": attack_path(case, p, q, steps)[:, 0],
            "power method $v_k$": power_path(case, p, q, steps, "printed")[:, 0],
        }
        _sphere(axis, p)
        styles = (("o", "blue", 11, "-"), ("X", "red", 7, ":"))
        for (name, path), (mark, color, size, line) in zip(paths.items(), styles, strict=True):
            xs, ys = path.T.tolist()
            axis.plot(xs, ys, line, marker=mark, color=COLORS[color], ms=size, lw=1.6,
                      mfc="none" if mark == "o" else None, label=name)  # fmt: skip
            for number, (a, b) in enumerate(zip(xs, ys, strict=True)):
                rows.append({"panel": title, "method": name.split(" $")[0], "k": number,
                             "first": a, "second": b})  # fmt: skip
        axis.annotate("start", start, textcoords="offset points", xytext=(-14, -16), fontsize=9)
        axis.set_title(title, fontsize=10)
        axis.set_aspect("equal")
        axis.set(xlim=(-1.35, 1.35), ylim=(-1.35, 1.35), xlabel="first input")
    axes[0].set_ylabel("second input")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure, rows


def _sphere(axis: Axes, p: float) -> None:
    angle = np.linspace(0, 2 * np.pi, 721)
    circle = np.stack([np.cos(angle), np.sin(angle)])
    circle /= np.linalg.norm(circle, p, axis=0)
    axis.plot(*circle, color="#888888", lw=1)


def draw_twins(curves: Mapping[str, Sequence[float]], label: str) -> tuple[Figure, Rows]:
    """Draw the largest weight difference of two trainings after each step.

    Args:
        curves: Name to differences.
        label: The pair of orders, for the title.

    Returns:
        The figure, and a row per curve and step.
    """
    figure, axis = plt.subplots(figsize=(7, 3.9))
    styles = zip(("blue", "orange", "green", "red"), ("-", "--", "-.", ":"), strict=True)
    rows: Rows = []
    for (name, values), (color, line) in zip(curves.items(), styles, strict=False):
        shown = [max(v, 1e-17) for v in values]
        axis.semilogy(range(1, len(shown) + 1), shown, line, color=COLORS[color], label=name)
        rows += [{"setting": name, "step": k, "difference": v} for k, v in enumerate(values, 1)]
    axis.set(xlabel="SGD step", ylabel="largest weight difference", title=label, ylim=(1e-17, 10))
    figure.legend(loc="outside lower center", ncols=2)
    return figure, rows


def draw_radii(
    data: Sequence[Mapping[str, Any]], attacks: Mapping[str, float]
) -> tuple[Figure, Rows]:
    """Draw the distribution of exact cell radii next to the sizes of attacks.

    Args:
        data: Rows with ``training``, ``p`` ("2" or "inf") and ``radius``.
        attacks: p to the radius of an attack.

    Returns:
        The figure, and the rows.
    """
    figure, axes = plt.subplots(1, 2, figsize=(8, 3.7), sharey=True)
    names = list(dict.fromkeys(row["training"] for row in data))
    for axis, p in zip(axes, ("2", "inf"), strict=True):
        for name, color, line in zip(names, ("blue", "orange", "green"), ("-", "--", "-."),
                                     strict=False):  # fmt: skip
            values = sorted(r["radius"] for r in data if r["p"] == p and r["training"] == name)
            share = np.arange(1, len(values) + 1) / len(values)
            axis.plot(values, share, line, color=COLORS[color], label=name)
        axis.axvline(attacks[p], color=COLORS["red"], ls=":", label="attack size")
        axis.set_xscale("log")
        axis.set_xlim(1e-6, 2)
        axis.set(xlabel=f"l{p} radius of the cell (pixel range 1)", title=f"p = {p}")
    axes[0].set_ylabel("share of test images below")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4)
    return figure, [dict(row) for row in data]


def draw_rays(curves: Mapping[str, Sequence[Mapping[str, float]]]) -> tuple[Figure, Rows]:
    """Draw absolute and relative deviation from linearity, and that of the Jacobian.

    Args:
        curves: Training to rows with ``distance`` and, for "random" and "adversarial", the columns
            ", absolute", ", relative" and ", Jacobian".

    Returns:
        The figure, and a row per training and distance.
    """
    figure, axes = plt.subplots(1, 3, figsize=(8.6, 3.7))
    titles = {
        "absolute": "deviation (logit units)", "relative": "deviation / linear part",
        "Jacobian": "change of J / J",
    }  # fmt: skip
    for axis, (key, title) in zip(axes, titles.items(), strict=True):
        for (name, rows), color in zip(curves.items(), ("blue", "orange"), strict=False):
            for way, line in (("random", "--"), ("adversarial", "-")):
                axis.plot(
                    [row["distance"] for row in rows], [row[f"{way}, {key}"] for row in rows],
                    line, color=COLORS[color], label=f"{name}, {way}",
                )  # fmt: skip
        axis.set_title(title, fontsize=10)
        axis.set_xlabel("distance (l2)")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure, [{"training": n, **row} for n, rows in curves.items() for row in rows]


def draw_bound(curves: Mapping[str, Sequence[Mapping[str, float]]]) -> tuple[Figure, Rows]:
    """Draw the band of row B.x5 and the values that attacks find, over the size of the ball.

    Args:
        curves: Training to rows of ``digit_measures.bound_and_attack``.

    Returns:
        The figure, and a row per training and size.
    """
    figure, axes = plt.subplots(1, len(curves), figsize=(8, 3.8), sharey=True, squeeze=False)
    for axis, (name, rows) in zip(axes.flat, curves.items(), strict=True):
        size = [row["eps / radius"] for row in rows]
        low, high = ([row[k] for row in rows] for k in ("lower", "upper"))
        axis.fill_between(size, low, high, color=COLORS["sky"], alpha=0.35, label="bound")
        sharper = [row["upper, sharper"] for row in rows]
        axis.plot(size, sharper, "--", color=COLORS["green"], label="sharper bound")
        attack = [row["attack"] for row in rows]
        axis.plot(size, attack, "o-", ms=4, color=COLORS["red"], label="best attack found")
        axis.axvline(1, color="#666666", lw=1)
        axis.set_xscale("log")
        axis.set(ylim=(0, 4), xlabel=r"$\epsilon$ / cell radius", title=name)
    axes[0, 0].set_ylabel(r"largest change / $\epsilon\|J\|_{2,2}$")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure, [{"training": n, **row} for n, rows in curves.items() for row in rows]


def draw_beyond(curves: Mapping[str, Sequence[Mapping[str, float]]]) -> tuple[Figure, Rows]:
    """Draw how attack and power method part when the ball grows.

    Args:
        curves: Training to rows with ``eps / radius``, ``cosine``, ``value ratio`` and ``flipped
            units``.

    Returns:
        The figure, and a row per training and size.
    """
    figure, axes = plt.subplots(1, 3, figsize=(8.6, 3.6), sharey=True)
    names = {
        "cosine": "|cos| of the directions", "value ratio": r"change / $\epsilon\|J\|$",
        "flipped units": "share of flipped units",
    }  # fmt: skip
    for axis, (key, title) in zip(axes, names.items(), strict=True):
        for (name, rows), color, line in zip(curves.items(), ("blue", "orange"), ("o-", "s--"),
                                             strict=False):  # fmt: skip
            axis.plot([row["eps / radius"] for row in rows], [row[key] for row in rows], line,
                      ms=4, color=COLORS[color], label=name)  # fmt: skip
        axis.set_xscale("log")
        axis.set_title(title, fontsize=10)
        axis.set(xlabel=r"$\epsilon$ / cell radius", ylim=(-0.03, 1.05))
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure, [{"training": n, **row} for n, rows in curves.items() for row in rows]
