"""Charts of the page on segments through linear regions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import matplotlib.pyplot as plt
import torch
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from nbsrc.audits.segments.approaches import Approach
from nbsrc.audits.segments.paths import Path, network
from nbsrc.figures import COLORS, MARKERS
from nbsrc.linear_region import SegmentRegions, activation_pattern

__all__ = ["draw_assumption", "draw_counts", "draw_lengths", "draw_logits", "draw_walk"]

Rows: TypeAlias = list[dict[str, Any]]
#: Pale colours of regions; those that the segment does not meet are white.
PALE = ("#F7DDB5", "#BFE3F7", "#C9EBDD", "#F5CDB8", "#E9D3E0", "#FBF7C6")
PIECES = tuple(COLORS[name] for name in ("orange", "blue", "green", "red", "purple", "black"))


def draw_walk(path: Path, half: float, grid: int = 300) -> tuple[Figure, Rows]:
    """Draw Figure 2b: a segment through the regions of the plane, and its image with the chord.

    Args:
        path: A path with two inputs and two features, at most six pieces.
        half: Half the side of the drawn square.
        grid: Pixels per side.

    Returns:
        The figure, and a row per piece: its share and how much it is stretched.
    """
    net = network(path.weights, linear_top=path.linear_top)
    line = torch.linspace(-half, half, grid, dtype=torch.float64)
    pixels = torch.stack(torch.meshgrid(line, line, indexing="xy"), dim=2).reshape(-1, 2)
    met = path.regions.pattern
    same = torch.stack([(activation_pattern(net, pixels).codes == c).all(1) for c in met.codes])
    colour = torch.where(same.any(dim=0), same.int().argmax(dim=0) + 1, 0).reshape(grid, grid)
    figure, axes = plt.subplots(1, 2, figsize=(7.4, 3.9))
    axes[0].imshow(
        colour.numpy(), origin="lower", extent=(-half, half, -half, half), vmin=0, vmax=len(PALE),
        cmap=ListedColormap(["white", *PALE]), interpolation="nearest",
    )  # fmt: skip
    corners = path.regions.points(path.regions.breakpoints)
    images = path.features(corners)
    for j, color in zip(range(len(path.regions)), PIECES, strict=False):
        for axis, points in zip(axes, (corners, images), strict=True):
            axis.plot(*points[j : j + 2].T.numpy(), color=color, lw=3, solid_capstyle="butt")
    for axis, points in zip(axes, (corners, images), strict=True):
        axis.plot(*points[1:-1].T.numpy(), "o", color="black", ms=5, mfc="white")
        for end, words in ((0, "x"), (-1, "x'")):
            axis.plot(*points[end].tolist(), "o", color="black", ms=6)
            axis.annotate(words, points[end].tolist(), xytext=(6, 6), textcoords="offset points")
        axis.set_aspect("equal", adjustable="datalim")
    axes[1].plot(*images[[0, -1]].T.numpy(), "--", color="#555555", lw=1.5, label="chord")
    axes[1].legend(loc="best")
    for axis, words in zip(axes, ("input", "feature"), strict=True):
        axis.set_xlabel(f"{words} 1 (no unit)")
        axis.set_ylabel(f"{words} 2 (no unit)")
    axes[0].set_title("segment and regions", fontsize=10)
    axes[1].set_title("its image", fontsize=10)
    rows = [
        {"piece": j + 1, "share": share, "stretch": float(step.norm() / path.delta.norm())}
        for j, (share, step) in enumerate(zip(path.shares.tolist(), path.steps, strict=True))
    ]
    return figure, rows


def draw_lengths(paths: Sequence[Path]) -> tuple[Figure, Rows]:
    """Draw the length of the image path against the chord.

    Args:
        paths: Paths of networks with several numbers of layers; those of length 0 are left out.

    Returns:
        The figure, and a row per path.
    """
    rows: Rows = [
        {
            "layers": len(p.weights),
            "chord": float(p.change.norm()),
            "path": p.path_length,
        }
        for p in paths
        if float(p.change.norm()) > 0
    ]
    figure, axis = plt.subplots(figsize=(5.6, 4.4))
    layers = sorted({row["layers"] for row in rows})
    for number, name, marker in zip(
        layers, ("blue", "orange", "green", "red"), MARKERS, strict=False
    ):
        mine = [row for row in rows if row["layers"] == number]
        axis.plot(
            [row["chord"] for row in mine], [row["path"] / row["chord"] for row in mine], marker,
            color=COLORS[name], ms=5, mfc="none",
            label=f"{number} layer" + "s" * (number > 1),
        )  # fmt: skip
    axis.axhline(1, color="black", lw=1)
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xlabel(r"chord $\Vert I_l(x)-I_l(x')\Vert$ (no unit)")
    axis.set_yticks([1, 2, 5, 10, 20], ["1", "2", "5", "10", "20"])
    axis.set_ylabel("path / chord; Lemma 3.1 says 1")
    figure.legend(loc="outside lower center", ncols=4, fontsize=9)
    return figure, rows


def draw_logits(regions: SegmentRegions, shown: Mapping[int, str]) -> tuple[Figure, Rows]:
    """Draw scores along a segment, with its exact breakpoints.

    Args:
        regions: The segment.
        shown: The classes that get a colour, and their names.

    Returns:
        The figure, and a row per breakpoint: its time and all scores.
    """
    values = regions.value(regions.breakpoints)
    times = regions.breakpoints.numpy()
    figure, axis = plt.subplots(figsize=(6.4, 4.2))
    for k in range(values.shape[1]):
        if k not in shown:
            axis.plot(times, values[:, k].numpy(), color="#BBBBBB", lw=1)
    for (k, words), name, dash in zip(
        shown.items(), ("blue", "red", "green"), ("-", "--", "-."), strict=False
    ):
        axis.plot(times, values[:, k].numpy(), dash, color=COLORS[name], label=words)
    low = float(values.min()) - 0.06 * float(values.max() - values.min())
    axis.plot(times, [low] * len(times), "|", color="black", ms=9, label="breakpoints")
    axis.set_xlabel("t from the first image to the second (no unit)")
    axis.set_ylabel("score (no unit)")
    figure.legend(loc="outside lower center", ncols=4, fontsize=9)
    rows = [
        {"t": float(t), **{f"score {k}": float(v) for k, v in enumerate(row)}}
        for t, row in zip(times, values, strict=True)
    ]
    return figure, rows


def draw_counts(measured: Sequence[Mapping[str, Any]]) -> tuple[Figure, Rows]:
    """Draw regions met against hidden units, and path over chord against depth.

    Args:
        measured: Rows with ``depth``, ``width``, ``trained``, ``units``, ``regions``, ``scores``.

    Returns:
        The figure, and the rows.
    """
    figure, axes = plt.subplots(1, 2, figsize=(7.4, 3.9))
    styles = {False: ("orange", "s", "random weights"), True: ("blue", "o", "trained")}
    for trained, (name, marker, words) in styles.items():
        mine = [row for row in measured if row["trained"] == trained]
        axes[0].plot(
            [row["units"] for row in mine], [row["regions"] for row in mine], marker,
            color=COLORS[name], label=words, ms=6,
        )  # fmt: skip
        axes[1].plot(
            [row["depth"] for row in mine], [row["scores"] for row in mine], marker,
            color=COLORS[name], ms=6,
        )  # fmt: skip
    axes[0].set_xscale("log", base=2)
    axes[0].set_yscale("log", base=2)
    axes[0].set_xlabel("hidden units")
    axes[0].set_ylabel("regions met by a segment")
    axes[1].axhline(1, color="black", lw=1)
    axes[1].set_xlabel("hidden layers")
    axes[1].set_ylabel("path / chord of the scores")
    axes[1].set_xticks(sorted({row["depth"] for row in measured}))
    figure.legend(loc="outside lower center", ncols=2, fontsize=9)
    return figure, [dict(row) for row in measured]


def draw_assumption(
    shares: Sequence[Mapping[str, Any]], approaches: Mapping[str, Approach]
) -> tuple[Figure, Rows]:
    """Draw how often Assumption 3.1 holds, and margins for which it does not.

    Args:
        shares: Rows with ``classes``, ``trained``, ``share``.
        approaches: Segments to the boundary, by name.

    Returns:
        The figure, and the rows of the shares.
    """
    figure, axes = plt.subplots(1, 2, figsize=(7.4, 3.9))
    classes = sorted({row["classes"] for row in shares})
    styles = {False: ("orange", "random weights", -0.2), True: ("blue", "trained", 0.2)}
    for trained, (name, words, shift) in styles.items():
        mine = {row["classes"]: row["share"] for row in shares if row["trained"] == trained}
        axes[0].bar(
            [i + shift for i, K in enumerate(classes) if K in mine],
            [100 * mine[K] for K in classes if K in mine],
            width=0.36, color=COLORS[name], label=words, hatch="//" if trained else "",
            edgecolor="white",
        )  # fmt: skip
    axes[0].set_xticks(range(len(classes)), [str(K) for K in classes])
    axes[0].set_xlabel("classes")
    axes[0].set_ylabel("points with a falling margin (%)")
    axes[0].set_ylim(0, 100)
    for (words, a), name, dash in zip(
        approaches.items(), ("green", "red", "purple"), ("-", "--", "-."), strict=False
    ):
        t = torch.cat([torch.linspace(0, 1, 201).double(), a.scores.regions.breakpoints])
        t = t.sort().values
        margin = a.margins(a.scores.regions.points(t))
        axes[1].plot(t.numpy(), margin.numpy(), dash, color=COLORS[name], label=words)
    axes[1].axhline(0, color="black", lw=1)
    axes[1].set_xlabel("t from x to x' (no unit)")
    axes[1].set_ylabel("margin (no unit)")
    figure.legend(loc="outside lower center", ncols=2, fontsize=9)
    return figure, [dict(row) for row in shares]
