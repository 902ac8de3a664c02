r"""Exact distances between the classes of a labelled point set.

Assumption 2 of Liang & Huang (2021) asks that points of different classes are more than
:math:`2\epsilon` apart. How far they are apart is a number, and here it is computed without
sampling: for every point the distance to its nearest point of another class.

Integer points (images are integers from 0 to 255 before anything divides them) are compared in
integer arithmetic, so that only the final square root and the final division round.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from nbsrc._separation_search import METHODS, nearest_other

__all__ = ["METHODS", "Separation", "separation"]

_ORDERS = (1, 2, math.inf)


@dataclass(frozen=True)
class Separation:
    """How far the classes of a set are apart in one norm.

    Attributes:
        ord: The norm: 1, 2 or ``math.inf``.
        distance: Smallest distance between two points of different classes; infinite if no two
            points have different classes.
        pair: Indices of two points at that distance (the second one into the set compared
            against), or None.
        nearest: For every point the distance to the nearest point of another class, float64
            ``[n]``; infinite where there is none.
        neighbour: Index of one such nearest point, int64 ``[n]``; -1 where there is none.
        two_sets: Whether the points were compared against a second set.
        integer: Whether the comparisons were made in integers.
    """

    ord: float
    distance: float
    pair: tuple[int, int] | None
    nearest: Tensor
    neighbour: Tensor
    two_sets: bool
    integer: bool

    @property
    def contradictions(self) -> tuple[tuple[int, int], ...]:
        """Pairs of equal points with different labels: every such point, with one of its twins."""
        pairs = [(int(i), int(self.neighbour[i])) for i in torch.nonzero(self.nearest == 0)]
        if self.two_sets:
            return tuple(pairs)
        return tuple(sorted({(min(pair), max(pair)) for pair in pairs}))

    def is_separable(self, eps: float) -> bool:
        r"""Say whether Assumption 2 holds for these points: all distances above 2 eps, strictly.

        Args:
            eps: Radius of the attack, at least 0, in the units of the distances.

        Returns:
            Whether :math:`d > 2\epsilon`.

        Raises:
            ValueError: If ``eps`` is negative or not finite.
        """
        if not (math.isfinite(eps) and eps >= 0):
            raise ValueError(f"eps must be finite and at least 0, got {eps}")
        return self.distance > 2 * eps


def separation(
    points: Tensor,
    labels: Tensor,
    ord: float,
    *,
    against: tuple[Tensor, Tensor] | None = None,
    divisor: int = 1,
    memory_mb: float = 256,
    method: str = "auto",
) -> Separation:
    r"""Return the distance of every point to the nearest point of another class.

    .. math::
        d_i = \min\{\|x_i - x_j\| : y_j \ne y_i\}, \qquad d = \min_i d_i

    The set satisfies Assumption 2 of Liang & Huang (2021) exactly for :math:`2\epsilon < d`.
    With ``against``, :math:`x_j` and :math:`y_j` come from a second set, as in the test-train
    separation of Yang et al. (2020).

    Integer points give exact integers (squared for l2) until the last step. Points of 8 bits are
    searched faster: l2 by matrix products whose partial sums fit into float32, l1 and linf by
    lower bounds on cells of coordinates, which discard a pair only when it cannot be nearest:
    :math:`|\sum_B x - \sum_B y| \le \sum_B |x-y|`, and one coordinate of a cell bounds the maximum.

    Args:
        points: ``[n, ...]`` of an integer or floating type; all axes but the first are flattened.
            For images ``[n, height, width]`` or ``[n, channels, height, width]`` the cells are
            squares of pixels.
        labels: Integer classes, ``[n]``.
        ord: 1, 2 or ``math.inf``.
        against: A second set ``(points, labels)`` to take the other point from.
        divisor: What the distances are divided by: 255 brings 8-bit images to the range [0, 1].
        memory_mb: Rough limit for the working memory in 10^6 bytes.
        method: ``"all"`` compares all pairs, ``"pruned"`` uses the lower bounds (8-bit points, l1
            and linf), ``"auto"`` prunes where it pays.

    Returns:
        The separation. Equal points of different classes are at distance 0 and listed in
        ``contradictions``.

    Raises:
        NotImplementedError: If integers are too large for exact sums, or ``method="pruned"`` is
            asked for where there are no lower bounds.
        TypeError: If points or labels have the wrong type.
        ValueError: If shapes do not fit, there are no points, a value is NaN or infinite, or an
            option is out of range.

    Example:
        >>> points = torch.tensor([[0, 0], [3, 4], [0, 5]])
        >>> labels = torch.tensor([0, 1, 1])
        >>> [separation(points, labels, p).distance for p in (1, 2, math.inf)]
        [5.0, 5.0, 4.0]
    """
    if ord not in _ORDERS:
        raise ValueError(f"ord must be 1, 2 or math.inf, got {ord!r}")
    if isinstance(divisor, bool) or not isinstance(divisor, int) or divisor < 1:
        raise ValueError(f"divisor must be a positive integer, got {divisor!r}")
    if not memory_mb > 0:
        raise ValueError(f"memory_mb must be positive, got {memory_mb}")
    if method not in METHODS:
        raise ValueError(f"method must be one of {METHODS}, got {method!r}")
    _check("points", points, labels)
    others, other_labels = (points, labels) if against is None else against
    if against is not None:
        _check("against", others, other_labels)
        if others.shape[1:] != points.shape[1:] or others.dtype != points.dtype:
            raise ValueError(
                f"against must hold points like {list(points.shape[1:])} of {points.dtype}, got "
                f"{list(others.shape[1:])} of {others.dtype}"
            )
    second = None if against is None else (others, other_labels)
    values, neighbour = nearest_other(
        points, labels, second, float(ord), memory=memory_mb * 1e6, method=method
    )
    nearest = (values.sqrt() if ord == 2 else values) / divisor
    first = int(torch.argmin(nearest))
    found = int(neighbour[first]) >= 0
    return Separation(
        ord=float(ord),
        distance=float(nearest[first]),
        pair=(first, int(neighbour[first])) if found else None,
        nearest=nearest,
        neighbour=neighbour,
        two_sets=against is not None,
        integer=not points.is_floating_point(),
    )


def _check(name: str, points: Tensor, labels: Tensor) -> None:
    """Refuse what is not a labelled set of finite points."""
    for kind, value in (("points", points), ("labels", labels)):
        if not isinstance(value, Tensor):
            raise TypeError(f"{kind} of {name} must be a tensor, got {type(value).__name__}")
    if points.is_complex() or points.dtype == torch.bool:
        raise TypeError(f"{name} must be integers or floating numbers, got {points.dtype}")
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise TypeError(f"labels of {name} must be integers, got {labels.dtype}")
    if points.ndim < 2 or len(points) == 0 or points[0].numel() == 0:
        raise ValueError(f"{name} must have a shape [n, ...] without zeros, got {points.shape}")
    if labels.shape != points.shape[:1]:
        raise ValueError(
            f"labels of {name} must have the shape [{len(points)}], got {list(labels.shape)}"
        )
    if points.is_floating_point() and not bool(torch.isfinite(points).all()):
        raise ValueError(f"{name} must be finite, got NaN or infinity")
