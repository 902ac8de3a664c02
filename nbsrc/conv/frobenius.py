"""The Frobenius norm of a convolution layer, from the number of meetings of taps and pixels."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from nbsrc.conv._arguments import check_finite
from nbsrc.conv.axis import tap_counts
from nbsrc.conv.geometry import Geometry

__all__ = ["frobenius_norm", "stable_vector_norm", "tap_meetings"]


def tap_meetings(geometry: Geometry, like: Tensor) -> Tensor:
    """Return in how many outputs each tap meets a pixel.

    Args:
        geometry: The convolution's geometry.
        like: A tensor with the wanted dtype and device.

    Returns:
        ``[*kernel]``.
    """
    counts = torch.ones((), dtype=like.dtype, device=like.device)
    for axis in geometry.axes:
        table = torch.as_tensor(tap_counts(axis), dtype=like.dtype, device=like.device)
        counts = counts[..., None] * table
    return counts


def frobenius_norm(weight: Tensor, kernel: Tensor, geometry: Geometry) -> Tensor:
    """Return the Frobenius norm of a convolution, accurate down to subnormal weights.

    Args:
        weight: The caller's weight, for the message if it is not finite.
        kernel: ``[d_out, d_in/groups, *kernel]``, the weight in the dtype to compute in.
        geometry: The convolution's geometry.

    Returns:
        A 0-d tensor.

    Raises:
        ValueError: If a weight is NaN or infinite.
    """
    counts = tap_meetings(geometry, kernel)
    norm = stable_vector_norm(kernel * counts.sqrt())
    check_finite(weight, norm)
    return norm


def stable_vector_norm(values: Tensor) -> Tensor:
    """Return the l2 norm of all entries, scaled if their squares under- or overflow.

    Args:
        values: A tensor of any shape.

    Returns:
        A 0-d tensor; its gradient at zero is 0.
    """
    norm: Tensor = torch.linalg.vector_norm(values)
    limits = torch.finfo(values.dtype)
    if math.sqrt(limits.tiny) / limits.eps < float(norm.detach()) < math.inf:
        return norm
    largest = values.detach().abs().max()
    if largest == 0 or not bool(torch.isfinite(largest)):
        return norm
    scaled: Tensor = torch.linalg.vector_norm(values / largest) * largest
    return scaled
