"""Where functions that are affine on each piece of a segment change the gates of a switch."""

from __future__ import annotations

import bisect
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nbsrc.linear_region.operations import MaxPool, Rectifier, Switch

__all__ = ["EPS", "ROUNDINGS", "Cuts", "Lines", "cut_at", "find_crossings"]

EPS = float(np.finfo(np.float64).eps)
#: What is within this many standard deviations of rounding counts as equal.
ROUNDINGS = 16.0
_TIME_ROUNDING = 4 * EPS  # of a breakpoint, a number between 0 and 1

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Lines:
    """Values that are affine in t on every piece: ``offset + t slope``.

    Attributes:
        values: ``[2, pieces, *shape]``, offsets and slopes.
        variances: The same shape: estimated variances of their rounding errors.
    """

    values: Tensor
    variances: Tensor

    def select(self, parents: Tensor) -> Lines:
        """Repeat pieces.

        Args:
            parents: For every new piece the number of the old one.

        Returns:
            The lines on the new pieces.
        """
        return Lines(self.values[:, parents], self.variances[:, parents])

    def at(self, times: Tensor) -> Tensor:
        """Evaluate every piece at a time of its own.

        Args:
            times: ``[pieces]``.

        Returns:
            ``[pieces, *shape]``.
        """
        return self.values[0] + _like(times, self.values[0]) * self.values[1]

    def noise(self) -> Tensor:
        """What rounding may make of 0, for t between 0 and 1.

        Returns:
            ``[pieces, *shape]``.
        """
        return ROUNDINGS * self.variances.sum(dim=0).sqrt()


@dataclass(frozen=True, eq=False)
class Cuts:
    """Candidates for breakpoints.

    Attributes:
        piece: The piece that is cut.
        time: Where.
        doubt: How far rounding may have moved it.
    """

    piece: Array
    time: Array
    doubt: Array


def find_crossings(switch: Switch, lines: Lines, starts: Tensor, ends: Tensor) -> Cuts:
    """Find where the gates of a switch change inside the pieces.

    For ReLU and leaky ReLU these are the zeros where the sign changes. For max-pooling they are
    the corners of the largest of the lines of a window: one follows the largest line from the start
    of the piece, and the next corner is the first crossing with a line of larger slope.

    Args:
        switch: The switch.
        lines: What it sees.
        starts: ``[pieces]``.
        ends: ``[pieces]``.

    Returns:
        The candidates, in no order; several units may give the same.
    """
    if isinstance(switch, Rectifier):
        return _zeros(lines, starts, ends)
    return _corners(switch, lines, starts, ends)


def cut_at(breakpoints: Array, doubts: Array, cuts: Cuts) -> tuple[Array, Array, NDArray[np.int64]]:
    """Insert breakpoints; those that rounding cannot tell apart become one.

    The most certain ones are taken first; a candidate is dropped if it is nearer to a breakpoint
    that is there than what both may be off.

    Args:
        breakpoints: ``[pieces + 1]``, rising.
        doubts: How far each may be off.
        cuts: The candidates.

    Returns:
        The new breakpoints, their doubts, and for every new piece the number of the old one.
    """
    inserted: dict[int, list[tuple[float, float]]] = {}
    for number in np.lexsort((cuts.time, cuts.doubt)):
        piece, time, doubt = int(cuts.piece[number]), float(cuts.time[number]), cuts.doubt[number]
        ends = [(float(breakpoints[i]), float(doubts[i])) for i in (piece, piece + 1)]
        there = inserted.setdefault(piece, ends)
        place = bisect.bisect_left(there, (time, -1.0))
        if not 0 < place < len(there):
            continue
        nearest = (there[place - 1], there[place])
        if all(abs(time - t) > doubt + d + _TIME_ROUNDING for t, d in nearest):
            there.insert(place, (time, float(doubt)))
    points: list[tuple[float, float]] = []
    parents: list[int] = []
    for piece in range(len(breakpoints) - 1):
        ends = [(float(breakpoints[i]), float(doubts[i])) for i in (piece, piece + 1)]
        own = inserted.get(piece, ends)[:-1]
        points += own
        parents += [piece] * len(own)
    points.append((float(breakpoints[-1]), float(doubts[-1])))
    times, errors = np.array(points).T
    return times, errors, np.array(parents)


def _like(times: Tensor, value: Tensor) -> Tensor:
    return times.reshape(-1, *[1] * (value.ndim - 1))


def _zeros(lines: Lines, starts: Tensor, ends: Tensor) -> Cuts:
    noise = lines.noise()
    first, last = lines.at(starts), lines.at(ends)
    crossing = (first.sign() * last.sign() < 0) & (torch.minimum(first.abs(), last.abs()) > noise)
    slope = lines.values[1][crossing]
    pieces = crossing.flatten(1).nonzero()[:, 0]
    return Cuts(
        pieces.numpy(),
        (-lines.values[0][crossing] / slope).numpy(),
        (noise[crossing] / slope.abs()).numpy(),
    )


def _corners(switch: MaxPool, lines: Lines, starts: Tensor, ends: Tensor) -> Cuts:
    gate = switch.decide(lines.at(starts))
    places, inside = switch.windows(lines.values[0], gate)

    def windows(value: Tensor) -> Tensor:
        return value.flatten(2)[:, :, places]

    # One row per window of a piece, one column per place in it.
    offset, slope, variance, slope_variance = (
        windows(v) for v in (*lines.values, lines.variances.sum(dim=0), lines.variances[1])
    )
    shape = offset.shape
    piece = torch.arange(shape[0])[:, None, None].expand(shape[:-1]).flatten()
    offset, slope, variance, slope_variance = (
        v.reshape(-1, shape[-1]) for v in (offset, slope, variance, slope_variance)
    )
    inside = inside.expand(shape).reshape(-1, shape[-1])
    now = starts[piece]
    value = torch.where(inside, offset + now[:, None] * slope, -torch.inf)
    best = value.max(dim=1)
    at_best = variance.gather(1, best.indices[:, None])
    near = value >= best.values[:, None] - ROUNDINGS * (variance + at_best).sqrt()
    winner = torch.where(near, slope, -torch.inf).argmax(dim=1)
    found: list[tuple[Tensor, Tensor, Tensor]] = []
    active = torch.arange(len(piece))
    while len(active):
        o, s, w = offset[active], slope[active], winner[active][:, None]
        rise = s - s.gather(1, w)
        spread = slope_variance[active]
        parallel = ROUNDINGS * (spread + spread.gather(1, w)).sqrt()
        faster = inside[active] & (rise > parallel)
        time = torch.where(faster, (o.gather(1, w) - o) / rise, torch.inf)
        both = variance[active]
        doubt = ROUNDINGS * (both + both.gather(1, w)).sqrt() / rise
        first = time.min(dim=1)
        at_first = doubt.gather(1, first.indices[:, None])
        tied = time <= first.values[:, None] + torch.where(faster, doubt, 0.0) + at_first
        following = torch.where(tied & faster, s, -torch.inf).argmax(dim=1)
        going_on = first.values < ends[piece[active]]
        found.append((
            piece[active][going_on],
            first.values[going_on],
            at_first[going_on].squeeze(1),
        ))
        winner[active] = following
        active = active[going_on]
    pieces, times, doubts = (torch.cat(column).numpy() for column in zip(*found, strict=True))
    return Cuts(pieces, times, doubts)
