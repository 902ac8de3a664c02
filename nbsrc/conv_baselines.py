"""The two methods for the l2 norm that Liang & Huang (2021) time theirs against, in own code.

Both give estimates, not brackets; :func:`nbsrc.conv.conv_spectral_norm` certifies the l2 norm.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from nbsrc.conv._arguments import IntOrSeq, as_ints, check_weight

__all__ = ["circulant_spectral_norm", "power_iteration_autograd"]


def power_iteration_autograd(
    weight: Tensor,
    input_size: IntOrSeq,
    *,
    stride: IntOrSeq = 1,
    padding: IntOrSeq = 0,
    dilation: IntOrSeq = 1,
    groups: int = 1,
    iterations: int = 100,
    generator: torch.Generator | None = None,
) -> Tensor:
    r"""Estimate the l2 norm by power iteration, the transposed map taken from autograd.

    The approach of Virmaux & Scaman (2018), Lipschitz regularity of deep neural networks. The
    gradient of :math:`\tfrac12\|Mv\|^2` with respect to v is :math:`M^\top M v`, so automatic
    differentiation supplies the transposed map of any layer. The estimate is
    :math:`\|Mv\| / \|v\|`, a lower bound of the norm up to rounding; nothing bounds it from above.

    Args:
        weight: ``[d_out, d_in/groups, k1, k2]``.
        input_size: ``(h_in, w_in)`` in pixels, or one integer for both.
        stride: Pixels between two outputs.
        padding: Pixels of zero padding.
        dilation: Pixels between two taps.
        groups: Number of groups.
        iterations: Number of applications of :math:`M^\top M`, at least 1.
        generator: Source of the start vector, on the weight's device; by default one with seed 0.

    Returns:
        The estimate, a 0-d tensor in the weight's dtype.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range.

    Example:
        >>> round(float(power_iteration_autograd(torch.ones(1, 1, 3, 3), 8, padding=1)), 5)
        8.29086
    """
    weight, groups = check_weight(weight.detach(), (2,), groups)
    size = as_ints("input_size", input_size, 2, 1)
    (iterations,) = as_ints("iterations", iterations, 1, 1)
    options = (
        list(as_ints("stride", stride, 2, 1)),
        list(as_ints("padding", padding, 2, 0)),
        list(as_ints("dilation", dilation, 2, 1)),
    )
    if generator is None:
        generator = torch.Generator(device=weight.device).manual_seed(0)
    shape = (1, weight.shape[1] * groups, *size)
    vector = torch.randn(shape, dtype=weight.dtype, device=weight.device, generator=generator)
    with torch.enable_grad():
        for _ in range(iterations):
            length = torch.linalg.vector_norm(vector)
            if not length > 0:  # the map is zero on everything reached so far
                return torch.zeros_like(length)
            vector = (vector / length).requires_grad_()
            image = F.conv2d(vector, weight, None, *options, groups)
            (vector,) = torch.autograd.grad(0.5 * image.square().sum(), vector)
    last = F.conv2d(vector, weight, None, *options, groups)
    length = torch.linalg.vector_norm(vector)
    ratio: Tensor = torch.linalg.vector_norm(last) / length if length > 0 else length
    return ratio


def circulant_spectral_norm(weight: Tensor, input_size: IntOrSeq) -> Tensor:
    r"""The l2 norm of a convolution with stride 1 whose padding wraps around.

    The approach of Sedghi, Gupta & Long (2019), The singular values of convolutional layers: the
    Fourier transform diagonalises the map over the pixels, so its singular values are those of the
    :math:`d_{out}\times d_{in}` matrices at every frequency. Exact for ``padding_mode="circular"``
    with stride 1 and an output of the input's size. For zero padding it is the norm of another map,
    which can be smaller or larger; on an image larger by the kernel size minus one, the zero-padded
    matrix is a part of the wrapped one, whose norm is then an upper bound.

    Args:
        weight: ``[d_out, d_in, k1, k2]``.
        input_size: ``(h_in, w_in)`` in pixels, or one integer for both; at least the kernel size.

    Returns:
        The norm, a 0-d tensor in the weight's dtype.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range or the kernel is larger than the image.

    Example:
        >>> float(circulant_spectral_norm(torch.ones(1, 1, 3, 3), 8))
        9.0
    """
    weight, _ = check_weight(weight.detach(), (2,), 1)
    size = as_ints("input_size", input_size, 2, 1)
    if any(h < k for h, k in zip(size, weight.shape[2:], strict=True)):
        raise ValueError(
            f"input_size must be at least the kernel size {tuple(weight.shape[2:])}, got {size}"
        )
    # A real kernel has conjugate values at opposite frequencies: half of them suffice.
    symbols = torch.fft.rfft2(weight, s=size).permute(2, 3, 0, 1)
    largest: Tensor = torch.linalg.svdvals(symbols).max()
    return largest
