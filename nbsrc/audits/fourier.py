"""Audits of the Fourier method for the l2 norm: circular padding, zero padding, strides."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from nbsrc.audits.layers import Layer, Shape
from nbsrc.conv import conv_matrix
from nbsrc.conv_baselines import circulant_spectral_norm

__all__ = ["circular_matrix_of", "fourier_norm", "same_size_layers"]


def same_size_layers(count: int, seed: int, *, stride: int = 1) -> Iterator[Layer]:
    """Yield layers with odd kernels no larger than the image and padding ``k // 2``.

    Args:
        count: Number of layers.
        seed: Seed of a generator of its own.
        stride: Stride of both axes; image sizes are multiples of it.

    Yields:
        Layers with Gaussian weights in float64; the first one is 3 x 1 ones on 3 x 1 pixels.
    """
    generator = torch.Generator().manual_seed(seed)

    def draw(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (1,), generator=generator))

    if stride == 1:
        first = Shape(1, 1, (3, 1), (3, 1), (1, 1), (1, 0))
        yield Layer(first, torch.ones(1, 1, 3, 1, dtype=torch.float64))
        count -= 1
    for _ in range(count):
        kernel = (2 * draw(0, 2) + 1, 2 * draw(0, 2) + 1)
        size = tuple(-(-draw(k, 8) // stride) * stride for k in kernel)
        channels = draw(1, 3), draw(1, 3)
        shape = Shape(
            channels[0], channels[1], (size[0], size[1]), kernel, (stride, stride),
            (kernel[0] // 2, kernel[1] // 2),
        )  # fmt: skip
        weight = torch.randn(
            channels[1], channels[0], *kernel, generator=generator, dtype=torch.float64
        )
        yield Layer(shape, weight)


def circular_matrix_of(layer: Layer) -> Tensor:
    """Return the dense matrix of a layer with circular instead of zero padding.

    Args:
        layer: The layer.

    Returns:
        The matrix, from torch's own layer.
    """
    return conv_matrix(
        layer.weight, layer.shape.input_size, **layer.options, padding_mode="circular"
    )


def fourier_norm(layer: Layer) -> float:
    """Return the largest singular value over the frequencies of the image's own size.

    The method of Sedghi, Gupta & Long (2019): the kernel is padded with zeros to the image, and the
    channel matrices of its discrete Fourier transform are taken one by one. Stride and padding do
    not enter.

    Args:
        layer: The layer, with a kernel no larger than the image.

    Returns:
        The value, the l2 norm of the layer with circular padding and stride 1.
    """
    return float(circulant_spectral_norm(layer.weight, layer.shape.input_size))
