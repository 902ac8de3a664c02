"""Pictures of kernels, tap classes and the matrix of a convolution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from nbsrc.conv import conv_matrix
from nbsrc.figures import COLORS

__all__ = ["Rows", "draw_lemma1_positions", "draw_matrices"]

Rows = list[dict[str, Any]]
# Light enough for black numbers on them.
_TAP_COLORS = (
    "#8EC3E8", "#F4C866", "#7FD1B5", "#F0A074", "#E3B9D1", "#BFE3F7", "#F5EE8C", "#CCCCCC",
    "#B3AEDD",
)  # fmt: skip


def draw_matrices(
    size: tuple[int, int],
    kernel: tuple[int, int],
    panels: Sequence[tuple[int, int]],
    channels: int = 1,
) -> tuple[Figure, Rows]:
    """Draw the matrix of a convolution to one channel, one colour per tap, for several geometries.

    Args:
        size: Input size in pixels.
        kernel: Kernel size.
        panels: Stride and padding of every panel.
        channels: Input channels; at most nine taps together.

    Returns:
        The figure, and a row per non-zero entry.
    """
    taps = channels * kernel[0] * kernel[1]
    colors = ListedColormap(["white", *_TAP_COLORS[:taps]])
    weight = torch.arange(1.0, taps + 1).reshape(1, channels, *kernel)
    columns = min(2, len(panels))
    figure, axes = plt.subplots(
        -(-len(panels) // columns), columns, figsize=(8.2, 7.6), squeeze=False
    )
    rows: Rows = []
    for axis, (stride, padding) in zip(axes.flat, panels, strict=False):
        matrix = conv_matrix(weight, size, stride=stride, padding=padding).numpy()
        axis.imshow(matrix, cmap=colors, vmin=-0.5, vmax=taps + 0.5, aspect="auto")
        for row, column in zip(*np.nonzero(matrix), strict=True):
            tap = int(matrix[row, column])
            if matrix.shape[0] <= 30:
                axis.text(column, row, str(tap), ha="center", va="center", fontsize=7)
            rows.append({
                "stride": stride,
                "padding": padding,
                "row": row,
                "column": column,
                "tap": tap,
            })
        axis.set_title(f"stride {stride}, padding {padding}: {matrix.shape[0]}×{matrix.shape[1]}")
        for edge in range(1, channels):
            axis.axvline(edge * size[0] * size[1] - 0.5, color="black", lw=1)
        axis.set_xlabel("column: input pixel, channel by channel")
        axis.set_ylabel("row: output pixel")
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.yaxis.get_major_locator().set_params(integer=True)
        axis.grid(visible=False)
    return figure, rows


def draw_lemma1_positions() -> tuple[Figure, Rows]:
    """Redraw the paper's Figure 3: one pixel, three kernel positions, one tap class.

    A 7x7 image with padding 1, a 5x5 kernel, stride 2. The class of the first tap (odd rows and
    columns, counted from 1) meets the centre pixel; the panels are the positions of the proof.

    Returns:
        The figure, and a row per tap of every panel.
    """
    size, kernel, stride, pad = 7, 5, 2, 1
    low, high, start = 0, 4, stride  # the class's first and last tap, and c1*s1
    middle = max(low, high - start)
    positions = {
        "$cs$: the kernel lies on the image": start,
        r"$cs - a_{max} + a_{mid}$: the last tap": start - high + middle,
        r"$cs + a_{mid} - a_{min}$: the first tap": start + middle - low,
    }
    pixel = start + middle - pad
    figure, axes = plt.subplots(1, 3, figsize=(9.6, 3.7))
    rows: Rows = []
    for axis, (title, position) in zip(axes, positions.items(), strict=True):
        _draw_image(axis, size, pad)
        for a in range(kernel):
            for b in range(kernel):
                y, x = position + a - pad, position + b - pad
                member = a % stride == 0 and b % stride == 0
                hit = member and y == pixel and x == pixel
                face = COLORS["orange"] if member else "none"
                axis.add_patch(
                    Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor=face, edgecolor="black", lw=1)
                )
                if member:
                    weight = "bold" if hit else "normal"
                    axis.text(x, y - 0.24, f"{a + 1},{b + 1}", ha="center", va="center",
                              fontsize=7, fontweight=weight)  # fmt: skip
                rows.append({
                    "position": position, "tap_row": a + 1, "tap_column": b + 1,
                    "pixel_row": y + 1, "pixel_column": x + 1, "in_class": member, "meets": hit,
                })  # fmt: skip
        axis.plot(pixel, pixel + 0.14, marker="^", color="black", markersize=8)
        axis.set_title(title, fontsize=9)
    return figure, rows


def _draw_image(axis: Axes, size: int, pad: int) -> None:
    """Draw the pixels of an image in blue and its padding in grey."""
    for y in range(-pad, size + pad):
        for x in range(-pad, size + pad):
            inside = 0 <= y < size and 0 <= x < size
            face = "#DCEBF5" if inside else "#EEEEEE"
            cell = Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor=face, edgecolor="white", lw=1)
            axis.add_patch(cell)
    axis.add_patch(
        Rectangle((-0.5, -0.5), size, size, facecolor="none", edgecolor=COLORS["blue"], lw=2.5)
    )
    axis.set_xlim(-pad - 0.6, size + pad - 0.4)
    axis.set_ylim(size + pad - 0.4, -pad - 0.6)
    axis.set_aspect("equal")
    axis.set_xticks(range(size), [str(i + 1) for i in range(size)])
    axis.set_yticks(range(size), [str(i + 1) for i in range(size)])
    axis.set_xlabel("pixel column")
    axis.set_ylabel("pixel row")
    axis.grid(visible=False)
