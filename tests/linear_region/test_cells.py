"""Cuts of intervals, polygons and polyhedra against membership of samples."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nbsrc.linear_region.cells import Doubt, Interval, Polygon
from nbsrc.linear_region.domain import Cell
from nbsrc.linear_region.polyhedron import Polyhedron


def box(dimension: int) -> Polyhedron:
    identity = np.eye(dimension)
    rows = np.vstack([identity, -identity])
    return Polyhedron.largest_ball(rows, np.full(2 * dimension, 2.0))


def inside(cell: Cell, points: np.ndarray) -> np.ndarray:
    normals, offsets = cell.halfspaces()
    return (points @ normals.T <= offsets).all(axis=1)


@pytest.mark.parametrize(
    "start",
    [
        Interval(-2.0, 2.0),
        Polygon.box(np.full(2, -2.0), np.full(2, 2.0)),
        box(2),
        box(4),
        Polyhedron.largest_ball(np.zeros((0, 3)), np.zeros(0)),
    ],
    ids=["interval", "polygon", "square", "4-D", "space"],
)
def test_random_cuts_split_the_samples(start: Cell) -> None:
    """The parts are disjoint and cover; each one's centre and ball lie in it."""
    rng = np.random.default_rng(0)
    size = len(start.centre()[0])
    points = rng.uniform(-2, 2, (4000, size))
    cells, doubt = [start], Doubt(1e-9)
    for _ in range(5):
        g, c = rng.normal(size=size), rng.normal()
        parts = []
        for cell in cells:
            off, on = cell.cut(g, c, doubt)
            held = inside(cell, points)
            values = points @ g + c
            for part, wanted in ((off, held & (values < 0)), (on, held & (values > 0))):
                found = inside(part, points) & held if part else np.zeros_like(held)
                assert (found == wanted).all()
                parts += [part] if part else []
        cells = parts
    assert sum(inside(cell, points) for cell in cells).max() == 1  # type: ignore[union-attr]
    for cell in cells:
        normals, offsets = cell.halfspaces()
        point, radius = cell.centre()
        assert radius > 0
        assert np.allclose(np.linalg.norm(normals, axis=1), 1)
        assert ((offsets - normals @ point) > radius - 1e-12).all()
    assert doubt.dropped == 0


def test_a_polygon_by_hand() -> None:
    square = Polygon.box(np.zeros(2), np.ones(2))
    off, on = square.cut(np.array([1.0, 1.0]), -0.5, Doubt(1e-9))
    assert off is not None
    assert on is not None
    assert sorted(off.vertices.tolist()) == [[0.0, 0.0], [0.0, 0.5], [0.5, 0.0]]
    assert len(on.vertices) == 5
    through_corners = square.cut(np.array([1.0, -1.0]), 0.0, Doubt(1e-9))
    assert [len({tuple(v) for v in part.vertices}) for part in through_corners if part] == [3, 3]
    assert square.cut(np.array([1.0, 0.0]), 0.0, Doubt(1e-9)) == (None, square)  # along an edge


def test_intervals_with_infinite_ends() -> None:
    line = Interval(-math.inf, math.inf)
    left, right = line.cut(np.array([-2.0]), 6.0, Doubt(1e-12))
    assert (left, right) == (Interval(3.0, math.inf), Interval(-math.inf, 3.0))
    assert Interval(3.0, math.inf).centre()[0] == [4.0]
    assert Interval(-math.inf, -3.0).centre()[0] == [-4.0]
    assert Interval(1.0, 1.5).centre() == (np.array([1.25]), 0.25)
    assert Interval(3.0, math.inf).cut(np.array([1.0]), 0.0, Doubt(1e-12))[0] is None


@pytest.mark.parametrize(
    "start", [Interval(0.0, 1.0), Polygon.box(np.zeros(2), np.ones(2)), box(3)]
)
def test_thin_parts_are_counted(start: Cell) -> None:
    """Dropped silently if rounding explains the part, counted if not, kept if thick enough."""
    g = np.zeros(len(start.centre()[0]))
    g[0] = 1.0
    end = 2.0 if len(g) == 3 else 1.0
    for gap, kept, counted in ((1e-4, True, 0), (1e-10, False, 1), (1e-14, False, 0)):
        doubt = Doubt(1e-9)
        off, on = start.cut(g, -(end - gap), doubt)
        assert (on is not None) == kept
        assert off is not None
        assert doubt.dropped == counted
    far = Doubt(1e-9, reach=1e6)  # corners of so large a domain are uncertain by more than 1e-10
    start.cut(g, -(end - 1e-10), far)
    assert far.dropped == 0
    noisy = Doubt(1e-9)
    start.cut(g, -(end - 1e-10), noisy, 1e-9)
    assert noisy.dropped == 0


def test_a_cut_that_hardly_meets_the_known_ball() -> None:
    """The part beyond is thick though the known ball reaches into it by 1e-12 only."""
    g = np.array([1.0, 0.0, 0.0])
    start = box(3)
    start = Polyhedron(start.normals, start.offsets, np.zeros(3), 1.0)
    _, on = start.cut(g, -(1 - 1e-12), Doubt(1e-9))
    assert on is not None
    assert on.centre()[1] == pytest.approx(0.5, rel=1e-9)


def test_reach() -> None:
    assert Interval(-3.0, 2.0).reach() == 3.0
    assert Interval(3.0, math.inf).reach() == 5.0
    assert Polygon.box(np.array([0.0, -1.0]), np.array([3.0, 4.0])).reach() == 5.0
    assert box(3).reach() >= 1.0


def test_no_interior() -> None:
    flat = Polyhedron.largest_ball(np.array([[1.0, 0.0], [-1.0, 0.0]]), np.array([1.0, -1.0]))
    assert abs(flat.radius) < 1e-12
    assert box(3).radius == 1.0  # the cap


def test_edges_shorter_than_rounding_keep_their_direction() -> None:
    """Twenty lines through (0.3, -0.7), up to rounding: read off corners, edges would turn."""
    rng, centre = np.random.default_rng(0), np.array([0.3, -0.7])
    cells: list[Polygon] = [Polygon.box(np.full(2, -2.0), np.full(2, 2.0))]
    doubt, lines = Doubt(1e-12, 3.0), []
    for g in rng.normal(size=(20, 2)):
        lines.append(np.append(g, -(g @ centre)) / np.linalg.norm(g))
        parts = (cell.cut(g, -float(g @ centre), doubt) for cell in cells)
        cells = [part for pair in parts for part in pair if part is not None]
    assert len(cells) == 40
    for cell in cells:
        normals, offsets = cell.halfspaces()
        assert np.allclose(
            cell.vertices @ normals.T, np.minimum(cell.vertices @ normals.T, offsets)
        )
        known = np.array([*lines, [1, 0, -2], [1, 0, 2], [0, 1, -2], [0, 1, 2]])
        for row in np.column_stack([normals, -offsets]):
            gap = np.minimum(np.abs(known - row).max(axis=1), np.abs(known + row).max(axis=1))
            assert gap.min() < 1e-15
