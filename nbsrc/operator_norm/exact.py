r"""Exact (p, q) operator norms: the closed forms of Table 1, and enumeration.

Source: Roth, Kilcher & Hofmann (2020), equation (8) and Table 1. p belongs to the domain (inputs),
q to the co-domain (outputs). For p = 1 (maximum of a convex function over the cross-polytope) and
for q = inf (a maximum of dual norms of rows) the closed forms hold for every other order as well.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from nbsrc.operator_norm._arguments import check_array, check_order
from nbsrc.operator_norm.duality import holder_conjugate, lp_norm
from nbsrc.operator_norm.enumeration import best_signs, planar_signs

__all__ = ["closed_form", "enumerated_norm", "exact_operator_norm", "signs_needed"]

#: Sign vectors have at most this many entries unless the caller allows more.
MAX_SIGNS = 16


def exact_operator_norm(J: Tensor, p: float, q: float, *, max_signs: int = MAX_SIGNS) -> Tensor:
    r"""The (p, q) operator norm, by a closed form or by enumeration.

    .. math:: \|J\|_{p,q} = \max_{\|v\|_p = 1} \|Jv\|_q

    Closed forms (Table 1): p = 1 the largest q-norm of a column, q = inf the largest
    :math:`p^*`-norm of a row, (2, 2) the largest singular value. For the three NP-hard entries all
    sign vectors of the smaller possible side are tried: (inf, 1) outputs or inputs, (inf, 2) the
    inputs, (2, 1) the outputs. Two outputs for (inf, 2), or two inputs for (2, 1), are done by a
    sweep over angles, for any length of the other side; one is a closed form.

    Gradients flow to J (through the maximiser).

    Args:
        J: ``[..., d, n]``, d outputs and n inputs.
        p: The order in the domain, at least 1.
        q: The order in the co-domain, at least 1.
        max_signs: Longest sign vector that may be enumerated.

    Returns:
        ``[...]`` in the dtype of J, with the rounding errors of that dtype.

    Raises:
        NotImplementedError: If neither a closed form nor an enumeration applies.
        TypeError: If an argument has the wrong type.
        ValueError: If an order is less than 1 or NaN, or J is empty or not finite.

    Example:
        >>> J = torch.tensor([[1.0, 1.0], [1.0, -1.0]])
        >>> [exact_operator_norm(J, math.inf, q).item() for q in (1, math.inf)]
        [2.0, 2.0]
    """
    domain, codomain = check_order("p", p), check_order("q", q)
    check_array("J", J, 2)
    largest = J.detach().abs().amax((-2, -1), keepdim=True)
    scale = torch.where(largest > 0, largest, torch.ones_like(largest))  # squares stay in range
    known = closed_form(J / scale, domain, codomain)
    if known is not None:
        return known * scale[..., 0, 0]
    needed = signs_needed(J, domain, codomain)
    if needed is None:
        raise NotImplementedError(
            f"no exact formula for (p, q) = ({domain:g}, {codomain:g}): p = 1, q = inf and "
            "{2, inf} x {1, 2} are implemented"
        )
    if needed > max_signs:
        raise NotImplementedError(
            f"the ({domain:g}, {codomain:g}) norm of a {J.shape[-2]} x {J.shape[-1]} matrix needs "
            f"sign vectors of length {needed}, max_signs allows {max_signs}"
        )
    return enumerated_norm(J / scale, domain, codomain) * scale[..., 0, 0]


def closed_form(J: Tensor, p: float, q: float) -> Tensor | None:
    """The norm where it has a formula, else nothing.

    Args:
        J: ``[..., d, n]``.
        p: The order in the domain.
        q: The order in the co-domain.

    Returns:
        ``[...]`` or None.
    """
    if p == 1:
        return lp_norm(J, q, dim=-2).amax(-1)
    if q == math.inf:
        return lp_norm(J, holder_conjugate(p)).amax(-1)
    if J.shape[-2] == 1:
        return lp_norm(J.squeeze(-2), holder_conjugate(p))
    if J.shape[-1] == 1:
        return lp_norm(J.squeeze(-1), q)
    if p == q == 2:
        largest: Tensor = torch.linalg.svdvals(J).amax(-1)
        return largest
    return None


def signs_needed(J: Tensor, p: float, q: float) -> int | None:
    """How many entries the sign vectors have that an enumeration goes through.

    Args:
        J: ``[..., d, n]``.
        p: The order in the domain.
        q: The order in the co-domain.

    Returns:
        The length; 1 where a sweep in the plane does it, None if no enumeration is known.
    """
    d, n = J.shape[-2:]
    if (p, q) == (math.inf, 1):
        return min(d, n)
    if (p, q) == (math.inf, 2):
        return 1 if d == 2 else n
    if (p, q) == (2, 1):
        return 1 if n == 2 else d
    return None


def enumerated_norm(J: Tensor, p: float, q: float) -> Tensor:
    """The norm of the three NP-hard pairs by enumeration.

    Args:
        J: ``[..., d, n]``.
        p: The order in the domain, infinity or 2.
        q: The order in the co-domain, 1 or 2.

    Returns:
        ``[...]``.
    """
    # the signs belong to the rows of M, and ||M^T s||_order is maximal
    transposed = p == math.inf and (q == 2 or J.shape[-1] < J.shape[-2])
    M, order = (J.mT, q) if transposed else (J, holder_conjugate(p))
    if order == 2 and M.shape[-1] == 2:
        flat = M.reshape(-1, *M.shape[-2:])
        corners = torch.stack([planar_signs(matrix) for matrix in flat])
        longest = lp_norm(corners, 2).amax(-1)
        return longest.reshape(M.shape[:-2])
    with torch.no_grad():
        signs = best_signs(M, order)
    return lp_norm((signs.unsqueeze(-2) @ M).squeeze(-2), order)
