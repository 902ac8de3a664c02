r"""Robust classifiers with a Lipschitz constant as large as wanted, placed where it is wanted.

A tent :math:`\tau(x) = (a - s\,\|x-z\|_1)^+` (or with one coordinate in place of the norm) is
added to the robust classifier F. It has slope s, and is 0 at distance a/s from its centre.
F lies between minus the sum N of the negative labels' absolute values and the sum P of the
positive ones, so over a distance w it takes at most (P + N)/w from the slope of the tent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nbsrc.constructions._arguments import as_number
from nbsrc.constructions._layers import Affine, sequential, side_by_side
from nbsrc.constructions.halfspaces import HalfSpaces, closest_pair, separating_halfspaces
from nbsrc.constructions.robust import hidden_layers

__all__ = ["PLACES", "SteepPairs", "robust_classifier_with_lipschitz", "steep_pairs"]

#: Where the steep part may lie.
PLACES = ("outside", "shell", "inside")

_AMPLITUDE = 0.375  # below the 0.5 of Definition 2; dyadic, so that adding it is exact


@dataclass(frozen=True)
class SteepPairs:
    r"""Pairs of points between which the network of this module is steep.

    Attributes:
        where: ``"outside"``, ``"shell"`` or ``"inside"``.
        starts: ``[k, n]``; k is 1, or for ``"inside"`` the number of rows of the caller's points.
        ends: ``[k, n]``; it differs from ``starts`` in the first coordinate only, so the distance
            is the same in every lp norm.
        slope: A slope that the network has between the two points of each pair, at least.
    """

    where: str
    starts: Tensor
    ends: Tensor
    slope: float


@dataclass(frozen=True)
class _Tents:
    """Tents in one or all coordinates, and pairs on their slopes, all in float64."""

    units: Affine  # first hidden layer
    heights: Affine  # second hidden layer, one unit per tent
    starts: Tensor
    ends: Tensor
    slope: float


def robust_classifier_with_lipschitz(
    points: Tensor, labels: Tensor, eps: float, ord: float, xi: float, where: str
) -> nn.Sequential:
    r"""A ReLU network with robust accuracy 1 and a Lipschitz constant of at least ``xi``.

    Proposition 2 of Liang & Huang (2021) for finite sets and ReLU, by construction, with the
    steep part in one of three places:

    - ``"outside"``: a tent in the first coordinate, beyond all balls. On the balls the network is
      the label, exactly.
    - ``"shell"``: a spike at the midpoint of the closest pair of different classes. The midpoint
      is further than eps from every data point: a point at distance r <= eps of it would differ
      in class from one of the two, and be closer to that one than they are to each other.
      On the balls the network is the label, exactly.
    - ``"inside"``: tents of height 3/8 in the first coordinate, one for each cell of a lattice
      that holds a point. Each ball holds a segment on which the slope is at least ``xi``, and
      \|F - y\| <= 3/8 there. For eps = 0 the segment holds the point.

    :func:`steep_pairs` names the segments.

    Args:
        points: ``[m, n]``, float32, float64 or integer.
        labels: ``[m]`` integers.
        eps: Radius of the closed balls, at least 0.
        ord: Order of their norm: 1, 2 or ``math.inf``.
        xi: The slope wanted, above 0.
        where: One of ``PLACES``.

    Returns:
        A network as of :func:`nbsrc.constructions.robust_classifier`, with more hidden units.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: As :func:`nbsrc.constructions.robust_classifier`; if ``where`` is unknown, if
            ``"shell"`` is asked for one class, or if ``xi`` is too large for the dtype.

    Example:
        >>> points, labels = torch.tensor([[0.0], [4.0]]), torch.tensor([1, 2])
        >>> network = robust_classifier_with_lipschitz(points, labels, 1.0, 2, 1e6, "shell")
        >>> network(torch.tensor([[-1.0], [1.0], [3.0], [5.0]])).flatten().tolist()
        [1.0, 1.0, 2.0, 2.0]
    """
    halfspaces, tents = _plan(points, labels, eps, ord, xi, where)
    codes = halfspaces.labels.unique().double()
    classifier = [*hidden_layers(halfspaces), (-codes[None], codes.sum()[None])]
    branch = [tents.units, tents.heights, *_added(tents)]
    return sequential(side_by_side(classifier, branch), halfspaces.dtype)


def _added(tents: _Tents) -> tuple[Affine, Affine]:
    """Return the third hidden layer and the output for the sum of the tents."""
    count = len(tents.heights[1])
    ones = torch.ones(1, count, dtype=torch.float64)
    if count == 1:  # a tent is never negative, so the third ReLU passes it on
        return (ones, torch.zeros_like(ones[0])), (ones, torch.zeros_like(ones[0]))
    # Tents do not overlap, so a - (a - sum)^+ is their sum; interval bounds see that it is <= a.
    height = tents.heights[1][:1]
    return (-ones, height), (-ones[:, :1], height)


def steep_pairs(
    points: Tensor, labels: Tensor, eps: float, ord: float, xi: float, where: str
) -> SteepPairs:
    """The segments on which :func:`robust_classifier_with_lipschitz` is steep.

    Args:
        points: As for the network.
        labels: As for the network.
        eps: As for the network.
        ord: As for the network.
        xi: As for the network.
        where: As for the network.

    Returns:
        One pair of points, or for ``"inside"`` one pair per row of ``points``, in its ball; in
        the network's dtype.

    Raises:
        TypeError: As for the network.
        ValueError: As for the network.

    Example:
        >>> points, labels = torch.tensor([[0.0], [4.0]]), torch.tensor([1, 2])
        >>> pair = steep_pairs(points, labels, 1.0, 2, 1e6, "shell")
        >>> pair.starts.tolist(), pair.ends.tolist()
        ([[2.25]], [[2.0]])
    """
    halfspaces, tents = _plan(points, labels, eps, ord, xi, where)
    dtype = halfspaces.dtype
    return SteepPairs(where, tents.starts.to(dtype), tents.ends.to(dtype), tents.slope)


def _plan(
    points: Tensor, labels: Tensor, eps: float, ord: float, xi: float, where: str
) -> tuple[HalfSpaces, _Tents]:
    """Return the half-spaces of the classifier, and the tents to be added."""
    if where not in PLACES:
        raise ValueError(f"where must be one of {PLACES}, got {where!r}")
    slope = as_number("xi", xi, minimum=0, strict=True)
    halfspaces = separating_halfspaces(points, labels, eps, ord)
    if where == "inside":
        tents = _inside(halfspaces, points.detach().double(), slope)
    elif where == "outside":
        tents = _outside(halfspaces, slope)
    else:
        tents = _shell(halfspaces, slope)
    largest = max(float(tensor.abs().max()) for tensor in tents.heights)
    if largest > torch.finfo(halfspaces.dtype).max:
        raise ValueError(
            f"xi must leave all weights finite in {halfspaces.dtype}, got {xi!r}, which needs a "
            f"weight of {largest:.3g}"
        )
    return halfspaces, tents


def _variation(halfspaces: HalfSpaces) -> float:
    """Return P + N: the classifier's values differ by no more."""
    return float(halfspaces.labels.unique().abs().sum())


def _outside(halfspaces: HalfSpaces, xi: float) -> _Tents:
    """One tent of half width 1 in the first coordinate, at least 1 away from every ball."""
    limit = 1 / (4 * torch.finfo(halfspaces.dtype).eps)
    far = int(halfspaces.points[:, 0].argmax())
    centre = math.ceil(float(halfspaces.points[far, 0]) + halfspaces.eps) + 2.0
    if abs(centre) > limit:
        raise ValueError(
            f"points must have a first coordinate below {limit:.3g} in {halfspaces.dtype}, so "
            f"that a tent of width 1 beyond them is seen, got {centre - 2:g} with eps added"
        )
    slope = xi + 2 * _variation(halfspaces)
    end = halfspaces.points[far].clone()
    end[0] = centre
    start = end.clone()
    start[0] = centre - 0.5  # on the slope, not at its foot
    return _coordinate_tents(end[None, 0], end.numel(), 1.0, slope, start[None], end[None], xi)


def _shell(halfspaces: HalfSpaces, xi: float) -> _Tents:
    """One spike at the midpoint of the closest pair, within an eighth to a quarter of the gap."""
    if halfspaces.gap == math.inf:
        raise ValueError("where = 'shell' needs points of two classes, got one class only")
    first, second, _ = closest_pair(halfspaces.points, halfspaces.labels, halfspaces.ord)
    middle = halfspaces.points[first] / 2 + halfspaces.points[second] / 2
    middle = middle.to(halfspaces.dtype).double()
    width = _power_of_two(halfspaces.gap / 4)
    start = middle.clone()
    start[0] += width / 2
    # twice what the variation takes over width / 2, for a start rounded to the dtype
    slope = xi + 4 * _variation(halfspaces) / width
    eye = torch.eye(len(middle), dtype=torch.float64)
    units = (torch.cat([eye, -eye]), torch.cat([-middle, middle]))
    weight = torch.full((1, 2 * len(middle)), -slope, dtype=torch.float64)
    height = torch.tensor([slope * width], dtype=torch.float64)
    return _Tents(units, (weight, height), start[None], middle[None], xi)


def _inside(halfspaces: HalfSpaces, points: Tensor, xi: float) -> _Tents:
    """Tents in the cells of a lattice of the first coordinate that hold a point."""
    # A cell fits into a ball; for eps = 0 into the surroundings on which the classifier is flat.
    room = halfspaces.eps / 2 if halfspaces.eps else halfspaces.gap / 16
    half = _power_of_two(min(_AMPLITUDE / xi, room))
    first = points[:, 0]
    largest = float(first.abs().max())
    # Every breakpoint is a multiple of a power of two: exact in the dtype, and so is the slope.
    if not (largest + 4 * half) / half < 1 / torch.finfo(halfspaces.dtype).eps:
        raise ValueError(
            f"xi must leave cells that {halfspaces.dtype} can resolve around first coordinates "
            f"of size {largest:g}, got {xi!r}, which needs cells of half width {half:.3g}"
        )
    cells = (first / (2 * half)).floor()
    centre = (2 * cells + 1) * half
    ends, starts = points.clone(), points.clone()
    ends[:, 0] = centre
    starts[:, 0] = torch.where(first <= centre, centre - half, centre + half)
    slope = _AMPLITUDE / half
    return _coordinate_tents(centre.unique(), points.shape[1], half, slope, starts, ends, slope)


def _coordinate_tents(
    centres: Tensor, inputs: int, half: float, slope: float, starts: Tensor, ends: Tensor,
    certain: float,
) -> _Tents:  # fmt: skip
    """Return tents in the first coordinate with these centres, half width and slope."""
    count = len(centres)
    weight = torch.zeros(2 * count, inputs, dtype=torch.float64)
    weight[:count, 0], weight[count:, 0] = 1.0, -1.0
    eye = torch.eye(count, dtype=torch.float64)
    falls = -slope * torch.cat([eye, eye], dim=1)
    heights = torch.full((count,), slope * half, dtype=torch.float64)
    units = (weight, torch.cat([-centres, centres]))
    return _Tents(units, (falls, heights), starts, ends, certain)


def _power_of_two(limit: float) -> float:
    """Return the largest power of two that is at most ``limit``."""
    return math.ldexp(1.0, math.frexp(limit)[1] - 1)
