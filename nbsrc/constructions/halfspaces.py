r"""Half-spaces that cut a point's ball off from the balls of all other classes.

For two points x, z let u be a vector with dual norm 1 and u.(z - x) = ||z - x||. On the closed
ball around x, u.(y - x) is at most eps; on the closed ball around z at least ||z - x|| - eps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from nbsrc.constructions._arguments import Data, as_number, as_order, check_data, order_name

__all__ = ["HalfSpaces", "closest_pair", "dual_vectors", "separating_halfspaces"]

_BLOCK = 1 << 22  # numbers per temporary array: 32 MB


@dataclass(frozen=True)
class HalfSpaces:
    r"""For every point, half-spaces that together hold every ball of the other classes.

    With :math:`v_h(x) = u_h\cdot x - b_h` and :math:`\delta` the ``gap``:
    :math:`v_h\le-\delta/4` on the ball of the half-space's owner, and on every ball of another
    class than the owner's at least one of the owner's :math:`v_h` is :math:`\ge\delta/2`.

    Attributes:
        points: ``[m, n]`` the distinct points, float64.
        labels: ``[m]`` their labels, int64.
        rows: ``[m]`` the row of each point in the caller's tensor (the first, if repeated).
        normals: ``[H, n]`` the vectors u, of dual norm 1.
        offsets: ``[H]`` the numbers b.
        owner: ``[H]`` index into ``points``, sorted.
        eps: Radius of the balls.
        ord: Order of their norm: 1.0, 2.0 or ``math.inf``.
        gap: The distance between classes minus 2 eps, ``math.inf`` for a single class.
        dtype: The dtype of the caller's points (float64 for integers).
    """

    points: Tensor
    labels: Tensor
    rows: Tensor
    normals: Tensor
    offsets: Tensor
    owner: Tensor
    eps: float
    ord: float
    gap: float
    dtype: torch.dtype


def separating_halfspaces(points: Tensor, labels: Tensor, eps: float, ord: float) -> HalfSpaces:
    r"""Half-spaces that separate the ball of each point from all balls of other classes.

    The repair of Assumption 2 of Liang & Huang (2021) for finite sets: closed balls, strict
    inequality. For each point x the nearest other-class point z that no half-space of x holds yet
    gives the next one, :math:`u\cdot(y-x) > \epsilon+\delta/4`, which also holds the ball of
    every z' with :math:`u\cdot(z'-x)\ge 2\epsilon+3\delta/4`. Repeated points of a class are
    dropped.

    Args:
        points: ``[m, n]``, float32, float64 or integer.
        labels: ``[m]`` integers.
        eps: Radius of the closed balls, at least 0.
        ord: Order of the norm of the balls: 1, 2 or ``math.inf``.

    Returns:
        The half-spaces, in float64.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range; if two points of different classes are not
            further apart than 2 eps (the message names them), or by too little for the dtype.

    Example:
        >>> found = separating_halfspaces(torch.tensor([[0], [4]]), torch.tensor([1, 2]), 1, 2)
        >>> found.normals.flatten().tolist(), found.offsets.tolist(), found.gap
        ([1.0, -1.0], [1.5, -2.5], 2.0)
    """
    order, radius = as_order(ord), as_number("eps", eps, minimum=0)
    data = check_data(points, labels)
    gap = class_gap(data, radius, order)
    normals: list[Tensor] = [data.points[:0]]
    owner: list[Tensor] = [data.labels[:0]]
    if gap < math.inf:
        count, width = data.points.shape
        block = max(1, _BLOCK // (count * width))
        for start in range(0, count, block):
            chosen = torch.arange(start, min(start + block, count))
            directions, owners = _cover(data, chosen, 2 * radius + 0.75 * gap, order)
            normals.append(directions)
            owner.append(owners)
    u, of = torch.cat(normals), torch.cat(owner)
    # gap / 4 is the room for rounding on the owner's ball; without half-spaces it is not used
    offsets = (u * data.points[of]).sum(dim=1) + (radius + 0.25 * gap)
    return HalfSpaces(
        data.points, data.labels, data.rows, u, offsets, of, radius, order, gap, data.dtype
    )


def dual_vectors(differences: Tensor, ord: float) -> Tensor:
    r"""Vectors u of dual norm 1 with :math:`u\cdot v=\|v\|`, one per row v.

    v / ||v|| for the l2 norm; sign(v) for l1; for linf the sign of one largest entry, the first.

    Args:
        differences: ``[..., n]`` without a zero row.
        ord: 1, 2 or ``math.inf``.

    Returns:
        A tensor like ``differences``.

    Raises:
        ValueError: If ``ord`` is another number.

    Example:
        >>> dual_vectors(torch.tensor([[3.0, -4.0]]), math.inf)
        tensor([[ 0., -1.]])
    """
    order = as_order(ord)
    if order == 1:
        return differences.sign()
    if order == 2:
        scaled = differences / differences.abs().amax(dim=-1, keepdim=True)  # no underflow
        unit: Tensor = scaled / torch.linalg.vector_norm(scaled, dim=-1, keepdim=True)
        return unit
    largest = differences.abs().argmax(dim=-1, keepdim=True)
    return torch.zeros_like(differences).scatter(
        -1, largest, differences.gather(-1, largest).sign()
    )


def closest_pair(points: Tensor, labels: Tensor, ord: float) -> tuple[int, int, float]:
    """Return the closest two points of different classes, and their distance.

    Args:
        points: ``[m, n]``, float32, float64 or integer.
        labels: ``[m]`` integers.
        ord: Order of the norm: 1, 2 or ``math.inf``.

    Returns:
        Two rows and the distance in float64; ``(0, 0, inf)`` if there is one class only.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range.

    Example:
        >>> points = torch.tensor([[0.0], [1.0], [5.0], [7.0]])
        >>> closest_pair(points, torch.tensor([1, 1, 2, 2]), 2)
        (1, 2, 4.0)
    """
    order = as_order(ord)
    data = check_data(points, labels)
    first, second, distance = _closest(data, order)
    return int(data.rows[first]), int(data.rows[second]), distance


def _closest(data: Data, order: float) -> tuple[int, int, float]:
    """Return the closest pair of different classes as indices into the distinct points."""
    best = (0, 0, math.inf)
    block = max(1, _BLOCK // len(data.points))
    for start in range(0, len(data.points), block):
        part = slice(start, start + block)
        distances = torch.cdist(
            data.points[part], data.points, p=order,
            compute_mode="donot_use_mm_for_euclid_dist",  # differences first: no cancellation
        )  # fmt: skip
        distances[data.labels[part, None] == data.labels] = math.inf
        flat = int(distances.argmin())
        row, column = divmod(flat, len(data.points))
        if float(distances[row, column]) < best[2]:
            best = (start + row, column, float(distances[row, column]))
    return best


def class_gap(data: Data, eps: float, order: float) -> float:
    """Return the distance between classes minus 2 eps, if it is positive beyond rounding.

    Args:
        data: A checked data set.
        eps: Radius of the balls.
        order: Order of their norm.

    Returns:
        The gap, ``math.inf`` for a single class.

    Raises:
        ValueError: If the gap is not positive, or too small for the dtype.
    """
    first, second, distance = _closest(data, order)
    gap = distance - 2 * eps
    between = (
        f"points {int(data.rows[first])} (label {int(data.labels[first])}) and "
        f"{int(data.rows[second])} (label {int(data.labels[second])}) are at "
        f"{order_name(order)} distance {distance!r}"
    )
    if not gap > 0:
        raise ValueError(
            f"{between}; with eps = {eps!r} points of different classes must be further apart "
            f"than 2 eps = {2 * eps!r}"
        )
    if gap == math.inf:
        return gap
    # Errors of u.x, of u.x_i, of u and of the distance: all below a few n units in the last place.
    size = 2 * float(torch.linalg.vector_norm(data.points, order, dim=1).max()) + 2 * eps + gap
    rounding = 2 * (data.points.shape[1] + 4) * torch.finfo(data.dtype).eps * size
    if not gap / 4 > rounding:
        raise ValueError(
            f"{between}, more than 2 eps = {2 * eps!r} by {gap:.3g}; a network in {data.dtype} "
            f"needs more than {4 * rounding:.3g}, because of rounding"
        )
    return gap


def _cover(data: Data, chosen: Tensor, enough: float, order: float) -> tuple[Tensor, Tensor]:
    """Return greedy directions for the chosen points, sorted by their owner, and the owners."""
    differences = data.points[None] - data.points[chosen, None]
    distances = torch.linalg.vector_norm(differences, order, dim=2)
    distances[data.labels[chosen, None] == data.labels] = math.inf
    found: list[Tensor] = []
    owners: list[Tensor] = []
    while len(chosen):
        nearest = distances.argmin(dim=1)
        u = dual_vectors(differences[torch.arange(len(chosen)), nearest], order)
        found.append(u)
        owners.append(chosen)
        held = torch.bmm(differences, u[:, :, None])[:, :, 0] >= enough
        held[torch.arange(len(chosen)), nearest] = True  # holds by construction; ends the loop
        distances[held] = math.inf
        open_rows = (distances < math.inf).any(dim=1)
        if not bool(open_rows.all()):
            chosen, differences = chosen[open_rows], differences[open_rows]
            distances = distances[open_rows]
    owner = torch.cat(owners)
    ranked = owner.argsort(stable=True)
    return torch.cat(found)[ranked], owner[ranked]
