"""The spectrum that the Fourier transform gives: that of a convolution on a torus.

Source: Sedghi, Gupta & Long, The Singular Values of Convolutional Layers, ICLR 2019.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["circular_singular_values"]


def circular_singular_values(
    weight: Tensor, input_size: int | Sequence[int], *, groups: int = 1
) -> Tensor:
    r"""All singular values of a convolution with circular padding and stride 1.

    A network with zero padding applies another operator. Its singular values are not these, and
    neither are its largest or smallest ones bounded by these: on 2 pixels the kernel
    ``[1, 0, -1]`` gives the zero matrix on the torus and a rotation with zero padding. With padding
    p on n pixels, those of the torus of n + p pixels are upper bounds, for every stride.

    Args:
        weight: ``[d_out, d_in/groups, k1, k2]``; a kernel larger than the image wraps around.
        input_size: ``(h, w)`` in pixels, or one integer for both.
        groups: Number of groups.

    Returns:
        The singular values in double precision, largest first:
        ``h * w * groups * min(d_out/groups, d_in/groups)``.

    Raises:
        ValueError: If the weight has not four dimensions, the size is not positive, or the groups
            do not divide the outputs.

    Example:
        >>> kernel = torch.tensor([[[[1.0, 0.0, -1.0]]]])
        >>> circular_singular_values(kernel, (1, 2)).tolist()
        [0.0, 0.0]
    """
    size = (input_size, input_size) if isinstance(input_size, int) else tuple(input_size)
    if weight.ndim != 4:
        raise ValueError(f"weight must have four dimensions, got shape {tuple(weight.shape)}")
    if len(size) != 2 or min(size) < 1:
        raise ValueError(f"input_size must be two positive integers, got {input_size!r}")
    if groups < 1 or weight.shape[0] % groups:
        raise ValueError(f"groups must divide the {weight.shape[0]} outputs, got {groups}")
    kernel = weight.detach().double()
    wrapped = kernel.new_zeros(*kernel.shape[:2], *size)
    for i in range(kernel.shape[2]):
        for j in range(kernel.shape[3]):
            wrapped[:, :, i % size[0], j % size[1]] += kernel[:, :, i, j]
    symbols = torch.fft.fft2(wrapped).movedim((0, 1), (-2, -1))
    blocks = symbols.reshape(*size, groups, kernel.shape[0] // groups, kernel.shape[1])
    values: Tensor = torch.linalg.svdvals(blocks)
    ordered: Tensor = values.flatten().sort(descending=True).values
    return ordered
