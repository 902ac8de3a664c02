"""The quantities and bounds of Theorem 3.1 of paper C, as displayed and as at the proof's end."""

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
    last = check_weights(weights)
    if not v_min >= 0:
        raise ValueError(f"v_min must not be negative, got {v_min}")
    pairs = itertools.combinations(range(len(last)), 2)
    product = min(float((last[i] - last[j]).norm()) for i, j in pairs) * v_min
    for W in weights[:-1]:
        product *= float(torch.linalg.svdvals(W)[-1])
    return product


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
    check_sample(m, eta)
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
    check_sample(m, eta)
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


def _cells(ratio: float, k: int) -> float:
    if not ratio > 0 or k < 0:
        raise ValueError(f"C / eps must be positive and k not negative, got {ratio} and {k}")
    return ratio**k


def check_sample(m: int, eta: float) -> None:
    """Refuse a sample size or a probability that is none.

    Args:
        m: Size of the sample.
        eta: Probability of failure.

    Raises:
        ValueError: If m is below 1 or eta not in (0, 1].
    """
    if m < 1:
        raise ValueError(f"m must be at least 1, got {m}")
    if not 0 < eta <= 1:
        raise ValueError(f"eta must be in (0, 1], got {eta}")


def check_weights(weights: Sequence[Tensor]) -> Tensor:
    """Refuse matrices that are no network, and return the last one.

    Args:
        weights: ``W_1 .. W_L``.

    Returns:
        ``W_L``.

    Raises:
        ValueError: If there is none, one is empty, shapes do not fit or there is one class.
    """
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
