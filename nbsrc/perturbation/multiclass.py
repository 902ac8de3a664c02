r"""K classes: the exact minimiser of the second-order Taylor loss, not a bound.

Guo et al., Section 4, define :math:`r^*` with the threshold log K and only bound it. In the factors
of :mod:`nbsrc.perturbation.spectrum` the model is

.. math:: \nabla^\top r+\tfrac12r^\top Hr
    = \tfrac{q}{\sqrt{p_y}}\,s^\top B^\top r+\tfrac q2\|B^\top r\|_2^2,

so with :math:`B^\top B=W\Lambda W^\top` the problem has K - 1 coordinates, with the eigenvalues
:math:`q\lambda_i` and the gradient's coefficients :math:`q\sqrt{\lambda_i/p_y}\,w_i^\top s`.
The factor q is moved into the unknown, so that no entry underflows for logits near +-1000.
"""

from __future__ import annotations

import torch
from torch import Tensor

from nbsrc.perturbation._arguments import (
    Labels,
    Real,
    as_real,
    check_classes,
    check_labels,
    check_probabilities,
    check_shapes,
)
from nbsrc.perturbation.quadratic import QuadraticSolution, minimal_quadratic, solve_in_eigenbasis
from nbsrc.perturbation.softmax import (
    Confidence,
    class_differences,
    confidence,
    loss_slack,
    other_classes,
    pick,
)
from nbsrc.perturbation.spectrum import factor_from_shares

__all__ = ["taylor_perturbation_from_logits", "taylor_perturbation_multiclass"]


def taylor_perturbation_multiclass(
    p: Tensor, V: Tensor, y: Labels, *, xi: Real | None = None, ord: float = 2
) -> QuadraticSolution:
    r"""The smallest perturbation that brings the Taylor loss of K classes to the threshold.

    .. math:: r^* = \arg\min\|r\|\quad\text{s.t.}\quad
        L+\nabla^\top r+\tfrac12r^\top Hr\ge\log K

    Args:
        p: Class probabilities ``[..., K]``, the label's above 0 and below 1.
        V: Local linear map ``[..., n, K]``.
        y: Labels ``[...]``, or one integer for all.
        xi: Threshold minus loss, at least 0, ``[...]``; ``log(K p_y)`` by default.
        ord: 2, or for small n 1 or ``math.inf``.

    Returns:
        Norm, minimiser, and whether it is the hard case; see
        :class:`nbsrc.perturbation.quadratic.QuadraticSolution`.

    Raises:
        NotImplementedError: If ``ord`` is infinite and n too large.
        TypeError: If an argument has the wrong type.
        ValueError: If a shape or label is wrong, p is no distribution, ``p_y`` is 0 or rounds to
            1, or the loss is above the threshold.

    Example:
        >>> p = torch.tensor([0.9, 0.1], dtype=torch.float64)
        >>> V = torch.tensor([[1.0, -1.0]], dtype=torch.float64)
        >>> round(float(taylor_perturbation_multiclass(p, V, 0).norm), 6)
        1.33498
    """
    p = check_probabilities(p)
    labels = check_labels(y, p)
    label, rivals = pick(p, labels), other_classes(p, labels)
    if bool((label <= 0).any()):
        raise ValueError("the label's probability must be above 0, got 0")
    q = rivals.sum(-1)
    if bool((q <= 0).any()):
        raise ValueError(
            "the label's probability must be below 1, got 1 after rounding: use "
            "taylor_perturbation_from_logits"
        )
    known = Confidence(label, q, label.log(), q.log(), rivals / q.unsqueeze(-1))
    slack = torch.log1p(p.shape[-1] * label - 1) if xi is None else as_real("xi", xi)
    return _solve(known, check_shapes("p", p, V), labels, slack, ord)


def taylor_perturbation_from_logits(
    logits: Tensor, V: Tensor, y: Labels, *, threshold: float | None = None, ord: float = 2
) -> QuadraticSolution:
    """The same from logits, also for probabilities that round to 0 or 1.

    Args:
        logits: ``[..., K]``.
        V: Local linear map ``[..., n, K]``.
        y: Labels ``[...]``, or one integer for all.
        threshold: Loss to be reached; log K by default.
        ord: 2, or for small n 1 or ``math.inf``.

    Returns:
        Norm, minimiser, and whether it is the hard case; finite for margins up to about 1400.

    Raises:
        NotImplementedError: If ``ord`` is infinite and n too large.
        TypeError: If an argument has the wrong type.
        ValueError: If a shape or label is wrong, or the loss is above the threshold.

    Example:
        >>> import math
        >>> z = torch.tensor([1000.0, 0.0, -1000.0], dtype=torch.float64)
        >>> V = torch.eye(3, dtype=torch.float64)
        >>> round(math.log(float(taylor_perturbation_from_logits(z, V, 0).norm)), 6)
        500.047024
    """
    logits = check_classes("logits", logits)
    labels = check_labels(y, logits)
    slack = loss_slack(logits, labels, threshold)
    return _solve(confidence(logits, labels), check_shapes("logits", logits, V), labels, slack, ord)


def _solve(
    known: Confidence, V: Tensor, labels: Tensor, xi: Tensor, ord: float
) -> QuadraticSolution:
    """Solve with the unknown scaled by the square root of q."""
    if bool((xi < 0).any()):
        raise ValueError(
            "the loss must be at most the threshold, got a loss above it by "
            f"{-xi[xi < 0].flatten()[0].item():g}"
        )
    known = Confidence(*(value.detach() for value in vars(known).values()))
    V, xi = V.detach(), xi.detach().to(V.dtype)
    B = factor_from_shares(known.shares, known.label, class_differences(V, labels))
    root_q = (known.log_others / 2).exp()
    if ord != 2:
        s = known.shares.sqrt().unsqueeze(-1)
        slope = (B @ s).squeeze(-1) * (root_q / known.label.sqrt()).unsqueeze(-1)
        found = minimal_quadratic(slope, B @ B.mT, xi, ord)
        return _rescaled(found.norm, found.perturbation, found.hard_case, known)
    U, b, Wt = torch.linalg.svd(B, full_matrices=False)
    along = (Wt @ known.shares.sqrt().unsqueeze(-1)).squeeze(-1)
    coefficients = (root_q / known.label.sqrt()).unsqueeze(-1) * b * along
    found = solve_in_eigenbasis(coefficients, b**2, xi)
    step = (U @ found.perturbation.unsqueeze(-1)).squeeze(-1)
    return _rescaled(found.norm, step, found.hard_case, known)


def _rescaled(norm: Tensor, step: Tensor, hard: Tensor, known: Confidence) -> QuadraticSolution:
    """Return the solution in the caller's units."""
    unit = (-known.log_others / 2).exp()
    return QuadraticSolution(norm * unit, step * unit.unsqueeze(-1), hard)
