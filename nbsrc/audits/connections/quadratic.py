"""The shortest step at which a quadratic reaches a level, exactly, in the l2 and the linf norm."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from scipy.optimize import brentq
from torch import Tensor

from nbsrc.audits.connections.instances import box_corners

__all__ = ["Quadratic", "largest_in_box", "shortest_in_box_norm", "shortest_step"]


@dataclass(frozen=True, eq=False)
class Quadratic:
    """The problem: shortest r with ``g . r + r^T H r / 2 >= xi``.

    Attributes:
        g: Slope, shape ``[n]``.
        H: Symmetric matrix, shape ``[n, n]``.
        xi: Level, at least 0.
    """

    g: Tensor
    H: Tensor
    xi: float

    def value(self, r: Tensor) -> Tensor:
        """Return ``g . r + r^T H r / 2``.

        Args:
            r: Steps, shape ``[..., n]``.

        Returns:
            Shape ``[...]``.
        """
        return r @ self.g + ((r @ self.H) * r).sum(-1) / 2

    @property
    def size(self) -> tuple[int, ...]:
        """Dimension, whole numbers before others, sum of the entries."""
        entries = torch.cat([self.g, self.H.flatten(), torch.tensor([self.xi]).double()])
        whole = bool((entries == entries.round()).all())
        return len(self.g), 1 - whole, math.ceil(float(entries.abs().sum()))

    @property
    def description(self) -> dict[str, Any]:
        """The problem's numbers."""
        return {"gradient": self.g.tolist(), "H": self.H.tolist(), "xi": self.xi}


def shortest_step(problem: Quadratic) -> float:
    """Return the l2 length of the shortest step, exactly, for any symmetric H.

    In the eigenbasis the optimum is ``r = mu (I - mu H)^{-1} g``; ``value(r)`` grows with mu from 0
    up to ``1 / lambda_max``. If it stays under xi there, the rest is made up along the top
    eigenvector.

    Args:
        problem: The problem.

    Returns:
        The length; infinite if no step reaches the level.
    """
    if problem.xi <= 0:
        return 0.0
    values, vectors = torch.linalg.eigh(problem.H)
    top, c = float(values[-1]), vectors.T @ problem.g
    scale = max(1.0, float(values.abs().max()))
    steep = c.abs() > 1e-12 * max(1.0, float(problem.g.norm()))

    def step(mu: float) -> Tensor:
        weight: Tensor = torch.where(steep, mu / (1 - mu * values), torch.zeros_like(values))
        return torch.mul(weight, c)

    def gain(mu: float) -> float:
        r = step(mu)
        return float(r @ c + (values * r * r).sum() / 2) - problem.xi

    limit = 1 / top if top > 1e-12 * scale else math.inf
    end = limit * (1 - 1e-13) if math.isfinite(limit) else 1e12
    if gain(end) >= 0:
        return float(step(brentq(gain, 0.0, end, xtol=1e-300, rtol=1e-14)).norm())
    if not math.isfinite(limit):
        return math.inf
    r = step(end)
    return math.sqrt(float(r @ r) + 2 * -gain(end) / top)


def largest_in_box(problem: Quadratic, radius: float) -> float:
    """Return the largest value in the box ``|r|_inf <= radius``, over all its corners.

    Args:
        problem: A problem whose H has no negative eigenvalue, so that a corner is optimal.
        radius: Half the side of the box.

    Returns:
        The largest ``g . r + r^T H r / 2``.
    """
    n = len(problem.g)
    corners = box_corners(n)
    return float(problem.value(radius * corners).max())


def shortest_in_box_norm(problem: Quadratic) -> float:
    """Return the smallest linf length of a step that reaches the level, over corners of boxes.

    Args:
        problem: A problem whose H has no negative eigenvalue.

    Returns:
        The length; 0 if xi is.
    """
    if problem.xi <= 0:
        return 0.0
    high = 1.0
    while largest_in_box(problem, high) < problem.xi:
        high *= 2
        if high > 1e12:
            return math.inf
    return float(
        brentq(
            lambda t: largest_in_box(problem, t) - problem.xi, 0.0, high, xtol=1e-300, rtol=1e-13
        )
    )
