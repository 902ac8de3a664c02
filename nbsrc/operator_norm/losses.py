r"""Losses of attacks: their logit gradients decide the direction u of equation (18).

Source: Roth, Kilcher & Hofmann (2020), equations (24)-(27) and (108).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from nbsrc.operator_norm._arguments import check_order
from nbsrc.operator_norm.duality import lp_norm, printed_maximiser

__all__ = ["AttackLoss", "CrossEntropy", "LogitNorm"]


class AttackLoss(Protocol):
    """A function of the logits of clean and perturbed input that an attack increases."""

    def value(self, clean: Tensor, logits: Tensor) -> Tensor:
        """The quantity that is increased.

        Args:
            clean: Logits of the clean inputs, ``[batch, d]``.
            logits: Logits of the perturbed inputs, ``[batch, d]``.

        Returns:
            ``[batch]``.
        """
        ...

    def gradient(self, clean: Tensor, logits: Tensor) -> Tensor:
        """Its gradient with respect to ``logits``.

        Args:
            clean: ``[batch, d]``.
            logits: ``[batch, d]``.

        Returns:
            ``[batch, d]``.
        """
        ...

    def direction(self, clean: Tensor, logits: Tensor) -> Tensor:
        """A positive multiple of the gradient that does not underflow.

        Args:
            clean: ``[batch, d]``.
            logits: ``[batch, d]``.

        Returns:
            ``[batch, d]``.
        """
        ...


@dataclass(frozen=True)
class LogitNorm:
    r"""The loss :math:`\|f(x^*) - f(x)\|_q` of Theorem 1; its gradient is equation (108).

    The sign matters: (108) prints :math:`\tilde u = f(x_{k-1}) - f(x)`, the direction of ascent.

    Attributes:
        q: The order, from 1 to infinity.

    Example:
        >>> clean, logits = torch.zeros(1, 2), torch.tensor([[3.0, -4.0]])
        >>> LogitNorm(1).gradient(clean, logits).tolist()
        [[1.0, -1.0]]
    """

    q: float

    def __post_init__(self) -> None:
        """Refuse an order below 1."""
        check_order("q", self.q)

    def value(self, clean: Tensor, logits: Tensor) -> Tensor:
        """The norm of the change of the logits.

        Args:
            clean: ``[batch, d]``.
            logits: ``[batch, d]``.

        Returns:
            ``[batch]``.
        """
        return lp_norm(logits - clean, self.q)

    def gradient(self, clean: Tensor, logits: Tensor) -> Tensor:
        """The gradient, 0 where the logits are equal.

        Args:
            clean: ``[batch, d]``.
            logits: ``[batch, d]``.

        Returns:
            ``[batch, d]``.
        """
        return printed_maximiser(logits - clean, self.q)

    def direction(self, clean: Tensor, logits: Tensor) -> Tensor:
        """The gradient itself: its size does not depend on the distance.

        Args:
            clean: ``[batch, d]``.
            logits: ``[batch, d]``.

        Returns:
            ``[batch, d]``.
        """
        return self.gradient(clean, logits)


@dataclass(frozen=True, eq=False)
class CrossEntropy:
    r"""The softmax cross-entropy, increased for the label, or decreased for a target.

    With :math:`s` the softmax of :math:`\beta z`, the gradient is :math:`\beta (s - e_y)`, equation
    (26); for a targeted attack the quantity increased is minus the loss of the target, with
    gradient :math:`\beta (e_y - s)`, equation (27), and no further sign is flipped.

    The direction is the gradient divided by :math:`\beta (1 - s_y)`: the softmax of the *other*
    classes minus :math:`e_y`, exactly, since :math:`s_k = (1-s_y) \sigma_k` for the softmax
    :math:`\sigma` without class y. It never vanishes, however sure the network is.

    Attributes:
        y: Labels, or targets, ``[batch]``, integers.
        targeted: Whether ``y`` are targets.
        beta: Inverse temperature, greater than 0.

    Example:
        >>> loss = CrossEntropy(torch.tensor([0]))
        >>> logits = torch.tensor([[1000.0, 0.0]])
        >>> loss.gradient(logits, logits).abs().sum().item()
        0.0
        >>> loss.direction(logits, logits).tolist()
        [[-1.0, 1.0]]
    """

    y: Tensor
    targeted: bool = False
    beta: float = 1.0

    def __post_init__(self) -> None:
        """Refuse labels that are no integers, and temperatures that are not positive.

        Raises:
            TypeError: If ``y`` is no integer tensor.
            ValueError: If ``beta`` is not positive and finite, or ``y`` is no vector.
        """
        if not isinstance(self.y, Tensor) or self.y.dtype != torch.long:
            raise TypeError(f"y must be a tensor of int64 labels, got {self.y!r}")
        if self.y.ndim != 1:
            raise ValueError(f"y must have shape [batch], got {tuple(self.y.shape)}")
        if not 0 < self.beta < math.inf:
            raise ValueError(f"beta must be positive and finite, got {self.beta}")

    def value(self, clean: Tensor, logits: Tensor) -> Tensor:
        """The loss, or minus the loss of the target.

        Args:
            clean: Not used.
            logits: ``[batch, d]``.

        Returns:
            ``[batch]``.
        """
        loss = -(self.beta * logits).log_softmax(-1).gather(-1, self._labels(logits)).squeeze(-1)
        return -loss if self.targeted else loss

    def gradient(self, clean: Tensor, logits: Tensor) -> Tensor:
        """The gradient as printed; it underflows to 0 for a sure network.

        Args:
            clean: Not used.
            logits: ``[batch, d]``.

        Returns:
            ``[batch, d]``.
        """
        labels = self._labels(logits)
        others = (self.beta * logits).softmax(-1).scatter(-1, labels, 0.0)
        return self._signed(others.scatter(-1, labels, -others.sum(-1, keepdim=True))) * self.beta

    def direction(self, clean: Tensor, logits: Tensor) -> Tensor:
        """The softmax of the other classes minus the unit vector of ``y``, or its negative.

        Args:
            clean: Not used.
            logits: ``[batch, d]``.

        Returns:
            ``[batch, d]``.
        """
        labels = self._labels(logits)
        others = (self.beta * logits).scatter(-1, labels, -math.inf).softmax(-1)
        return self._signed(others.scatter(-1, labels, -1.0))

    def _signed(self, gradient: Tensor) -> Tensor:
        return -gradient if self.targeted else gradient

    def _labels(self, logits: Tensor) -> Tensor:
        """Return the labels as an index ``[batch, 1]``."""
        batch, classes = logits.shape
        if len(self.y) != batch or classes < 2:
            raise ValueError(
                f"logits must be [{len(self.y)}, at least 2 classes], got {tuple(logits.shape)}"
            )
        if bool(((self.y < 0) | (self.y >= classes)).any()):
            raise ValueError(f"y must be between 0 and {classes - 1}, got {self.y.tolist()}")
        return self.y.unsqueeze(-1)
