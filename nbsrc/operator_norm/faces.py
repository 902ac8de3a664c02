r"""All maximisers of a linear function over an lp ball: the face that a vector exposes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor

from nbsrc.operator_norm._arguments import check_array, check_like, check_order
from nbsrc.operator_norm.duality import dual_vector, lp_norm, refuse_zeros
from nbsrc.operator_norm.projections import project_simplex

__all__ = ["Face", "dual_face"]

#: Most corners that :meth:`Face.vertices` lists.
MOST_VERTICES = 4096


@dataclass(frozen=True, eq=False)
class Face:
    r"""The maximisers of :math:`v^\top z` over the unit ball of the p-norm, one set per z.

    Attributes:
        p: The order of the norm.
        point: One of them, :func:`nbsrc.operator_norm.dual_vector`, ``[..., n]``.
        support: ``[..., n]``. For p = 1 the entries that may carry weight (those of largest
            absolute value), for p = inf the entries that are fixed (those where z is not 0), for
            other p all entries.
    """

    p: float
    point: Tensor
    support: Tensor

    @property
    def dimension(self) -> Tensor:
        """The dimension of each face, ``[...]``; 0 where the maximiser is unique."""
        if self.p == 1:
            return self.support.sum(-1) - 1
        if self.p == math.inf:
            return (~self.support).sum(-1)
        return torch.zeros_like(self.point[..., 0], dtype=torch.long)

    def project(self, v: Tensor) -> Tensor:
        r"""The nearest point of the face.

        This is the limit that Lemma 2 of Roth et al. needs, see
        :func:`nbsrc.operator_norm.limit_projection`.

        Args:
            v: ``[..., n]``.

        Returns:
            ``[..., n]``.

        Raises:
            TypeError: If v is no tensor of the face's dtype.
            ValueError: If v is not finite or has another length.

        Example:
            >>> face = dual_face(torch.tensor([3.0, 0.0]), math.inf)
            >>> face.project(torch.tensor([-0.5, 0.25])).tolist()
            [1.0, 0.25]
        """
        v = check_like("v", v, "the face", self.point)
        if self.p == math.inf:
            return torch.where(self.support, self.point, v.clamp(-1, 1))
        if self.p == 1:
            signs = self.point.sign()
            hidden = torch.full_like(v, -math.inf)
            return signs * project_simplex(torch.where(self.support, signs * v, hidden), 1.0)
        return self.point.expand(torch.broadcast_shapes(self.point.shape, v.shape))

    def contains(self, v: Tensor, tolerance: float = 0.0) -> Tensor:
        """Whether a vector lies in the face.

        Args:
            v: ``[..., n]``.
            tolerance: Largest Euclidean distance that counts as inside.

        Returns:
            Booleans ``[...]``.

        Raises:
            TypeError: If v is no tensor of the face's dtype.
            ValueError: If v is not finite or has another length.
        """
        return lp_norm(v - self.project(v), 2) <= tolerance

    def vertices(self) -> Tensor:
        """The corners of one face.

        Returns:
            ``[corners, n]``; for 1 < p < inf the single point.

        Raises:
            NotImplementedError: If the face has more than 4096 corners.
            ValueError: If this is a batch of faces.

        Example:
            >>> dual_face(torch.tensor([2.0, -2.0, 1.0]), 1).vertices().tolist()
            [[1.0, 0.0, 0.0], [0.0, -1.0, 0.0]]
        """
        if self.point.ndim != 1:
            raise ValueError(
                f"vertices needs one face, got a batch of shape {tuple(self.point.shape[:-1])}"
            )
        if self.p == 1:
            return torch.diag(self.point.sign())[self.support]
        if self.p != math.inf:
            return self.point.unsqueeze(0)
        free = (~self.support).nonzero().squeeze(-1)
        if 2 ** len(free) > MOST_VERTICES:
            raise NotImplementedError(
                f"a face with at most {MOST_VERTICES} corners is listed, this has 2^{len(free)}"
            )
        signs = self.point.new_tensor(list(product((1.0, -1.0), repeat=len(free))))
        corners = self.point.repeat(len(signs), 1)
        corners[:, free] = signs
        return corners


def dual_face(z: Tensor, p: float) -> Face:
    r"""All maximisers of :math:`v^\top z` over the unit ball of the p-norm.

    For p = 1 the convex hull of the signed unit vectors at the entries of largest absolute value;
    for p = inf the vectors with the signs of z, free in [-1, 1] where z is 0; for 1 < p < inf one
    point. Compare footnote 4 and the text after (35) of Roth et al. Ties are exact ties.

    Args:
        z: ``[..., n]``, no row zero (its face would be the whole ball).
        p: The order of the ball's norm, from 1 to infinity.

    Returns:
        The face of each row.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If ``p`` is less than 1 or NaN, or z is not finite or has a zero row.

    Example:
        >>> dual_face(torch.tensor([3.0, 0.0, 0.0]), math.inf).dimension.item()
        2
    """
    order = check_order("p", p)
    check_array("z", z, 1)
    refuse_zeros("z", z)
    if order == 1:
        size = z.abs()
        support = size == size.amax(-1, keepdim=True)
    else:
        support = z != 0 if order == math.inf else torch.ones_like(z, dtype=torch.bool)
    return Face(p=order, point=dual_vector(z, order), support=support)
