r"""Linear lower bounds of a network over one ball, carried backwards from the outputs.

A bound ``coefficients . h + offset`` of the units h of a layer becomes one of the layer before.
Through an activation with interval ``[l, u]`` every slope is allowed: the offset is the minimum of
``a f(z) - slope z`` over ``[l, u]``, which lies at l, u or the kink of a ReLU. So a rounded
slope costs tightness and never soundness; the rounding of the affine steps is bounded as in
:mod:`nbsrc.constructions.certify_network`. (Known as CROWN or DeepPoly; here with rounding.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from nbsrc.constructions.certify_intervals import (
    Interval,
    Region,
    input_interval,
    step_interval,
    upper_dual_norm,
)
from nbsrc.constructions.certify_network import Affine, Nonlinear, Step, first_step

__all__ = ["ball_trace", "linear_lower_bounds"]

_U64 = torch.finfo(torch.float64).eps / 2
_TINY = 1e-290  # covers underflow
_BLOCK = 1 << 23  # numbers per temporary array: 64 MB


def ball_trace(steps: Sequence[Step], region: Region, *, tight: bool) -> list[Interval]:
    """Enclose every unit over one ball.

    Args:
        steps: The network.
        region: One ball.
        tight: Whether activation inputs of unknown sign get linear bounds as well.

    Returns:
        One enclosure per step, ``[1, width]``.
    """
    trace = [input_interval(first_step(steps), region, noise=True)]
    for position, step in enumerate(steps[1:], start=1):
        found = step_interval(step, trace[-1], noise=True)
        following = steps[position + 1] if position + 1 < len(steps) else None
        if tight and isinstance(step, Affine) and isinstance(following, Nonlinear):
            found = _tighten(steps[: position + 1], [*trace, found], region)
        trace.append(found)
    return trace


def _tighten(steps: Sequence[Step], trace: list[Interval], region: Region) -> Interval:
    """Improve the last enclosure where it contains 0."""
    last = trace[-1]
    lower, upper = last.lower.clone(), last.upper.clone()
    width = lower.shape[1]
    block = max(1, _BLOCK // (2 * max(t.lower.shape[1] for t in trace)))
    for units in ((lower < 0) & (upper > 0))[0].nonzero()[:, 0].split(block):
        one = torch.nn.functional.one_hot(units, width).to(lower)
        bounds = linear_lower_bounds(steps, trace, region, torch.cat([one, -one]))
        low, high = bounds[: len(units)], -bounds[len(units) :]
        lower[0, units] = torch.maximum(lower[0, units], low)
        upper[0, units] = torch.minimum(upper[0, units], high)
    return Interval(lower, upper, last.noise)


def linear_lower_bounds(
    steps: Sequence[Step],
    trace: Sequence[Interval],
    region: Region,
    coefficients: Tensor,
) -> Tensor:
    """Lower bounds of linear functions of the outputs over one ball.

    Args:
        steps: The network.
        trace: Enclosure of every step's units over the ball.
        region: One ball.
        coefficients: ``[q, width]``, the linear functions (exact in float64).

    Returns:
        ``[q]`` float64 lower bounds, the better of two choices of slopes.
    """
    bounds = [
        _carry(steps, trace, region, coefficients, flat_slopes=flat) for flat in (False, True)
    ]
    return torch.maximum(*bounds)


def _carry(
    steps: Sequence[Step],
    trace: Sequence[Interval],
    region: Region,
    coefficients: Tensor,
    *,
    flat_slopes: bool,
) -> Tensor:
    """Carry linear lower bounds back to the input, with one rule for the slopes."""
    offset = coefficients.new_zeros(len(coefficients))
    for position in range(len(steps) - 1, -1, -1):
        step = steps[position]
        if isinstance(step, Affine):
            noise = trace[position].noise
            if noise is None:
                raise ValueError("trace must hold the noise of the affine steps")
            # Once for the evaluation of the layer, once for the product of coefficients below.
            change = coefficients @ step.bias
            sums = 2 * (coefficients.shape[1] + 4) * _U64
            both = 1 + step.back_growth / step.growth
            lost = coefficients.abs() @ (both * noise[0] + sums * step.bias.abs())
            coefficients = coefficients @ step.weight
        else:
            before, after = trace[position - 1], trace[position]
            coefficients, change, lost = _through(step, before, after, coefficients, flat_slopes)
        lost = lost * 1.001 + _TINY  # it is itself a rounded sum
        offset = offset + (change - lost)
        offset = offset - 4 * _U64 * (offset.abs() + change.abs() + lost)
    return torch.nan_to_num(_over(region, coefficients) + offset, nan=-math.inf)


def _through(
    step: Nonlinear, before: Interval, after: Interval, coefficients: Tensor, flat_slopes: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the coefficients before an activation, the change of the offset, and its rounding."""
    terms = (before.lower.shape[1] + 8) * _U64
    if step.slope is None:
        least = torch.minimum(coefficients * after.lower, coefficients * after.upper)
        return torch.zeros_like(coefficients), least.sum(1), 2 * terms * least.abs().sum(1)
    low, high = before.lower[0], before.upper[0]
    unsure = (low < 0) & (high > 0)
    right, left = torch.ones_like(low), torch.full_like(low, step.slope)
    side = torch.where(low >= 0, right, left)
    ends = [(z, torch.where(z >= 0, z, step.slope * z)) for z in (low, high)]
    chord = torch.where(unsure, (ends[1][1] - ends[0][1]) / (high - low), side)
    flat = torch.where(unsure, torch.where(high > -low, right, left), side)
    convex = coefficients > 0 if step.slope <= 1 else coefficients < 0  # of a f
    slopes = coefficients * torch.where(convex, flat if flat_slopes else chord, chord)
    least = torch.minimum(*(coefficients * value - slopes * z for z, value in ends))
    least = torch.where(unsure, least.clamp(max=0.0), least)
    largest = torch.maximum(low.abs(), high.abs())
    # Rounding of the offsets and their sum, and of the activation itself left of 0.
    size = (coefficients.abs() * max(1.0, abs(step.slope)) + slopes.abs()) * largest
    lost = 2 * terms * least.abs().sum(1) + 8 * _U64 * size.sum(1)
    if step.slope:
        lost = lost + 4 * (step.roundoff + _U64) * abs(step.slope) * (coefficients.abs() @ largest)
    return slopes, least.sum(1), lost


def _over(region: Region, coefficients: Tensor) -> Tensor:
    """Return lower bounds of linear functions over one ball cut with a box."""
    size = coefficients.abs() @ region.largest()[0]
    rounding = 4 * (coefficients.shape[1] + 4) * _U64 * size + _TINY
    reach = region.eps * upper_dual_norm(coefficients, region.ord)
    best = coefficients @ region.centre[0] - reach
    if region.lower is not None and region.upper is not None:
        corner = torch.where(coefficients > 0, region.lower[0], region.upper[0])
        best = torch.maximum(best, (coefficients * corner).sum(1))
    return best - rounding
