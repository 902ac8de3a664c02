"""Domains of an enumeration: boxes and half-spaces, as cells."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from nbsrc.linear_region.cells import Doubt, Interval, Polygon
from nbsrc.linear_region.chain import Array
from nbsrc.linear_region.polyhedron import Polyhedron

__all__ = ["Box", "Cell", "Halfspaces", "domain_cell"]

#: A convex set that hyperplanes can cut.
Cell: TypeAlias = Interval | Polygon | Polyhedron
#: Lower and upper ends: numbers or vectors, tensors included.
Box: TypeAlias = tuple[ArrayLike, ArrayLike]
#: A and b of ``A x <= b``.
Halfspaces: TypeAlias = tuple[ArrayLike, ArrayLike]


def domain_cell(
    inputs: int, box: Box | None, halfspaces: Halfspaces | None, tolerance: float
) -> Cell:
    """The domain as a cell of the kind that is cut most easily.

    Args:
        inputs: Dimension n.
        box: ``(low, high)``, numbers or vectors ``[n]``; None for the whole space.
        halfspaces: ``(A, b)``, ``[m, n]`` and ``[m]``: only where ``A x <= b``.
        tolerance: Thickness that the domain must exceed.

    Returns:
        An interval, a polygon or a polyhedron.

    Raises:
        ValueError: If shapes do not fit, an entry is NaN, or the domain has no interior.
    """
    low, high = _box(inputs, box)
    normals, offsets = _rows(inputs, halfspaces)
    cell: Cell | None
    if inputs == 1:
        cell = Interval(float(low[0]), float(high[0]))
    elif inputs == 2 and np.isfinite(low).all() and np.isfinite(high).all():
        cell = Polygon.box(low, high)
    else:
        identity = np.eye(inputs)
        above, below = np.isfinite(high), np.isfinite(low)
        cell = Polyhedron.largest_ball(
            np.vstack([identity[above], -identity[below], normals]),
            np.concatenate([high[above], -low[below], offsets]),
        )
        if cell.radius <= tolerance:
            cell = None
        normals = normals[:0]
    silent = Doubt(tolerance)
    for normal, offset in zip(normals, offsets, strict=False):
        if cell is not None:
            cell = _inner_part(cell, normal, float(offset), silent)
    if cell is None:
        raise ValueError("the domain (box and halfspaces) has no interior")
    return cell


def _inner_part(cell: Cell, normal: Array, offset: float, doubt: Doubt) -> Cell | None:
    part, _ = cell.cut(normal, -offset, doubt)
    return part


def _box(inputs: int, box: Box | None) -> tuple[Array, Array]:
    """Return the ends as vectors.

    Raises:
        ValueError: If they have the wrong size, or leave no interior.
    """
    if box is None:
        return np.full(inputs, -np.inf), np.full(inputs, np.inf)
    ends = []
    for name, value in zip(("low", "high"), box, strict=True):
        given = np.asarray(value, dtype=np.float64)
        if given.size not in {1, inputs}:
            raise ValueError(f"box: {name} must have 1 or {inputs} entries, got {given.size}")
        ends.append(np.broadcast_to(given.reshape(-1), (inputs,)).copy())
    low, high = ends
    if not (low < high).all():
        raise ValueError(f"box: low must be less than high, got {low.tolist()}, {high.tolist()}")
    return low, high


def _rows(inputs: int, halfspaces: Halfspaces | None) -> tuple[Array, Array]:
    """Return the half-spaces with rows of l2 norm 1.

    Raises:
        ValueError: If shapes do not fit, an entry is not finite or a row is 0.
    """
    if halfspaces is None:
        return np.zeros((0, inputs)), np.zeros(0)
    A, b = (np.asarray(value, dtype=np.float64) for value in halfspaces)
    if A.ndim != 2 or A.shape[1] != inputs or b.shape != A.shape[:1]:
        raise ValueError(
            f"halfspaces must be A [m, {inputs}] and b [m], got shapes {A.shape} and {b.shape}"
        )
    lengths = np.linalg.norm(A, axis=1)
    if not (np.isfinite(A).all() and np.isfinite(b).all() and (lengths > 0).all()):
        raise ValueError("halfspaces must be finite with no row of A equal to 0")
    return A / lengths[:, None], b / lengths
