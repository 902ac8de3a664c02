"""Lower and upper bounds of a convolution's l2 norm that cost about one pass over the kernel."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from nbsrc.conv._arguments import IntOrSeq, Padding, check_finite, check_weight
from nbsrc.conv.axis import Axis, largest_coverage, pixel_profiles, window_profiles
from nbsrc.conv.geometry import Geometry
from nbsrc.conv.norms import (
    geometry_norms,
    largest_sum,
    per_input_channel,
    per_output_channel,
)

__all__ = ["L2Bounds", "conv_l2_bounds"]


class L2Bounds(NamedTuple):
    r"""Bounds of :math:`\|M\|_2`, named by what they are.

    The first three are lower bounds, the others upper bounds.

    Attributes:
        column: :math:`\|M\|_{1\to2}`, the largest l2 norm of a column (lower bound).
        row: :math:`\|M\|_{2\to\infty}`, the largest l2 norm of a row (lower bound).
        mean: :math:`\|M\|_F/\sqrt{\min(m,n)}` (lower bound).
        product: :math:`\sqrt{\|M\|_1\|M\|_\infty}` (upper bound).
        reshaped: :math:`\sqrt{N_1N_2}\,\|K_{d_{out}\times d_{in}k_1k_2}\|_2` with N the largest
            number of (output, tap) pairs that meet one pixel of an axis (upper bound).
        reshaped_transposed: the same for the transposed layer (upper bound).
        frobenius: :math:`\|M\|_F`, exact (upper bound).
        theorem1: eq. (3) of Liang & Huang (2021), :math:`\sqrt{h_{out}w_{out}\sum K^2}`
            (upper bound).
        symbol: the l2 norm of the circular convolution on the padded torus, of which the layer is
            a submatrix (upper bound); ``inf`` if it was not asked for.
    """

    column: float
    row: float
    mean: float
    product: float
    reshaped: float
    reshaped_transposed: float
    frobenius: float
    theorem1: float
    symbol: float

    @property
    def lower(self) -> float:
        """The best lower bound."""
        return max(self[:3])

    @property
    def upper(self) -> float:
        """The best upper bound."""
        return min(self[3:])


def conv_l2_bounds(
    weight: Tensor,
    input_size: IntOrSeq,
    *,
    stride: IntOrSeq = 1,
    padding: Padding = 0,
    dilation: IntOrSeq = 1,
    groups: int = 1,
    symbol: bool = False,
) -> L2Bounds:
    r"""Closed-form bounds of the l2 norm of a two-dimensional convolution.

    .. math::
        \|M\|_2 \ge \max(\|M\|_{1\to2}, \|M\|_{2\to\infty})

    .. math::
        \|M\|_2 \le \min(\sqrt{\|M\|_1\|M\|_\infty},\ \sqrt{N_1N_2}\,\|K\|_2,\ \|M\|_F)

    Args:
        weight: ``[d_out, d_in/groups, k1, k2]``; evaluated in float64.
        input_size: ``(h_in, w_in)`` in pixels, or one integer for both.
        stride: Pixels between two outputs.
        padding: Pixels of zero padding, or ``"same"`` or ``"valid"``.
        dilation: Pixels between two taps.
        groups: Number of groups.
        symbol: Whether to compute the torus bound too, one eigenvalue problem of the channels per
            frequency.

    Returns:
        The bounds, as floats; rounding errors are not included, :func:`conv_spectral_norm` adds
        them.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range, or a weight is NaN or infinite.

    Example:
        >>> bounds = conv_l2_bounds(torch.ones(1, 1, 3, 3), 8, padding=1)
        >>> bounds.lower, bounds.product, round(bounds.theorem1, 6)
        (3.0, 9.0, 24.0)
    """
    weight, groups = check_weight(weight, (2,), groups)
    geometry = Geometry.for_conv(
        input_size, weight.shape[2:], stride=stride, padding=padding, dilation=dilation
    )
    return geometry_l2_bounds(weight, geometry, groups=groups, symbol=symbol)


def geometry_l2_bounds(
    weight: Tensor, geometry: Geometry, *, groups: int = 1, symbol: bool = False
) -> L2Bounds:
    """The bounds of :func:`conv_l2_bounds` for a given geometry.

    Args:
        weight: ``[d_out, d_in/groups, *kernel]``.
        geometry: The convolution's geometry.
        groups: Number of groups.
        symbol: Whether to compute the torus bound too.

    Returns:
        The bounds.

    Raises:
        ValueError: If a weight is NaN or infinite.
    """
    kernel = weight.detach().double()
    check_finite(weight, kernel.sum())
    norms = geometry_norms(kernel, geometry, (1, math.inf, "fro"), groups=groups)
    scale = float(kernel.abs().max()) or 1.0
    kernel = kernel / scale  # squares neither over- nor underflow
    squares = kernel.square()
    column = largest_sum(weight, per_input_channel(squares, groups), geometry, pixel_profiles)
    row = largest_sum(weight, per_output_channel(squares, geometry), geometry, window_profiles)
    outputs = math.prod(geometry.output_size)
    rank = min(kernel.shape[0] * outputs, kernel.shape[1] * groups * math.prod(geometry.input_size))
    split = kernel.reshape(groups, kernel.shape[0] // groups, *kernel.shape[1:])
    coverage = math.prod(largest_coverage(axis) for axis in geometry.axes)
    taps = math.prod(int(window_profiles(axis).sum(axis=1).max()) for axis in geometry.axes)
    return L2Bounds(
        column=scale * math.sqrt(float(column)),
        row=scale * math.sqrt(float(row)),
        mean=float(norms["fro"]) / math.sqrt(rank),
        product=math.sqrt(float(norms[1])) * math.sqrt(float(norms[math.inf])),
        reshaped=scale * math.sqrt(coverage) * _largest_spectral(split.flatten(2)),
        reshaped_transposed=scale
        * math.sqrt(taps)
        * _largest_spectral(split.transpose(1, 2).flatten(2)),
        frobenius=float(norms["fro"]),
        theorem1=scale * math.sqrt(outputs * float(squares.sum())),
        symbol=scale * _symbol_norm(split, geometry) if symbol else math.inf,
    )


def _largest_spectral(stack: Tensor) -> float:
    """Return the largest singular value of a stack of matrices."""
    small = stack.mH if stack.shape[-2] > stack.shape[-1] else stack
    eigenvalues = torch.linalg.eigvalsh(small @ small.mH)
    return math.sqrt(max(float(eigenvalues.max()), 0.0))


def symbol_work(kernel: Tensor, geometry: Geometry) -> float:
    """Estimate the floating-point operations of the torus bound.

    Args:
        kernel: ``[groups, d_out/groups, d_in/groups, *kernel]``.
        geometry: The convolution's geometry.

    Returns:
        About how many operations :func:`conv_l2_bounds` with ``symbol=True`` needs.
    """
    strides = math.prod(axis.stride for axis in geometry.axes)
    rows, columns = kernel.shape[1], kernel.shape[2] * strides
    frequencies = math.prod(size // a.stride for size, a in _torus(geometry)) / 2
    return frequencies * kernel.shape[0] * min(rows, columns) ** 2 * (8 * max(rows, columns) + 40)


def _torus(geometry: Geometry) -> list[tuple[int, Axis]]:
    """Return, per axis, the smallest torus on which the layer is a submatrix of a circular one.

    Windows reach from ``-pad`` to ``end - pad``; wrapped positions must not meet the image, outputs
    must stay distinct, and the stride must divide the torus.

    Args:
        geometry: The convolution's geometry.

    Returns:
        The torus's size and the axis, per axis.
    """
    sizes = []
    for axis in geometry.axes:
        end = (axis.outputs - 1) * axis.stride + axis.dilation * (axis.kernel - 1) + 1
        least = max(axis.size + axis.pad, end - axis.pad, axis.outputs * axis.stride)
        sizes.append((-(-least // axis.stride) * axis.stride, axis))
    return sizes


def _phases(size: int, axis: Axis, device: torch.device, *, half: bool) -> Tensor:
    """Return ``exp(-2 pi i f d t / size)`` as ``[frequencies, aliases, taps]`` of one axis."""
    period = size // axis.stride
    base = torch.arange(period // 2 + 1 if half else period, device=device)
    alias = torch.arange(axis.stride, device=device) * period
    taps = torch.arange(axis.kernel, device=device) * axis.dilation
    turns = ((base[:, None] + alias)[..., None] * taps) % size
    return torch.exp(turns.double() * (-2j * math.pi / size))


def _symbol_norm(split: Tensor, geometry: Geometry) -> float:
    """Return the l2 norm of the circular convolution on the torus, frequency by frequency."""
    (size1, axis1), (size2, axis2) = _torus(geometry)
    rows = _phases(size1, axis1, split.device, half=True)  # the other half is complex conjugate
    columns = _phases(size2, axis2, split.device, half=False)
    kernel = split.to(torch.complex128)
    largest = 0.0
    for phase in rows:
        partial = torch.einsum("gijkt,ak->gijat", kernel, phase)
        symbol = torch.einsum("gijat,fbt->gfijab", partial, columns).flatten(3)
        largest = max(largest, _largest_spectral(symbol))
    return largest / math.sqrt(axis1.stride * axis2.stride)
