r"""The subgradient of an exact l1 or linf norm, found at the few weights where it is not zero."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache, reduce

import numpy as np
import torch
from torch import Tensor

from nbsrc.conv import Geometry
from nbsrc.conv.axis import pixel_profiles, window_profiles
from nbsrc.conv.norms import per_input_channel, per_output_channel

__all__ = ["ActiveWeights", "active_weights"]


@dataclass(frozen=True, eq=False)
class ActiveWeights:
    """The slice of a kernel ``[d_out, d_in/groups, taps]`` that one maximiser depends on.

    Attributes:
        index: Indices of output and input channels, both ``[channels]``.
        values: The subgradient there, ``[channels, taps]``: signs of the weights times how often
            the maximiser meets them, 0 for taps that it does not meet.
    """

    index: tuple[Tensor, Tensor]
    values: Tensor


@lru_cache(maxsize=1024)
def _channels(count: int, device: torch.device) -> Tensor:
    with torch.inference_mode(False):
        return torch.arange(count, device=device)


@lru_cache(maxsize=256)
def _table(geometry: Geometry, by_column: bool, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return how often each maximal tap set meets each tap, ``[taps, classes]``."""
    profiles = pixel_profiles if by_column else window_profiles
    rows = reduce(np.kron, [profiles(axis) for axis in geometry.axes])
    with torch.inference_mode(False):  # the table outlives the caller's mode
        return torch.as_tensor(rows.T.copy(), dtype=dtype, device=device)


def active_weights(
    weight: Tensor, geometry: Geometry, order: float, *, groups: int = 1, transposed: bool = False
) -> ActiveWeights:
    r"""Where the gradient of :func:`nbsrc.conv.geometry_norms` is not zero, and what it is there.

    The maximiser is the first one, as there: a column of the layer's matrix depends on the weights
    of one input channel, a row on those of one output channel. Nothing waits for the device.

    Args:
        weight: ``[d_out, d_in/groups, *kernel]``.
        geometry: The convolution's geometry.
        order: 1 or ``math.inf``.
        groups: Number of groups.
        transposed: Whether the norm of the transposed operator is meant.

    Returns:
        The slice and its values.

    Example:
        >>> one_pixel = Geometry.for_conv(1, 1, ndim=1)
        >>> found = active_weights(torch.tensor([[[3.0], [-4.0]]]), one_pixel, 1)
        >>> [index.tolist() for index in found.index], found.values.tolist()
        ([[0], [1]], [[-1.0]])
    """
    kernel = weight.detach()
    outputs, inputs = kernel.shape[:2]
    half = kernel.dtype in (torch.float16, torch.bfloat16)
    sizes = (kernel.float() if half else kernel).abs()
    by_column = (order == 1) != transposed
    table = _table(geometry, by_column, sizes.dtype, sizes.device)
    # the same sums in the same order as geometry_norms, so that near ties round alike
    sums = per_input_channel(sizes, groups) if by_column else per_output_channel(sizes, geometry)
    if sums.ndim > 1:
        sums = sums.flatten(1) @ table
    first = sums.flatten().argmax()
    classes = sums.shape[1] if sums.ndim > 1 else 1
    channel, met = first // classes, table.index_select(1, (first % classes)[None]).T
    if by_column:
        share = outputs // groups
        rows = _channels(share, kernel.device) + channel // inputs * share
        columns = (channel % inputs).expand(share)
    else:
        columns = _channels(inputs, kernel.device)
        rows = channel.expand(inputs)
    chosen = kernel.flatten(2)[rows, columns]
    return ActiveWeights((rows, columns), chosen.sign() * met.to(kernel.dtype))
