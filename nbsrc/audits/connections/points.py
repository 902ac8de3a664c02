"""Points with any number of classes, given by the local map and the class probabilities."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

__all__ = ["Point", "point"]


@dataclass(frozen=True, eq=False)
class Point:
    """The columns of V at a point, and weights to which the class probabilities are proportional.

    Weights instead of probabilities keep ``1 - p_y`` exact however close ``p_y`` is to 1, and let
    small cases be written in whole numbers.

    Attributes:
        V: The columns ``v_k``, shape ``[n, K]``, float64.
        weights: Positive, shape ``[K]``; ``p = weights / weights.sum()``.
        label: Index of the true class.
    """

    V: Tensor
    weights: Tensor
    label: int = 0

    @property
    def classes(self) -> int:
        """The number of classes K."""
        return self.V.shape[1]

    @property
    def correct(self) -> bool:
        """Whether the label is strictly the most probable class."""
        return float(self.weights[self.label]) > float(self.others.max())

    @cached_property
    def others(self) -> Tensor:
        """The weights of the other classes, shape ``[K - 1]``."""
        return torch.cat([self.weights[: self.label], self.weights[self.label + 1 :]])

    @cached_property
    def p(self) -> Tensor:
        """The class probabilities, shape ``[K]``."""
        return self.weights / self.weights.sum()

    @property
    def p_y(self) -> float:
        """The probability of the true class."""
        return float(self.p[self.label])

    @cached_property
    def rest(self) -> float:
        """``1 - p_y``, without cancellation."""
        return float(self.others.sum() / self.weights.sum())

    @cached_property
    def xi(self) -> float:
        """``log K`` minus the loss."""
        total = float(self.weights.sum())
        return math.log1p((self.classes * float(self.weights[self.label]) - total) / total)

    @cached_property
    def gradient(self) -> Tensor:
        """The input gradient of the loss, ``sum_j p_j (v_j - v_y)``, shape ``[n]``."""
        return (self.V - self.V[:, self.label, None]) @ self.p

    @cached_property
    def hessian(self) -> Tensor:
        """The input Hessian of the loss, ``sum_{i<j} p_i p_j (v_i - v_j)(v_i - v_j)^T``."""
        first, second = torch.triu_indices(self.classes, self.classes, 1)
        gaps = self.V[:, first] - self.V[:, second]
        result: Tensor = (gaps * (self.p[first] * self.p[second])) @ gaps.T
        return result

    @cached_property
    def slope(self) -> float:
        """The Euclidean length of the gradient."""
        return float(self.gradient.norm())

    @cached_property
    def curvature(self) -> float:
        """The spectral norm of the Hessian."""
        return max(float(torch.linalg.eigvalsh(self.hessian)[-1]), 0.0)

    @cached_property
    def centred(self) -> Tensor:
        """V without its mean column."""
        return self.V - self.V.mean(1, keepdim=True)

    @cached_property
    def spread(self) -> float:
        """``S = sum_k |v_k - mean|^2``, which is ``sum_{i<j} |v_i - v_j|^2 / K``."""
        return float(self.centred.square().sum())

    @cached_property
    def frobenius(self) -> float:
        """``|V|_F``."""
        return float(self.V.norm())

    def nu2(self, pairs: str) -> float:
        """Return ``sum |v_i - v_j|^2 / K^2`` over one of the two sets of pairs.

        Args:
            pairs: ``"ordered"`` (all i, j) or ``"unordered"`` (i < j).

        Returns:
            The value.

        Raises:
            ValueError: If ``pairs`` is neither.
        """
        if pairs not in ("ordered", "unordered"):
            raise ValueError(f"pairs must be 'ordered' or 'unordered', got {pairs!r}")
        return self.spread / self.classes * (2 if pairs == "ordered" else 1)

    @property
    def size(self) -> tuple[int, ...]:
        """Inputs, classes, whole numbers before others, sum of the entries' sizes."""
        entries = torch.cat([self.V.flatten(), self.weights])
        whole = bool((entries == entries.round()).all())
        return self.V.shape[0], self.classes, 1 - whole, int(entries.abs().sum())

    @property
    def description(self) -> dict[str, Any]:
        """V row by row, the weights of the classes and the label."""
        return {
            "V": self.V.tolist(),
            "p proportional to": self.weights.tolist(),
            "y": self.label,
        }


def point(V: Sequence[Sequence[float]], weights: Sequence[float], label: int = 0) -> Point:
    """Make a point from lists.

    Args:
        V: The rows of V, one per input.
        weights: The class weights.
        label: The true class.

    Returns:
        The point.

    Raises:
        ValueError: If there are fewer than two classes, lengths differ, a weight is not positive
            or the label is no class.

    Example:
        >>> point([[1, -1]], [3, 1]).p_y
        0.75
    """
    columns = torch.tensor(V, dtype=torch.float64)
    shares = torch.tensor(weights, dtype=torch.float64)
    if columns.ndim != 2 or columns.shape[1] != len(shares) or len(shares) < 2:
        raise ValueError(f"V must have a column per weight, two at least, got {V} and {weights}")
    if not bool((shares > 0).all()):
        raise ValueError(f"weights must be positive, got {weights}")
    if not 0 <= label < len(shares):
        raise ValueError(f"label must be from 0 to {len(shares) - 1}, got {label}")
    return Point(columns, shares, label)
