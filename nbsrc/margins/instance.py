"""The instance-space margin v(x): the l2 distance of a point to the decision boundary."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from nbsrc.bracket import Bracket
from nbsrc.linear_region import affine_map, boundary_distance_2d, region_radius
from nbsrc.linear_region.chain import first_inputs

__all__ = ["instance_margin"]


def instance_margin(net: nn.Module, x: Tensor, *, steps: int = 60) -> Bracket:
    r"""The distance of a point to the nearest tie of the two largest scores.

    With two inputs it is exact (by enumeration of the regions). Otherwise both ends are proven:

    - lower: in the region of x the network is affine, so no tie is nearer than the smaller of the
      region's radius and the distance :math:`\min_j u_j/\|\nabla u_j\|` of the affine piece;
    - upper: a point at which the prediction has changed, found along the steepest descent of each
      :math:`u_j = f_c - f_j` and drawn in by bisection: by continuity there is a tie before it.

    Rounding is not part of the bracket.

    Args:
        net: A ReLU network without branches.
        x: One input ``[*input]``.
        steps: Steps of the bisection.

    Returns:
        The bracket; the upper end is infinite if no change was found. ``converged`` says whether
        the ends agree to a relative 1e-9.

    Raises:
        NotImplementedError: If the network has an unsupported layer.
        ValueError: If the network has a single output, or x is not finite.

    Example:
        >>> net = nn.Linear(3, 2, bias=False)
        >>> net.weight.data = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
        >>> instance_margin(net, torch.tensor([2.0, 5.0, 7.0])).lower
        2.0
    """
    if not bool(x.isfinite().all()):
        raise ValueError("x must be finite")
    if x.shape == (2,) and first_inputs(net) == 2:
        found = boundary_distance_2d(net, x, 2)
        return Bracket(found.value, found.lower, found.upper, 0, found.exact)
    with torch.no_grad():
        A, b = (part[0].double() for part in affine_map(net, x[None]))
        A = A.flatten(1)
        point = x.flatten().double()
        scores = A @ point + b
        if len(scores) < 2:
            raise ValueError(f"net must have two or more outputs, got {len(scores)}")
        label = int(scores.argmax())
        others = [j for j in range(len(scores)) if j != label]
        gaps = scores[label] - scores[others]
        slopes = A[label] - A[others]
        lengths = slopes.norm(dim=1)
        away = torch.where(lengths > 0, gaps / lengths, torch.where(gaps > 0, math.inf, 0.0))
        lower = min(float(away.min()), float(region_radius(net, x[None], 2)[0]))
        upper, used = math.inf, 0
        for slope, length in zip(slopes, lengths, strict=True):
            if length > 0:
                reach, count = _change(net, x, label, -slope / length, upper, steps)
                upper, used = min(upper, reach), used + count
    upper = max(upper, lower)
    done = upper - lower <= 1e-9 * upper if math.isfinite(upper) else False
    return Bracket(min(upper, float(away.min()) if done else upper), lower, upper, used, done)


def _change(
    net: nn.Module, x: Tensor, label: int, way: Tensor, most: float, steps: int
) -> tuple[float, int]:
    """Return a distance along ``way`` at which another class is as good, and the calls used."""

    def changed(t: float) -> bool:
        scores = net((x + (t * way).reshape(x.shape).to(x.dtype))[None])[0]
        others = torch.cat([scores[:label], scores[label + 1 :]])
        return bool(others.max() >= scores[label])

    start = 1e-6 * max(1.0, float(x.norm()))
    high = start
    count = 1
    while not changed(high):
        high, count = 2 * high, count + 1
        if high > min(most, 1e6 * max(1.0, float(x.norm()))):
            return math.inf, count
    low = 0.0 if high == start else high / 2
    for _ in range(steps):
        middle = (low + high) / 2
        low, high = (low, middle) if changed(middle) else (middle, high)
    return high, count + steps
