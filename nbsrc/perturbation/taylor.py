r"""Two classes: the minimal perturbation of the second-order Taylor loss, Propositions 3.1 to 3.3.

Guo, Chen, Chen & Zhang. With p the label's probability, :math:`a = v_y - v_{other}` and
:math:`\nu_q = \|a\|_q` for the norm q dual to the one of the perturbation, the Taylor loss reaches
:math:`\log 2` first at :math:`a^\top r = -s` with the root s of :math:`(1-p)s+p(1-p)s^2/2 = \xi`.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from nbsrc.perturbation._arguments import (
    Labels,
    Real,
    as_correct_probability,
    as_probability,
    as_real,
    check_classes,
    check_labels,
    check_shapes,
    dual_order,
)
from nbsrc.perturbation.exact import steepest_direction
from nbsrc.perturbation.softmax import class_differences, other_classes, pick

__all__ = [
    "binary_margin",
    "taylor_norm_from_margin",
    "taylor_norm_typeset",
    "taylor_perturbation",
    "taylor_perturbation_norm",
    "taylor_worst_loss",
]


def taylor_perturbation_norm(p_y: Real, nu: Real, *, xi: Real | None = None) -> Tensor:
    r"""The size of the smallest perturbation that brings the Taylor loss to the threshold.

    .. math::
        \|r^*\| = \frac{1}{p\,\nu}\Big(\sqrt{1+\frac{2p\,\xi}{1-p}}-1\Big)
        = \frac{2\xi}{\nu(1-p)\big(1+\sqrt{1+2p\xi/(1-p)}\big)}, \qquad \xi=\log(2p)

    Guo et al., Proposition 3.1 for the l2 norm with :math:`\nu=\|v_+-v_-\|_2`, Proposition 3.2 for
    the linf norm with :math:`\nu=\|v_+-v_-\|_1`; the same derivation gives the l1 norm with
    :math:`\nu=\|v_+-v_-\|_\infty`. The second form has no cancellation.

    Args:
        p_y: The label's probability, in [1/2, 1).
        nu: The dual norm of the difference of the two columns, at least 0.
        xi: Threshold minus loss, at least 0; ``log(2 p_y)`` by default.

    Returns:
        The norm; infinite where ``nu`` is 0 and xi is not.

    Raises:
        TypeError: If an argument is no real number or floating-point tensor.
        ValueError: If ``p_y`` is outside [1/2, 1), or ``nu`` or ``xi`` negative.

    Example:
        >>> round(float(taylor_perturbation_norm(0.9, 2.0)), 6)
        1.33498
    """
    p = as_correct_probability("p_y", p_y)
    width = as_real("nu", nu, minimum=0.0)
    slack = torch.log(2 * p) if xi is None else as_real("xi", xi, minimum=0.0)
    steps = 2 * slack / ((1 - p) * (1 + torch.sqrt(1 + 2 * p * slack / (1 - p))))
    return torch.where(steps == 0, torch.zeros_like(steps * width), steps / width)


def taylor_norm_typeset(p_y: Real, nu: Real) -> Tensor:
    r"""Equation (8) with the radical as it is typeset, over the "-1" as well.

    .. math:: \frac{1}{p\,\nu}\sqrt{1+\frac{2p\,\xi}{1-p}-1}, \qquad \xi=\log(2p)

    Args:
        p_y: The label's probability, in [1/2, 1).
        nu: The norm of the difference of the two columns, above 0.

    Returns:
        The value of the formula as printed, which is not the size of the perturbation.

    Raises:
        TypeError: If an argument is no real number or floating-point tensor.
        ValueError: If ``p_y`` is outside [1/2, 1), or ``nu`` negative.

    Example:
        >>> round(float(taylor_norm_typeset(0.9, 2.0)), 6)
        1.807064
    """
    p = as_correct_probability("p_y", p_y)
    width = as_real("nu", nu, minimum=0.0)
    return torch.sqrt(2 * p * torch.log1p(2 * p - 1) / (1 - p)) / (p * width)


def taylor_norm_from_margin(t: Real, nu: Real) -> Tensor:
    r"""Proposition 3.1 as a function of the margin :math:`t=\log\frac{p}{1-p}`, for any size of t.

    With :math:`q = 1-p = \sigma(-t)` and :math:`\xi = \log(1+\tanh(t/2))`,

    .. math:: \|r^*\| = \frac{2\xi}{\nu\sqrt q\,(\sqrt q+\sqrt{q+2p\,\xi})}.

    Args:
        t: Logit of the label minus the other logit, at least 0.
        nu: The dual norm of the difference of the two columns, at least 0.

    Returns:
        The norm, finite for margins up to about 1400.

    Raises:
        TypeError: If an argument is no real number or floating-point tensor.
        ValueError: If ``t`` or ``nu`` is negative.

    Example:
        >>> round(float(taylor_norm_from_margin(1e-9, 1.0)) * 1e9, 9)
        1.0
    """
    margin = as_real("t", t, minimum=0.0)
    width = as_real("nu", nu, minimum=0.0)
    slack = torch.log1p(torch.tanh(margin / 2))
    root = torch.exp(F.logsigmoid(-margin) / 2)
    steps = 2 * slack / (root * (root + torch.sqrt(root**2 + 2 * torch.sigmoid(margin) * slack)))
    return torch.where(steps == 0, torch.zeros_like(steps * width), steps / width)


def taylor_worst_loss(p_y: Real, nu: Real, epsilon: Real) -> Tensor:
    r"""The largest value of the Taylor loss in a ball.

    .. math:: \eta^* = -\log p + \epsilon(1-p)\nu + \tfrac12\epsilon^2p(1-p)\nu^2

    Guo et al., Proposition 3.3, equation (10): the linf ball with :math:`\nu=\|v_+-v_-\|_1`. It
    holds for other norms with their dual norm, and for misclassified points too.

    Args:
        p_y: The label's probability, in (0, 1).
        nu: The dual norm of the difference of the two columns, at least 0.
        epsilon: The radius, at least 0.

    Returns:
        The maximum.

    Raises:
        TypeError: If an argument is no real number or floating-point tensor.
        ValueError: If ``p_y`` is outside (0, 1), or ``nu`` or ``epsilon`` negative.

    Example:
        >>> round(float(taylor_worst_loss(0.5, 2.0, 1.0)), 6)
        2.193147
    """
    p = as_probability("p_y", p_y)
    reach = as_real("epsilon", epsilon, minimum=0.0) * as_real("nu", nu, minimum=0.0)
    return -torch.log(p) + reach * (1 - p) + reach**2 * p * (1 - p) / 2


def taylor_perturbation(logits: Tensor, V: Tensor, y: Labels, ord: float = 2) -> Tensor:
    r"""A minimiser :math:`r^*` of the Taylor problem for two classes.

    Guo et al., Propositions 3.1 and 3.2: along :math:`-a` for l2, :math:`-\mathrm{sign}(a)` for
    linf, and the largest entry of :math:`a = v_y-v_{other}` for l1. The l1 and linf minimisers are
    not always unique; entries of ``a`` that are 0 stay 0.

    Args:
        logits: ``[..., 2]``.
        V: Local linear map ``[..., n, 2]``.
        y: Labels ``[...]``, or one integer for all.
        ord: 1, 2 or ``math.inf``, the norm of the perturbation.

    Returns:
        ``[..., n]``; NaN where the columns are equal and no perturbation is enough.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If a shape or label is wrong, K is not 2, or a point is misclassified.

    Example:
        >>> V = torch.tensor([[1.0, -1.0], [0.0, 0.0]], dtype=torch.float64)
        >>> z = torch.tensor([2.0, 0.0], dtype=torch.float64)
        >>> [round(float(entry), 4) for entry in taylor_perturbation(z, V, 0)]
        [-1.1698, 0.0]
    """
    dual = dual_order(ord)
    margin = binary_margin(logits, y)
    V = check_shapes("logits", logits, V)
    a = -class_differences(V, check_labels(y, logits)).squeeze(-1)
    width = torch.linalg.vector_norm(a, dual, dim=-1)
    norm = taylor_norm_from_margin(margin, width)
    return -norm.unsqueeze(-1) * steepest_direction(a, ord)


def binary_margin(logits: Tensor, y: Labels) -> Tensor:
    r"""Return :math:`t = z_y - z_{other}` of correctly classified points of two classes.

    Args:
        logits: ``[..., 2]``.
        y: Labels ``[...]``, or one integer for all.

    Returns:
        ``[...]``, at least 0.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If K is not 2, a label is wrong, or a point is misclassified.

    Example:
        >>> float(binary_margin(torch.tensor([0.5, 2.0], dtype=torch.float64), 1))
        1.5
    """
    logits = check_classes("logits", logits)
    if logits.shape[-1] != 2:
        raise ValueError(f"logits must have K = 2 classes, got shape {tuple(logits.shape)}")
    labels = check_labels(y, logits)
    margin = pick(logits, labels) - other_classes(logits, labels).squeeze(-1)
    if bool((margin < 0).any()):
        raise ValueError(
            "every point must be correctly classified, got a margin of "
            f"{margin[margin < 0].flatten()[0].item():g}"
        )
    return margin
