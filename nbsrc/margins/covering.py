"""Covers of finite sets by balls with centres in the set, and the cells they make."""

from __future__ import annotations

import math
from itertools import combinations

import torch
from torch import Tensor

__all__ = [
    "circle_covering_number",
    "covering_number",
    "first_ball_cells",
    "greedy_cover",
    "is_cover",
]


def greedy_cover(points: Tensor, eps: float, order: float = 2.0) -> list[int]:
    """A cover by balls around points of the set: the ball that covers most is taken first.

    Args:
        points: ``[N, n]``.
        eps: Radius, closed balls.
        order: Order of the norm.

    Returns:
        Indices of the centres.

    Raises:
        ValueError: If the points are no matrix or the radius is negative.

    Example:
        >>> greedy_cover(torch.tensor([[0.0], [1.0], [2.0], [9.0]]), 1.0)
        [1, 3]
    """
    near = _near(points, eps, order)
    left = torch.ones(len(points), dtype=torch.bool)
    centres = []
    while bool(left.any()):
        best = int((near & left).sum(1).argmax())
        centres.append(best)
        left &= ~near[best]
    return centres


def covering_number(points: Tensor, eps: float, order: float = 2.0, *, most: int = 20) -> int:
    """The exact covering number of a small finite set, centres in the set.

    Args:
        points: ``[N, n]``, at most ``most``.
        eps: Radius, closed balls.
        order: Order of the norm.
        most: Largest number of points that are searched exhaustively.

    Returns:
        The least number of balls.

    Raises:
        ValueError: If there are too many points, or as for `greedy_cover`.

    Example:
        >>> covering_number(torch.tensor([[-1.0], [1.0]]), 1.0)
        2
    """
    near = _near(points, eps, order)
    if len(points) > most:
        raise ValueError(f"the search takes at most {most} points, got {len(points)}")
    upper = len(greedy_cover(points, eps, order))
    for size in range(upper):
        for centres in combinations(range(len(points)), size):
            if bool(near[list(centres)].any(0).all()):
                return size
    return upper


def circle_covering_number(eps: float) -> int:
    """The covering number of the unit circle by chordal balls with centres on the circle.

    A ball covers an arc of angle ``4 arcsin(eps / 2)``.

    Args:
        eps: Radius.

    Returns:
        The number of balls; 1 from radius 2 on.

    Raises:
        ValueError: If the radius is not positive.

    Example:
        >>> [circle_covering_number(e) for e in (2.0, 1.0, 0.5)]
        [1, 3, 7]
    """
    if not eps > 0:
        raise ValueError(f"eps must be positive, got {eps}")
    if eps >= 2:
        return 1
    return math.ceil(math.pi / (2 * math.asin(eps / 2)) * (1 - 1e-12))


def is_cover(points: Tensor, centres: list[int], eps: float, order: float = 2.0) -> bool:
    """Whether the balls around some points of the set cover it (Definition 1).

    Args:
        points: ``[N, n]``.
        centres: Indices.
        eps: Radius, closed balls.
        order: Order of the norm.

    Returns:
        The answer; an empty set is covered by nothing.

    Raises:
        ValueError: If an index is out of range, or as for `greedy_cover`.

    Example:
        >>> is_cover(torch.tensor([[0.0], [1.0], [2.0]]), [1], 1.0)
        True
    """
    near = _near(points, eps, order)
    if any(not 0 <= c < len(points) for c in centres):
        raise ValueError(f"centres must be between 0 and {len(points) - 1}, got {centres}")
    return bool(near[centres].any(0).all()) if centres else not len(points)


def first_ball_cells(points: Tensor, centres: Tensor, eps: float, order: float = 2.0) -> Tensor:
    """The partition that a cover makes: every point goes to the first ball that holds it.

    Args:
        points: ``[N, n]``.
        centres: ``[K, n]``, the centres themselves.
        eps: Radius, closed balls.
        order: Order of the norm.

    Returns:
        ``[N]``, the number of each point's cell.

    Raises:
        ValueError: If a point lies in no ball.

    Example:
        >>> p = torch.tensor([[0.0], [1.0], [2.0], [3.0]])
        >>> first_ball_cells(p, p[[1, 2]], 1.0).tolist()
        [0, 0, 0, 1]
    """
    near = torch.cdist(points, centres, p=order) <= eps * (1 + 1e-12)
    if not bool(near.any(1).all()):
        raise ValueError(f"point {int((~near.any(1)).int().argmax())} lies in no ball")
    return near.int().argmax(1)


def _near(points: Tensor, eps: float, order: float) -> Tensor:
    if points.ndim != 2:
        raise ValueError(f"points must be a matrix [N, n], got {list(points.shape)}")
    if not eps >= 0:
        raise ValueError(f"eps must not be negative, got {eps}")
    return torch.cdist(points, points, p=order) <= eps * (1 + 1e-12)
