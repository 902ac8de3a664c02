r"""Robust classifiers whose only activation is the square, by iterated polynomials.

At fixed depth the networks with activation x^2 are polynomials of bounded degree, so the depth
has to grow with the demand. The cubic :math:`s(t)=3t^2-2t^3` maps [0, 1] to itself, keeps 0, 1/2
and 1, and pushes everything else towards 0 or 1: r iterations make a threshold at 1/2. It takes
two layers of two squares, because :math:`(t+1)^2-t^2-1=2t` and :math:`pq=((p+q)^2-(p-q)^2)/4`.
The circuit is that of :mod:`nbsrc.constructions.activations_threshold`.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from nbsrc.constructions._arguments import as_number
from nbsrc.constructions._layers import Affine
from nbsrc.constructions.activations import Replacement, linear_layers
from nbsrc.constructions.activations_threshold import circuit_layers
from nbsrc.constructions.certify_intervals import upper_dual_norm
from nbsrc.constructions.halfspaces import HalfSpaces, separating_halfspaces

__all__ = ["Square", "square_classifier"]

_MOST = 200  # iterations per threshold; each multiplies a small distance from 1/2 by about 1.5


class Square(nn.Module):
    """The activation x^2.

    Example:
        >>> Square()(torch.tensor([-3.0, 2.0])).tolist()
        [9.0, 4.0]
    """

    def forward(self, z: Tensor) -> Tensor:
        """Square every entry.

        Args:
            z: Any tensor.

        Returns:
            A tensor of the same shape.
        """
        return z * z

    def interval(self, lower: Tensor, upper: Tensor) -> tuple[Tensor, Tensor]:
        """The range of the square on intervals.

        Args:
            lower: Lower ends.
            upper: Upper ends.

        Returns:
            Lower and upper ends of the range.
        """
        low, high = lower * lower, upper * upper
        least = torch.minimum(low, high).where((lower > 0) | (upper < 0), torch.zeros_like(low))
        return least, torch.maximum(low, high)


def square_classifier(
    points: Tensor, labels: Tensor, eps: float, ord: float, *, tolerance: float = 0.1
) -> Replacement:
    r"""A robust classifier of squares, for any finite 2 eps-separable set.

    Each affine function that is thresholded is mapped to [0, 1] with its threshold at 1/2, by a
    bound on its size over all balls. Outside the balls the network is a polynomial of very high
    degree, and takes any values. :func:`nbsrc.constructions.certify_robust` leaves it open,
    for intervals lose the cancellation between squares; the proof is the monotone cubic. The case
    :math:`\rho(x)=x^2` of Theorem 2 of Liang & Huang (2021).

    Args:
        points: ``[m, n]``, float32, float64 or integer.
        labels: ``[m]`` integers.
        eps: Radius of the closed balls, at least 0.
        ord: Order of their norm: 1, 2 or ``math.inf``.
        tolerance: Bound on \|F - y\| on the balls; below 0.5 for robust accuracy 1.

    Returns:
        The network (output ``[batch, 1]``), the error bound in real arithmetic on the balls, and
        the number of iterations of each of the three thresholds.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range, or two points of different classes are not
            further apart than 2 eps.

    Example:
        >>> points, labels = torch.tensor([[0.0], [4.0]]).double(), torch.tensor([1, 2])
        >>> found = square_classifier(points, labels, 1.0, 2)
        >>> [round(v, 1) for v in found.network(points).flatten().tolist()]
        [1.0, 2.0]
    """
    limit = as_number("tolerance", tolerance, minimum=0, strict=True)
    halfspaces = separating_halfspaces(points, labels, eps, ord)
    first, second, third, last = circuit_layers(halfspaces)
    widest = max(1.0, float(second[0].abs().sum(1).max()))
    members = float(third[0].sum(1).max())
    mass = max(1.0, float(last[0].abs().sum()))
    gap = halfspaces.gap if halfspaces.gap < math.inf else 1.0
    reach = _reach(halfspaces, first)
    # (distance from the threshold, largest size, wanted closeness to 0 or 1) of each threshold
    plan = (
        (3 * gap / 8, max(reach, gap), 1 / (4 * widest)),
        (0.25, max(0.5, widest - 0.5), 1 / (4 * members)),
        (0.25, max(0.5, members - 0.5), min(limit / mass, 0.25)),
    )
    counts, error = [], 1.0
    layers: list[Affine] = []
    read: Affine | None = None  # the affine map that ends the threshold before
    for affine, (distance, size, wanted) in zip((first, second, third), plan, strict=True):
        shrink = 1 / (2 * size)
        count, error = _iterations(0.5 - distance * shrink, wanted)
        counts.append(count)
        placed = affine[0] * shrink, affine[1] * shrink + 0.5
        squares, read = _threshold(placed if read is None else _compose(placed, read), count)
        layers += squares
    layers.append(last if read is None else _compose(last, read))
    network = linear_layers(layers, Square(), halfspaces.dtype)
    return Replacement(network, error * mass, tuple(float(count) for count in counts))


def _reach(halfspaces: HalfSpaces, first: Affine) -> float:
    """Return a bound of the first layer's size over all balls."""
    weight, bias = first
    values = (halfspaces.points @ weight.mT + bias).abs().amax()
    slope = upper_dual_norm(weight, halfspaces.ord).amax()
    return float(values + halfspaces.eps * slope) * (1 + 1e-9)


def _iterations(start: float, wanted: float) -> tuple[int, float]:
    """Return how many iterations take ``start`` < 1/2 to at most ``wanted``, and where they end."""
    value = start
    for count in range(1, _MOST + 1):
        value = value * value * (3 - 2 * value)
        if value <= wanted:
            return count, value * (1 + 1e-9)
    raise ValueError(
        f"the classes are too close for {_MOST} iterations: a threshold starts at {start!r}, "
        f"and shall reach {wanted:.3g}"
    )


def _threshold(affine: Affine, count: int) -> tuple[list[Affine], Affine]:
    """Return the maps before the squares of ``count`` cubics, and the map after the last.

    With A = t^2 and B = (t + 1)^2 one has q = 3 - 2t = A - B + 4, so p + q = 2A - B + 4 and
    p - q = B - 4 for p = t^2; the next t is ((p + q)^2 - (p - q)^2) / 4.
    """
    eye = torch.eye(len(affine[1]), dtype=affine[0].dtype)
    zero, one = torch.zeros_like(affine[1]), torch.ones_like(affine[1])
    pair = torch.cat([eye, eye]), torch.cat([zero, one])
    rows = torch.cat([2 * eye, -eye], dim=1), torch.cat([0 * eye, eye], dim=1)
    mix = torch.cat(rows), torch.cat([4 * one, -4 * one])
    back = torch.cat([eye, -eye], dim=1) / 4, zero
    again = _compose(pair, back)
    layers = [_compose(pair, affine), mix]
    for _ in range(count - 1):
        layers += [again, mix]
    return layers, back


def _compose(outer: Affine, inner: Affine) -> Affine:
    """Return the affine map outer(inner(x))."""
    return outer[0] @ inner[0], outer[0] @ inner[1] + outer[1]
