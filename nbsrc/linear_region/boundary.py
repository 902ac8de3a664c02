"""Exact distance to the decision boundary of a network with two inputs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from nbsrc.linear_region.chain import Array, first_inputs
from nbsrc.linear_region.domain import Box
from nbsrc.linear_region.enumeration import Region, enumerate_regions

__all__ = ["BoundaryDistance", "boundary_distance_2d"]

#: Half sides of the boxes that are searched before the whole plane.
_HALF_SIDES = (0.125, 1.0, 8.0, 64.0)
#: What rounding may make of 0, relative to the terms of a sum.
_ROUNDING = 64 * float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False)
class BoundaryDistance:
    """The distance of a point to the decision boundary, ``lower <= distance <= upper``.

    Attributes:
        value: The distance to the nearest boundary point of the domain; infinite if it has none.
        lower: Lower end: ``value``, or the distance to the edge of the box if that is smaller.
        upper: Upper end: ``value``.
        exact: Whether the ends agree, so that the distance is exact up to rounding.
        point: The nearest boundary point found ``[2]``, None if there is none.
        predicted: The class at x.
        rival: The class that ties with it at ``point``, None if there is none.
    """

    value: float
    lower: float
    upper: float
    exact: bool
    point: Tensor | None
    predicted: int
    rival: int | None


def boundary_distance_2d(
    net: nn.Module,
    x: Tensor,
    ord: float,
    *,
    box: Box | None = None,
    max_regions: int = 10_000,
) -> BoundaryDistance:
    r"""The lp distance of a point of the plane to the decision boundary of a network.

    The boundary is where another class is at least as good as the class c of x:

    .. math::
        d(x) = \min\{\|z - x\|_p : \max_{i \ne c} f_i(z) \ge f_c(z)\} .

    By continuity there is a tie at the nearest such point. A tie counts whether the classes change
    places behind it or not. So the distance is 0 where two largest logits of x tie, also inside a
    region on which they agree identically (for instance where a ReLU on the scores makes all of
    them 0), and such a region is boundary as a whole. Without any tie the distance is infinite.

    On a region with :math:`f(z) = A z + b` the ties with class i make up the polygon
    :math:`P = \{N z \le h,\ (A_i - A_c) z + b_i - b_c \ge 0\}`. The nearest point of P to x is x
    itself, or it lies on an edge. On an edge that is no corner it is also a nearest point of the
    edge's whole line, because the norm is convex; if it is not the only one, the nearest points of
    the line are a segment whose ends, or corners of P, are as near. So it is enough to compare: x,
    the crossings of any two of the lines that bound P, and on each line the nearest point (p = 2),
    its crossings with the axes through x (p = 1: the norm has its kinks there) or with the
    diagonals through x (p = inf). The nearest of these candidates that lies in P is exact.

    With ``box`` only the box is searched, and the distance is exact if it is not larger than the
    distance to the edge of the box; else ``lower`` is that distance. Without it, growing boxes
    around x are searched (half sides 1/8, 1, 8, 64), then the whole plane, which needs linear
    programmes and may take long. Ends are exact up to rounding, which is not part of the bracket:
    candidates count if they miss no inequality by more than 64 roundings of its terms. Regions
    thinner than the enumeration's tolerance are not looked for.

    Args:
        net: A network with two inputs and two or more outputs, see
            :func:`nbsrc.linear_region.enumerate_regions`; float32 weights are read as exact.
        x: The point, ``[2]``.
        ord: p, one of 1, 2 and ``math.inf``.
        box: ``(low, high)`` around x.
        max_regions: Largest allowed number of regions.

    Returns:
        The distance, or a bracket of it.

    Raises:
        NotImplementedError: If the network has an unsupported layer, max-pooling or branches.
        RegionLimitError: If there are more than ``max_regions`` regions.
        TypeError: If ``x`` is no tensor.
        ValueError: If ``ord`` or the shape of an argument is wrong, or x is outside the box.

    Example:
        >>> net = nn.Linear(2, 2)
        >>> net.weight.data, net.bias.data = torch.eye(2), torch.zeros(2)
        >>> found = boundary_distance_2d(net, torch.tensor([3.0, 1.0]), math.inf)
        >>> found.value, found.point.tolist(), found.rival
        (1.0, [2.0, 2.0], 1)
    """
    if ord not in {1, 2, math.inf}:
        raise ValueError(f"ord must be 1, 2 or math.inf, got {ord!r}")
    if not isinstance(x, Tensor):
        raise TypeError(f"x must be a tensor, got {type(x).__name__}")
    if x.shape != (2,) or not bool(torch.isfinite(x).all()):
        raise ValueError(f"x must be a finite point of the plane, got {x.tolist()}")
    if first_inputs(net) != 2:
        raise ValueError(f"net must have two inputs, got {first_inputs(net)}")
    point = x.detach().double().cpu().numpy()
    if box is not None:
        low, high = (np.broadcast_to(np.asarray(end, dtype=np.float64), 2) for end in box)
        room = float(np.minimum(point - low, high - point).min())
        if room < 0:
            raise ValueError(f"x must lie in the box, got {point.tolist()}")
        return _search(net, point, ord, (low, high), room, max_regions)
    known = math.inf  # no boundary point farther away than this can be nearest
    for half in _HALF_SIDES:
        side = min(half, 1.0001 * known)
        found = _search(net, point, ord, (point - side, point + side), side, max_regions)
        if found.exact:
            return found
        known = found.value
    return _search(net, point, ord, None, math.inf, max_regions)


def _search(
    net: nn.Module, x: Array, ord: float, box: Box | None, room: float, max_regions: int
) -> BoundaryDistance:
    regions = enumerate_regions(net, box, max_regions=max_regions)
    excess = [_excess(region, x) for region in regions]
    predicted = _predicted(regions[int(np.argmin(excess))], x)
    best: tuple[float, Array, int] | None = None
    shrink = math.sqrt(0.5) if ord == math.inf else 1.0  # of the 2-norm, the largest norm is more
    for number in np.argsort(excess):
        region = regions[int(number)]
        if best is not None and shrink * excess[number] > best[0]:
            break  # this region and all that follow are farther away
        for rival, z in _candidates(region, x, ord, predicted):
            distances = np.linalg.norm(z - x, ord, axis=1)
            nearest = int(distances.argmin())
            if best is None or distances[nearest] < best[0]:
                best = float(distances[nearest]), z[nearest], rival
    value = math.inf if best is None else best[0]
    return BoundaryDistance(
        value,
        min(value, room),
        value,
        value <= room,
        None if best is None else torch.from_numpy(best[1]),
        predicted,
        None if best is None else best[2],
    )


def _excess(region: Region, x: Array) -> float:
    """Return how far x is beyond the farthest edge's line, in the 2-norm; at most 0 inside."""
    return float((region.normals.numpy() @ x - region.offsets.numpy()).max(initial=-1.0))


def _predicted(home: Region, x: Array) -> int:
    """Return the largest logit at x, the first of several.

    Raises:
        ValueError: If the network has a single output.
    """
    if len(home.bias) < 2:
        raise ValueError(f"net must have two or more outputs, got {len(home.bias)}")
    return int((home.weight.numpy() @ x + home.bias.numpy()).argmax())


def _candidates(
    region: Region, x: Array, ord: float, predicted: int
) -> Iterator[tuple[int, Array]]:
    """Yield for every rival the candidates ``[k, 2]`` at which it ties or wins inside a region."""
    A, b = region.weight.numpy(), region.bias.numpy()
    error = 2 * region.error.numpy().max(initial=0.0)
    for rival in range(len(b)):
        if rival == predicted:
            continue
        g = A[predicted] - A[rival]
        c = b[rival] - b[predicted]
        scale = np.abs(A[predicted]) + np.abs(A[rival])
        constant = abs(b[predicted]) + abs(b[rival])
        if (np.abs(g) <= error + _ROUNDING * scale).all():
            g = np.zeros(2)  # the two logits differ by a constant
        N = np.vstack([region.normals.numpy(), g])
        h = np.append(region.offsets.numpy(), c)
        z = np.concatenate([x[None], _on_lines(N, h, x, ord), _crossings(N, h)])
        # Candidates are found from x, so their rounding is that of x even if they are near 0.
        terms = (np.abs(z) + np.abs(x)) @ np.vstack([np.abs(region.normals.numpy()), scale]).T
        slack = _ROUNDING * (terms + np.append(np.abs(region.offsets.numpy()), constant))
        inside = (z @ N.T - h <= slack).all(axis=1)
        if inside.any():
            yield rival, z[inside]


def _on_lines(N: Array, h: Array, x: Array, ord: float) -> Array:
    """Return the candidates on the lines ``N z = h``, each line by itself."""
    directions = {1: [[1, 0], [0, 1]], math.inf: [[1, 1], [1, -1]]}.get(ord)
    found = []
    for n, offset in zip(N, h, strict=True):
        for direction in [n] if directions is None else np.array(directions, dtype=float):
            along = float(n @ direction)
            if along != 0:
                found.append(x + (offset - n @ x) / along * direction)
    return np.array(found).reshape(-1, 2)


def _crossings(N: Array, h: Array) -> Array:
    """Return the crossings of any two of the lines ``N z = h``.

    By elimination with the larger pivot, so that a crossing misses neither of its own lines by more
    than rounding, even where the lines are nearly parallel.
    """
    lengths = np.linalg.norm(N, axis=1, keepdims=True)
    lines = np.divide(
        np.column_stack([N, h]), lengths, out=np.zeros((len(N), 3)), where=lengths > 0
    )
    i, j = np.triu_indices(len(N), 1)
    swap = np.abs(lines[j, 0]) > np.abs(lines[i, 0])
    first, second = lines[np.where(swap, j, i)].T, lines[np.where(swap, i, j)].T
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        factor = second[0] / first[0]
        z2 = (second[2] - factor * first[2]) / (second[1] - factor * first[1])
        z1 = (first[2] - first[1] * z2) / first[0]
    crossings: Array = np.stack([z1, z2], axis=1)
    finite: Array = crossings[np.isfinite(crossings).all(axis=1)]
    return finite
