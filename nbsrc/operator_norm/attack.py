r"""Projected gradient ascent with an lp constraint, in the form of forward and backward passes.

Source: Roth, Kilcher & Hofmann (2020), equations (15)-(18), (47) and (108).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nbsrc.operator_norm._arguments import (
    Size,
    check_array,
    check_choice,
    check_size,
    check_steps,
    check_tractable,
)
from nbsrc.operator_norm.duality import holder_conjugate, lp_norm, printed_maximiser, refuse_zeros
from nbsrc.operator_norm.limits import limit_projection
from nbsrc.operator_norm.losses import AttackLoss
from nbsrc.operator_norm.maps import check_points
from nbsrc.operator_norm.power import LIMITS, ON_ZERO
from nbsrc.operator_norm.projections import project_ball

__all__ = ["Attack", "pga"]


@dataclass(frozen=True, eq=False)
class Attack:
    """The result of projected gradient ascent, for a batch of points.

    Attributes:
        x: The last iterate, ``[batch, *input]``.
        losses: What was increased, for all iterates, ``[steps + 1, batch]``.
        xs: All x, ``[steps + 1, batch, *input]``, the start first; None unless asked for.
        us: All logit-space directions, ``[steps, batch, d]``; None unless asked for.
        vs: All input-space directions, ``[steps, batch, n]``; None unless asked for.
    """

    x: Tensor
    losses: Tensor
    xs: Tensor | None
    us: Tensor | None
    vs: Tensor | None


def pga(
    net: nn.Module,
    x: Tensor,
    eps: Size,
    p: float,
    loss: AttackLoss,
    alpha: Size,
    steps: int,
    x0: Tensor,
    *,
    limit: str = "printed",
    on_zero: str = "error",
    bounds: tuple[float, float] | None = None,
    keep_iterates: bool = False,
) -> Attack:
    r"""Projected gradient ascent in the lp ball around each point.

    .. math::
        u_k \propto \nabla_z \ell(z),\quad \tilde v_k = J_f(x_{k-1})^\top u_k,\quad
        v_k = \mathrm{sign}(\tilde v_k)\odot|\tilde v_k|^{p^*-1} / \|\tilde v_k\|_{p^*}^{p^*-1},
        \quad x_k = \Pi_{B}(x_{k-1} + \alpha v_k)

    Equation (18) of Roth et al. at :math:`z = f(x_{k-1})`; with
    :class:`nbsrc.operator_norm.LogitNorm` it is (108). The length of u does not matter, so it is
    not normalised. For :math:`\alpha=\infty` the iterate is (47) as printed, :math:`x + \epsilon
    v_k`, or the limit that the projection really has; they differ where :math:`\tilde v_k` has ties
    (p = 1) or zeros (p = inf). As :math:`v_k` is a unit vector of the lp norm, :math:`\alpha =
    2\epsilon` already gives the limit exactly for p = inf, and for p = 1 without ties.

    Args:
        net: A network whose examples do not depend on each other (evaluation mode).
        x: The clean points, ``[batch, *input]``.
        eps: The radius, at least 0 (0 leaves x): a number or ``[batch]``.
        p: 1, 2 or infinity.
        loss: What to increase.
        alpha: The step size, at least 0: a number or ``[batch]``, or infinity.
        steps: Number of iterations.
        x0: The start, in the ball, of the shape of x; see
            :func:`nbsrc.operator_norm.uniform_in_ball`.
        limit: For an infinite step, "printed" for (47) or "projection" for the true limit.
        on_zero: Where the gradient is exactly 0 there is no direction: "error" refuses, "keep"
            leaves that point where it is. With a logit norm the start x0 = x is such a point.
        bounds: Least and largest value of an entry: every iterate is clipped to them. The clean
            points and the start must lie between them; each entry then moves towards its clean
            value or not at all, so iterates stay in the ball. Equation (18) has no bounds.
        keep_iterates: Whether to return all iterates and directions.

    Returns:
        The attack. It costs ``steps + 1`` forward and ``steps`` backward passes.

    Raises:
        NotImplementedError: If ``p`` is another order.
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range or not finite, x0 is outside the ball, the
            network is training, or a direction is zero.

    Example:
        >>> from nbsrc.operator_norm import LogitNorm
        >>> net = nn.Linear(2, 2, bias=False, dtype=torch.float64)
        >>> _ = net.weight.data.copy_(torch.tensor([[3.0, 0.0], [0.0, 1.0]]))
        >>> x = torch.zeros(1, 2, dtype=torch.float64)
        >>> start = torch.tensor([[0.1, -0.1]], dtype=torch.float64)
        >>> found = pga(net, x, 0.5, torch.inf, LogitNorm(1), torch.inf, 3, start)
        >>> found.x.tolist(), found.losses[-1].tolist()
        ([[0.5, -0.5]], [2.0])
    """
    order = check_tractable("p", p, "projected gradient ascent")
    check_steps(steps)
    check_choice("limit", limit, LIMITS)
    check_choice("on_zero", on_zero, ON_ZERO)
    points = check_points(net, x).detach()
    center = points.flatten(1)
    radius = check_size("eps", eps, center)
    step = check_size("alpha", alpha, center, infinite=True)
    infinite = bool(torch.isinf(step).all())
    if not infinite and bool(torch.isinf(step).any()):
        raise ValueError("alpha must be infinite for all points or for none")
    now = _checked_start(x0, points, radius, order).flatten(1)
    box = None if bounds is None else _checked_bounds(bounds, center, now)
    with torch.no_grad():
        clean = net(points).flatten(1)
    xs, us, vs, losses = [now], [], [], []
    for number in range(1, steps + 1):
        u, value, raw = _passes(net, now.reshape(points.shape), clean, loss)
        still = (raw == 0).all(-1, keepdim=True)
        if on_zero == "error" and bool(still.any()):
            refuse_zeros(f"the gradient of iteration {number}", raw)
        v = printed_maximiser(raw, holder_conjugate(order))
        safe = torch.where(still, torch.ones_like(raw), raw)
        if not infinite:
            moved = project_ball(now + step * v, center, eps, order)
        elif limit == "printed":
            moved = center + radius * v
        else:
            unit = (now - center) / torch.where(radius > 0, radius, torch.ones_like(radius))
            moved = center + radius * limit_projection(unit, safe, order)
        now = torch.where(still, now, moved if box is None else moved.clamp(*box))
        losses.append(value)
        if keep_iterates:
            xs.append(now)
            us.append(u)
            vs.append(v)
    with torch.no_grad():
        losses.append(loss.value(clean, net(now.reshape(points.shape)).flatten(1)))
    return Attack(
        x=now.reshape(points.shape),
        losses=torch.stack(losses),
        xs=torch.stack(xs).reshape(-1, *points.shape) if keep_iterates else None,
        us=torch.stack(us) if keep_iterates else None,
        vs=torch.stack(vs) if keep_iterates else None,
    )


def _passes(
    net: nn.Module, now: Tensor, clean: Tensor, loss: AttackLoss
) -> tuple[Tensor, Tensor, Tensor]:
    """One forward and one backward pass: u, the loss, and the direction in input space."""

    def outputs(inputs: Tensor) -> Tensor:
        value: Tensor = net(inputs)
        return value.flatten(1)

    with torch.no_grad():
        logits, pullback = torch.func.vjp(outputs, now)[:2]
        u = loss.direction(clean, logits)
        (cotangent,) = pullback(u)
        return u, loss.value(clean, logits), cotangent.flatten(1)


def _checked_bounds(
    bounds: tuple[float, float], center: Tensor, start: Tensor
) -> tuple[float, float]:
    """Return the bounds if they hold for the clean points and the start."""
    low, high = bounds
    for name, values in (("x", center), ("x0", start)):
        if float(values.min()) < low or float(values.max()) > high:
            raise ValueError(f"{name} must lie within bounds = ({low}, {high})")
    return low, high


def _checked_start(x0: Tensor, points: Tensor, radius: Tensor, p: float) -> Tensor:
    """Return the start if it lies in the balls, up to a few roundings."""
    start = check_array("x0", x0, 2).detach()
    if start.shape != points.shape or start.dtype != points.dtype:
        raise ValueError(
            f"x0 must have the shape {tuple(points.shape)} and the dtype {points.dtype} of x, got "
            f"{tuple(start.shape)} and {start.dtype}"
        )
    offset = (start - points).flatten(1)
    rounding = 8 * torch.finfo(points.dtype).eps * offset.shape[-1] * (1 + points.abs().max())
    outside = lp_norm(offset, p).unsqueeze(-1) - radius
    if bool((outside > rounding).any()):
        raise ValueError(f"x0 must lie in the ball, it is {float(outside.max()):.3g} outside")
    return start
