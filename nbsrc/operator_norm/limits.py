r"""What the projection of :math:`v + \alpha g` tends to, and from which step on it stays there.

Lemma 2 of Roth, Kilcher & Hofmann (2020) names the limit; it holds where the maximiser of Lemma 1
is unique. The limit in general: let C be compact and convex and F the face of C that g exposes.
Then :math:`\Pi_C(v+\alpha g) \to \Pi_F(v)`. Proof. With :math:`y_\alpha = \Pi_C(v+\alpha g)` and
:math:`w = \Pi_F(v)`, :math:`\|y_\alpha-v\|^2 - 2\alpha g^\top y_\alpha \le \|w-v\|^2 - 2\alpha
g^\top w`. As w maximises :math:`g^\top y`, the second terms give :math:`\|y_\alpha-v\| \le
\|w-v\|`, and dividing by :math:`\alpha` gives :math:`g^\top y_\alpha \to g^\top w`. So every limit
point lies in F and is no farther from v than w is; w is the only such point.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from nbsrc.operator_norm._arguments import check_array, check_like, check_tractable
from nbsrc.operator_norm.duality import refuse_zeros
from nbsrc.operator_norm.faces import dual_face

__all__ = ["exact_step", "limit_projection"]


def limit_projection(v: Tensor, g: Tensor, p: float) -> Tensor:
    r"""The limit of the projection of :math:`v + \alpha g` onto the unit sphere of the p-norm.

    .. math:: \lim_{\alpha\to\infty} \Pi_{\|\cdot\|_p=1}(v + \alpha g) = \Pi_{F(g)}(v)

    with F(g) the face of the ball that g exposes, :func:`nbsrc.operator_norm.dual_face`. Lemma 2
    (44) of Roth et al. prints :func:`nbsrc.operator_norm.dual_vector` of g; the two agree where
    the face is one point. For large steps the point is outside the ball, so the projections onto
    ball and sphere are the same.

    Args:
        v: ``[..., n]``.
        g: ``[..., n]``, no row zero.
        p: The order of the norm, from 1 to infinity.

    Returns:
        ``[..., n]``.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If ``p`` is less than 1, something is not finite, or g has a zero row.

    Example:
        >>> v, g = torch.tensor([1.0, 0.0]), torch.tensor([1.0, 1.0])
        >>> limit_projection(v, g, 1).tolist()  # Lemma 2 prints [0.5, 0.5]
        [1.0, 0.0]
    """
    check_array("g", g, 1)
    check_like("v", v, "g", g)
    return dual_face(g, p).project(v)


def exact_step(g: Tensor, p: float) -> Tensor:
    r"""A step from which on the projection equals its limit, for all v in the unit ball.

    For p = inf it is :math:`2 / \min_{g_i \ne 0} |g_i|`: every such entry passes the boundary. For
    p = 1 it is 2 / (the gap between the largest absolute value and the next smaller one, or 0 if
    there is none): then the entries below the largest one end at 0. No smaller step serves all v:
    take v = -sign(g), and for p = 1 with a unique largest entry i :math:`v=-\mathrm{sign}(g_i)e_i`
    (with ties a smaller step may do). For p = 2 no finite step is enough in general: the distance
    to the limit falls like :math:`1/\alpha`.

    Args:
        g: ``[..., n]``, no row zero.
        p: 1, 2 or infinity.

    Returns:
        The steps ``[...]``; infinity for p = 2.

    Raises:
        NotImplementedError: If ``p`` is another order.
        TypeError: If an argument has the wrong type.
        ValueError: If ``p`` is less than 1, or g is not finite or has a zero row.

    Example:
        >>> [exact_step(torch.tensor([4.0, -3.0]), p).item() for p in (1, math.inf)]
        [2.0, 0.6666666865348816]
    """
    order = check_tractable("p", p, "the exact step")
    check_array("g", g, 1)
    refuse_zeros("g", g)
    size = g.abs()
    if order == 2:
        return torch.full_like(size[..., 0], math.inf)
    if order == math.inf:
        return 2 / torch.where(size > 0, size, torch.full_like(size, math.inf)).amin(-1)
    largest = size.amax(-1, keepdim=True)
    second = torch.where(size < largest, size, torch.zeros_like(size)).amax(-1)
    return 2 / (largest.squeeze(-1) - second)
