"""The margin operator, the ramp loss and the risks of paper C, section 2."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["generalisation_error", "margin", "ramp_loss", "ramp_risk"]


def margin(scores: Tensor, labels: Tensor) -> Tensor:
    """The margin operator: the score of the label minus the largest other score.

    Args:
        scores: ``[batch, classes]``, two classes or more.
        labels: ``[batch]``, integers from 0.

    Returns:
        ``[batch]``; 0 where the label ties with the best other class.

    Raises:
        TypeError: If the labels are no integers.
        ValueError: If shapes do not fit, there is one class, or a label is out of range.

    Example:
        >>> margin(torch.tensor([[3.0, 1.0, 2.0]]), torch.tensor([0])).item()
        1.0
    """
    if scores.ndim != 2 or scores.shape[1] < 2:
        raise ValueError(
            f"scores must be [batch, classes] with 2 classes, got {list(scores.shape)}"
        )
    if labels.dtype not in {torch.int64, torch.int32}:
        raise TypeError(f"labels must be integers, got {labels.dtype}")
    if labels.shape != scores.shape[:1]:
        raise ValueError(f"labels must be [{len(scores)}], got {list(labels.shape)}")
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < scores.shape[1]:
        raise ValueError(f"labels must be between 0 and {scores.shape[1] - 1}")
    column = labels.long()[:, None]
    own = scores.gather(1, column)[:, 0]
    return own - scores.scatter(1, column, -torch.inf).amax(1)


def ramp_loss(r: Tensor, gamma: float) -> Tensor:
    """The ramp loss: 0 below ``-gamma``, 1 above 0, linear between.

    Args:
        r: Minus the margins, any shape.
        gamma: Width of the ramp.

    Returns:
        The losses, in [0, 1].

    Raises:
        ValueError: If gamma is not positive and finite.

    Example:
        >>> ramp_loss(torch.tensor([-3.0, -2.0, -1.0, 0.0, 1.0]), 2.0).tolist()
        [0.0, 0.0, 0.5, 1.0, 1.0]
    """
    check_gamma(gamma)
    return (1 + r / gamma).clamp(0, 1)


def ramp_risk(
    scores: Tensor, labels: Tensor, gamma: float, weights: Tensor | None = None
) -> Tensor:
    """The ramp risk of a finite distribution, or of a sample.

    Args:
        scores: ``[batch, classes]``.
        labels: ``[batch]``.
        gamma: Width of the ramp.
        weights: Probabilities ``[batch]``; equal ones (the empirical risk) if omitted.

    Returns:
        The expected ramp loss, a number.

    Raises:
        ValueError: If the weights are no probabilities, there are no points, or as for the parts.

    Example:
        >>> scores, labels = torch.tensor([[1.0, 0.0], [0.0, 0.0]]), torch.tensor([0, 1])
        >>> ramp_risk(scores, labels, 2.0).item()
        0.75
    """
    losses = ramp_loss(-margin(scores, labels), gamma)
    if not len(losses):
        raise ValueError("there must be at least one point")
    if weights is None:
        return losses.mean()
    if weights.shape != losses.shape or bool((weights < 0).any()):
        raise ValueError(f"weights must be {len(losses)} numbers that are not negative")
    if abs(float(weights.sum()) - 1) > 1e-6:
        raise ValueError(f"weights must sum to 1, got {float(weights.sum())}")
    return losses @ weights.to(losses.dtype)


def generalisation_error(risk: Tensor | float, empirical: Tensor | float) -> float:
    """The generalisation error, eq. (1): the distance of risk and empirical risk.

    Args:
        risk: The expected risk.
        empirical: The empirical risk.

    Returns:
        ``|risk - empirical|``.

    Example:
        >>> generalisation_error(0.5, 0.25)
        0.25
    """
    return abs(float(risk) - float(empirical))


def check_gamma(gamma: float) -> None:
    """Refuse a width that is none.

    Args:
        gamma: Width of the ramp.

    Raises:
        ValueError: If gamma is not positive and finite.
    """
    if not 0 < gamma < float("inf"):
        raise ValueError(f"gamma must be positive and finite, got {gamma}")
