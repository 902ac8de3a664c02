"""ReLU networks at a point, written as the paper writes them: weights, biases, 0/1 masks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise, product
from typing import Any

import torch
from torch import Tensor, nn

from nbsrc.linear_region import region_radius

__all__ = ["RULES", "ReluPoint", "random_points", "relu_point", "smallest_points"]

#: When a unit counts as active: the formula 1(z >= 0), and the words "is positive".
RULES = (">=", ">")


@dataclass(frozen=True, eq=False)
class ReluPoint:
    r"""A network :math:`W^L\phi(W^{L-1}\cdots+b^{L-1})+b^L` and an input x.

    Attributes:
        weights: ``W^1, ..., W^L``, float64.
        biases: ``b^1, ..., b^L``.
        x: ``[n]``.
    """

    weights: tuple[Tensor, ...]
    biases: tuple[Tensor, ...]
    x: Tensor

    @property
    def units(self) -> int:
        """The number m of ReLU units."""
        return sum(len(W) for W in self.weights[:-1])

    def preactivations(self, x: Tensor | None = None) -> list[Tensor]:
        """Return what enters each ReLU.

        Args:
            x: ``[..., n]``, the point itself if omitted.

        Returns:
            One tensor ``[..., units]`` per hidden layer.
        """
        value, found = self.x if x is None else x, []
        for W, b in zip(self.weights[:-1], self.biases[:-1], strict=True):
            found.append(value @ W.T + b)
            value = found[-1].clamp(min=0)
        return found

    def output(self, x: Tensor | None = None) -> Tensor:
        """Return the logits.

        Args:
            x: ``[..., n]``, the point itself if omitted.

        Returns:
            ``[..., d]``.
        """
        hidden = self.preactivations(x)
        value = hidden[-1].clamp(min=0) if hidden else (self.x if x is None else x)
        return value @ self.weights[-1].T + self.biases[-1]

    def masks(self, x: Tensor | None = None, rule: str = ">=") -> list[Tensor]:
        """Return the diagonals of all ``Phi``.

        Args:
            x: ``[..., n]``, the point itself if omitted.
            rule: One of :data:`RULES`.

        Returns:
            Zeros and ones, ``[..., units]`` per hidden layer.
        """
        hidden = self.preactivations(x)
        return [((z >= 0) if rule == ">=" else (z > 0)).to(z.dtype) for z in hidden]

    def pattern(self, x: Tensor | None = None, rule: str = ">=") -> Tensor:
        """Return the activation pattern.

        Args:
            x: ``[..., n]``, the point itself if omitted.
            rule: One of :data:`RULES`.

        Returns:
            ``[..., m]``.
        """
        return torch.cat(self.masks(x, rule), -1)

    def masked_output(self, masks: Sequence[Tensor]) -> Tensor:
        """Return the logits with masks in place of ReLUs.

        Args:
            masks: One diagonal per hidden layer.

        Returns:
            ``[d]``.
        """
        value = self.x
        for W, b, mask in zip(self.weights[:-1], self.biases[:-1], masks, strict=True):
            value = mask * (W @ value + b)
        return self.weights[-1] @ value + self.biases[-1]

    def jacobian(self, rule: str = ">=", masks: Sequence[Tensor] | None = None) -> Tensor:
        """Return the product (2).

        Args:
            rule: One of :data:`RULES`.
            masks: The diagonals, those of the rule if omitted.

        Returns:
            ``[d, n]``.
        """
        product_ = torch.eye(len(self.x), dtype=self.x.dtype)
        for W, mask in zip(self.weights, masks or self.masks(rule=rule), strict=False):
            product_ = mask.unsqueeze(-1) * (W @ product_)
        return self.weights[-1] @ product_

    @cached_property
    def on_kink(self) -> bool:
        """Whether a pre-activation is exactly 0."""
        return bool((torch.cat([torch.ones(1), *self.preactivations()]) == 0).any())

    def module(self) -> nn.Sequential:
        """Return the network for torch.

        Returns:
            Linear layers with ReLUs between them.
        """
        layers: list[nn.Module] = []
        for W, b in zip(self.weights, self.biases, strict=True):
            layer = nn.Linear(W.shape[1], W.shape[0], dtype=W.dtype)
            layer.weight.data, layer.bias.data = W.clone(), b.clone()
            layers += [layer, nn.ReLU()]
        return nn.Sequential(*layers[:-1])

    def radius(self, p: float = 2) -> float:
        """Return the exact radius of the cell around x.

        Args:
            p: 1, 2 or infinity.

        Returns:
            The radius, 0 on a kink, at most 10.
        """
        return min(10.0, float(region_radius(self.module(), self.x.unsqueeze(0), p)))

    def at(self, x: Tensor) -> ReluPoint:
        """Return the same network at another point.

        Args:
            x: ``[n]``.

        Returns:
            The point.
        """
        return replace(self, x=x)

    @cached_property
    def size(self) -> tuple[int, ...]:
        """Units, inputs, outputs, whole numbers before others, the sum of the entries' sizes."""
        numbers = torch.cat([*(W.flatten() for W in self.weights), *self.biases, self.x])
        whole = bool((numbers == numbers.round()).all())
        d, n = len(self.weights[-1]), len(self.x)
        return self.units, n, d, 1 - whole, int(numbers.abs().sum()), int((numbers < 0).sum())

    @cached_property
    def description(self) -> dict[str, Any]:
        """The weights of tiny networks, the widths of others, and x."""
        if self.units > 2:
            widths = [len(self.x), *(len(W) for W in self.weights)]
            return {"widths": widths, "x": [round(v, 4) for v in self.x.tolist()]}
        shown: dict[str, Any] = {"weights": [W.tolist() for W in self.weights]}
        if any(bool(b.any()) for b in self.biases):
            shown["biases"] = [b.tolist() for b in self.biases]
        return {**shown, "x": self.x.tolist()}


def relu_point(
    weights: Sequence[Sequence[Sequence[float]]],
    x: Sequence[float],
    biases: Sequence[Sequence[float]] | None = None,
) -> ReluPoint:
    """Return a network and a point from lists.

    Args:
        weights: The matrices.
        x: The input.
        biases: The biases, zero if omitted.

    Returns:
        The point.
    """
    matrices = tuple(torch.tensor(W, dtype=torch.float64) for W in weights)
    offsets = tuple(torch.zeros(len(W), dtype=torch.float64) for W in matrices)
    if biases is not None:
        offsets = tuple(torch.tensor(b, dtype=torch.float64) for b in biases)
    return ReluPoint(matrices, offsets, torch.tensor(x, dtype=torch.float64))


def smallest_points() -> Iterator[ReluPoint]:
    """Yield networks with one input and one or two units, whole weights, on kinks and off them.

    Yields:
        The points.
    """
    for x in (0, 1, -1):
        for a, c in product((1, -1), repeat=2):
            yield relu_point([[[a]], [[c]]], [x])
        for a, b, c, e in product((1, -1), repeat=4):
            yield relu_point([[[a], [b]], [[c, e]]], [x])


def random_points(
    count: int, seed: int, *, depths: Sequence[int] = (2, 3, 4), biases: bool = True
) -> Iterator[ReluPoint]:
    """Yield random networks at random points; every fourth point lies on a kink.

    Args:
        count: How many.
        seed: Seed.
        depths: Numbers of layers, in turn.
        biases: Whether there are biases.

    Yields:
        The points.
    """
    g = torch.Generator().manual_seed(seed)
    for number in range(count):
        depth = depths[number % len(depths)]
        widths = [int(torch.randint(1, 9, (), generator=g)) for _ in range(depth + 1)]
        weights = tuple(
            torch.randn(b, a, generator=g, dtype=torch.float64) * math.sqrt(2 / a)
            for a, b in pairwise(widths)
        )
        offsets = tuple(
            0.5 * biases * torch.randn(len(W), generator=g, dtype=torch.float64) for W in weights
        )
        x = torch.randn(widths[0], generator=g, dtype=torch.float64)
        if number % 4 == 3:  # the first unit's hyperplane passes through x, exactly
            weights[0][0] = 0
            weights[0][0, 0] = 1
            x[0] = 0
            offsets[0][0] = 0
        yield ReluPoint(weights, offsets, x)
