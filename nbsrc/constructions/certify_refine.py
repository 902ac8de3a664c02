"""Bounds over one ball that is cut into boxes until every piece is certified, or a limit is met."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count

import torch
from torch import Tensor

from nbsrc.constructions.certify_intervals import Interval, Region, upper_dual_norm
from nbsrc.constructions.certify_linear import ball_trace, linear_lower_bounds
from nbsrc.constructions.certify_network import Affine, Step, first_step

__all__ = ["Refined", "refine"]

_U64 = torch.finfo(torch.float64).eps / 2


@dataclass(frozen=True, eq=False)
class Refined:
    """Bounds over one ball.

    Attributes:
        bounds: ``[q]`` lower bounds of the functions over the whole ball.
        pieces: Number of pieces into which the ball was cut.
        middles: ``[k, n]`` centres of the pieces that stayed open: candidates for a refutation.
    """

    bounds: Tensor
    pieces: int
    middles: Tensor


def refine(
    steps: Sequence[Step],
    region: Region,
    coefficients: Tensor,
    targets: Tensor,
    pieces: int,
) -> Refined:
    """Bound linear functions of the outputs from below over one ball, piece by piece.

    The piece with the lowest bound is cut next: at the kink of a first-layer unit that reads one
    coordinate only, if there is one inside, else in the middle of its most influential side.

    Args:
        steps: The network.
        region: One ball.
        coefficients: ``[q, width]``, the functions.
        targets: ``[q]``; a piece is done when every function is above its target on it. ``-inf``
            where nothing is asked.
        pieces: Largest number of pieces.

    Returns:
        The bounds of the union of all pieces.
    """
    order = count()
    whole = _box(region)
    first = _bounds(steps, whole, coefficients, targets, thorough=True)
    asked = targets > -math.inf
    heap = [(float((first - targets)[asked].min()), next(order), whole, first)]
    done = torch.full_like(first, math.inf)
    total = 1
    for _ in range(pieces - 1):  # one half may miss the ball: count the cuts, not the pieces
        if not heap or heap[0][0] > 0:
            break
        _, _, worst, _ = heapq.heappop(heap)
        total -= 1
        for half in _cut(steps, worst):
            if _misses(half):
                continue
            found = _bounds(steps, half, coefficients, targets, thorough=False)
            excess = float((found - targets)[asked].min())
            total += 1
            if excess > 0:
                done = torch.minimum(done, found)
            else:
                heapq.heappush(heap, (excess, next(order), half, found))
    for *_, found in heap:
        done = torch.minimum(done, found)
    middles = [torch.stack(_corners(piece)).mean(0) for _, _, piece, _ in heap]
    return Refined(done, total, torch.cat(middles) if middles else region.centre[:0])


def _corners(region: Region) -> tuple[Tensor, Tensor]:
    """Return the corners of a piece's box."""
    if region.lower is None or region.upper is None:
        raise ValueError("a piece is a ball with a box")
    return region.lower, region.upper


def _bounds(
    steps: Sequence[Step],
    region: Region,
    coefficients: Tensor,
    targets: Tensor,
    *,
    thorough: bool,
) -> Tensor:
    """Return the best bounds over one piece; unless thorough, it stops when the targets are met."""
    asked = targets > -math.inf
    best = torch.full_like(targets, -math.inf)
    for tight in (False, True):
        trace = ball_trace(steps, region, tight=tight)
        for bounds in (_from_intervals(trace[-1], coefficients), None):
            if bounds is None:
                bounds = linear_lower_bounds(steps, trace, region, coefficients)
            best = torch.maximum(best, bounds)
            if not thorough and bool((best > targets)[asked].all()):
                return best
    return best


def _from_intervals(outputs: Interval, coefficients: Tensor) -> Tensor:
    """Return lower bounds of linear functions of the outputs from their enclosures."""
    ends = torch.where(coefficients > 0, outputs.lower[0], outputs.upper[0])
    products = torch.where(coefficients != 0, coefficients * ends, 0.0)
    found = products.sum(1) - 4 * coefficients.shape[1] * _U64 * products.abs().sum(1)
    return torch.nan_to_num(found, nan=-math.inf)


def _box(region: Region) -> Region:
    """Return the ball with its bounding box, rounded outward."""
    if region.lower is not None:
        return region
    infinity = torch.full_like(region.centre, math.inf)
    lower = torch.nextafter(region.centre - region.eps, -infinity)
    upper = torch.nextafter(region.centre + region.eps, infinity)
    return Region(region.centre, region.eps, region.ord, lower, upper)


def _cut(steps: Sequence[Step], region: Region) -> Iterator[Region]:
    """Yield the two halves of a piece."""
    lower, upper = _corners(region)
    axis, where = _place(first_step(steps), lower[0], upper[0])
    ends, starts = upper.clone(), lower.clone()
    ends[0, axis] = where
    starts[0, axis] = where
    yield Region(region.centre, region.eps, region.ord, lower, ends)
    yield Region(region.centre, region.eps, region.ord, starts, upper)


def _place(first: Affine, lower: Tensor, upper: Tensor) -> tuple[int, float]:
    """Return the axis and the place of the next cut."""
    middle = (lower + upper) / 2
    alone = (first.weight != 0).sum(1) == 1
    axes = first.magnitude[alone].argmax(1)
    kinks = -first.bias[alone] / first.weight[alone].gather(1, axes[:, None])[:, 0]
    inside = (kinks > lower[axes]) & (kinks < upper[axes])
    if bool(inside.any()):
        axes, kinks = axes[inside], kinks[inside]
        best = int(((kinks - middle[axes]).abs() / (upper - lower)[axes]).argmin())
        return int(axes[best]), float(kinks[best])
    influence = (upper - lower) * first.magnitude.sum(0)
    axis = int(influence.argmax())
    return axis, float(middle[axis])


def _misses(region: Region) -> bool:
    """Whether a box certainly does not meet its ball."""
    lower, upper = _corners(region)
    nearest = torch.minimum(torch.maximum(region.centre, lower), upper)
    gap = (nearest - region.centre).abs()
    dual = {1.0: math.inf, 2.0: 2.0, math.inf: 1.0}[float(region.ord)]
    distance = float(upper_dual_norm(gap, dual))  # the norm of the ball, rounded up
    return distance * (1 - 8 * (region.centre.shape[1] + 4) * _U64) > region.eps
