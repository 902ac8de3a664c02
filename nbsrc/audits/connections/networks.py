"""The networks of eqs. (3) to (5): layers, activation masks, and the linear map around a point."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from nbsrc.audits.connections.instances import Instance

__all__ = [
    "NetworkPoint",
    "local_instance",
    "random_points",
    "smallest_points",
]


@dataclass(frozen=True, eq=False)
class NetworkPoint:
    """A network ``g(x) = W_d^T s(W_{d-1}^T s(... s(W_1^T x)))`` and a point.

    Attributes:
        weights: ``W_j``, shape ``[n_{j-1}, n_j]``, float64.
        x: The point, shape ``[n]``.
        slope: The activation's slope for negative input: 0 for ReLU.
        offsets: Biases of the hidden layers; none in the paper.
        smooth: Use softplus instead, which is not piecewise linear.
    """

    weights: tuple[Tensor, ...]
    x: Tensor
    slope: float = 0.0
    offsets: tuple[Tensor, ...] | None = None
    smooth: bool = False

    def activation(self, h: Tensor) -> Tensor:
        """Apply the activation.

        Args:
            h: Pre-activations.

        Returns:
            The activations.
        """
        if self.smooth:
            return torch.nn.functional.softplus(h)
        return torch.where(h > 0, h, self.slope * h)

    def hidden(self, point: Tensor) -> list[Tensor]:
        """Return the pre-activations of the hidden layers.

        Args:
            point: Where, shape ``[n]``.

        Returns:
            ``W_j^T a_{j-1}`` for the hidden layers.
        """
        found, a = [], point
        for number, W in enumerate(self.weights[:-1]):
            found.append(W.T @ a + (self.offsets[number] if self.offsets else 0))
            a = self.activation(found[-1])
        return found

    def logits(self, point: Tensor) -> Tensor:
        """Return the network's output.

        Args:
            point: Where, shape ``[n]``.

        Returns:
            ``g(point)``, shape ``[K]``.
        """
        hidden = self.hidden(point)
        return self.weights[-1].T @ (self.activation(hidden[-1]) if hidden else point)

    def masks(self, *, slopes: bool) -> list[Tensor]:
        """Return the diagonals of the ``D_j`` at x.

        Args:
            slopes: 1 and the activation's slope, instead of the printed 1 and 0.

        Returns:
            One vector per hidden layer.
        """
        low = self.slope if slopes else 0.0
        return [
            torch.where(h > 0, torch.ones_like(h), torch.full_like(h, low))
            for h in self.hidden(self.x)
        ]

    def map(self, *, slopes: bool) -> Tensor:
        """Return ``V = W_1 D_1 ... W_{d-1} D_{d-1} W_d`` of eq. (5).

        Args:
            slopes: As in :meth:`masks`.

        Returns:
            Shape ``[n, K]``.
        """
        V = torch.eye(len(self.x), dtype=torch.float64)
        for W, mask in zip(self.weights, self.masks(slopes=slopes), strict=False):
            V = V @ W * mask
        return V @ self.weights[-1]

    def same_region(self, point: Tensor) -> bool:
        """Return whether a point has the activation pattern of x.

        Args:
            point: The other point.

        Returns:
            Whether all signs agree.
        """
        pairs = zip(self.hidden(point), self.hidden(self.x), strict=True)
        return all(torch.equal(one > 0, two > 0) for one, two in pairs)

    @property
    def size(self) -> tuple[int, ...]:
        """Layers, widths, whole numbers before others, sum of entries."""
        entries = torch.cat([*(w.flatten() for w in self.weights), self.x])
        whole = bool((entries == entries.round()).all())
        return len(self.weights), entries.numel(), 1 - whole, int(entries.abs().sum())

    @property
    def description(self) -> dict[str, Any]:
        """Widths, slope, x, and the weights of small networks."""
        shown: dict[str, Any] = {"slope": self.slope, "x": self.x.tolist()}
        if sum(w.numel() for w in self.weights) <= 8:
            shown["weights"] = [w.tolist() for w in self.weights]
        return {"widths": [len(self.x), *(w.shape[1] for w in self.weights)], **shown}


def local_instance(point: NetworkPoint, label: int) -> Instance:
    """Return the affine map around a point by automatic differentiation, as an instance.

    Args:
        point: The network and the point.
        label: Index of the true class.

    Returns:
        The instance; its offsets are 0 for networks without biases.
    """
    V = torch.autograd.functional.jacobian(point.logits, point.x).T
    bias = point.logits(point.x) - point.x @ V if point.offsets else torch.zeros(1).double()
    return Instance(V, point.x, label, bias)


def smallest_points() -> Iterator[NetworkPoint]:
    """Yield the networks ``1 -> 1 -> 2`` with unit weights and slopes 0, 1/2 and 2.

    Yields:
        The networks at ``x = 1`` and ``x = -1``.
    """
    weights = (torch.ones(1, 1).double(), torch.tensor([[1.0, 0.0]]).double())
    for slope in (0.0, 2.0, 0.5):
        for x in (1.0, -1.0):
            yield NetworkPoint(weights, torch.tensor([x], dtype=torch.float64), slope)


def random_points(count: int, seed: int, *, slopes: tuple[float, ...] = (0.0,), biases: bool = False
                  ) -> Iterator[NetworkPoint]:  # fmt: skip
    """Yield random networks of one to four layers at random points.

    Args:
        count: How many.
        seed: Seed.
        slopes: Slopes of the activation, in turn.
        biases: Give the hidden layers biases.

    Yields:
        The networks, two classes.
    """
    g = torch.Generator().manual_seed(seed)
    for number in range(count):
        depth = int(torch.randint(1, 5, (), generator=g))
        widths = [*torch.randint(2, 7, (depth,), generator=g).tolist(), 2]
        weights = tuple(
            torch.randn(a, b, generator=g, dtype=torch.float64) for a, b in pairwise(widths)
        )
        offsets = tuple(torch.randn(w.shape[1], generator=g).double() for w in weights[:-1])
        x = torch.randn(widths[0], generator=g, dtype=torch.float64)
        yield NetworkPoint(weights, x, slopes[number % len(slopes)], offsets if biases else None)
