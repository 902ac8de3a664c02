"""Audits of the structure of the matrix: Toeplitz, circulant."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor
from torch.nn import functional

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.layers import Layer
from nbsrc.claims import Finding
from nbsrc.conv import conv_matrix

__all__ = [
    "audit_rows_of_circulant",
    "audit_structure",
    "circular_matrix",
    "is_doubly_block_circulant",
    "is_doubly_block_toeplitz",
    "torus_matrix",
    "zero_padded_matrix",
]


def zero_padded_matrix(layer: Layer) -> Tensor:
    """Return the layer's matrix as ``[d_out, h_out, w_out, d_in, h_in, w_in]``.

    Args:
        layer: The layer.

    Returns:
        The matrix with its rows and columns unfolded.
    """
    s = layer.shape
    image = torch.zeros(1, s.channels_in, *s.input_size, dtype=layer.weight.dtype)
    out = functional.conv2d(image, layer.weight, None, s.stride, s.padding, s.dilation, s.groups)
    return layer.matrix.reshape(*out.shape[1:], s.channels_in, *s.input_size)


def circular_matrix(layer: Layer) -> Tensor:
    """Return the matrix of the layer with circular padding ``k // 2`` and stride 1, unfolded.

    Args:
        layer: The layer, with odd kernel sizes no larger than the input.

    Returns:
        The matrix as ``[d_out, h, w, d_in, h, w]``.
    """
    size, channels = layer.shape.input_size, layer.shape.channels_in
    pads = [k // 2 for k in layer.shape.kernel_size]
    matrix = conv_matrix(layer.weight, size, padding=pads, padding_mode="circular")
    return matrix.reshape(layer.shape.channels_out, *size, channels, *size)


def torus_matrix(layer: Layer) -> Tensor:
    """Return the matrix of a stride-1 kernel on the image's own torus, unfolded.

    Args:
        layer: The layer, with a kernel no larger than the image.

    Returns:
        ``[d_out, h, w, d_in, h, w]``; output o is the window that starts at pixel o and wraps.
    """
    size, channels = layer.shape.input_size, layer.shape.channels_in
    pads = [k - 1 for k in layer.shape.kernel_size]
    matrix = conv_matrix(layer.weight, size, padding=pads, padding_mode="circular")
    rows = [h + p for h, p in zip(size, pads, strict=True)]
    unfolded = matrix.reshape(layer.shape.channels_out, *rows, channels, *size)
    return unfolded[:, pads[0] :, pads[1] :]


def audit_rows_of_circulant(layers: Iterable[Layer], *, shift: int = 0) -> Finding:
    """Test that M is the part of a doubly block circulant matrix whose windows do not wrap.

    Args:
        layers: Layers with stride 1 and no padding.
        shift: Rows by which the part is moved; anything but 0 plants an error.

    Returns:
        The finding.
    """

    def cases() -> Iterator[Case]:
        for layer in layers:
            torus = torus_matrix(layer)
            matrix = zero_padded_matrix(layer)
            part = torus.roll(shift, dims=1)[:, : matrix.shape[1], : matrix.shape[2]]
            holds = is_doubly_block_circulant(torus) and torch.equal(part, matrix)
            yield 0.0 if holds else -1.0, layer.size, layer.description

    return collect(cases(), tolerance=0, family="stride 1, no padding: rows that do not wrap")


def is_doubly_block_toeplitz(matrix: Tensor) -> bool:
    """Whether every entry depends only on channels and on the shifts of row and column.

    Args:
        matrix: ``[d_out, h_out, w_out, d_in, h_in, w_in]``.

    Returns:
        Whether moving both pixels by one row, or both by one column, changes no entry.
    """
    down = torch.equal(matrix[:, 1:, :, :, 1:], matrix[:, :-1, :, :, :-1])
    right = torch.equal(matrix[:, :, 1:, :, :, 1:], matrix[:, :, :-1, :, :, :-1])
    return down and right


def is_doubly_block_circulant(matrix: Tensor) -> bool:
    """Whether the matrix is square per channel and invariant under cyclic shifts of both pixels.

    Args:
        matrix: ``[d_out, h_out, w_out, d_in, h_in, w_in]``.

    Returns:
        Whether cyclic shifts of rows and of columns change no entry.
    """
    if matrix.shape[1:3] != matrix.shape[4:6]:
        return False
    return all(torch.equal(matrix.roll((1, 1), dims=(axis, axis + 3)), matrix) for axis in (1, 2))


def audit_structure(
    layers: Iterable[Layer],
    matrix: Callable[[Layer], Tensor],
    test: Callable[[Tensor], bool],
    family: str,
) -> Finding:
    """Test a structural property of the unfolded matrix over layers.

    Args:
        layers: Layers to test.
        matrix: Builds the unfolded matrix.
        test: The property.
        family: The layers in words.

    Returns:
        The finding.
    """

    def cases() -> Iterator[Case]:
        for layer in layers:
            holds = test(matrix(layer))
            yield 0.0 if holds else -1.0, layer.size, layer.description

    return collect(cases(), tolerance=0, family=family)
