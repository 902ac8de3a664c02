r"""Robust classifiers: ReLU networks that are constant on the balls of a finite data set.

With the half-spaces :math:`v_{ih}` of point i, the gap :math:`\delta` and the classes c:

.. math::
    \varphi_i = \Bigl(1-\tfrac4\delta\sum_h v_{ih}^+\Bigr)^+,\quad
    r_c = \Bigl(1-\sum_{i\in c}\varphi_i\Bigr)^+,\quad F = \sum_c c\,(1-r_c).

On ball i every :math:`v_{ih}^+` is 0, so :math:`\varphi_i=1`; on a ball of another class their sum
is at least :math:`\delta/2`, so :math:`\varphi_i=0`. Hence :math:`1-r_c` is 1 on the balls of
class c and 0 on all others. Both thresholds leave :math:`\delta/4` for rounding, so the values on
the balls are exact in floating point too: a sum of terms in [0, 1] that holds a 1 is never rounded
below 1, and integers add up exactly.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nbsrc.constructions._arguments import as_number
from nbsrc.constructions._layers import Affine, sequential
from nbsrc.constructions.halfspaces import HalfSpaces, separating_halfspaces

__all__ = ["classifier_from_halfspaces", "gentle_classifier", "robust_classifier"]


def robust_classifier(
    points: Tensor, labels: Tensor, eps: float, ord: float, *, output: str = "label"
) -> nn.Sequential:
    r"""A ReLU network with robust accuracy 1 on a finite set, in the sense of Definition 2.

    It equals the label on every closed ball, and not only to within 0.5: Theorem 2 of Liang &
    Huang (2021) for finite sets and ReLU, by construction. Three hidden layers of widths H (at
    most the number of half-spaces), m (distinct points) and C (classes). The second weight is a
    dense m x H matrix: 60 MB for 1,000 random points in ten dimensions.

    A bounded set whose classes are 2 eps + delta apart needs no more: every ball of radius eps
    around one of its points lies in a ball of radius eps + rho around a point of a finite rho-net,
    and with rho < delta/2 the net is separable for eps + rho.

    Args:
        points: ``[m, n]``, float32, float64 or integer.
        labels: ``[m]`` integers, any; the paper's are 1 to C.
        eps: Radius of the closed balls, at least 0.
        ord: Order of their norm: 1, 2 or ``math.inf``.
        output: ``"label"`` for the label itself, ``[batch, 1]``; ``"scores"`` for one number in
            [0, 1] per class in the order of the sorted labels, one-hot on every ball.

    Returns:
        ``Linear, ReLU, Linear, ReLU, Linear, ReLU, Linear`` in the dtype of the points (float64
        for integers).

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range, or two points of different classes are not
            further apart than 2 eps; the message names the closest pair.

    Example:
        >>> points = torch.tensor([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]])
        >>> network = robust_classifier(points, torch.tensor([1, 2, 3]), 1.5, 2)
        >>> with torch.no_grad():
        ...     print(network(points + torch.tensor([0.0, 1.5])).flatten())
        tensor([1., 2., 3.])
    """
    return classifier_from_halfspaces(
        separating_halfspaces(points, labels, eps, ord), output=output
    )


def classifier_from_halfspaces(halfspaces: HalfSpaces, *, output: str = "label") -> nn.Sequential:
    """Build the network of :func:`robust_classifier` from half-spaces that are known already.

    Args:
        halfspaces: What :func:`separating_halfspaces` returned.
        output: ``"label"`` or ``"scores"``.

    Returns:
        The network, in the dtype of the points.

    Raises:
        ValueError: If ``output`` is another word.
    """
    if output not in ("label", "scores"):
        raise ValueError(f"output must be 'label' or 'scores', got {output!r}")
    hidden = hidden_layers(halfspaces)
    codes = halfspaces.labels.unique().double()
    ones = torch.ones_like(codes)
    last: Affine = (-codes[None], codes.sum()[None]) if output == "label" else (-ones.diag(), ones)
    return sequential([*hidden, last], halfspaces.dtype)


def gentle_classifier(
    points: Tensor, labels: Tensor, eps: float, ord: float, *, shrink: float
) -> nn.Sequential:
    r"""The robust classifier of two classes, with all its slopes multiplied by a small number.

    :math:`G = \bar y + t\,(F-\bar y)` with the mean :math:`\bar y` of the two labels and t =
    ``shrink``. Its Lipschitz constant is t times that of F, and :math:`|G-y|=(1-t)|y_2-y_1|/2` on
    every ball. With labels one apart this is below 0.5 for every t > 0: robust accuracy 1 with an
    arbitrarily small global Lipschitz constant. Labels further apart need
    ``t > 1 - 1/|y_2 - y_1|``.

    Args:
        points: ``[m, n]``, float32, float64 or integer.
        labels: ``[m]`` integers with two values.
        eps: Radius of the closed balls, at least 0.
        ord: Order of their norm: 1, 2 or ``math.inf``.
        shrink: The factor t, in (0, 1].

    Returns:
        A network as of :func:`robust_classifier` with ``output="label"``.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: As :func:`robust_classifier`; if there are not two classes, or ``shrink`` is
            too small for the labels or for rounding.

    Example:
        >>> points, labels = torch.tensor([[0.0], [4.0]]), torch.tensor([1, 2])
        >>> network = gentle_classifier(points, labels, 1.0, 2, shrink=2**-10)
        >>> network(points).flatten().tolist()
        [1.49951171875, 1.50048828125]
    """
    factor = as_number("shrink", shrink, minimum=0, strict=True)
    if factor > 1:
        raise ValueError(f"shrink must be at most 1, got {shrink!r}")
    halfspaces = separating_halfspaces(points, labels, eps, ord)
    codes = halfspaces.labels.unique().double()
    if len(codes) != 2:
        raise ValueError(f"labels must have two values, got {len(codes)}: {codes.long().tolist()}")
    distance, middle = float(codes[1] - codes[0]), float(codes.mean())
    rounding = 64 * torch.finfo(halfspaces.dtype).eps * float(codes.abs().sum())
    least = 1 - 1 / distance + rounding
    if factor <= least:
        raise ValueError(
            f"shrink must be above {least:.3g} for the labels {codes.long().tolist()}, which are "
            f"{distance:g} apart: |G - y| = (1 - shrink) * {distance:g} / 2 must stay below 0.5, "
            f"rounding included; got {shrink!r}"
        )
    bias = middle + factor * (codes.sum() - middle)
    last = (-factor * codes[None], bias[None])
    return sequential([*hidden_layers(halfspaces), last], halfspaces.dtype)


def hidden_layers(halfspaces: HalfSpaces) -> list[tuple[Tensor, Tensor]]:
    r"""Return the three hidden layers of the classifier, in float64.

    Args:
        halfspaces: The half-spaces.

    Returns:
        Weights and biases; the third layer's units are the :math:`r_c`, sorted labels first to
        last.
    """
    # Equal half-spaces of several points become one unit: on digits, linf, 590 instead of 12,553.
    rows = torch.cat([halfspaces.normals, -halfspaces.offsets[:, None]], dim=1)
    if not len(rows):  # a single class: one unit that is always 0
        rows = rows.new_zeros(1, rows.shape[1])
    units, unit_of = torch.unique(rows, dim=0, return_inverse=True)
    count = len(halfspaces.points)
    collect = units.new_zeros(count, len(units))
    collect[halfspaces.owner, unit_of[: len(halfspaces.owner)]] = -4 / halfspaces.gap
    classes, class_of = halfspaces.labels.unique(return_inverse=True)
    cap = units.new_zeros(len(classes), count)
    cap[class_of, torch.arange(count)] = -1.0
    ones = units.new_ones(count)
    return [
        (units[:, :-1], units[:, -1]),
        (collect, ones),
        (cap, ones[: len(classes)]),
    ]
