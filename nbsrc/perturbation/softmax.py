"""Probabilities of the label and of the other classes, without cancellation.

With K classes, logits z and label y: p_y is the label's probability, q = 1 - p_y that of all other
classes together, and pi_j = p_j / q their shares. Everything else in this package is written in
these, because p_y alone loses q when it rounds to 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from nbsrc.perturbation._arguments import Labels, check_classes, check_labels

__all__ = [
    "Confidence",
    "class_differences",
    "columns",
    "confidence",
    "loss_slack",
    "other_classes",
    "pick",
]


@dataclass(frozen=True)
class Confidence:
    r"""What a softmax says about one label, every entry with full relative precision.

    Attributes:
        label: :math:`p_y`, ``[...]``.
        others: :math:`q = 1 - p_y`, ``[...]``.
        log_label: :math:`\log p_y`, minus the cross-entropy loss.
        log_others: :math:`\log q`; finite where q itself underflows.
        shares: :math:`\pi_j = p_j / q` of the classes j other than y in their order,
            ``[..., K - 1]``.
    """

    label: Tensor
    others: Tensor
    log_label: Tensor
    log_others: Tensor
    shares: Tensor


def confidence(logits: Tensor, y: Labels) -> Confidence:
    r"""Return the label's probability and the shares of the other classes.

    .. math:: p_y = \sigma(-m), \quad q = \sigma(m), \quad m = \log\sum_{j\ne y} e^{z_j-z_y}

    Args:
        logits: ``[..., K]``, K >= 2.
        y: Labels ``[...]``, or one integer for all.

    Returns:
        The probabilities, see :class:`Confidence`.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If a shape, a label or K is wrong, or a logit is not finite.

    Example:
        >>> c = confidence(torch.tensor([1000.0, 0.0], dtype=torch.float64), 0)
        >>> float(c.label), float(c.log_others)
        (1.0, -1000.0)
    """
    logits = check_classes("logits", logits)
    labels = check_labels(y, logits)
    rivals = other_classes(logits, labels) - pick(logits, labels).unsqueeze(-1)
    m = torch.logsumexp(rivals, dim=-1)
    log_label, log_others = F.logsigmoid(-m), F.logsigmoid(m)
    return Confidence(
        label=torch.sigmoid(-m),
        others=torch.sigmoid(m),
        log_label=log_label,
        log_others=log_others,
        shares=torch.softmax(rivals, dim=-1),
    )


def loss_slack(logits: Tensor, y: Labels, threshold: float | None = None) -> Tensor:
    r"""Return :math:`\xi = \beta - L`, how far the cross-entropy loss is below a threshold.

    Guo et al., Lemma 3.1 (log 2) and Section 4 (log K). With the default threshold,
    :math:`\xi = -\log\frac1K\sum_j e^{z_j - z_y}`, evaluated without cancellation near the uniform
    distribution.

    Args:
        logits: ``[..., K]``, K >= 2.
        y: Labels ``[...]``, or one integer for all.
        threshold: :math:`\beta`; log K by default.

    Returns:
        :math:`\xi`, ``[...]``; negative where the loss is above the threshold.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If a shape, a label or K is wrong, or a logit is not finite.

    Example:
        >>> round(float(loss_slack(torch.tensor([0.0, 1.0], dtype=torch.float64), 1)), 6)
        0.379885
    """
    logits = check_classes("logits", logits)
    labels = check_labels(y, logits)
    classes = logits.shape[-1]
    far = (math.log(classes) if threshold is None else threshold) + confidence(
        logits, labels
    ).log_label
    if threshold is not None:
        return far
    gaps = other_classes(logits, labels) - pick(logits, labels).unsqueeze(-1)
    near = -torch.log1p(torch.expm1(gaps.clamp(-1, 1)).sum(-1) / classes)
    return torch.where(gaps.abs().amax(-1) < 1, near, far)


def pick(values: Tensor, labels: Tensor) -> Tensor:
    """Return the entries of the labels.

    Args:
        values: ``[..., K]``.
        labels: Integers, ``[...]``.

    Returns:
        ``[...]``.
    """
    return torch.take_along_dim(values, labels.unsqueeze(-1), dim=-1).squeeze(-1)


def other_classes(values: Tensor, labels: Tensor) -> Tensor:
    """Return the entries of all classes but the label, in their order.

    Args:
        values: ``[..., K]``.
        labels: Integers, ``[...]``.

    Returns:
        ``[..., K - 1]``.
    """
    index = torch.arange(values.shape[-1] - 1, device=values.device)
    index = index + (index >= labels.unsqueeze(-1))
    batch = torch.broadcast_shapes(values.shape[:-1], labels.shape)
    every = values.expand(*batch, values.shape[-1])
    return torch.take_along_dim(every, index.expand(*batch, index.shape[-1]), dim=-1)


def class_differences(V: Tensor, labels: Tensor) -> Tensor:
    """Return the columns of V for the other classes minus the label's column.

    Args:
        V: ``[..., n, K]``, one column per class.
        labels: Integers, ``[...]``, broadcast against the batch of ``V``.

    Returns:
        ``[..., n, K - 1]``, the columns :math:`v_j - v_y`.
    """
    index = torch.arange(V.shape[-1] - 1, device=V.device)
    index = index + (index >= labels.unsqueeze(-1))
    return columns(V, index) - columns(V, labels.unsqueeze(-1))


def columns(V: Tensor, index: Tensor) -> Tensor:
    """Return some columns of each matrix of a batch.

    Args:
        V: ``[..., n, K]``.
        index: Integers, ``[..., m]``, broadcast against the batch of ``V``.

    Returns:
        ``[..., n, m]``.
    """
    batch = torch.broadcast_shapes(V.shape[:-2], index.shape[:-1])
    every = V.expand(*batch, *V.shape[-2:])
    return torch.take_along_dim(every, index.expand(*batch, index.shape[-1]).unsqueeze(-2), dim=-1)
