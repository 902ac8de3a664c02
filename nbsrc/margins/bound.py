"""The quantities and bounds of Theorem 3.1 of paper C: as displayed, as proven, repaired."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor

from nbsrc.margins.operator import check_gamma

__all__ = [
    "bhc_radius",
    "display_bound",
    "hoeffding_radius",
    "loss_term",
    "printed_margin",
    "proof_end_bound",
    "repaired_bound",
    "repaired_radius",
    "row_rank_constant",
    "xu_mannor_bound",
]


def printed_margin(weights: Sequence[Tensor], v_min: float) -> float:
    r"""``u_min`` as eq. (5) prints it; it is *not* a lower bound of margins.

    .. math:: \min_{y\ne\hat y}\|w_y-w_{\hat y}\|_2\ \prod_{i<L}\sigma_{\min}(W_i)\ v_{\min}

    Args:
        weights: ``W_1 .. W_L``; the rows of the last one belong to the classes.
        v_min: The smallest instance-space margin.

    Returns:
        The number. The smallest singular value is that of ``min(m, n)`` values.

    Raises:
        ValueError: If there are fewer than two classes, shapes do not fit or v_min is negative.

    Example:
        >>> column, eye = torch.tensor([[1.0], [-1.0]]), torch.eye(2)
        >>> round(printed_margin([column, eye], 1.0), 6)
        2.0
    """
    last = _check_weights(weights)
    if not v_min >= 0:
        raise ValueError(f"v_min must not be negative, got {v_min}")
    pairs = itertools.combinations(range(len(last)), 2)
    product = min(float((last[i] - last[j]).norm()) for i, j in pairs) * v_min
    for W in weights[:-1]:
        product *= float(torch.linalg.svdvals(W)[-1])
    return product


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
    last = _check_weights(weights)
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


def loss_term(u: float, gamma: float) -> float:
    """The first term of eq. (4): ``max(0, 1 - u / gamma)``.

    Args:
        u: A lower bound of margins.
        gamma: Width of the ramp.

    Returns:
        The term.

    Example:
        >>> loss_term(0.5, 2.0), loss_term(3.0, 2.0)
        (0.75, 0.0)
    """
    check_gamma(gamma)
    return max(0.0, 1 - u / gamma)


def bhc_radius(K: float, m: int, eta: float) -> float:
    r"""Bretagnolle, Huber and Carol: the l1 deviation that multinomial shares stay within.

    With probability at least ``1 - eta``,
    :math:`\sum_i|N_i/m-\mu_i| \le \sqrt{(2K\log2+2\log(1/\eta))/m}`.

    Args:
        K: Number of cells.
        m: Size of the sample.
        eta: Probability of failure.

    Returns:
        The radius.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> round(bhc_radius(1, 300, 0.01), 3)
        0.188
    """
    _check_sample(m, eta)
    if not K >= 0:
        raise ValueError(f"K must not be negative, got {K}")
    return math.sqrt((2 * K * math.log(2) + 2 * math.log(1 / eta)) / m)


def hoeffding_radius(m: int, eta: float) -> float:
    """Hoeffding's two-sided radius for one fixed loss in [0, 1].

    Args:
        m: Size of the sample.
        eta: Probability of failure.

    Returns:
        ``sqrt(log(2 / eta) / (2 m))``.

    Example:
        >>> round(hoeffding_radius(300, 0.01), 3)
        0.094
    """
    _check_sample(m, eta)
    return math.sqrt(math.log(2 / eta) / (2 * m))


def xu_mannor_bound(variation: float, K: float, m: int, eta: float, M: float = 1.0) -> float:
    """Theorem C.1: variation of the loss within cells plus ``M`` times `bhc_radius`.

    Args:
        variation: Largest difference of a training example's loss and another in its cell.
        K: Number of cells.
        m: Size of the sample.
        eta: Probability of failure.
        M: Upper bound of the loss, which is not negative.

    Returns:
        The bound of the generalisation error.

    Example:
        >>> xu_mannor_bound(0.0, 1, 300, 0.01) == bhc_radius(1, 300, 0.01)
        True
    """
    return variation + M * bhc_radius(K, m, eta)


def display_bound(u: float, gamma: float, ratio: float, k: int, m: int, eta: float) -> float:
    """Eq. (4), the display of Theorem 3.1.

    Args:
        u: ``u_min``.
        gamma: Width of the ramp.
        ratio: ``C / eps``.
        k: Dimension.
        m: Size of the sample.
        eta: Probability of failure.

    Returns:
        The bound.

    Example:
        >>> round(display_bound(5.0, 1.0, 1.0, 1, 300, 0.01), 3)
        0.188
    """
    return loss_term(u, gamma) + bhc_radius(_cells(ratio, k), m, eta)


def proof_end_bound(u: float, gamma: float, C: float, k: int, m: int, eta: float) -> float:
    """The bound in the last lines of the proof: factor 2, ``2^(k+1)``, gamma in place of eps.

    Args:
        u: ``u_min``.
        gamma: Width of the ramp; here also in place of the radius.
        C: The constant of the manifold.
        k: Dimension.
        m: Size of the sample.
        eta: Probability of failure.

    Returns:
        The bound.

    Example:
        >>> round(proof_end_bound(5.0, 1.0, 1.0, 1, 300, 0.01), 3)
        0.2
    """
    return 2 * loss_term(u, gamma) + bhc_radius(_cells(2 * C / gamma, k), m, eta)


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
    _check_sample(m, eta)
    if K < 1 or classes < 2:
        raise ValueError(f"there must be a cell and two classes, got {K} and {classes}")
    return math.sqrt((K * math.log(classes + 1) + math.log(2 / eta)) / (2 * m))


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


def _cells(ratio: float, k: int) -> float:
    if not ratio > 0 or k < 0:
        raise ValueError(f"C / eps must be positive and k not negative, got {ratio} and {k}")
    return ratio**k


def _check_sample(m: int, eta: float) -> None:
    if m < 1:
        raise ValueError(f"m must be at least 1, got {m}")
    if not 0 < eta <= 1:
        raise ValueError(f"eta must be in (0, 1], got {eta}")


def _check_weights(weights: Sequence[Tensor]) -> Tensor:
    if not weights or any(W.ndim != 2 or not W.numel() for W in weights):
        raise ValueError("weights must be matrices, at least one, none empty")
    for one, two in itertools.pairwise(weights):
        if two.shape[1] != one.shape[0]:
            raise ValueError(
                f"shapes do not fit: {list(one.shape)} is followed by {list(two.shape)}"
            )
    if len(weights[-1]) < 2:
        raise ValueError("there must be two classes")
    return weights[-1]
