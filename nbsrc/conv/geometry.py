"""The geometry of a convolution layer, checked and cached, and its tap classes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np

from nbsrc.conv._arguments import (
    IntOrSeq,
    Padding,
    as_ints,
    check_padding_mode,
    padding_pairs,
)
from nbsrc.conv.axis import Axis, pixel_profiles

__all__ = ["Geometry", "tap_classes"]


@dataclass(frozen=True)
class Geometry:
    """The geometry of a convolution layer, one :class:`Axis` per spatial dimension."""

    axes: tuple[Axis, ...]

    @property
    def input_size(self) -> tuple[int, ...]:
        """The input's spatial size."""
        return tuple(a.size for a in self.axes)

    @property
    def kernel_size(self) -> tuple[int, ...]:
        """The kernel's spatial size."""
        return tuple(a.kernel for a in self.axes)

    @property
    def output_size(self) -> tuple[int, ...]:
        """The output's spatial size."""
        return tuple(a.outputs for a in self.axes)

    @staticmethod
    def for_conv(
        input_size: IntOrSeq,
        kernel_size: IntOrSeq,
        *,
        stride: IntOrSeq = 1,
        padding: Padding = 0,
        dilation: IntOrSeq = 1,
        padding_mode: str = "zeros",
        ndim: int = 2,
    ) -> Geometry:
        """Return the geometry of torch's convolution with these arguments.

        Args:
            input_size: The input's spatial size in pixels, without padding.
            kernel_size: The kernel's size in taps.
            stride: Pixels between two outputs.
            padding: Pixels of padding on both sides, or torch's ``"same"`` or ``"valid"``.
            dilation: Pixels between two taps.
            padding_mode: ``"zeros"`` or ``"circular"``.
            ndim: The number of spatial axes; integers are repeated for each of them.

        Returns:
            The geometry.

        Raises:
            NotImplementedError: If ``padding_mode`` is ``"reflect"`` or ``"replicate"``.
            TypeError: If a size is not an integer or a sequence of integers.
            ValueError: If a value is out of range or the kernel does not fit the padded input.
        """
        sizes = as_ints("input_size", input_size, ndim, 1)
        kernels = as_ints("kernel_size", kernel_size, ndim, 1)
        strides = as_ints("stride", stride, ndim, 1)
        dilations = as_ints("dilation", dilation, ndim, 1)
        check_padding_mode(padding_mode)
        pads = padding_pairs(padding, kernels, strides, dilations)
        return _conv_geometry(sizes, kernels, strides, pads, dilations, padding_mode == "circular")

    @staticmethod
    def for_conv_transpose(
        input_size: IntOrSeq,
        kernel_size: IntOrSeq,
        *,
        stride: IntOrSeq = 1,
        padding: IntOrSeq = 0,
        output_padding: IntOrSeq = 0,
        dilation: IntOrSeq = 1,
        ndim: int = 2,
    ) -> Geometry:
        """Return the geometry of the convolution whose transpose is torch's transposed layer.

        Args:
            input_size: The transposed layer's input size in pixels.
            kernel_size: The kernel's size in taps.
            stride: Stride of the transposed layer.
            padding: Padding of the transposed layer (pixels cut from its output).
            output_padding: Pixels added at the end of its output.
            dilation: Pixels between two taps.
            ndim: The number of spatial axes.

        Returns:
            The geometry of the convolution that maps the layer's output to its input. Its number
            of outputs is the layer's input size, which ``output_padding`` >= stride makes smaller
            than that of a torch convolution.

        Raises:
            TypeError: If a size is not an integer or a sequence of integers.
            ValueError: If a value is out of range or the layer's output is empty.
        """
        sizes = as_ints("input_size", input_size, ndim, 1)
        kernels = as_ints("kernel_size", kernel_size, ndim, 1)
        strides = as_ints("stride", stride, ndim, 1)
        pads = as_ints("padding", padding, ndim, 0)
        extras = as_ints("output_padding", output_padding, ndim, 0)
        dilations = as_ints("dilation", dilation, ndim, 1)
        axes = []
        for h, k, s, p, e, d in zip(sizes, kernels, strides, pads, extras, dilations, strict=True):
            if e >= max(s, d):
                raise ValueError(
                    f"output_padding must be smaller than stride {strides} or dilation "
                    f"{dilations}, got {output_padding!r}"
                )
            size = (h - 1) * s - 2 * p + d * (k - 1) + e + 1
            if size < 1:
                raise ValueError(
                    f"padding {padding!r} must leave an output, got output size {size} "
                    f"for input_size {sizes}"
                )
            axes.append(Axis(size, k, s, p, d, h))
        return Geometry(tuple(axes))


@lru_cache(maxsize=4096)
def _conv_geometry(
    sizes: tuple[int, ...],
    kernels: tuple[int, ...],
    strides: tuple[int, ...],
    pads: tuple[tuple[int, int], ...],
    dilations: tuple[int, ...],
    circular: bool,
) -> Geometry:
    """Return the geometry of checked integers (cached: a model asks for the same one often).

    Args:
        sizes: Input sizes.
        kernels: Kernel sizes.
        strides: Strides.
        pads: Padding before and after every axis.
        dilations: Dilations.
        circular: Whether the padding wraps around.

    Returns:
        The geometry.

    Raises:
        ValueError: If the kernel does not fit the padded input, or the padding wraps twice.
    """
    axes = []
    for h, k, s, d, (before, after) in zip(sizes, kernels, strides, dilations, pads, strict=True):
        room = h + before + after - d * (k - 1) - 1
        if room < 0:
            raise ValueError(
                f"kernel_size {kernels} with dilation {dilations} must fit the padded input: "
                f"it spans {d * (k - 1) + 1} pixels, input_size {sizes} with padding "
                f"({before}, {after}) has {h + before + after}"
            )
        wraps = circular and before + after > 0
        if wraps and max(before, after) > h:
            raise ValueError(
                f"circular padding must not exceed the input size {h}, got ({before}, {after})"
            )
        axes.append(Axis(h, k, s, before, d, room // s + 1, wraps))
    return Geometry(tuple(axes))


def tap_classes(
    input_size: IntOrSeq,
    kernel_size: IntOrSeq,
    *,
    stride: IntOrSeq = 1,
    padding: Padding = 0,
    dilation: IntOrSeq = 1,
) -> tuple[tuple[tuple[int, int], ...], ...]:
    r"""The maximal sets of kernel taps that touch one common input pixel.

    These are the maximal sets among
    :math:`T(y, x) = \{(k, t) : y + p_1 - d_1 k \in s_1\{0, \dots, h_{out}-1\},
    x + p_2 - d_2 t \in s_2\{0, \dots, w_{out}-1\}\}`, found per axis and multiplied. Under
    Assumption 1 of Liang & Huang (2021) they are the maximal sets of the paper's
    :math:`\mathcal S`; here they are exact for every geometry.

    Args:
        input_size: ``(h_in, w_in)`` in pixels, or one integer for both.
        kernel_size: ``(k1, k2)`` in taps, or one integer for both.
        stride: Pixels between two outputs.
        padding: Pixels of zero padding, or ``"same"`` or ``"valid"``.
        dilation: Pixels between two taps.

    Returns:
        The classes, each a sorted tuple of 0-based taps ``(row, column)``. If no tap touches any
        pixel (all windows lie in the padding) the only class is the empty one, so that a maximum
        over the classes is always defined.

    Raises:
        TypeError: If an argument is not an integer or a sequence of integers.
        ValueError: If an argument is out of range or the kernel does not fit the padded input.

    Example:
        The paper's Figure 3, a 7x7 input with padding 1, a 5x5 kernel and stride 2:

        >>> [len(taps) for taps in tap_classes(7, 5, stride=2, padding=1)]
        [9, 6, 6, 4]
        >>> tap_classes(7, 5, stride=2, padding=1)[3]
        ((1, 1), (1, 3), (3, 1), (3, 3))
    """
    geometry = Geometry.for_conv(
        input_size, kernel_size, stride=stride, padding=padding, dilation=dilation
    )
    return geometry_tap_classes(geometry)


@lru_cache(maxsize=1024)
def geometry_tap_classes(geometry: Geometry) -> tuple[tuple[tuple[int, int], ...], ...]:
    """Return the tap classes of a two-dimensional geometry (cached per geometry).

    Args:
        geometry: The geometry.

    Returns:
        The classes, as :func:`tap_classes` gives them.
    """
    per_axis = [
        [tuple(int(t) for t in np.nonzero(row)[0]) for row in pixel_profiles(axis)]
        for axis in geometry.axes
    ]
    classes = {tuple(product(rows, cols)) for rows, cols in product(*per_axis)}
    nonempty = sorted(taps for taps in classes if taps)
    return tuple(nonempty) if nonempty else ((),)
