"""Training the last layer under nu^2 / 2 or mu^2, as problems with a minimiser to be found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

__all__ = [
    "Training",
    "random_trainings",
    "shifted_start",
    "smallest_trainings",
    "without_dead_units",
    "zero_start",
]


@dataclass(frozen=True, eq=False)
class Training:
    """Training of the last layer: features, labels and the weight lambda.

    Attributes:
        features: ``phi(x)``, one row per example, shape ``[m, h]``; x itself for one layer.
        signs: Labels +1 and -1, shape ``[m]``.
        weight: lambda.
        maps: The matrices A with ``V = A W``, shape ``[m, n, h]``; the unit matrix for one layer.
    """

    features: Tensor
    signs: Tensor
    weight: float
    maps: Tensor | None = None

    def loss(self, W: Tensor) -> Tensor:
        """Return the mean cross-entropy.

        Args:
            W: The last layer, shape ``[h, 2]``.

        Returns:
            The mean.
        """
        return torch.nn.functional.softplus(
            -self.signs * (self.features @ (W[:, 0] - W[:, 1]))
        ).mean()

    def squared(self, w: Tensor) -> Tensor:
        """Return the mean of ``|A w|^2``.

        Args:
            w: A column, shape ``[h]``.

        Returns:
            The mean over the examples; ``|w|^2`` for one layer.
        """
        return w.square().sum() if self.maps is None else (self.maps @ w).square().sum(-1).mean()

    def jacobian_objective(self, W: Tensor) -> Tensor:
        """Return ``E[L + lambda mu^2]``.

        Args:
            W: The last layer, shape ``[h, 2]``.

        Returns:
            The objective.
        """
        return self.loss(W) + self.weight * (self.squared(W[:, 0]) + self.squared(W[:, 1]))

    def cross_objective(self, W: Tensor) -> Tensor:
        """Return ``E[L + lambda nu^2 / 2]``.

        Args:
            W: The last layer, shape ``[h, 2]``.

        Returns:
            The objective.
        """
        return self.loss(W) + self.weight * self.squared(W[:, 0] - W[:, 1]) / 2

    def minimiser(self, objective: Callable[[Tensor], Tensor], start: Tensor) -> Tensor:
        """Return a minimiser by Newton's method, damped, from a start.

        Directions without curvature are left alone, so the start decides where the method ends.

        Args:
            objective: One of the two objectives.
            start: Shape ``[h, 2]``.

        Returns:
            Shape ``[h, 2]``.
        """
        return _newton(objective, start)

    @property
    def size(self) -> tuple[int, ...]:
        """Features, examples, whole numbers before others."""
        numbers = torch.cat([self.features.flatten(), torch.tensor([self.weight]).double()])
        whole = bool((numbers == numbers.round()).all())
        return self.features.shape[1], len(self.signs), 1 - whole

    @property
    def description(self) -> dict[str, Any]:
        """The data of small problems, the sizes of others, and lambda."""
        shown: dict[str, Any] = {"examples": len(self.signs), "inputs": self.features.shape[1]}
        if self.features.numel() <= 4:
            shown = {"x": self.features.tolist(), "y": self.signs.tolist()}
        return {**shown, "lambda": self.weight}


@lru_cache(maxsize=4096)  # the audits ask for the same minimisers again and again
def _newton(objective: Callable[[Tensor], Tensor], start: Tensor) -> Tensor:
    W = start.clone()
    for _ in range(60):
        slope = torch.autograd.functional.jacobian(objective, W).flatten()
        if slope.abs().max() < 1e-13:
            break
        H = torch.autograd.functional.hessian(objective, W).reshape(len(slope), -1)
        step = (torch.linalg.pinv(H, rtol=1e-10, hermitian=True) @ slope).reshape(W.shape)
        size = 1.0
        while size > 1e-6 and objective(W - size * step) > objective(W):
            size /= 2
        W = W - size * step
    return W


def smallest_trainings() -> Iterator[Training]:
    """Yield one input, ``x = 1`` with label +, then with both labels, lambda 1.

    Yields:
        The problems.
    """
    one = torch.ones(1, 1, dtype=torch.float64)
    yield Training(one, torch.ones(1).double(), 1.0)
    yield Training(one.expand(2, 1), torch.tensor([1.0, -1.0]).double(), 1.0)


def random_trainings(
    count: int, seed: int, weights: tuple[float, ...] = (1e-3, 0.1, 1.6), *, deep: bool = False
) -> Iterator[Training]:
    """Yield random problems, separable and not.

    Args:
        count: How many.
        seed: Seed.
        weights: Values of lambda, in turn.
        deep: Random ReLU features with one unit that never fires, instead of the inputs.

    Yields:
        The problems.
    """
    g = torch.Generator().manual_seed(seed)
    for number in range(count):
        n = 1 + number % 4
        X = torch.randn(12, n, generator=g, dtype=torch.float64)
        signs = torch.where(
            X[:, 0] + (number % 2) * torch.randn(12, generator=g).double() > 0, 1.0, -1.0
        ).double()
        if not deep:
            yield Training(X, signs, weights[number % len(weights)])
            continue
        first = torch.randn(n, 5, generator=g, dtype=torch.float64)
        on = (X @ first > 0).double()
        on[:, 0] = 0  # a unit that fires on no example
        maps = first[None] * on[:, None, :]
        features = (maps * X[:, :, None]).sum(1)
        yield Training(features, signs, weights[number % len(weights)], maps)


def without_dead_units(training: Training) -> Training:
    """Return the problem without the features that depend on the others or are always zero.

    Args:
        training: A problem with maps.

    Returns:
        The problem on as many features as ``E[A^T A]`` has rank, taken from the left.

    Raises:
        ValueError: If the problem has no maps.
    """
    if training.maps is None:
        raise ValueError("training must have maps, got a problem of one layer")
    kept: list[int] = []
    for k in range(training.maps.shape[2]):
        chosen = training.maps[:, :, [*kept, k]].flatten(0, 1)
        if int(torch.linalg.matrix_rank(chosen, rtol=1e-6)) == len(kept) + 1:
            kept.append(k)
    return Training(
        training.features[:, kept], training.signs, training.weight, training.maps[:, :, kept]
    )


@lru_cache(maxsize=1024)  # one start object per problem
def zero_start(training: Training) -> Tensor:
    """Return the start 0.

    Args:
        training: The problem.

    Returns:
        Shape ``[h, 2]``.
    """
    return torch.zeros(training.features.shape[1], 2, dtype=torch.float64)


@lru_cache(maxsize=1024)
def shifted_start(training: Training) -> Tensor:
    """Return a start with both columns 1.

    Args:
        training: The problem.

    Returns:
        Shape ``[h, 2]``.
    """
    return zero_start(training) + 1.0
