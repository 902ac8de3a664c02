"""The true distance to the decision boundary of an affine piece, and what it says of the network.

On the region where a network is affine, ``g(x + r) = g(x) + V^T r``, a class change is the first of
K - 1 half-spaces, so problem (1) of Guo et al. has a closed form for any number of classes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from nbsrc.perturbation._arguments import (
    Labels,
    Real,
    as_real,
    check_classes,
    check_labels,
    check_shapes,
    dual_order,
)
from nbsrc.perturbation.softmax import class_differences, columns, other_classes, pick

__all__ = ["ExactPerturbation", "exact_perturbation_norm", "exact_worst_loss"]


@dataclass(frozen=True)
class ExactPerturbation:
    r"""The nearest point of an affine classifier where the label no longer wins.

    Attributes:
        norm: The distance to the nearest tie with another class, ``[...]``; infinite where none
            can be reached. At the tie itself the label still shares the largest logit: the minimum
            of problem (1) is an infimum.
        target: The other class, ``[...]``.
        perturbation: A perturbation of that norm, ``[..., n]``; NaN where the norm is infinite.
        distances: The distance to each other class, ``[..., K - 1]``.
        certified: A radius within which the *network* keeps the label, the smaller of ``norm`` and
            the region's radius; None without a region radius.
        is_network: Whether ``norm`` is the network's own distance, because the affine piece is
            valid that far; None without a region radius.
    """

    norm: Tensor
    target: Tensor
    perturbation: Tensor
    distances: Tensor
    certified: Tensor | None
    is_network: Tensor | None


def exact_perturbation_norm(
    logits: Tensor, V: Tensor, y: Labels, ord: float = 2, *, region_radius: Real | None = None
) -> ExactPerturbation:
    r"""The exact minimal perturbation of an affine classifier, for any number of classes.

    .. math:: \min_{k\ne y}\ \frac{z_y-z_k}{\|v_y-v_k\|_q}, \qquad \tfrac1{ord}+\tfrac1q=1

    The solution of problem (1) of Guo et al. for ``g(x + r) = z + V^T r``. Equal columns with a
    positive margin are never reached.

    Args:
        logits: z, ``[..., K]``.
        V: Local linear map ``[..., n, K]``, the transposed Jacobian of the logits.
        y: Labels ``[...]``, or one integer for all.
        ord: 1, 2 or ``math.inf``, the norm of the perturbation.
        region_radius: The radius, in the same norm, of a ball on which the network is this affine
            map, ``[...]``.

    Returns:
        The distance, the class reached, a minimiser, and the certificate.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If a shape or label is wrong, or a point is misclassified (a tie is allowed and
            has distance 0).

    Example:
        >>> z = torch.tensor([3.0, 1.0, 0.0], dtype=torch.float64)
        >>> V = torch.tensor([[1.0, -1.0, -4.0]], dtype=torch.float64)
        >>> found = exact_perturbation_norm(z, V, 0, region_radius=0.25)
        >>> float(found.norm), int(found.target), float(found.certified), bool(found.is_network)
        (0.6, 2, 0.25, False)
    """
    dual = dual_order(ord)
    logits = check_classes("logits", logits)
    V = check_shapes("logits", logits, V)
    labels = check_labels(y, logits)
    margins = pick(logits, labels).unsqueeze(-1) - other_classes(logits, labels)
    if bool((margins < 0).any()):
        raise ValueError(
            f"every point must be correctly classified, got a margin of {margins.min().item():g}"
        )
    D = class_differences(V, labels)
    widths = torch.linalg.vector_norm(D, dual, dim=-2)
    distances = torch.where(margins > 0, margins / widths, torch.zeros_like(widths))
    norm, nearest = distances.min(dim=-1)
    towards = columns(D, nearest.unsqueeze(-1)).squeeze(-1)
    target = nearest + (nearest >= labels)
    certified = is_network = None
    if region_radius is not None:
        radius = as_real("region_radius", region_radius, minimum=0.0)
        certified, is_network = torch.minimum(norm, radius.to(norm.dtype)), norm <= radius
    return ExactPerturbation(
        norm=norm,
        target=target,
        perturbation=norm.unsqueeze(-1) * steepest_direction(towards, ord),
        distances=distances,
        certified=certified,
        is_network=is_network,
    )


def steepest_direction(a: Tensor, ord: float) -> Tensor:
    r"""Return a vector d with :math:`\|d\|_{ord} = 1` and the largest possible :math:`a^\top d`.

    Args:
        a: ``[..., n]``.
        ord: 1, 2 or ``math.inf``.

    Returns:
        ``[..., n]``; where a is 0 there is no direction, and the result is 0.

    Raises:
        ValueError: If ``ord`` is not 1, 2 or infinity.
    """
    dual_order(ord)
    if ord == math.inf:
        return a.sign()
    if ord == 1:
        largest = a.abs().argmax(-1, keepdim=True)
        return torch.zeros_like(a).scatter(-1, largest, 1.0) * a.sign()
    length = torch.linalg.vector_norm(a, dim=-1, keepdim=True)
    return a / torch.where(length > 0, length, torch.ones_like(length))


def exact_worst_loss(t: Real, nu: Real, epsilon: Real) -> Tensor:
    r"""The largest cross-entropy loss of a two-class affine piece in a ball.

    .. math:: \max_{\|r\|\le\epsilon} L(x+r) = \log(1+e^{\epsilon\nu-t})

    Problem (2) of Guo et al. for two classes; compare
    :func:`nbsrc.perturbation.taylor.taylor_worst_loss`.

    Args:
        t: Margin :math:`\log\frac{p}{1-p}`, of either sign.
        nu: The dual norm of the difference of the two columns, at least 0.
        epsilon: The radius, at least 0.

    Returns:
        The maximum.

    Raises:
        TypeError: If an argument is no real number or floating-point tensor.
        ValueError: If ``nu`` or ``epsilon`` is negative.

    Example:
        >>> round(float(exact_worst_loss(2.0, 1.0, 2.0)), 6)
        0.693147
    """
    margin = as_real("t", t)
    reach = as_real("epsilon", epsilon, minimum=0.0) * as_real("nu", nu, minimum=0.0)
    return -F.logsigmoid(margin - reach)
