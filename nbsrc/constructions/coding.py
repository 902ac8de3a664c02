r"""What the coding of labels by real numbers asks of every robust classifier.

Definition 2 of Liang & Huang (2021) calls g right at x if ``|g(x) - y| < 0.5``. Labels that are
k apart therefore force a change of more than k - 1 between two balls, and only the coding decides
which labels are neighbours.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from nbsrc.constructions._arguments import Data, as_number, as_order, check_data
from nbsrc.constructions.halfspaces import class_gap

__all__ = ["lipschitz_infimum"]


def lipschitz_infimum(points: Tensor, labels: Tensor, eps: float, ord: float) -> float:
    r"""The infimum of the Lipschitz constants of all robust classifiers of a finite set.

    .. math::
        L^* = \max_{y_i\ne y_j}\frac{|y_i-y_j|-1}{\|x_i-x_j\|-2\epsilon}

    Robust accuracy 1 in the sense of Definition 2 of Liang & Huang (2021) needs a Lipschitz
    constant above :math:`L^*` (for two classes or more), with respect to the norm of the balls.
    Every larger one is reached, by :math:`\min_j(y_j + \tfrac12 - \eta + L\,d(x, B_j))` with a
    small :math:`\eta>0`. For labels that are at most one apart :math:`L^*=0`: no Lipschitz
    constant above 0 is too small, and only a constant function is too flat.

    Args:
        points: ``[m, n]``, float32, float64 or integer.
        labels: ``[m]`` integers.
        eps: Radius of the closed balls, at least 0.
        ord: Order of their norm: 1, 2 or ``math.inf``.

    Returns:
        The infimum, to rounding; 0 for a single class.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range, or two points of different classes are not
            further apart than 2 eps.

    Example:
        >>> points = torch.tensor([[0.0], [4.0], [9.0]])
        >>> [lipschitz_infimum(points, torch.tensor(y), 1.0, 2) for y in ([1, 2, 3], [1, 3, 2])]
        [0.14285714285714285, 0.5]
    """
    order, radius = as_order(ord), as_number("eps", eps, minimum=0)
    data = check_data(points, labels)
    class_gap(data, radius, order)  # refuses what cannot be separated
    pairs = _pairs(data, radius, order)
    return max((float(((steps - 1) / gaps).max()) for steps, gaps in pairs), default=0.0)


def band_slack(data: Data, eps: float, order: float, slope: float) -> float:
    r"""How far inside the bands of Definition 2 a classifier with a given slope can stay.

    Args:
        data: A checked, separable data set.
        eps: Radius of the balls.
        order: Order of their norm.
        slope: The Lipschitz constant L.

    Returns:
        The smallest :math:`\tfrac12(L(\|x_i-x_j\|-2\epsilon)-|y_i-y_j|+1)`, ``inf`` for one class.
    """
    pairs = _pairs(data, eps, order)
    slacks = (float((slope * gaps - steps + 1).min()) / 2 for steps, gaps in pairs)
    return min(slacks, default=math.inf)


def _pairs(data: Data, eps: float, order: float) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield label differences and distances of balls, from each point to all of other classes."""
    for row in range(len(data.points)):
        other = data.labels != data.labels[row]
        if bool(other.any()):
            apart = torch.linalg.vector_norm(data.points[other] - data.points[row], order, dim=1)
            yield (data.labels[other] - data.labels[row]).abs(), apart - 2 * eps
