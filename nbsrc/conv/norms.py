"""Exact l1, linf and Frobenius norms of a convolution layer, without building its matrix.

The column of M that belongs to pixel ``(y, x)`` of channel j holds ``K[:, j, k, t]`` for the taps
``(k, t)`` that touch the pixel, and these taps factorise over the axes. A norm therefore costs one
pass over the kernel, and small products with the tables of :mod:`nbsrc.conv.geometry`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import lru_cache, reduce

import numpy as np
import torch
from torch import Tensor

from nbsrc.conv._arguments import (
    IntOrSeq,
    Order,
    Padding,
    as_order,
    check_finite,
    check_weight,
)
from nbsrc.conv.axis import Axis, Counts, pixel_profiles, window_profiles
from nbsrc.conv.frobenius import frobenius_norm
from nbsrc.conv.geometry import Geometry

__all__ = ["conv_norm", "conv_transpose_norm", "geometry_norms"]


def conv_norm(
    weight: Tensor,
    input_size: IntOrSeq,
    *,
    ord: float | str,
    stride: IntOrSeq = 1,
    padding: Padding = 0,
    dilation: IntOrSeq = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
) -> Tensor:
    r"""The exact l1, linf or Frobenius norm of a two-dimensional convolution.

    .. math::
        \|M\|_1 = \max_j \max_{A} \sum_{(k,t)\in A}\sum_i |K_{ijkt}|, \quad
        \|M\|_\infty = \max_i \max_{W} \sum_j \sum_{(k,t)\in W} |K_{ijkt}|, \quad
        \|M\|_F^2 = \sum_{k,t} N_1(k) N_2(t) \sum_{i,j} K_{ijkt}^2

    with A over the tap classes (the maximal tap sets of a pixel), W over the maximal tap sets
    that one output sees, and N the number of outputs in which a tap meets a pixel. The first two
    extend Theorem 1 of Liang & Huang (2021) to every geometry; the third is its Remark 1.

    Differentiable. Where the maximum is attained more than once, the gradient is that of the first
    maximiser, and 0 at zero weights: one of the subgradients. For l1 and linf its entries are in
    {-1, 0, 1}; only circular padding of several turns, where one tap meets a pixel from several
    outputs, gives larger integers.

    Args:
        weight: ``[d_out, d_in/groups, k1, k2]``; half precision is accumulated in float32.
        input_size: ``(h_in, w_in)`` in pixels, or one integer for both.
        ord: 1, ``math.inf`` or ``"fro"``.
        stride: Pixels between two outputs.
        padding: Pixels of padding, or ``"same"`` or ``"valid"``.
        dilation: Pixels between two taps.
        groups: Number of groups.
        padding_mode: ``"zeros"``, or ``"circular"`` if the kernel does not wrap onto itself.

    Returns:
        The norm, a 0-d tensor in the weight's dtype (float32 for half precision).

    Raises:
        NotImplementedError: If several taps of one output meet the same pixel.
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range, or a weight is NaN or infinite.

    Example:
        >>> kernel = torch.ones(1, 1, 3, 3)
        >>> [float(conv_norm(kernel, 8, ord=p, stride=2, padding=1)) for p in (1, math.inf)]
        [4.0, 9.0]
    """
    weight, groups = check_weight(weight, (2,), groups)
    geometry = Geometry.for_conv(
        input_size, weight.shape[2:], stride=stride, padding=padding, dilation=dilation,
        padding_mode=padding_mode,
    )  # fmt: skip
    order = as_order(ord)
    return geometry_norms(weight, geometry, (order,), groups=groups)[order]


def conv_transpose_norm(
    weight: Tensor,
    input_size: IntOrSeq,
    *,
    ord: float | str,
    stride: IntOrSeq = 1,
    padding: IntOrSeq = 0,
    output_padding: IntOrSeq = 0,
    dilation: IntOrSeq = 1,
    groups: int = 1,
) -> Tensor:
    r"""The exact l1, linf or Frobenius norm of a two-dimensional transposed convolution.

    The layer is the transpose of a convolution from its output to its input, so
    :math:`\|T\|_1 = \|M\|_\infty`, :math:`\|T\|_\infty = \|M\|_1`, :math:`\|T\|_F = \|M\|_F`.

    Args:
        weight: ``[d_in, d_out/groups, k1, k2]``, torch's layout for transposed layers.
        input_size: ``(h_in, w_in)`` of the transposed layer's input in pixels.
        ord: 1, ``math.inf`` or ``"fro"``.
        stride: Stride of the transposed layer.
        padding: Pixels cut from every side of the output.
        output_padding: Pixels added at the end of the output.
        dilation: Pixels between two taps.
        groups: Number of groups.

    Returns:
        The norm, a 0-d tensor, differentiable as :func:`conv_norm` is.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range, or a weight is NaN or infinite.

    Example:
        >>> kernel = torch.ones(1, 1, 3, 3)
        >>> float(conv_transpose_norm(kernel, 4, ord=1, stride=2, padding=1, output_padding=1))
        9.0
    """
    weight, groups = check_weight(weight, (2,), groups)
    geometry = Geometry.for_conv_transpose(
        input_size, weight.shape[2:], stride=stride, padding=padding,
        output_padding=output_padding, dilation=dilation,
    )  # fmt: skip
    order = as_order(ord)
    return geometry_norms(weight, geometry, (order,), groups=groups, transposed=True)[order]


def geometry_norms(
    weight: Tensor,
    geometry: Geometry,
    ords: Iterable[float | str],
    *,
    groups: int = 1,
    transposed: bool = False,
) -> dict[Order, Tensor]:
    """Several exact norms of one convolution of any dimension, sharing the pass over the kernel.

    Args:
        weight: ``[d_out, d_in/groups, *kernel]`` of the convolution (for a transposed layer:
            torch's own layout, which is the layout of the convolution that it transposes).
        geometry: The convolution's geometry, see :class:`nbsrc.conv.Geometry`.
        ords: Norms wanted, each 1, ``math.inf`` or ``"fro"``.
        groups: Number of groups.
        transposed: Whether the norms of the transposed operator are wanted.

    Returns:
        One 0-d tensor per wanted norm, as in :func:`conv_norm`.

    Raises:
        NotImplementedError: If several taps of one output meet the same pixel.
        TypeError: If an argument has the wrong type.
        ValueError: If shapes disagree, or a weight is NaN or infinite.
    """
    weight, groups = check_weight(weight, (len(geometry.axes),), groups)
    if tuple(weight.shape[2:]) != geometry.kernel_size:
        raise ValueError(
            f"weight must have the geometry's kernel size {geometry.kernel_size}, "
            f"got shape {tuple(weight.shape)}"
        )
    orders = [as_order(value) for value in ords]
    kernel = weight.float() if weight.dtype in (torch.float16, torch.bfloat16) else weight
    by_column, by_row = (1, math.inf) if not transposed else (math.inf, 1)
    norms: dict[Order, Tensor] = {}
    magnitude = kernel.abs() if by_column in orders or by_row in orders else kernel
    for order in orders:
        if order == by_column:
            per_input = per_input_channel(magnitude, groups)
            norms[order] = largest_sum(weight, per_input, geometry, pixel_profiles)
        elif order == by_row:
            per_output = per_output_channel(magnitude, geometry)
            norms[order] = largest_sum(weight, per_output, geometry, window_profiles)
        else:
            norms[order] = frobenius_norm(weight, kernel, geometry)
    return norms


def per_input_channel(values: Tensor, groups: int) -> Tensor:
    """Sum over the outputs of a group.

    Args:
        values: ``[d_out, d_in/groups, *kernel]``.
        groups: Number of groups.

    Returns:
        ``[d_in, *kernel]``.
    """
    if groups == 1:
        return values.sum(dim=0)
    split = values.reshape(groups, values.shape[0] // groups, *values.shape[1:])
    return split.sum(dim=1).flatten(0, 1)


def per_output_channel(values: Tensor, geometry: Geometry) -> Tensor:
    """Sum over the inputs of a group.

    Args:
        values: ``[d_out, d_in/groups, *kernel]``.
        geometry: The convolution's geometry.

    Returns:
        ``[d_out, *kernel]``, or summed over the taps too, ``[d_out]``, where some window meets
        pixels with all of them.
    """
    if all(bool((window_profiles(axis) == 1).all()) for axis in geometry.axes):
        return values.flatten(1).sum(dim=1)
    return values.sum(dim=1)


@lru_cache(maxsize=256)
def _table(
    geometry: Geometry,
    profiles: Callable[[Axis], Counts],
    dtype: torch.dtype,
    device: torch.device,
) -> Tensor:
    """Return the product of the per-axis profiles, ``[k1*k2*..., classes]``."""
    rows = reduce(np.kron, [profiles(axis) for axis in geometry.axes])
    with torch.inference_mode(False):  # the table outlives the caller's mode
        return torch.as_tensor(rows.T.copy(), dtype=dtype, device=device)


def largest_sum(
    weight: Tensor, sums: Tensor, geometry: Geometry, profiles: Callable[[Axis], Counts]
) -> Tensor:
    """Return the largest sum over the taps, over all channels and all tap sets of one side.

    Args:
        weight: The caller's weight, for the message if it is not finite.
        sums: Non-negative ``[channels, *kernel]``, or ``[channels]`` if summed over the taps.
        geometry: The convolution's geometry.
        profiles: Which side: ``pixel_profiles`` (columns of M) or ``window_profiles`` (rows).

    Returns:
        A 0-d tensor.

    Raises:
        ValueError: If a weight is NaN or infinite.
    """
    check_finite(weight, sums)
    if sums.ndim > 1:
        table = _table(geometry, profiles, sums.dtype, sums.device)
        sums = sums.flatten(1) @ table
    flat: Tensor = sums.flatten()
    return flat[flat.argmax()]  # one maximiser: the gradient keeps its entries in {-1, 0, 1}
