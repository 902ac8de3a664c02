"""Polyhedra that can be cut by a hyperplane: linear programmes decide which parts are empty."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog

from nbsrc.linear_region.cells import RADIUS_CAP, Doubt
from nbsrc.linear_region.chain import Array

__all__ = ["Polyhedron"]

#: Balls found without a linear programme are trusted to be of the right order above this radius.
_SMALL = 1e-4
_TIGHT = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}


@dataclass(frozen=True)
class Polyhedron:
    """A convex polyhedron in any dimension, bounded or not.

    Attributes:
        normals: N ``[m, n]`` with rows of l2 norm 1.
        offsets: h ``[m]``; the cell is ``N z <= h``.
        point: An interior point ``[n]``.
        radius: Radius of a ball around the point in the cell, at most 1.
    """

    normals: Array
    offsets: Array
    point: Array
    radius: float

    @classmethod
    def largest_ball(cls, normals: Array, offsets: Array) -> Polyhedron:
        """The polyhedron with the centre of its largest ball (of radius at most 1).

        Args:
            normals: Rows of l2 norm 1.
            offsets: One per row.

        Returns:
            The polyhedron; its radius is 0 or negative if it has no interior.

        Raises:
            RuntimeError: If the linear programme is not solved.
        """
        rows, size = normals.shape
        if not rows:
            return cls(normals, offsets, np.zeros(size), RADIUS_CAP)
        for options in (_TIGHT, {}):  # HiGHS gives up on a tight tolerance now and then
            result = linprog(
                c=np.append(np.zeros(size), -1.0),
                A_ub=np.hstack([normals, np.ones((rows, 1))]),
                b_ub=offsets,
                bounds=[(None, None)] * size + [(None, RADIUS_CAP)],
                method="highs",
                options=options,
            )
            if result.status == 0:
                break
        else:
            raise RuntimeError(f"the linear programme of a cell was not solved: {result.message}")
        point = result.x[:-1]
        # The slack is recomputed: the programme's own tolerance does not enter.
        return cls(
            normals, offsets, point, min(float((offsets - normals @ point).min()), RADIUS_CAP)
        )

    def cut(
        self, g: Array, c: float, doubt: Doubt, noise: float = 0.0
    ) -> tuple[Polyhedron | None, Polyhedron | None]:
        """Cut along the hyperplane ``g.z + c = 0``.

        Args:
            g: ``[n]``, not 0.
            c: The constant.
            doubt: What decides on thin parts; thickness is the radius of the largest ball.
            noise: The error of the hyperplane's position.

        Returns:
            The parts where the function is negative and positive.
        """
        length = float(np.linalg.norm(g))
        unit, shift = g / length, c / length
        value = float(unit @ self.point) + shift
        parts = (self._part(unit, -shift, value), self._part(-unit, shift, -value))
        kept = [doubt.keeps(part.radius, noise) for part in parts]
        if not any(kept):  # a cell hardly thicker than the tolerance
            kept = [value <= 0, value > 0]
        if all(kept):
            return parts
        return (self, None) if kept[0] else (None, self)

    def _part(self, unit: Array, offset: float, value: float) -> Polyhedron:
        """Return the part ``unit.z <= offset``, where ``unit.point - offset`` is ``value``."""
        normals, offsets = np.vstack([self.normals, unit]), np.append(self.offsets, offset)
        # A ball on the right side of the hyperplane, or well cut by it, spares the programme.
        if -value > self.radius:
            return Polyhedron(normals, offsets, self.point, self.radius)
        radius = (self.radius - value) / 2
        if radius > max(self.radius / 8, _SMALL):
            return Polyhedron(normals, offsets, self.point - (value + radius) * unit, radius)
        return Polyhedron.largest_ball(normals, offsets)

    def centre(self) -> tuple[Array, float]:
        """Return the centre of the largest ball (of radius at most 1).

        Returns:
            The point ``[n]`` and the radius.
        """
        best = Polyhedron.largest_ball(self.normals, self.offsets)
        return best.point, best.radius

    def reach(self) -> float:
        """Return how far from 0 the ball around the interior point reaches.

        Returns:
            The distance.
        """
        return self.radius + float(np.linalg.norm(self.point))

    def halfspaces(self) -> tuple[Array, Array]:
        """Return the constraints; some may be redundant.

        Returns:
            N ``[m, n]`` and h ``[m]``.
        """
        return self.normals, self.offsets
