r"""Interval bounds of every unit of a network over balls, with outward rounding.

The bounds enclose the function of real numbers that the stored weights define *and* the network
evaluated in its own dtype, in the rounding model of :mod:`nbsrc.constructions.certify_network`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from nbsrc.constructions.certify_network import Affine, Nonlinear
from nbsrc.constructions.certify_ranges import activation_range

__all__ = ["Interval", "Region", "input_interval", "step_interval", "upper_dual_norm"]

_U64 = torch.finfo(torch.float64).eps / 2


@dataclass(frozen=True, eq=False)
class Region:
    """Balls, each cut with a box.

    Attributes:
        centre: ``[m, n]`` centres.
        eps: Radius of the closed balls.
        ord: Their norm: 1, 2 or inf.
        lower: ``[m, n]`` lower corners of the boxes, or None if no box cuts.
        upper: ``[m, n]`` upper corners, or None.
    """

    centre: Tensor
    eps: float
    ord: float
    lower: Tensor | None = None
    upper: Tensor | None = None

    def largest(self) -> Tensor:
        """Return an upper bound of ``|x|`` per coordinate, ``[m, n]``.

        Returns:
            The bound.
        """
        return (self.centre.abs() + self.eps) * (1 + 4 * _U64)

    def row(self, index: int) -> Region:
        """Return one ball as a region of its own.

        Args:
            index: Which.

        Returns:
            The region with m = 1.
        """
        cut = slice(index, index + 1)
        lower = None if self.lower is None else self.lower[cut]
        upper = None if self.upper is None else self.upper[cut]
        return Region(self.centre[cut], self.eps, self.ord, lower, upper)


@dataclass(frozen=True, eq=False)
class Interval:
    """Enclosures of all units of one layer.

    Attributes:
        lower: ``[m, width]``.
        upper: ``[m, width]``.
        noise: ``[m, width]`` bound on the difference between the step's real value and the computed
            one at the same input; None if it was not asked for.
    """

    lower: Tensor
    upper: Tensor
    noise: Tensor | None = None


def upper_dual_norm(rows: Tensor, ord: float) -> Tensor:
    """Return upper bounds of the dual norms of the rows: the slope of ``row . x`` over a ball.

    Args:
        rows: ``[..., n]`` float64.
        ord: The ball's norm: 1, 2 or inf.

    Returns:
        ``[...]``.
    """
    dual = {1.0: math.inf, 2.0: 2.0, math.inf: 1.0}[float(ord)]
    largest = rows.abs().amax(-1, keepdim=True)
    scale = torch.where(largest > 0, largest, 1.0)  # squares neither underflow nor overflow
    norm: Tensor = torch.linalg.vector_norm(rows / scale, ord=dual, dim=-1) * scale[..., 0]
    return norm * (1 + 2 * (rows.shape[-1] + 6) * _U64)


def input_interval(step: Affine, region: Region, noise: bool = False) -> Interval:
    """Enclose the first layer over the region; over a whole ball the range is exact.

    Args:
        step: The first layer.
        region: The balls.
        noise: Whether the evaluation noise is wanted.

    Returns:
        The enclosure.
    """
    value = region.centre @ step.weight.mT + step.bias
    reach = region.eps * upper_dual_norm(step.weight, region.ord)
    size = region.largest() @ step.magnitude.mT + step.bias.abs()
    error = (step.growth + step.own_growth) * step.pad * size + step.underflow
    lower, upper = _outward(value, reach * (1 + 4 * _U64) + error)
    if region.lower is not None and region.upper is not None:
        middle = (region.lower + region.upper) / 2
        half = torch.maximum(region.upper - middle, middle - region.lower) * (1 + 4 * _U64)
        boxed = middle @ step.weight.mT + step.bias
        spread = (half @ step.magnitude.mT) * step.pad + error
        low, high = _outward(boxed, spread)
        lower, upper = torch.maximum(lower, low), torch.minimum(upper, high)
    return _finite(lower, upper, step.noise(size) if noise else None)


def affine_interval(step: Affine, before: Interval, noise: bool = False) -> Interval:
    """Enclose a later linear layer by interval arithmetic.

    Args:
        step: The layer.
        before: Enclosure of its inputs.
        noise: Whether the evaluation noise is wanted.

    Returns:
        The enclosure.
    """
    centre = (before.lower + before.upper) / 2
    half = torch.maximum(before.upper - centre, centre - before.lower) * (1 + 4 * _U64)
    growth = step.growth + step.own_growth
    spread = (half + growth * (centre.abs() + half)) @ step.magnitude.mT
    spread = (spread + growth * step.bias.abs()) * step.pad + step.underflow
    lower, upper = _outward(torch.addmm(step.bias, centre, step.weight.mT), spread)
    if not noise:
        return _finite(lower, upper, None)
    size = (centre.abs() + half) @ step.magnitude.mT + step.bias.abs()
    return _finite(lower, upper, step.noise(size))


def step_interval(step: Affine | Nonlinear, before: Interval, noise: bool = False) -> Interval:
    """Enclose any step after the first.

    Args:
        step: The step.
        before: Enclosure of its inputs.
        noise: Whether the evaluation noise is wanted.

    Returns:
        The enclosure.
    """
    if isinstance(step, Affine):
        return affine_interval(step, before, noise)
    lower, upper = activation_range(step.module, before.lower, before.upper, step.roundoff)
    return _finite(lower, upper, None)


def _outward(value: Tensor, spread: Tensor) -> tuple[Tensor, Tensor]:
    """Return ``value -+ spread``, rounded outward by one float64 unless the spread is 0."""
    infinity = torch.full_like(value, math.inf)
    lower = torch.nextafter(value - spread, -infinity)
    upper = torch.nextafter(value + spread, infinity)
    exact = spread == 0  # a row of zeros: no denormal numbers where 0 is known
    return torch.where(exact, value, lower), torch.where(exact, value, upper)


def _finite(lower: Tensor, upper: Tensor, noise: Tensor | None) -> Interval:
    """Replace what overflowed by the whole line: sound, and never certified."""
    broken = ~(lower.isfinite() & upper.isfinite())
    if bool(broken.any()):
        lower = lower.masked_fill(broken, -math.inf)
        upper = upper.masked_fill(broken, math.inf)
    return Interval(lower, upper, noise)
