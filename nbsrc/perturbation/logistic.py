r"""The logistic loss of a single output, appendix G of Guo et al.

.. math:: L = \log(1+e^{-y\,v^\top x}),\quad y\in\{\pm1\}

With :math:`V=[v,0]` it is the two-class cross-entropy, and v plays the role of
:math:`v_+-v_-`. The penalties that see V itself, and not the difference, do not carry over:
:math:`\mu^2=\|v\|^2=\nu^2`, while the antisymmetric minimiser of two columns has
:math:`\mu^2=\nu^2/2`.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["as_two_classes", "logistic_gradient", "logistic_hessian", "logistic_loss"]


def logistic_loss(v: Tensor, x: Tensor, y: Tensor) -> Tensor:
    r"""Return :math:`\log(1+e^{-y\,v^\top x})` without overflow.

    Args:
        v: Local linear map ``[..., n]``.
        x: Inputs ``[..., n]``.
        y: Labels -1 or 1, ``[...]``.

    Returns:
        ``[...]``.

    Raises:
        ValueError: If a label is neither -1 nor 1, or the shapes disagree.

    Example:
        >>> one = torch.ones(1, dtype=torch.float64)
        >>> float(logistic_loss(1000 * one, one, torch.tensor(-1)))
        1000.0
    """
    return -F.logsigmoid(_margin(v, x, y))


def logistic_gradient(v: Tensor, x: Tensor, y: Tensor) -> Tensor:
    r"""Return the input gradient :math:`-y(1-p_y)\,v`.

    Args:
        v: Local linear map ``[..., n]``.
        x: Inputs ``[..., n]``.
        y: Labels -1 or 1, ``[...]``.

    Returns:
        ``[..., n]``.

    Raises:
        ValueError: If a label is neither -1 nor 1, or the shapes disagree.
    """
    return -(y * torch.sigmoid(-_margin(v, x, y))).unsqueeze(-1) * v


def logistic_hessian(v: Tensor, x: Tensor, y: Tensor) -> Tensor:
    r"""Return the input Hessian :math:`p_y(1-p_y)\,vv^\top`.

    Args:
        v: Local linear map ``[..., n]``.
        x: Inputs ``[..., n]``.
        y: Labels -1 or 1, ``[...]``.

    Returns:
        ``[..., n, n]``.

    Raises:
        ValueError: If a label is neither -1 nor 1, or the shapes disagree.
    """
    t = _margin(v, x, y)
    weight = torch.sigmoid(t) * torch.sigmoid(-t)
    return weight.unsqueeze(-1).unsqueeze(-1) * v.unsqueeze(-1) * v.unsqueeze(-2)


def as_two_classes(v: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    r"""Return the two-class problem with the same loss: logits, :math:`V=[v,0]` and labels 0, 1.

    Args:
        v: Local linear map ``[..., n]``.
        x: Inputs ``[..., n]``.
        y: Labels -1 or 1, ``[...]``; 1 becomes class 0.

    Returns:
        Logits ``[..., 2]``, V ``[..., n, 2]`` and labels ``[...]``, for the other functions of
        this package.

    Raises:
        ValueError: If a label is neither -1 nor 1, or the shapes disagree.
    """
    output = _margin(v, x, y) * y
    zero = torch.zeros_like(v)
    return (
        torch.stack([output, torch.zeros_like(output)], dim=-1),
        torch.stack([v, zero], dim=-1),
        (y < 0).long().expand(output.shape),
    )


def _margin(v: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Return y times the output, after a check of labels and shapes."""
    if not bool(((y == 1) | (y == -1)).all()):
        raise ValueError(f"y must be -1 or 1, got {y[(y != 1) & (y != -1)].flatten()[0].item()}")
    if v.shape[-1:] != x.shape[-1:]:
        raise ValueError(
            f"v and x must have the same last dimension, got shapes {tuple(v.shape)} and "
            f"{tuple(x.shape)}"
        )
    margin: Tensor = y * (v * x).sum(-1)
    return margin
