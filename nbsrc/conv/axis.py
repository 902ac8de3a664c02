"""One axis of a convolution: which taps meet which pixels, as small integer tables.

A tap set factorises over the axes: the taps that touch pixel ``(y, x)`` are all pairs of a
vertical tap that touches row ``y`` and a horizontal tap that touches column ``x``. So everything
exact about a convolution's norms needs only the tables built here, one axis at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["Axis", "Counts", "largest_coverage", "pixel_profiles", "tap_counts", "window_profiles"]

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Axis:
    """One spatial axis: output ``o`` and tap ``t`` meet at pixel ``o*stride + t*dilation - pad``.

    Attributes:
        size: Pixels of the input.
        kernel: Taps of the kernel.
        stride: Pixels between two outputs.
        pad: Pixels of padding before the input.
        dilation: Pixels between two taps.
        outputs: Output positions.
        circular: Whether the padding wraps around (else it is zero).
    """

    size: int
    kernel: int
    stride: int
    pad: int
    dilation: int
    outputs: int
    circular: bool = False


@lru_cache(maxsize=4096)
def _tables(axis: Axis) -> tuple[Counts, Counts]:
    """Return how often each tap meets each pixel, and which taps each output sees.

    Returns:
        ``pixels[y, t]``, the number of outputs in which tap t meets pixel y, and ``windows[o, t]``,
        1 if tap t of output o meets a pixel (0 if it meets padding).

    Raises:
        NotImplementedError: If two taps of one output meet the same pixel (a wrapped kernel).
    """
    out = np.arange(axis.outputs)[:, None]
    tap = np.arange(axis.kernel)[None, :]
    where = out * axis.stride + tap * axis.dilation - axis.pad
    if axis.circular:
        where = where % axis.size
        if any(len(np.unique(row)) < axis.kernel for row in where):
            raise NotImplementedError(
                f"circular padding: the kernel wraps onto itself (input size {axis.size}, "
                f"kernel size {axis.kernel}, dilation {axis.dilation}), so taps add up before the "
                "absolute value is taken; use the matrix norm of conv_matrix"
            )
    windows = ((where >= 0) & (where < axis.size)).astype(np.int64)
    pixels = np.zeros((axis.size, axis.kernel), dtype=np.int64)
    seen_out, seen_tap = np.nonzero(windows)
    np.add.at(pixels, (where[seen_out, seen_tap], seen_tap), 1)
    return pixels, windows


def _maximal_rows(table: Counts) -> Counts:
    """Return the distinct rows that no other row dominates, in order of their first tap."""
    rows = np.unique(table, axis=0)
    dominated = [
        any((other >= row).all() and (other != row).any() for other in rows) for row in rows
    ]
    kept: Counts = rows[~np.array(dominated)][::-1].copy()
    return kept


@lru_cache(maxsize=4096)
def pixel_profiles(axis: Axis) -> Counts:
    """The maximal rows of "how often does each tap meet this pixel": columns of the matrix.

    Args:
        axis: The axis.

    Returns:
        ``[rows, taps]``.
    """
    return _maximal_rows(_tables(axis)[0])


@lru_cache(maxsize=4096)
def window_profiles(axis: Axis) -> Counts:
    """The maximal rows of "does each tap of this output meet a pixel": rows of the matrix.

    Args:
        axis: The axis.

    Returns:
        ``[rows, taps]``.
    """
    return _maximal_rows(_tables(axis)[1])


def tap_counts(axis: Axis) -> Counts:
    """The number of outputs in which each tap meets a pixel (the Frobenius weights).

    Args:
        axis: The axis.

    Returns:
        ``[taps]``.
    """
    counts: Counts = _tables(axis)[0].sum(axis=0)
    return counts


def largest_coverage(axis: Axis) -> int:
    """The largest number of (output, tap) pairs that meet one pixel.

    Args:
        axis: The axis.

    Returns:
        The number.
    """
    return int(_tables(axis)[0].sum(axis=1).max())
