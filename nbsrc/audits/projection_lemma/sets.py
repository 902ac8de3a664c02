"""The limit of projections onto convex sets: polygons, boxes, some unbounded, and simplices."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations_with_replacement

import torch
from torch import Tensor

from nbsrc.audits.finding import Case, collect
from nbsrc.claims import Finding
from nbsrc.operator_norm.projections import project_simplex

__all__ = [
    "audit_boxes",
    "audit_nearest_of_two",
    "audit_polygons",
    "audit_ray",
    "audit_simplices",
    "nearest_in_face",
    "project_polygon",
]

FAR = 1024.0


def project_polygon(w: Tensor, corners: Tensor) -> Tensor:
    """Return the nearest point of a polygon to a point outside.

    It lies on an edge, and every edge is a segment between two corners, so all segments are tried.

    Args:
        w: ``[2]``, not inside.
        corners: ``[k, 2]``; points inside the polygon may be among them.

    Returns:
        ``[2]``.
    """
    pairs = torch.tensor(list(combinations_with_replacement(range(len(corners)), 2)))
    a, b = corners[pairs[:, 0]], corners[pairs[:, 1]]
    side = b - a
    share = ((w - a) * side).sum(-1) / side.square().sum(-1).clamp(min=1e-300)
    points = a + share.clamp(0, 1).unsqueeze(-1) * side
    best: Tensor = points[(points - w).square().sum(-1).argmin()]
    return best


def nearest_in_face(v: Tensor, corners: Tensor, g: Tensor) -> Tensor:
    """Return the nearest point to v of the face that g exposes, a corner or an edge.

    Args:
        v: ``[2]``.
        corners: ``[k, 2]`` with whole entries.
        g: ``[2]`` with whole entries.

    Returns:
        ``[2]``.
    """
    heights = corners @ g
    face = corners[heights == heights.max()]
    order = face @ torch.stack([-g[1], g[0]])
    a, b = face[order.argmin()], face[order.argmax()]
    side = b - a
    share = ((v - a) @ side) / side.square().sum().clamp(min=1e-300)
    return a + share.clamp(0, 1) * side


def _first_corner(_: Tensor, corners: Tensor, g: Tensor) -> Tensor:
    return corners[(corners @ g).argmax()]


def audit_polygons(count: int, seed: int, *, any_maximiser: bool = False) -> Finding:
    """Test the limit on convex hulls of one to six points of the plane with whole entries.

    Args:
        count: How many polygons.
        seed: Seed.
        any_maximiser: Claim the first maximising corner in place of the nearest maximiser.

    Returns:
        The finding; minus the distance.
    """
    generator = torch.Generator().manual_seed(seed)
    claim: Callable[[Tensor, Tensor, Tensor], Tensor]
    claim = _first_corner if any_maximiser else nearest_in_face

    def draw(*shape: int) -> Tensor:
        return torch.randint(-2, 3, shape, generator=generator).double()

    def results() -> Iterator[Case]:
        for i in range(count):
            corners, v, g = draw(1 + i % 6, 2), draw(2), draw(2)
            if not g.any():
                continue
            limit = project_polygon(v + FAR * g, corners)
            error = float((limit - claim(v, corners, g)).norm())
            shown = {"corners": corners.tolist(), "v": v.tolist(), "g": g.tolist()}
            size = (len(corners), int(corners.abs().sum() + v.abs().sum() + g.abs().sum()))
            yield -error, size, shown

    return collect(results(), tolerance=1e-9, family="convex hulls in the plane")


def audit_boxes(count: int, seed: int) -> Finding:
    """Test the limit on boxes, some of them flat, some unbounded where g is 0 or points inwards.

    Args:
        count: How many.
        seed: Seed.

    Returns:
        The finding; minus the distance.
    """
    generator = torch.Generator().manual_seed(seed)

    def results() -> Iterator[Case]:
        for i in range(count):
            n = 1 + i % 4
            low, v, g = torch.randint(-2, 3, (3, n), generator=generator).double()
            high = low + torch.randint(0, 3, (n,), generator=generator)
            open_sides = torch.rand(2, n, generator=generator) < 0.3
            high = torch.where(open_sides[0] & (g <= 0), torch.inf, high)
            low = torch.where(open_sides[1] & (g >= 0), -torch.inf, low)
            limit = torch.clamp(v + FAR * g, low, high)
            ends = torch.where(g > 0, high, low)
            face = torch.where(g == 0, torch.clamp(v, low, high), ends)
            sides = {"low": [str(a) for a in low.tolist()], "high": [str(a) for a in high.tolist()]}
            shown = {**sides, "v": v.tolist(), "g": g.tolist()}
            yield -float((limit - face).abs().max()), (n,), shown

    return collect(results(), tolerance=0, family="boxes in up to four dimensions")


def audit_simplices(count: int, seed: int) -> Finding:
    """Test the limit on the simplex of probabilities, where the face is a smaller simplex.

    Args:
        count: How many starts and directions.
        seed: Seed.

    Returns:
        The finding; minus the distance.
    """
    generator = torch.Generator().manual_seed(seed)

    def results() -> Iterator[Case]:
        for i in range(count):
            n = 2 + i % 4
            v, g = torch.randint(-2, 3, (2, n), generator=generator).double()
            limit = project_simplex(v + FAR * g, 1.0)
            hidden = torch.where(g == g.max(), v, torch.full_like(v, -torch.inf))
            error = float((limit - project_simplex(hidden, 1.0)).abs().max())
            yield -error, (n,), {"v": v.tolist(), "g": g.tolist()}

    return collect(results(), tolerance=1e-9, family="probability simplices")


def audit_ray() -> Finding:
    """Show that g must have a maximiser: on the ray ``t (1, 0)``, t >= 0, there is no limit.

    Returns:
        The finding of "the projections of alpha (1, 1) at two steps differ by at most 1".
    """
    along = torch.tensor([1.0, 0.0], dtype=torch.float64)
    g = torch.tensor([1.0, 1.0], dtype=torch.float64)
    near = [float((alpha * g @ along).clamp(min=0)) for alpha in (10.0, FAR)]
    shown = {"set": "t (1, 0), t >= 0", "v": [0, 0], "g": g.tolist(), "t at two steps": near}
    return collect([(1 - abs(near[1] - near[0]), (1,), shown)], tolerance=0, family="a ray")


def audit_nearest_of_two() -> Finding:
    """Show what convexity gives: of two points equally high and equally near there is no nearest.

    Returns:
        The finding of "the nearest point of {(1, 0), (-1, 0)} to alpha (0, 1) is unique"; minus the
        largest distance between nearest points.
    """
    both = torch.tensor([[1.0, 0.0], [-1.0, 0.0]], dtype=torch.float64)
    distances = (both - FAR * torch.tensor([0.0, 1.0], dtype=torch.float64)).norm(dim=-1)
    nearest = both[distances <= distances.min() + 1e-9]
    shown = {"set": both.tolist(), "v": [0, 0], "g": [0, 1], "nearest": nearest.tolist()}
    spread = float((nearest.unsqueeze(0) - nearest.unsqueeze(1)).norm(dim=-1).max())
    return collect([(-spread, (1,), shown)], tolerance=0, family="two points")
