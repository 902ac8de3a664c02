r"""The operator norm iteration of Roth, Kilcher & Hofmann (2020), and its power method limit.

Equations (11), with a step size, and (12), the limit of an infinite step.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from nbsrc.operator_norm._arguments import (
    check_array,
    check_choice,
    check_order,
    check_steps,
    check_tractable,
)
from nbsrc.operator_norm.duality import holder_conjugate, lp_norm, printed_maximiser, refuse_zeros
from nbsrc.operator_norm.limits import limit_projection
from nbsrc.operator_norm.maps import LinearMap, matrix_map
from nbsrc.operator_norm.projections import project_sphere

__all__ = ["LIMITS", "ON_ZERO", "PowerIteration", "power_method"]

#: What an infinite step means: the formula (12), or the limit of the projection.
LIMITS = ("printed", "projection")
#: What happens where a direction is zero.
ON_ZERO = ("error", "keep")


@dataclass(frozen=True, eq=False)
class PowerIteration:
    r"""The result of a power method, for a batch of maps and starts.

    Attributes:
        v: The last iterate, ``[..., n]``.
        u: The last logit-space direction, ``[..., d]``.
        value: :math:`\|Jv\|_q` of the last iterate, ``[...]``: a lower bound of the norm, up to
            rounding, as v lies on the unit sphere.
        gains: :math:`\|Jv_k\|_q` for k = 0, ..., steps, ``[steps + 1, ...]``.
        vs: All v, ``[steps + 1, ..., n]``, the start first; None unless asked for.
        us: All u, ``[steps, ..., d]``; None unless asked for.
    """

    v: Tensor
    u: Tensor
    value: Tensor
    gains: Tensor
    vs: Tensor | None
    us: Tensor | None


def power_method(
    J: Tensor | LinearMap,
    p: float,
    q: float,
    v0: Tensor,
    steps: int,
    alpha: float = math.inf,
    *,
    limit: str = "printed",
    on_zero: str = "error",
    keep_iterates: bool = False,
) -> PowerIteration:
    r"""The operator norm iteration for :math:`\max_{\|v\|_p=1} \|Jv\|_q`.

    .. math::
        \tilde u_k = J v_{k-1},\quad u_k = \nabla\|\tilde u_k\|_q,\quad \tilde v_k = J^\top u_k,
        \quad v_k = \Pi_{\|\cdot\|_p=1}(v_{k-1} + \alpha \tilde v_k)

    Equation (11) of Roth et al. for finite :math:`\alpha`. For :math:`\alpha=\infty` the last step
    is either (12) as printed, :func:`nbsrc.operator_norm.dual_vector` of :math:`\tilde v_k`, or
    the limit that the projection really has, :func:`nbsrc.operator_norm.limit_projection`; they
    differ where :math:`\tilde v_k` has ties (p = 1) or zeros (p = inf).

    The gains :math:`\|Jv_k\|_q` never fall from k = 1 on (from 0 on, if v0 is on the sphere), for
    every step size. Proof: :math:`v_{k-1}` is on the sphere, so the projection is at least as near:
    :math:`\|v_{k-1}+\alpha\tilde v-v_k\|_2\le\alpha\|\tilde v\|_2`, hence :math:`\tilde v^\top v_k
    \ge \tilde v^\top v_{k-1}`; and :math:`\|Jv_k\|_q \ge u^\top J v_k = \tilde v^\top v_k \ge
    \tilde v^\top v_{k-1} = \|Jv_{k-1}\|_q`. They need not reach the norm: the iteration may stop at
    a local maximum or another stationary point; only for (2, 2) almost all starts reach it.

    Args:
        J: ``[..., d, n]``, or the products of a map, see :func:`nbsrc.operator_norm.network_map`.
        p: The order in the domain; for finite ``alpha`` one of 1, 2 and infinity.
        q: The order in the co-domain, from 1 to infinity.
        v0: The start, ``[..., n]``; it need not have norm 1. A batch of starts for one matrix is
            allowed.
        steps: Number of iterations.
        alpha: The step size, greater than 0.
        limit: For an infinite step, "printed" for (12) or "projection" for the true limit.
        on_zero: Where :math:`\tilde u_k` or :math:`\tilde v_k` is exactly 0 there is no direction:
            "error" refuses, "keep" leaves that row where it is.
        keep_iterates: Whether to return all iterates.

    Returns:
        The iteration. It costs ``steps + 1`` forward and ``steps`` backward products.

    Raises:
        NotImplementedError: If ``alpha`` is finite and ``p`` is another order: the projection has
            no closed form.
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range or not finite, or a direction is zero.

    Example:
        >>> J = torch.tensor([[3.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
        >>> v0 = torch.tensor([0.6, 0.8], dtype=torch.float64)
        >>> round(float(power_method(J, 2, 2, v0, steps=20).value), 12)
        3.0
    """
    domain, codomain = check_order("p", p), check_order("q", q)
    v = check_array("v0", v0, 1)
    check_steps(steps)
    check_choice("limit", limit, LIMITS)
    check_choice("on_zero", on_zero, ON_ZERO)
    if isinstance(alpha, bool) or not isinstance(alpha, int | float) or not alpha > 0:
        raise ValueError(f"alpha must be a positive number, got {alpha!r}")
    if alpha != math.inf:
        check_tractable("p", p, "a finite step")
    linear = J if isinstance(J, LinearMap) else _checked_map(J, v)
    gains, vs, us = [], [v], []
    for number in range(1, steps + 1):
        image = linear.forward(v)
        if number == 1:  # one start may serve a batch of maps, and one map a batch of starts
            v = v.expand(*image.shape[:-1], v.shape[-1])
            vs[0] = v
        gains.append(lp_norm(image, codomain))
        u = printed_maximiser(image, codomain)
        direction = linear.backward(u)
        still = (direction == 0).all(-1, keepdim=True)
        if on_zero == "error" and bool(still.any()):
            refuse_zeros(f"the direction of iteration {number} (J v or J^T u)", direction)
        filler = torch.where(v == 0, torch.ones_like(v), v)  # any direction: the row stays
        moved = _step(v, torch.where(still, filler, direction), domain, alpha, limit)
        v = torch.where(still, v, moved)
        if keep_iterates:
            vs.append(v)
            us.append(u)
    gains.append(lp_norm(linear.forward(v), codomain))
    return PowerIteration(
        v=v,
        u=u,
        value=gains[-1],
        gains=torch.stack(gains),
        vs=torch.stack(vs) if keep_iterates else None,
        us=torch.stack(us) if keep_iterates else None,
    )


def _step(v: Tensor, direction: Tensor, p: float, alpha: float, limit: str) -> Tensor:
    """One update of v; no row of the direction is zero."""
    if alpha != math.inf:
        return project_sphere(v + alpha * direction, torch.zeros_like(v), 1.0, p)
    if limit == "printed":
        return printed_maximiser(direction, holder_conjugate(p))
    return limit_projection(v, direction, p)


def _checked_map(J: Tensor, v: Tensor) -> LinearMap:
    """Return the map of a matrix that fits the start."""
    linear = matrix_map(J)
    if v.dtype != J.dtype:
        raise TypeError(f"v0 must have the dtype {J.dtype} of J, got {v.dtype}")
    if v.shape[-1] != J.shape[-1]:
        raise ValueError(f"v0 must have {J.shape[-1]} entries, one per column, got {v.shape[-1]}")
    return linear
