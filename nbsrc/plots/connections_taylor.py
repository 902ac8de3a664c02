"""Pictures of the Taylor radius, the worst loss, and the minimisers of Proposition 3.4."""

from __future__ import annotations

import math
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from torch import nn

from nbsrc.audits.connections.trained import Judged, two_arcs
from nbsrc.audits.connections.trainings import Training
from nbsrc.figures import COLORS
from nbsrc.perturbation import exact_worst_loss, taylor_norm_from_margin, taylor_worst_loss
from nbsrc.perturbation.flow import descend
from nbsrc.plots.taps import Rows

__all__ = ["draw_minimisers", "draw_network_radii", "draw_taylor_radius", "draw_worst_loss"]


def draw_taylor_radius(nus: Sequence[float], probabilities: Sequence[float]) -> tuple[Figure, Rows]:
    """Draw Figure 1: the loss with its parabola, and the radius against p, exact one beside it.

    Args:
        nus: Values of nu of the lower panel.
        probabilities: Values of p of the upper panel.

    Returns:
        The figure, and a row per curve and point.
    """
    figure, (above, below) = plt.subplots(2, 1, figsize=(7, 7.4))
    rows: Rows = []
    palette = (COLORS["blue"], COLORS["red"], COLORS["green"])
    for p, color in zip(probabilities, palette, strict=True):
        t = math.log(p / (1 - p))
        end = float(taylor_norm_from_margin(t, 1.0))
        s = np.linspace(0, max(1.15 * end, 0.5), 60)
        loss = np.logaddexp(0, s - t)
        parabola = -math.log(p) + (1 - p) * s + p * (1 - p) * s**2 / 2
        above.plot(s, loss, color=color, label=f"loss, p = {p:g}")
        above.plot(s, parabola, "--", color=color)
        above.plot([t], [math.log(2)], "o", color=color, markeredgecolor="black", zorder=3)
        above.plot([end], [math.log(2)], "s", color=color, markeredgecolor="black", zorder=3)
        for name, values in (("loss", loss), ("parabola", parabola)):
            rows += [
                {"panel": "loss", "curve": name, "p": p, "nu": 1.0, "x": float(a), "y": float(b)}
                for a, b in zip(s, values, strict=True)
            ]
    above.axhline(math.log(2), color="black", lw=1)
    above.set_xlabel(r"step towards the boundary times $\nu$ (no unit)")
    above.set_ylabel("cross-entropy (nats)")
    above.legend(title="dashed: its parabola\ncircle: true change, square: $\\nu|r^*|$", fontsize=9)
    p_axis = 1 / (1 + np.exp(-np.linspace(0.02, 14, 160)))
    for nu, color in zip(nus, palette, strict=True):
        margin = torch.as_tensor(np.log(p_axis / (1 - p_axis)))
        curves = {
            "Taylor": taylor_norm_from_margin(margin, nu).numpy(),
            "exact": (margin / nu).numpy(),
        }
        below.plot(1 - p_axis, curves["Taylor"], color=color, label=rf"$|r^*|$, $\nu$ = {nu:g}")
        below.plot(1 - p_axis, curves["exact"], ":", color=color)
        for name, heights in curves.items():
            rows += [
                {"panel": "radius", "curve": name, "p": float(a), "nu": nu, "x": float(1 - a),
                 "y": float(b)}
                for a, b in zip(p_axis, heights, strict=True)
            ]  # fmt: skip
    below.set(xscale="log", yscale="log", xlim=(0.55, 1e-6))
    below.set_xlabel(r"$1-p_y$ (right: confident)")
    below.set_ylabel(r"$\ell_2$ distance (units of x)")
    below.legend(title="dotted: exact distance", fontsize=9)
    return figure, rows


def draw_worst_loss(margins: Sequence[float], reach: float = 8.0) -> tuple[Figure, Rows]:
    """Draw eq. (10) and its repair over the true worst loss, against the size of the box.

    Args:
        margins: One curve each.
        reach: Largest ``epsilon nu``, in units of the margin.

    Returns:
        The figure, and a row per curve and point.
    """
    figure, axis = plt.subplots(figsize=(7, 4.6))
    rows: Rows = []
    palette = (COLORS["blue"], COLORS["red"], COLORS["green"])
    for t, color in zip(margins, palette, strict=True):
        p = 1 / (1 + math.exp(-t))
        s = np.linspace(0.02, reach, 160)
        true = exact_worst_loss(t, 1.0, torch.as_tensor(s * t))
        printed = taylor_worst_loss(p, 1.0, torch.as_tensor(s * t))
        repaired = -math.log(p) + (1 - p) * s * t + (s * t) ** 2 / 8
        curves = {"printed": (printed / true).numpy(), "repaired": repaired / true.numpy()}
        axis.plot(s, curves["printed"], color=color, label=f"eq. (10), p = {p:.2f}")
        axis.plot(s, curves["repaired"], "--", color=color, label=f"repaired, p = {p:.2f}")
        for name, values in curves.items():
            rows += [
                {"bound": name, "p": p, "reach": float(a), "ratio": float(b)}
                for a, b in zip(s, values, strict=True)
            ]
    axis.axhline(1, color="black", lw=1.5)
    axis.axvline(1, color="#666666", lw=1)
    axis.set(yscale="log", ylim=(0.08, 20))
    axis.set_xlabel(r"$\epsilon\,\|v_+-v_-\|_1$ over the margin (1: the class can change)")
    axis.set_ylabel("bound / true worst loss (no unit)")
    axis.legend(fontsize=9, ncols=len(margins), loc="upper left")
    return figure, rows


def draw_network_radii(network: nn.Module, judged: Sequence[Judged], seed: int
                       ) -> tuple[Figure, Rows]:  # fmt: skip
    """Draw a trained network's classes with the Taylor, exact and certified radius of some points.

    Args:
        network: The two-dimensional network.
        judged: The points to draw.
        seed: Seed of the training points shown.

    Returns:
        The figure, a map above the sizes of the radii, and a row per judged point.
    """
    figure, (plane, sizes) = plt.subplots(
        2, 1, figsize=(6.8, 7.2), height_ratios=(3, 0.3 * len(judged) + 0.3)
    )
    _draw_classes(plane, network, seed)
    styles = {
        "taylor": (COLORS["red"], "-", "o", r"Taylor $|r^*|$ (Prop. 3.1)"),
        "exact": (COLORS["blue"], "--", "s", "exact for the affine piece"),
        "certified": (COLORS["green"], "-", "^", "certified: exact, capped by the region"),
    }
    rows: Rows = []
    for number, point in enumerate(judged, start=1):
        for name, (color, line, marker, words) in styles.items():
            radius = getattr(point, name)
            circle = Circle(point.x, radius, fill=False, edgecolor=color, ls=line, lw=1.6)
            plane.add_patch(circle)
            sizes.plot(
                [radius], [number], marker, color=color, ms=8,
                label=words if number == 1 else None, clip_on=False,
            )  # fmt: skip
        plane.plot(*point.x, "*", color="black", markersize=11)
        plane.annotate(f"{number}", point.x, (5, 5), textcoords="offset points")
        rows.append({
            "point": number, "x1": point.x[0], "x2": point.x[1], "p": point.p,
            "taylor": point.taylor, "exact_in_piece": point.exact, "certified": point.certified,
        })  # fmt: skip
    sizes.set(xscale="log", ylim=(len(judged) + 0.6, 0.4))
    sizes.set_yticks(range(1, len(judged) + 1), [f"star {n + 1}" for n in range(len(judged))])
    sizes.grid(axis="y", color="0.85")
    sizes.set_xlabel("radius (units of the inputs)")
    figure.legend(loc="outside lower center", fontsize=9, ncols=3)
    return figure, rows


def _draw_classes(axis: Axes, network: nn.Module, seed: int) -> None:
    """Draw the classes of a network on a plane, and training points."""
    low, high = (-2.0, -1.6), (3.0, 2.0)
    u, v = np.meshgrid(np.linspace(low[0], high[0], 220), np.linspace(low[1], high[1], 160))
    points = torch.as_tensor(np.stack([u.ravel(), v.ravel()], 1))
    classes = network(points).argmax(1).reshape(u.shape).numpy()
    axis.contourf(u, v, classes, levels=[-0.5, 0.5, 1.5], colors=["#CFE6F5", "#FBE6C8"])
    axis.contour(u, v, classes, levels=[0.5], colors="black", linewidths=1.5)
    x, y = two_arcs(60, seed)
    for label, marker in ((0, "o"), (1, "s")):
        chosen = x[y == label]
        axis.plot(chosen[:, 0], chosen[:, 1], marker, ls="none", color="#555555", markersize=3)
    axis.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), aspect="equal")
    axis.set_xlabel("first input")
    axis.set_ylabel("second input")


def draw_minimisers(training: Training, starts: Sequence[tuple[float, float]], steps: int
                    ) -> tuple[Figure, Rows]:  # fmt: skip
    """Draw both objectives of eq. (13) over ``(v_+, v_-)`` with their minimisers and trainings.

    Args:
        training: A problem with one input.
        starts: Starts of gradient descent.
        steps: Number of steps of size 0.05.

    Returns:
        The figure, and a row per step of every path.
    """
    figure, axes = plt.subplots(1, 2, figsize=(7.4, 4.3), sharex=True, sharey=True)
    span = np.linspace(-2, 2, 41)
    u, v = np.meshgrid(span, span)
    labels = (training.signs < 0).long()
    rows: Rows = []
    panels = ((r"$L+\lambda\nu^2/2$", "spread", training.cross_objective),
              (r"$L+\lambda\mu^2$", "mu2", training.jacobian_objective))  # fmt: skip
    for axis, (title, penalty, objective) in zip(axes, panels, strict=True):
        values = [[float(objective(torch.tensor([[a, b]]).double())) for a in span] for b in span]
        axis.contour(u, v, np.array(values), levels=12, cmap="Greys", linewidths=0.8)
        best = training.minimiser(objective, torch.zeros(1, 2).double())[0].tolist()
        gap = best[0] - best[1]
        if penalty == "spread":
            axis.plot(span, span - gap, color=COLORS["orange"], lw=5, alpha=0.7, zorder=1)
        axis.plot(*best, "*", color=COLORS["orange"], markeredgecolor="black", markersize=16)
        for number, (start, marker) in enumerate(zip(starts, "os^D", strict=False)):
            path = descend(
                training.features, labels, torch.tensor([start]).double(), penalty=penalty,
                strength=training.weight, rate=0.05, steps=steps,
            )[:, 0]  # fmt: skip
            color = (COLORS["blue"], COLORS["red"], COLORS["green"], COLORS["purple"])[number]
            axis.plot(path[:, 0], path[:, 1], color=color)
            axis.plot(path[0, 0], path[0, 1], marker, color=color, markeredgecolor="black")
            rows += [
                {"penalty": penalty, "start": number + 1, "step": i, "v_plus": float(w[0]),
                 "v_minus": float(w[1])}
                for i, w in enumerate(path)
            ]  # fmt: skip
        axis.plot(span, -span, ":", color="black", lw=1)
        axis.set(title=title, xlim=(-2, 2), ylim=(-2, 2), aspect="equal")
        axis.set_xlabel(r"$v_+$")
        axis.grid(visible=False)
    axes[0].set_ylabel(r"$v_-$")
    return figure, rows
