"""Pictures of robust classifiers: their output, their slope, and where the slope is."""

from __future__ import annotations

import math

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle
from torch import Tensor, nn

from nbsrc.constructions import (
    closest_pair,
    robust_classifier,
    robust_classifier_with_lipschitz,
)
from nbsrc.figures import COLORS, MARKERS
from nbsrc.linear_region import jacobian
from nbsrc.plots.taps import Rows

__all__ = [
    "draw_placements",
    "draw_robust_classifier",
]

_PALE = ("#f2f2f2", "#9ecae1", "#fdd0a2", "#a1d99b")
_CLASS = (COLORS["blue"], COLORS["red"], COLORS["green"])


def draw_robust_classifier(
    points: Tensor, labels: Tensor, eps: float, *, pixels: int = 220
) -> tuple[Figure, Rows]:
    """Draw a robust classifier of a set in the plane: output and slope, with the l2 balls.

    Args:
        points: ``[m, 2]``.
        labels: ``[m]``, 1 to 3.
        eps: Radius of the l2 balls.
        pixels: Resolution of the maps in each direction.

    Returns:
        The figure, and a row per data point: label, output and slope at the centre, and the
        largest slope on a ring inside the edge of its ball.
    """
    network = robust_classifier(points, labels, eps, 2)
    low, high = points.min().item() - 2 * eps, points.max().item() + 2 * eps
    ticks = torch.linspace(low, high, pixels, dtype=torch.float64)
    grid = torch.cartesian_prod(ticks, ticks)
    with torch.no_grad():
        output = network(grid).reshape(pixels, pixels).T.numpy()
    slope = jacobian(network, grid).flatten(1).norm(dim=1).reshape(pixels, pixels).T.numpy()
    figure, axes = plt.subplots(2, 1, figsize=(6.4, 10.4))
    extent = (low, high, low, high)
    levels = [-0.25, 0.25, 1.0, 1.75, 2.25, 2.75, 3.25]
    shown = axes[0].contourf(ticks, ticks, output, levels=[-0.5, 0.5, 1.5, 2.5, 3.5], colors=_PALE)
    axes[0].contour(ticks, ticks, output, levels=levels, colors="#555555", linewidths=0.5)
    bar = figure.colorbar(shown, ax=axes[0], ticks=[0, 1, 2, 3], shrink=0.8)
    bar.set_label("output F (no unit); colours change at the thresholds")
    image = axes[1].imshow(slope, origin="lower", extent=extent, cmap="Greys", aspect="equal")
    figure.colorbar(image, ax=axes[1], shrink=0.8).set_label("slope of F (output per unit length)")
    for axis, title in zip(axes, ("output", "slope"), strict=True):
        axis.set(title=title, xlabel="first input", ylabel="second input", aspect="equal")
        axis.grid(visible=False)
        _draw_balls(axis, points, labels, eps)
    axes[0].legend(
        handles=[
            Line2D([], [], ls="none", marker=MARKERS[k], color=_CLASS[k], label=f"class {k + 1}")
            for k in range(int(labels.max()))
        ],
        loc="upper left", frameon=True, fontsize=9,
    )  # fmt: skip
    return figure, _ball_rows(network, points, labels, eps)


def _draw_balls(axis: Axes, points: Tensor, labels: Tensor, eps: float) -> None:
    for (x, y), label in zip(points.tolist(), labels.tolist(), strict=True):
        edge = PatchCollection(
            [Circle((x, y), eps)], facecolor="none", edgecolor=_CLASS[label - 1], linewidth=2
        )
        axis.add_collection(edge)
        axis.plot(x, y, MARKERS[label - 1], color=_CLASS[label - 1], markersize=7)


def _ball_rows(network: nn.Module, points: Tensor, labels: Tensor, eps: float) -> Rows:
    angles = torch.arange(64).double() * (2 * math.pi / 64)
    ring = 0.999 * eps * torch.stack([angles.cos(), angles.sin()], dim=1)
    rows: Rows = []
    for point, label in zip(points, labels.tolist(), strict=True):
        slopes = jacobian(network, point + ring).flatten(1).norm(dim=1)
        rows.append({
            "first input": float(point[0]),
            "second input": float(point[1]),
            "label": label,
            "output": float(network(point[None])[0, 0].detach()),
            "largest slope on the ball": float(slopes.max()),
        })
    return rows


def draw_placements(
    points: Tensor, labels: Tensor, eps: float, *, xi: float
) -> tuple[Figure, Rows]:
    """Draw three robust networks with a steep part along a line through the closest pair.

    Args:
        points: ``[m, n]``, on a line if the balls of all points are to be seen.
        labels: ``[m]``.
        eps: Radius of the l2 balls.
        xi: The slope wanted.

    Returns:
        The figure, and rows of position, placement, output and label (empty outside the balls).
    """
    i, j, distance = closest_pair(points, labels, 2)
    start, along = points[i], (points[j] - points[i]) / distance
    where_on_line = (points - start) @ along
    off_line = (points - start - where_on_line[:, None] * along).norm(dim=1)
    met = off_line <= eps
    low = float(where_on_line[met].min()) - 2 * eps
    high = float(where_on_line[met].max()) + 2 + 3 * eps
    t = torch.linspace(low, high, 4001, dtype=torch.float64)
    names = {"outside": "outside the data", "shell": "between the balls", "inside": "in the balls"}
    figure, axes = plt.subplots(3, 1, figsize=(7, 8.2), sharex=True)
    rows: Rows = []
    for axis, (where, title) in zip(axes, names.items(), strict=True):
        network = robust_classifier_with_lipschitz(points, labels, eps, 2, xi, where)
        with torch.no_grad():
            output = network(start + t[:, None] * along)[:, 0]
        reached: dict[int, int] = {}
        for centre, off, label in zip(
            where_on_line[met].tolist(), off_line[met].tolist(), labels[met].tolist(), strict=True
        ):
            half = math.sqrt(max(eps**2 - off**2, 0.0))
            axis.axvspan(centre - half, centre + half, color=_PALE[label], alpha=0.9, lw=0)
            axis.plot([centre - half, centre + half], [label, label], "--", color=_CLASS[label - 1])
            axis.fill_between(
                [centre - half, centre + half], label - 0.5, label + 0.5,
                facecolor="none", edgecolor=_CLASS[label - 1], linewidth=1,
            )  # fmt: skip
            inside = (t - centre).abs() <= half
            reached |= {int(k): label for k in inside.nonzero()[:, 0]}
        axis.plot(t, output, color=COLORS["black"], lw=1.4)
        axis.set_ylim(float(output.min()) - 0.3, max(3.0, float(output.max()) * 1.08))
        axis.set_title(f"steep {title}", fontsize=10)
        axis.set_ylabel("output F (no unit)")
        rows += [
            {"placement": where, "position": float(t[k]), "output": float(output[k]),
             "label": reached.get(k, "")}
            for k in range(0, len(t), 10)
        ]  # fmt: skip
    axes[-1].set_xlabel("position on the line through the closest pair (input units)")
    return figure, rows
