r"""Hölder conjugates, the maximiser of a linear function on a ball, the gradient of a norm.

Source: Roth, Kilcher & Hofmann (2020), equations (10), (16), (28) and (29).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from nbsrc.operator_norm._arguments import check_array, check_order

__all__ = ["dual_vector", "holder_conjugate", "lp_norm", "norm_gradient", "printed_maximiser"]


def holder_conjugate(p: float) -> float:
    r"""The Hölder conjugate :math:`p^*`, with :math:`1/p + 1/p^* = 1`.

    Args:
        p: An order from 1 to infinity.

    Returns:
        The order of the dual norm; infinity for 1, and 1 for infinity.

    Raises:
        TypeError: If ``p`` is no number.
        ValueError: If ``p`` is NaN or less than 1.

    Example:
        >>> holder_conjugate(1), holder_conjugate(2), holder_conjugate(4.0)
        (inf, 2.0, 1.3333333333333333)
    """
    order = check_order("p", p)
    if order == 1:
        return math.inf
    return 1.0 if order == math.inf else order / (order - 1)


def dual_vector(z: Tensor, p: float) -> Tensor:
    r"""A maximiser of :math:`v^\top z` over the unit ball of the p-norm.

    .. math:: v^* = \mathrm{sign}(z) \odot |z|^{p^*-1} / \|z\|_{p^*}^{p^*-1}

    Equation (16) and Lemma 1 (34) of Roth et al., with their choices where maximisers are not
    unique: for p = 1 equal weight on all entries of largest absolute value, for p = inf the value 0
    where z is 0. The set of all maximisers is :func:`nbsrc.operator_norm.dual_face`. Ties are exact
    ties. Powers are taken of ``|z| / max |z|``, so nothing overflows.

    Args:
        z: ``[..., n]``, no row zero.
        p: The order of the ball's norm, from 1 to infinity.

    Returns:
        ``[..., n]`` of p-norm 1.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If ``p`` is less than 1 or NaN, or z is not finite or has a zero row.

    Example:
        >>> z = torch.tensor([3.0, 0.0, -3.0])
        >>> dual_vector(z, 1).tolist(), dual_vector(z, math.inf).tolist()
        ([0.5, 0.0, -0.5], [1.0, 0.0, -1.0])
    """
    check_order("p", p)
    check_array("z", z, 1)
    refuse_zeros("z", z)
    return printed_maximiser(z, holder_conjugate(p))


def norm_gradient(u: Tensor, q: float) -> Tensor:
    r"""The gradient of the q-norm, with the paper's choice of subgradient on a kink.

    .. math:: \nabla \|u\|_q = \mathrm{sign}(u) \odot |u|^{q-1} / \|u\|_q^{q-1}

    Equations (10) and (28) of Roth et al.; for q = inf the limit (29), equal weight on the entries
    of largest absolute value. It is :func:`dual_vector` of the conjugate order.

    Args:
        u: ``[..., d]``, no row zero.
        q: The order, from 1 to infinity.

    Returns:
        ``[..., d]``.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If ``q`` is less than 1 or NaN, or u is not finite or has a zero row.

    Example:
        >>> norm_gradient(torch.tensor([3.0, -4.0], dtype=torch.float64), 2).tolist()
        [0.6, -0.8]
    """
    order = check_order("q", q)
    check_array("u", u, 1)
    refuse_zeros("u", u)
    return printed_maximiser(u, order)


def lp_norm(vectors: Tensor, order: float, dim: int = -1) -> Tensor:
    """The norm along one dimension, without overflow or underflow of powers.

    Args:
        vectors: ``[..., n]``, or with the entries in another dimension.
        order: From 1 to infinity.
        dim: The dimension.

    Returns:
        The norms, without that dimension.
    """
    norms: Tensor
    if order in {1, math.inf}:
        norms = torch.linalg.vector_norm(vectors, order, dim=dim)
        return norms
    largest = vectors.detach().abs().amax(dim, keepdim=True)
    largest = torch.where(largest > 0, largest, torch.ones_like(largest))
    norms = torch.linalg.vector_norm(vectors / largest, order, dim=dim)
    return norms * largest.squeeze(dim)


def printed_maximiser(z: Tensor, order: float) -> Tensor:
    r"""The formula :math:`\mathrm{sign}(z) \odot |z|^{r-1} / \|z\|_r^{r-1}`, 0 where a row is 0.

    Args:
        z: ``[..., n]``.
        order: r, from 1 to infinity.

    Returns:
        ``[..., n]``.
    """
    signs = z.sign()
    if order == 1:
        return signs
    size = z.abs()
    largest = size.amax(-1, keepdim=True)
    if order == math.inf:
        weights = (size == largest) & (largest > 0)
        return signs * weights / weights.sum(-1, keepdim=True).clamp(min=1)
    scaled = size / torch.where(largest > 0, largest, torch.ones_like(largest))
    norm = scaled.pow(order).sum(-1, keepdim=True).clamp(min=1).pow((order - 1) / order)
    return signs * scaled.pow(order - 1) / norm


def refuse_zeros(name: str, vectors: Tensor) -> None:
    """Refuse zero vectors.

    Args:
        name: The argument's name, for the message.
        vectors: ``[..., n]``.

    Raises:
        ValueError: If a row is zero.
    """
    zero = (vectors == 0).all(-1)
    if bool(zero.any()):
        rows = int(zero.sum())
        raise ValueError(
            f"{name} must not be zero, which has no direction; {rows} of {zero.numel()} are"
        )
