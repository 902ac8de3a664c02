"""Random starts: uniform points of an lp ball, from an explicit generator."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from nbsrc.operator_norm._arguments import Size, check_array, check_size, check_tractable
from nbsrc.operator_norm.duality import lp_norm

__all__ = ["uniform_in_ball"]


def uniform_in_ball(center: Tensor, eps: Size, p: float, generator: torch.Generator) -> Tensor:
    r"""Uniformly distributed points of the lp ball around each point.

    The start of equation (15) of Roth, Kilcher & Hofmann (2020). For p = inf independent uniform
    entries; for p = 2 a normal direction and the radius :math:`U^{1/n}`; for p = 1 the first n of
    n + 1 exponential variables, divided by their sum, with random signs.

    Args:
        center: ``[batch, *input]``.
        eps: The radius, at least 0: a number or ``[batch]``.
        p: 1, 2 or infinity.
        generator: Source of the random numbers.

    Returns:
        ``[batch, *input]``, on the generator's device until it is added to the centre.

    Raises:
        NotImplementedError: If ``p`` is another order.
        TypeError: If an argument has the wrong type.
        ValueError: If ``p`` is less than 1, the radius negative, or the centre not finite.

    Example:
        >>> draw = torch.Generator().manual_seed(0)
        >>> bool((uniform_in_ball(torch.ones(3, 4), 0.5, 1, draw) - 1).abs().sum(1).max() <= 0.5)
        True
    """
    order = check_tractable("p", p, "the uniform distribution")
    check_array("center", center, 2)
    flat = center.flatten(1)
    batch, n = flat.shape
    radius = check_size("eps", eps, flat)
    dtype, device = flat.dtype, generator.device
    if order == math.inf:
        unit = torch.rand(batch, n, generator=generator, dtype=dtype, device=device) * 2 - 1
    elif order == 2:
        normal = torch.randn(batch, n, generator=generator, dtype=dtype, device=device)
        length = torch.rand(batch, 1, generator=generator, dtype=dtype, device=device) ** (1 / n)
        unit = length * normal / lp_norm(normal, 2).unsqueeze(-1)
    else:
        sizes = torch.empty(batch, n + 1, dtype=dtype, device=device).exponential_(
            generator=generator
        )
        signs = (
            torch.randint(0, 2, (batch, n), generator=generator, dtype=dtype, device=device) * 2 - 1
        )
        unit = signs * sizes[:, :n] / sizes.sum(-1, keepdim=True)
    return (flat + radius * unit.to(flat.device)).reshape(center.shape)
