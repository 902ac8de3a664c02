r"""Exact operator norms by trying all sign vectors of the smaller side.

Sources: the maximum of a convex function over a box is attained at a corner, so
:math:`\|J\|_{\infty,q} = \max_{t\in\{\pm1\}^n} \|Jt\|_q`; and :math:`\|J\|_{p,q} =
\|J^\top\|_{q^*,p^*}`. Signs t and -t give the same value, so half of them are tried.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["best_signs", "planar_signs", "sign_vectors"]

#: Largest number of entries of one intermediate result.
_CHUNK = 2**20


def sign_vectors(first: int, last: int, length: int, like: Tensor) -> Tensor:
    """The sign vectors with given numbers; the last entry is 1 for the first half of all numbers.

    Args:
        first: First number.
        last: One past the last number.
        length: Entries per vector.
        like: A tensor of the wanted dtype and device.

    Returns:
        ``[last - first, length]`` with entries 1 (bit 0) and -1 (bit 1).

    Example:
        >>> sign_vectors(0, 2, 2, torch.zeros(1)).tolist()
        [[1.0, 1.0], [-1.0, 1.0]]
    """
    numbers = torch.arange(first, last, device=like.device).unsqueeze(-1)
    bits = (numbers >> torch.arange(length, device=like.device)) & 1
    return (1 - 2 * bits).to(like.dtype)


def best_signs(columns: Tensor, q: float) -> Tensor:
    r"""A sign vector t with the largest :math:`\|\sum_j t_j c_j\|_q`.

    For q = 2 and long columns their Gram matrix is used.

    Args:
        columns: The vectors :math:`c_j` as rows, ``[..., signs, length]``.
        q: The order of the norm.

    Returns:
        ``[..., signs]`` with entries 1 and -1.
    """
    signs, length = columns.shape[-2:]
    gram = q == 2 and length > signs
    matrix = columns @ columns.mT if gram else columns
    total = 2 ** (signs - 1)
    batch = math.prod(columns.shape[:-2])
    chunk = max(1, _CHUNK // max(1, batch * matrix.shape[-1]))
    best: Tensor | None = None
    found = columns.new_zeros(columns.shape[:-1])
    for first in range(0, total, chunk):
        tried = sign_vectors(first, min(first + chunk, total), signs, columns)
        sums = tried @ matrix
        values = (sums * tried).sum(-1) if gram else torch.linalg.vector_norm(sums, q, dim=-1)
        value, place = values.max(-1)
        if best is None:
            best, found = value, tried[place]
        else:
            found = torch.where((value > best).unsqueeze(-1), tried[place], found)
            best = torch.maximum(best, value)
    return found


def planar_signs(columns: Tensor) -> Tensor:
    r"""All sign patterns that count for vectors in the plane, by sorting angles.

    The sums :math:`\sum_j t_j c_j` over all signs fill a zonotope; its corners are the patterns
    :math:`t_j = \mathrm{sign}(u^\top c_j)` of the directions u, constant between consecutive
    normals of the :math:`c_j`. There are as many as columns, up to a global sign.

    Args:
        columns: ``[signs, 2]``.

    Returns:
        The sums at the corners, ``[signs, 2]``, and their negatives are the others.
    """
    angles = torch.atan2(columns[:, 1], columns[:, 0])
    upward = torch.where(angles.unsqueeze(-1) < 0, -columns, columns)  # angles in [0, pi]
    order = torch.atan2(upward[:, 1], upward[:, 0]).argsort()
    ordered = upward[order]
    # flipping the columns one after the other, in the order of angles, visits every corner
    return ordered.sum(0) - 2 * ordered.cumsum(0)
