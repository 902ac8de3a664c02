"""Bounds that are true: margins from distances for one hidden layer, and Theorem 3.1 repaired."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from nbsrc.margins.bound import check_sample, check_weights, loss_term

__all__ = ["any_classes_radius", "repaired_bound", "repaired_radius", "row_rank_constant"]


def row_rank_constant(weights: Sequence[Tensor], label: int) -> float:
    r"""A constant c with ``margin >= c v(x)`` for all points with a positive margin.

    For one hidden layer whose matrix has full row rank:
    :math:`c = \sigma_{\min}(W_1)\min_{j\ne y}\min\{(w_y-w_j)_i > 0\}`.

    Args:
        weights: ``W_1`` and ``W_2``.
        label: The label y.

    Returns:
        The constant; infinite if no point can have a positive margin against some class.

    Raises:
        ValueError: If there is not exactly one hidden layer, W_1 has more rows than columns or
            not full row rank, or the label is out of range.

    Example:
        >>> row_rank_constant([torch.eye(2), torch.eye(2)], 0)
        1.0
    """
    last = check_weights(weights)
    if len(weights) != 2:
        raise ValueError(f"there must be one hidden layer, got {len(weights) - 1}")
    if not 0 <= label < len(last):
        raise ValueError(f"label must be between 0 and {len(last) - 1}, got {label}")
    first = weights[0]
    if first.shape[0] > first.shape[1] or int(torch.linalg.matrix_rank(first)) < len(first):
        raise ValueError("W_1 must have full row rank")
    least = math.inf
    for j in range(len(last)):
        difference = last[label] - last[j]
        positive = difference[difference > 0]
        if j != label:
            entry = float(positive.min()) if len(positive) else math.inf
            least = min(least, entry)
    return float(torch.linalg.svdvals(first)[-1]) * least


def repaired_radius(K: int, classes: int, m: int, eta: float) -> float:
    r"""Second term of the repaired bound: :math:`\sqrt{(K\log(|Y|+1)+\log(2/\eta))/(2m)}`.

    Args:
        K: Number of cells, on each of which the prediction is constant.
        classes: Number of classes.
        m: Size of the sample.
        eta: Probability of failure.

    Returns:
        The radius.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> round(repaired_radius(1, 2, 300, 0.01), 3)
        0.103
    """
    check_sample(m, eta)
    if K < 1 or classes < 2:
        raise ValueError(f"there must be a cell and two classes, got {K} and {classes}")
    return math.sqrt((K * math.log(classes + 1) + math.log(2 / eta)) / (2 * m))


def any_classes_radius(K: float, m: int, eta: float) -> float:
    r"""Another second term of the repaired bound: :math:`\sqrt{K/m}+\sqrt{\log(1/\eta)/(2m)}`.

    It does not contain the number of classes, and is below `bhc_radius` for all K, m and eta.

    Args:
        K: Number of cells, on each of which the prediction is constant.
        m: Size of the sample.
        eta: Probability of failure.

    Returns:
        The radius.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> round(any_classes_radius(1, 300, 0.01), 3)
        0.145
    """
    check_sample(m, eta)
    if K < 1:
        raise ValueError(f"there must be a cell, got {K}")
    return math.sqrt(K / m) + math.sqrt(math.log(1 / eta) / (2 * m))


def repaired_bound(u: float, gamma: float, K: int, classes: int, m: int, eta: float) -> float:
    """The repaired bound, with the true minimal margin.

    Args:
        u: The smallest true margin over the correctly classified points that share cell and label
            with a training example.
        gamma: Width of the ramp.
        K: Number of cells.
        classes: Number of classes.
        m: Size of the sample.
        eta: Probability of failure.

    Returns:
        The bound of the generalisation error of the ramp loss.

    Example:
        >>> round(repaired_bound(0.5, 1.0, 1, 2, 300, 0.01), 3)
        0.603
    """
    return loss_term(u, gamma) + repaired_radius(K, classes, m, eta)
