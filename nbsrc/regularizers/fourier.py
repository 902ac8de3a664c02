"""Singular values of circular convolutions with stride 1, clipped in the Fourier domain."""

from __future__ import annotations

import torch
from torch import Tensor

from nbsrc.regularizers.layers import WeightLayer

__all__ = ["clip_fourier", "fourier_objection"]


def fourier_objection(layer: WeightLayer, *, as_circular: bool) -> str:
    """Why the Fourier transform does not diagonalise a layer.

    Args:
        layer: The layer.
        as_circular: Whether stride, dilation and padding are to be overlooked.

    Returns:
        The reason, empty if it does or is to be overlooked.
    """
    if layer.kind == "linear":
        return ""
    sizes = _image(layer)
    kernel = layer.weight_shape[2:]
    if any(k > h for k, h in zip(kernel, sizes, strict=True)):
        return f"the kernel {kernel} is larger than the image {sizes}"
    if as_circular:
        return ""
    reasons = []
    if layer.geometry is None:
        reasons.append(layer.remark)
    else:
        axes = layer.geometry.axes
        if any(axis.stride != 1 for axis in axes):
            reasons.append(f"stride {tuple(axis.stride for axis in axes)}")
        if any(axis.dilation != 1 for axis in axes):
            reasons.append(f"dilation {tuple(axis.dilation for axis in axes)}")
        if any(axis.outputs != axis.size or not axis.circular for axis in axes if axis.kernel > 1):
            reasons.append("a padding that is not circular to the input's size")
        if any(axis.outputs != axis.size for axis in axes if axis.kernel == 1):
            reasons.append("an output of another size than the input")
    if not reasons:
        return ""
    return (
        f"it has {' and '.join(reasons)}, so its singular values are not those of the Fourier "
        "transform; method='matrix' projects small layers, as_circular=True overlooks it as the "
        "papers do"
    )


def clip_fourier(layer: WeightLayer, weight: Tensor, bound: float) -> Tensor:
    """Clip the singular values at every frequency once, and crop to the kernel's size.

    Args:
        layer: The layer.
        weight: Its weight.
        bound: Largest singular value.

    Returns:
        The new weight; the same tensor if nothing exceeds the bound.

    Example:
        >>> from nbsrc.regularizers import weight_layers
        >>> net = torch.nn.Conv1d(1, 1, 2, padding=1, padding_mode="circular")
        >>> layer = weight_layers(net, (1, 1, 2), [""])[0]
        >>> clip_fourier(layer, torch.tensor([[[1.0, 1.0]]]), 1.0)
        tensor([[[0.5000, 0.5000]]])
    """
    if layer.kind == "linear":
        return _clipped(weight, bound)
    sizes, kernel = _image(layer), weight.shape[2:]
    axes = tuple(range(-len(sizes), 0))
    half = weight.dtype in (torch.float16, torch.bfloat16)
    values = weight.float() if half else weight
    split = values.reshape(layer.groups, -1, *values.shape[1:])
    symbols = torch.fft.rfftn(split, s=sizes, dim=axes)
    front = symbols.movedim((1, 2), (-2, -1))  # [groups, *frequencies, d_out/groups, d_in/groups]
    clipped = _clipped(front, bound)
    if clipped is front:
        return weight
    back = torch.fft.irfftn(clipped.movedim((-2, -1), (1, 2)), s=sizes, dim=axes)
    for axis, taps in zip(axes, kernel, strict=True):
        back = back.narrow(axis, 0, taps)
    cropped: Tensor = back.reshape(weight.shape)
    return cropped.to(weight.dtype)


def _clipped(matrices: Tensor, bound: float) -> Tensor:
    """Clip the singular values of matrices ``[..., d, n]``; the same tensor if none is larger."""
    U, singular, Vh = torch.linalg.svd(matrices, full_matrices=False)
    if not bool((singular > bound).any()):
        return matrices
    limited = singular.clamp(max=bound).to(U.dtype)
    result: Tensor = (U * limited.unsqueeze(-2)) @ Vh
    return result


def _image(layer: WeightLayer) -> tuple[int, ...]:
    """Return the size of the images that the convolution maps (transposed layers map back)."""
    shape = layer.output_shape if layer.kind == "conv-transpose" else layer.input_shape
    return shape[-(len(layer.weight_shape) - 2) :]
