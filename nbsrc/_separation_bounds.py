"""Few numbers per image that bound l1 and linf distances from below, exactly."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

_COARSE_L1 = 4  # side of a cell in pixels: sixteen pixels become one sum
_FINE_L1 = 2
_MOST_LINF = 256  # features that a comparison by linf may cost


def lower_bound_features(
    points: Tensor, ord: float, *, like: Tensor | None = None
) -> tuple[Tensor, Tensor | None]:
    """Return coarse and fine features whose distance never exceeds that of the points.

    l1: sums over cells, since the difference of two sums is at most the sum of the differences.
    linf: one coordinate per cell, that of the largest variance, since no coordinate differs by more
    than the maximum.

    Args:
        points: uint8 ``[n, ...]``.
        ord: 1 or infinity.
        like: Points that choose the coordinates for linf (default: the points themselves).

    Returns:
        Coarse features in float32 (integers below 2^24, hence exact), and fine ones in int16 for
        a second look, or None.
    """
    flat = points.reshape(len(points), -1)
    shape = tuple(points.shape[1:])
    if ord == 1:
        coarse = _sums(flat, cells(shape, _COARSE_L1)).float()
        return coarse, _sums(flat, cells(shape, _FINE_L1)).to(torch.int16)
    by_variance = flat if like is None else like.reshape(len(like), -1)
    chosen = _most_variable(by_variance, _few_cells(shape))
    return flat[:, chosen].float(), None


def cells(shape: tuple[int, ...], side: int) -> Tensor:
    """Return the cell number of every coordinate of a flattened point.

    Args:
        shape: ``(height, width)`` or ``(channels, height, width)`` for squares of pixels; anything
            else is cut into runs of ``side**2`` coordinates.
        side: Side of a square.

    Returns:
        int64 ``[number of coordinates]``, numbers from 0 without gaps.

    Example:
        >>> cells((2, 4), 2)
        tensor([0, 0, 1, 1, 0, 0, 1, 1])
    """
    if len(shape) not in {2, 3}:
        return torch.arange(math.prod(shape)) // side**2
    *channels, height, width = shape
    across = -(-width // side)
    down = -(-height // side)
    square = (torch.arange(height) // side)[:, None] * across + torch.arange(width) // side
    offsets = torch.arange(math.prod(channels)) * (across * down)
    return (offsets[:, None, None] + square).reshape(-1)


def pair_distances(x: Tensor, i: Tensor, y: Tensor, j: Tensor, ord: float) -> Tensor:
    """Return the distances of listed pairs of integer points.

    Args:
        x: Points ``[n, d]``, uint8 or int16.
        i: Indices into ``x``, ``[m]``.
        y: Points of the same type.
        j: Indices into ``y``, ``[m]``.
        ord: 1 or infinity.

    Returns:
        int64 ``[m]``.
    """
    a, b = x.index_select(0, i), y.index_select(0, j)
    gap = torch.maximum(a, b).sub_(torch.minimum(a, b))
    if not len(gap):
        return torch.zeros(0, dtype=torch.int64)
    if ord == math.inf:
        return gap.amax(1).long()
    # Every partial sum stays below 2^24 (the caller limits the coordinates), exact in float32.
    return (gap.float() @ torch.ones(x.shape[1])).long()


def _few_cells(shape: tuple[int, ...]) -> Tensor:
    """Return the finest cells that are not too many."""
    if len(shape) == 3 and shape[0] > _MOST_LINF:
        shape = (math.prod(shape),)
    side = 2
    while int(cells(shape, side)[-1]) >= _MOST_LINF:
        side += 1
    return cells(shape, side)


def _sums(flat: Tensor, cell: Tensor) -> Tensor:
    """Return the sums over cells, int32."""
    total = torch.zeros(len(flat), int(cell.max()) + 1, dtype=torch.int32)
    for start in range(0, len(flat), 4096):  # not all points as int32 at once
        part = flat[start : start + 4096].to(torch.int32)
        total[start : start + 4096].index_add_(1, cell, part)
    return total


def _most_variable(flat: Tensor, cell: Tensor) -> Tensor:
    """Return for every cell the coordinate of the largest variance."""
    mean = torch.zeros(flat.shape[1], dtype=torch.float64)
    square = torch.zeros_like(mean)
    for part in flat.split(4096):
        mean += part.double().sum(0)
        square += part.double().square().sum(0)
    variance = square / len(flat) - (mean / len(flat)).square()
    order = np.lexsort((variance.numpy(), cell.numpy()))  # by cell, then by variance
    last = np.append(np.diff(cell.numpy()[order]) > 0, True)
    return torch.from_numpy(order[last])
