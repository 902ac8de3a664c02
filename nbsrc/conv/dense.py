"""The matrix of a convolution, from the framework's own layer applied to the identity.

The oracle of everything in :mod:`nbsrc.conv`: it shares no code with the formulas that it checks.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from nbsrc.conv._arguments import IntOrSeq, Padding, as_ints, check_weight, padding_pairs
from nbsrc.conv.geometry import Geometry

__all__ = ["conv_matrix", "conv_transpose_matrix"]


def _identity(channels: int, size: tuple[int, ...], weight: Tensor) -> Tensor:
    """Return every unit image as one batch ``[n, channels, *size]``."""
    count = channels * torch.Size(size).numel()
    eye = torch.eye(count, dtype=weight.dtype, device=weight.device)
    return eye.reshape(count, channels, *size)


def conv_matrix(
    weight: Tensor,
    input_size: IntOrSeq,
    *,
    stride: IntOrSeq = 1,
    padding: Padding = 0,
    dilation: IntOrSeq = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
) -> Tensor:
    r"""The dense matrix M of a convolution, ``conv(x) = M x`` with channel-by-channel vectors.

    Column n is torch's own ``conv2d`` of the n-th unit image, so M is as torch computes it. Source
    of the setting: Liang & Huang (2021), section on norms.

    Args:
        weight: ``[d_out, d_in/groups, k1, k2]``.
        input_size: ``(h_in, w_in)`` in pixels, or one integer for both.
        stride: Pixels between two outputs.
        padding: Pixels of padding, or ``"same"`` or ``"valid"``.
        dilation: Pixels between two taps.
        groups: Number of groups.
        padding_mode: Any of torch's: ``"zeros"``, ``"circular"``, ``"reflect"``, ``"replicate"``.

    Returns:
        The matrix, ``[d_out*h_out*w_out, d_in*h_in*w_in]``, in the weight's dtype.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range or the kernel does not fit the padded input.

    Example:
        >>> conv_matrix(torch.tensor([[[[1.0, 2.0]]]]), (1, 3))
        tensor([[1., 2., 0.],
                [0., 1., 2.]])
    """
    weight, groups = check_weight(weight, (2,), groups)
    modes = ("zeros", "circular", "reflect", "replicate")
    if padding_mode not in modes:
        raise ValueError(f"padding_mode must be one of {modes}, got {padding_mode!r}")
    geometry = Geometry.for_conv(
        input_size, weight.shape[2:], stride=stride, padding=padding, dilation=dilation
    )
    strides, dilations = as_ints("stride", stride, 2, 1), as_ints("dilation", dilation, 2, 1)
    images = _identity(weight.shape[1] * groups, geometry.input_size, weight)
    pads = padding_pairs(padding, geometry.kernel_size, strides, dilations)
    if padding_mode == "zeros" and not isinstance(padding, str):
        inner: str | tuple[int, ...] = as_ints("padding", padding, 2, 0)
    elif padding_mode == "zeros":
        inner = str(padding)
    else:
        for size, pair in zip(geometry.input_size, pads, strict=True):
            largest = {"reflect": size - 1, "circular": size}.get(padding_mode, max(pair))
            if max(pair) > largest:
                raise ValueError(
                    f"padding with padding_mode {padding_mode!r} must be at most {largest} on an "
                    f"axis of {size} pixels, got {padding!r}"
                )
        images = functional.pad(images, [*pads[1], *pads[0]], mode=padding_mode)
        inner = (0, 0)
    out = functional.conv2d(images, weight, None, strides, inner, dilations, groups)
    return out.flatten(1).T.contiguous()


def conv_transpose_matrix(
    weight: Tensor,
    input_size: IntOrSeq,
    *,
    stride: IntOrSeq = 1,
    padding: IntOrSeq = 0,
    output_padding: IntOrSeq = 0,
    dilation: IntOrSeq = 1,
    groups: int = 1,
) -> Tensor:
    """The dense matrix of a transposed convolution, from torch's own layer.

    Args:
        weight: ``[d_in, d_out/groups, k1, k2]``, torch's layout for transposed layers.
        input_size: ``(h_in, w_in)`` in pixels, or one integer for both.
        stride: Stride of the transposed layer.
        padding: Pixels cut from every side of the output.
        output_padding: Pixels added at the end of the output.
        dilation: Pixels between two taps.
        groups: Number of groups.

    Returns:
        The matrix, ``[d_out*h_out*w_out, d_in*h_in*w_in]``, in the weight's dtype.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range or the layer's output is empty.

    Example:
        >>> conv_transpose_matrix(torch.tensor([[[[1.0, 2.0]]]]), (1, 2))
        tensor([[1., 0.],
                [2., 1.],
                [0., 2.]])
    """
    weight, groups = check_weight(weight, (2,), groups)
    geometry = Geometry.for_conv_transpose(
        input_size, weight.shape[2:], stride=stride, padding=padding,
        output_padding=output_padding, dilation=dilation,
    )  # fmt: skip
    images = _identity(weight.shape[0], geometry.output_size, weight)
    out = functional.conv_transpose2d(
        images, weight, None, as_ints("stride", stride, 2, 1), as_ints("padding", padding, 2, 0),
        as_ints("output_padding", output_padding, 2, 0), groups,
        as_ints("dilation", dilation, 2, 1),
    )  # fmt: skip
    return out.flatten(1).T.contiguous()
