r"""Euclidean projections onto lp balls and spheres, exact for p in {1, 2, inf}.

Source: the operators of equations (9) and (15) of Roth, Kilcher & Hofmann (2020). The l1 case is
the projection onto a simplex by sorting (Held, Wolfe & Crowder 1974).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from nbsrc.operator_norm._arguments import Size, check_array, check_like, check_size
from nbsrc.operator_norm._arguments import check_tractable as _check_tractable
from nbsrc.operator_norm.duality import lp_norm

__all__ = ["project_ball", "project_simplex", "project_sphere"]


def project_ball(x: Tensor, center: Tensor, eps: Size, p: float) -> Tensor:
    r"""The nearest point of an lp ball, in the Euclidean sense.

    .. math:: \Pi(x) = \arg\min_{\|y-c\|_p\le\epsilon} \|y-x\|_2

    A point inside is returned as it is. For p = inf the projection clips, for p = 2 it scales, for
    p = 1 it shrinks all entries by the threshold found by sorting.

    Args:
        x: ``[..., n]``.
        center: The ball's centre c, ``[..., n]``.
        eps: The radius, at least 0: a number or ``[...]``.
        p: 1, 2 or infinity.

    Returns:
        ``[..., n]``.

    Raises:
        NotImplementedError: If ``p`` is another order: the projection has no closed form.
        TypeError: If an argument has the wrong type, or the dtypes differ.
        ValueError: If ``p`` is less than 1, the radius is negative, something is not finite, or
            the lengths differ.

    Example:
        >>> x, c = torch.tensor([3.0, 1.0]), torch.zeros(2)
        >>> [project_ball(x, c, 1.0, p).tolist() for p in (1, math.inf)]
        [[1.0, 0.0], [1.0, 1.0]]
    """
    order = _check_tractable("p", p, "the projection onto a ball")
    check_array("x", x, 1)
    check_like("center", center, "x", x)
    radius = check_size("eps", eps, x)
    offset = x - center
    inside = lp_norm(offset, order).unsqueeze(-1) <= radius
    return torch.where(inside, x, center + _onto_boundary(offset, radius, order))


def project_sphere(x: Tensor, center: Tensor, eps: Size, p: float) -> Tensor:
    r"""A nearest point of an lp sphere, in the Euclidean sense.

    Outside the ball it is the projection onto the ball. Inside, the nearest points of the sphere
    are: for p = 2 the scaled point; for p = inf the point with its entry of largest absolute value
    moved to the boundary (of equal entries the first is taken); for p = 1 the point with all
    entries moved outwards by the same amount (an entry 0 is moved upwards). The centre itself has
    no direction and is refused.

    Args:
        x: ``[..., n]``, no row equal to the centre.
        center: ``[..., n]``.
        eps: The radius, greater than 0: a number or ``[...]``.
        p: 1, 2 or infinity.

    Returns:
        ``[..., n]``.

    Raises:
        NotImplementedError: If ``p`` is another order: the projection has no closed form.
        TypeError: If an argument has the wrong type, or the dtypes differ.
        ValueError: If ``p`` is less than 1, the radius is not positive, something is not finite,
            the lengths differ, or a point is the centre.

    Example:
        >>> x, c = torch.tensor([0.5, 0.25]), torch.zeros(2)
        >>> [project_sphere(x, c, 1.0, p).tolist() for p in (1, math.inf)]
        [[0.625, 0.375], [1.0, 0.25]]
    """
    order = _check_tractable("p", p, "the projection onto a sphere")
    check_array("x", x, 1)
    check_like("center", center, "x", x)
    radius = check_size("eps", eps, x)
    if not bool((radius > 0).all()):
        raise ValueError(f"eps must be positive, got {float(radius.min())}")
    offset = x - center
    if bool((offset == 0).all(-1).any()):
        raise ValueError("x must not be the centre: it has no direction")
    missing = radius - lp_norm(offset, order).unsqueeze(-1)
    boundary = _onto_boundary(offset, radius, order)
    if order != 2:
        signs = torch.where(offset < 0, -1.0, 1.0).to(x.dtype)
        if order == math.inf:
            first = offset.abs().argmax(-1, keepdim=True)
            pushed = torch.scatter(offset, -1, first, radius * signs.gather(-1, first))
        else:
            pushed = offset + signs * missing / x.shape[-1]
        boundary = torch.where(missing > 0, pushed, boundary)
    return torch.where(missing == 0, x, center + boundary)


def project_simplex(a: Tensor, total: Size) -> Tensor:
    r"""The nearest vector with entries at least 0 that sum to a given number.

    The solution is :math:`\max(a-\theta, 0)`. Sums are taken of differences to the largest entry,
    so a large common offset costs no digits.

    Args:
        a: ``[..., n]``; an entry may be -inf, it then gets 0, but not all.
        total: The sum, at least 0: a number, or a tensor ``[..., 1]``.

    Returns:
        ``[..., n]``.

    Example:
        >>> project_simplex(torch.tensor([2.0, 2.0, 0.0]), 1.0).tolist()
        [0.5, 0.5, 0.0]
    """
    below = a.amax(-1, keepdim=True) - a
    ordered = below.sort(-1).values
    counts = torch.arange(1, a.shape[-1] + 1, dtype=a.dtype, device=a.device)
    levels = (ordered.cumsum(-1) + total) / counts
    used = (ordered < levels).sum(-1, keepdim=True).clamp(min=1)
    return (levels.gather(-1, used - 1) - below).clamp(min=0)


def _onto_boundary(offset: Tensor, radius: Tensor, order: float) -> Tensor:
    """Project vectors that are not inside the ball around 0 (for l2 any vectors) onto it."""
    if order == math.inf:
        return torch.minimum(torch.maximum(offset, -radius), radius)
    if order == 1:
        return offset.sign() * project_simplex(offset.abs(), radius)
    largest = offset.abs().amax(-1, keepdim=True)
    scaled = offset / torch.where(largest > 0, largest, torch.ones_like(largest))
    norm = lp_norm(scaled, 2).unsqueeze(-1)
    return radius * scaled / torch.where(norm > 0, norm, torch.ones_like(norm))
