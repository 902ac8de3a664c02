r"""What scaling a kernel does to batch norm behind it: exactly nothing to the two together."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn

from nbsrc.audits.finding import Case, collect
from nbsrc.batch_norm import batch_norm_norm
from nbsrc.claims import Finding
from nbsrc.conv import conv_norm

__all__ = ["audit_rescaling", "conv_and_norm"]

SCALES = (0.5, 2.0, 0.01, 100.0)


def conv_and_norm(kernel: Tensor, images: Tensor, eps: float) -> tuple[Tensor, float, float]:
    """Apply a convolution and batch norm in training mode.

    Args:
        kernel: ``[out, in, 3, 3]``, padding 1.
        images: ``[batch, in, height, width]``.
        eps: The number that batch norm adds to the variance.

    Returns:
        The output, the l1 norm of the convolution, and the norm that batch norm has at inference
        with the statistics of this batch.
    """
    norm = nn.BatchNorm2d(len(kernel), eps=eps, momentum=1.0, dtype=kernel.dtype)
    with torch.no_grad():
        before = nn.functional.conv2d(images, kernel, padding=1)
        output = norm(before)
        variance = before.var(dim=(0, 2, 3), unbiased=False)
        size = float(batch_norm_norm(norm.weight, variance, ord=1, eps=eps))
    return output, float(conv_norm(kernel, tuple(images.shape[2:]), ord=1, padding=1)), size


def audit_rescaling(
    seeds: Iterable[int], *, tolerance: float, eps: float = 1e-30, compensated: bool = True
) -> Finding:
    """Test that scaling a kernel by c > 0 leaves conv + BN unchanged, with BN's norm times 1/c.

    Args:
        seeds: Seeds of kernels and images.
        tolerance: Relative rounding.
        eps: Epsilon of batch norm; the statement is about 0, which torch refuses in training.
        compensated: Whether batch norm is said to compensate; False says that its norm stays (a
            control).

    Returns:
        The finding; the slack is minus the largest relative error of the output, of the norm of
        batch norm, and of the product of the two norms.
    """

    def cases() -> Iterator[Case]:
        for seed in seeds:
            generator = torch.Generator().manual_seed(seed)
            shape = (1 + seed % 3, 1 + seed % 2, 3, 3)
            kernel = torch.randn(shape, generator=generator, dtype=torch.float64)
            images = torch.randn(4, shape[1], 5, 5, generator=generator, dtype=torch.float64)
            output, norm, size = conv_and_norm(kernel, images, eps)
            for c in SCALES:
                scaled, larger, other = conv_and_norm(c * kernel, images, eps)
                wanted = size / c if compensated else size
                product = larger * other if compensated else norm * size
                errors = (
                    float((scaled - output).abs().max() / output.abs().max()),
                    abs(math.log(other / wanted)),
                    abs(math.log(product / (norm * size))),
                )
                yield -max(errors), (seed,), {"seed": seed, "c": c, "error": max(errors)}

    return collect(cases(), tolerance=tolerance, family="kernels of 3x3 with batch norm behind")
