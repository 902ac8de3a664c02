"""Convex cells that can be cut by a hyperplane: intervals and polygons, by comparing numbers.

Polyhedra of any dimension are in :mod:`nbsrc.linear_region.polyhedron`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nbsrc.linear_region.chain import Array

__all__ = ["RADIUS_CAP", "Doubt", "Interval", "Polygon"]

#: Radii of balls are sought up to this one, so that unbounded cells have one too.
RADIUS_CAP = 1.0


@dataclass
class Doubt:
    """Decides which parts are kept, and counts those that are dropped though they may be real.

    Attributes:
        tolerance: Parts that are not thicker are dropped, as are those that rounding explains.
        reach: How far from 0 the domain reaches: corners are this times rounding off.
        dropped: Parts that were dropped though thicker than rounding explains.
    """

    tolerance: float
    reach: float = 0.0
    dropped: int = 0

    def keeps(self, thickness: float, noise: float) -> bool:
        """Decide whether a part is kept, and count it if that is in doubt.

        Args:
            thickness: The part's thickness; 0 or negative if it is empty.
            noise: The error of the cut's position; what corners are off, and a thousandth of the
                tolerance, count in any case.

        Returns:
            Whether it is thicker than the tolerance and the noise.
        """
        corners = 16 * np.finfo(float).eps * self.reach
        noise = max(noise, corners, self.tolerance / 1000)
        if thickness > max(self.tolerance, noise):
            return True
        self.dropped += thickness > noise
        return False


@dataclass(frozen=True)
class Interval:
    """An interval of the line; the ends may be infinite.

    Attributes:
        low: Lower end.
        high: Upper end.
    """

    low: float
    high: float

    def cut(
        self, g: Array, c: float, doubt: Doubt, noise: float = 0.0
    ) -> tuple[Interval | None, Interval | None]:
        """Cut at the zero of ``g z + c``.

        Args:
            g: ``[1]``, not 0.
            c: The constant.
            doubt: What decides on thin parts.
            noise: The error of the zero's position.

        Returns:
            The parts where the function is negative and positive.
        """
        zero = -c / float(g[0])
        left = doubt.keeps(min(zero, self.high) - self.low, noise)
        right = doubt.keeps(self.high - max(zero, self.low), noise)
        parts: tuple[Interval | None, Interval | None]
        if left and right:
            parts = (Interval(self.low, zero), Interval(zero, self.high))
        elif left or (not right and float(self.centre()[0][0]) <= zero):
            parts = (self, None)
        else:
            parts = (None, self)
        return parts if g[0] > 0 else (parts[1], parts[0])

    def centre(self) -> tuple[Array, float]:
        """Return the midpoint, or a point at distance 1 from the only end.

        Returns:
            The point ``[1]`` and its distance to the nearer end, at most 1.
        """
        low, high = max(self.low, -1e300), min(self.high, 1e300)
        if high - low <= 2 * RADIUS_CAP:
            point = low + (high - low) / 2
        else:
            point = min(max(0.0, low + RADIUS_CAP), high - RADIUS_CAP)
        return np.array([point]), min(point - low, high - point, RADIUS_CAP)

    def reach(self) -> float:
        """Return the distance of the farther end from 0.

        Returns:
            The distance; of the centre if an end is infinite.
        """
        farthest = max(abs(self.low), abs(self.high))
        return farthest if np.isfinite(farthest) else 1 + abs(float(self.centre()[0][0]))

    def halfspaces(self) -> tuple[Array, Array]:
        """Return the finite ends as half-spaces.

        Returns:
            N ``[ends, 1]`` and h ``[ends]``.
        """
        pairs = [(1.0, self.high), (-1.0, -self.low)]
        finite = [(n, h) for n, h in pairs if np.isfinite(h)]
        return np.array([[n] for n, _ in finite]).reshape(-1, 1), np.array([h for _, h in finite])


@dataclass(frozen=True, eq=False)
class Polygon:
    """A bounded convex polygon: corners, and the lines that its edges lie on.

    The lines are those of the cuts. They are not read off the corners: of an edge that is as short
    as the corners' rounding the direction would be arbitrary, and hyperplanes that meet in one
    point (at 0, without biases) make many such edges.

    Attributes:
        vertices: ``[corners, 2]``, anticlockwise; neighbours may coincide.
        normals: ``[corners, 2]``: outward unit normal of the edge that begins at each corner.
        offsets: ``[corners]``: on that edge ``normal.z = offset``.
    """

    vertices: Array
    normals: Array
    offsets: Array

    @classmethod
    def box(cls, low: Array, high: Array) -> Polygon:
        """A rectangle.

        Args:
            low: Lower ends ``[2]``.
            high: Upper ends ``[2]``.

        Returns:
            The polygon.
        """
        (a, b), (c, d) = low, high
        normals = np.array([[0.0, -1.0], [1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
        return cls(np.array([[a, b], [c, b], [c, d], [a, d]]), normals, np.array([-b, c, d, -a]))

    def cut(
        self, g: Array, c: float, doubt: Doubt, noise: float = 0.0
    ) -> tuple[Polygon | None, Polygon | None]:
        """Cut along the line ``g.z + c = 0``.

        Args:
            g: ``[2]``, not 0.
            c: The constant.
            doubt: What decides on thin parts; thickness is the largest distance from the line.
            noise: The error of the line's position.

        Returns:
            The parts where the function is negative and positive.
        """
        length = float(np.hypot(g[0], g[1]))
        normal, offset = g / length, c / length
        values = (self.vertices @ g + c) / length
        low = doubt.keeps(-float(values.min()), noise)
        high = doubt.keeps(float(values.max()), noise)
        if not low or not high:
            negative = -values.min() > values.max()
            return (self, None) if negative else (None, self)
        return self._part(-values, normal, -offset), self._part(values, -normal, offset)

    def _part(self, values: Array, normal: Array, offset: float) -> Polygon:
        """Return the part where a linear function is not negative, and its own line's edge."""
        following = np.roll(values, -1)
        ends = np.roll(self.vertices, -1, axis=0)
        inside, crossing = values > 0, (values > 0) != (following > 0)
        share = np.divide(values, values - following, out=np.zeros_like(values), where=crossing)
        cuts = self.vertices + share[:, None] * (ends - self.vertices)
        # Where the boundary leaves the part, the edge that follows is the cut's; else it stays.
        normals = np.where(inside[:, None], normal, self.normals)
        offsets = np.where(inside, offset, self.offsets)
        kept = np.stack([inside, crossing], axis=1)
        return Polygon(
            np.stack([self.vertices, cuts], axis=1)[kept],
            np.stack([self.normals, normals], axis=1)[kept],
            np.stack([self.offsets, offsets], axis=1)[kept],
        )

    def centre(self) -> tuple[Array, float]:
        """Return the mean of the corners.

        Returns:
            The point ``[2]`` and its distance to the nearest edge's line.
        """
        point = self.vertices.mean(axis=0)
        return point, float((self.offsets - self.normals @ point).min())

    def reach(self) -> float:
        """Return the largest distance of a corner from 0.

        Returns:
            The distance.
        """
        return float(np.linalg.norm(self.vertices, axis=1).max())

    def halfspaces(self) -> tuple[Array, Array]:
        """Return the lines of the edges as half-spaces.

        Returns:
            N ``[edges, 2]`` and h ``[edges]``.
        """
        return self.normals, self.offsets
