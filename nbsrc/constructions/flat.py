r"""Robust classifiers with the smallest possible global Lipschitz constant.

With the balls B_j and the half width :math:`\tfrac12-\eta` of the band around each label,

.. math:: g(x) = \min_j\bigl(y_j+\tfrac12-\eta+L\,d(x,B_j)\bigr),\quad
          d(x,B_j)=(\|x-x_j\|-\epsilon)^+,

McShane's extension, has Lipschitz constant at most L in the norm of the balls. For the l1 and
linf norms it is piecewise linear, and so a ReLU network: absolute values, a tree of maxima for
linf, and a tree of minima.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from nbsrc.constructions._arguments import as_number, as_order, check_data
from nbsrc.constructions._layers import Affine, sequential
from nbsrc.constructions.coding import band_slack, lipschitz_infimum

__all__ = ["flat_classifier"]

_MOST_UNITS = 8192


def flat_classifier(
    points: Tensor, labels: Tensor, eps: float, ord: float, *, lipschitz: float
) -> nn.Sequential:
    r"""A ReLU network with robust accuracy 1 and global Lipschitz constant at most ``lipschitz``.

    The other end of Proposition 2 of Liang & Huang (2021), for any number of classes: every L
    above :func:`nbsrc.constructions.lipschitz_infimum` will do, and none below. On every ball
    \|g - y\| <= 1/2 - eta with the largest possible eta,

    .. math:: \eta=\min\Bigl(\tfrac12,\ \min_{y_i\ne y_j}
              \tfrac12\bigl(L(\|x_i-x_j\|-2\epsilon)-|y_i-y_j|+1\bigr)\Bigr).

    Meant for small sets: the hidden layers have up to 2 m n units.

    Args:
        points: ``[m, n]``, float32, float64 or integer.
        labels: ``[m]`` integers.
        eps: Radius of the closed balls, at least 0.
        ord: 1 or ``math.inf``; 2 only in one dimension, where all norms agree.
        lipschitz: The Lipschitz constant L allowed, above the infimum.

    Returns:
        ``Linear, ReLU, ..., Linear`` with output ``[batch, 1]``, in the dtype of the points
        (float64 for integers). Its depth grows with log m, for linf also with log n.

    Raises:
        NotImplementedError: For the l2 norm in two dimensions or more, which is not piecewise
            linear, and for more than 8,192 units in a layer.
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range, two points of different classes are not
            further apart than 2 eps, or ``lipschitz`` is not above the infimum.

    Example:
        >>> points, labels = torch.tensor([[0.0], [4.0], [9.0]]), torch.tensor([1, 2, 3])
        >>> network = flat_classifier(points, labels, 1.0, 1, lipschitz=0.25)
        >>> [round(value, 6) for value in network(points).flatten().tolist()]
        [1.25, 2.0, 3.25]
    """
    order, radius = as_order(ord), as_number("eps", eps, minimum=0)
    slope = as_number("lipschitz", lipschitz, minimum=0, strict=True)
    data = check_data(points, labels)
    count, width = data.points.shape
    if order == 2 and width > 1:
        raise NotImplementedError(
            "ord must be 1 or math.inf: a ReLU network is piecewise linear, the l2 norm is not"
        )
    if 2 * count * width > _MOST_UNITS:
        raise NotImplementedError(
            f"points must have at most {_MOST_UNITS // 2} entries, got {count} x {width}"
        )
    least = lipschitz_infimum(points, labels, radius, order)
    slack = band_slack(data, radius, order, slope)
    if slack <= 64 * torch.finfo(data.dtype).eps * float(1 + data.labels.abs().max()):
        raise ValueError(
            f"lipschitz must be above the infimum {least!r}, by more than rounding, got "
            f"{lipschitz!r}"
        )
    tops = data.labels.double() + 0.5 - min(0.5, slack)
    layers, distance = _distances(data.points, order)
    lowest = tops.min()
    layers.append((distance, torch.full((count,), -radius, dtype=torch.float64)))
    eye = torch.eye(count, dtype=torch.float64)
    tail, last, offset = _extremum(slope * eye, tops - lowest, sign=-1)
    return sequential([*layers, *tail, (last, offset + lowest)], data.dtype)


def _distances(points: Tensor, order: float) -> tuple[list[Affine], Tensor]:
    """Return hidden layers, and the matrix that maps the last of them to the m distances."""
    count, width = points.shape
    eye = torch.eye(width, dtype=torch.float64)
    # units (x_k - x_jk)+, then (x_jk - x_k)+, with k fastest
    rows = torch.cat([eye.repeat(count, 1), -eye.repeat(count, 1)])
    bias = torch.cat([-points.flatten(), points.flatten()])
    absolute = torch.eye(count * width, dtype=torch.float64).repeat(1, 2)  # [m n, 2 m n]
    layers = [(rows, bias)]
    per_point = torch.eye(count, dtype=torch.float64).repeat_interleave(width, dim=1)
    if order != math.inf:
        return layers, per_point @ absolute
    groups = [list(range(j * width, (j + 1) * width)) for j in range(count)]
    tail, last, _ = _extremum(absolute, absolute.new_zeros(count * width), sign=1, groups=groups)
    return [*layers, *tail], last


def _extremum(
    weight: Tensor, bias: Tensor, *, sign: int, groups: list[list[int]] | None = None
) -> tuple[list[Affine], Tensor, Tensor]:
    r"""Return layers that reduce groups of non-negative values to their maxima or minima.

    Pairs by pairs: :math:`\max(a,b)=a+(b-a)^+` and :math:`\min(a,b)=b-(b-a)^+`.

    Args:
        weight: ``[values, units]``; the values are affine in the units of the layer before.
        bias: ``[values]``.
        sign: 1 for maxima, -1 for minima.
        groups: The values of each group; by default all of them.

    Returns:
        Hidden layers, and weight and bias of the results, one per group.
    """
    groups = groups if groups is not None else [list(range(len(bias)))]
    layers: list[Affine] = []
    while max(len(group) for group in groups) > 1:
        rows: list[Tensor] = []
        shifts: list[Tensor] = []
        sums: list[list[tuple[int, float]]] = []
        reduced: list[list[int]] = []
        for group in groups:
            reduced.append([])
            for first, second in zip(group[::2], [*group[1::2], None], strict=False):
                keep = first if sign > 0 or second is None else second
                terms = [(len(rows), 1.0)]
                rows.append(weight[keep])
                shifts.append(bias[keep])
                if second is not None:
                    terms.append((len(rows), float(sign)))
                    rows.append(weight[second] - weight[first])
                    shifts.append(bias[second] - bias[first])
                reduced[-1].append(len(sums))
                sums.append(terms)
        layers.append((torch.stack(rows), torch.stack(shifts)))
        weight = torch.zeros(len(sums), len(rows), dtype=torch.float64)
        for value, terms in enumerate(sums):
            for unit, factor in terms:
                weight[value, unit] = factor
        bias, groups = weight.new_zeros(len(sums)), reduced
    return layers, weight, bias
