"""Proposition 3.4: penalising nu^2 / 2 and penalising mu^2, as two problems over all V."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from nbsrc.audits.connections.compare import relative_error
from nbsrc.audits.finding import Case, collect
from nbsrc.claims import Finding

__all__ = [
    "Training",
    "audit_same_functions",
    "audit_same_minimisers",
    "random_trainings",
    "shifted_start",
    "smallest_trainings",
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


def zero_start(training: Training) -> Tensor:
    """Return the start 0.

    Args:
        training: The problem.

    Returns:
        Shape ``[h, 2]``.
    """
    return torch.zeros(training.features.shape[1], 2, dtype=torch.float64)


def shifted_start(training: Training) -> Tensor:
    """Return a start with both columns 1.

    Args:
        training: The problem.

    Returns:
        Shape ``[h, 2]``.
    """
    return zero_start(training) + 1.0


def audit_same_minimisers(trainings: Iterable[Training]) -> Finding:
    """Test eq. (13) literally: every minimiser of one objective minimises the other.

    The minimisers tried are those that Newton's method finds from 0 and from a common shift of 1.

    Args:
        trainings: The problems.

    Returns:
        The finding; the slack is minus the largest excess over the smallest value.
    """

    def cases() -> Iterator[Case]:
        for t in trainings:
            objectives = (t.cross_objective, t.jacobian_objective)
            found = [t.minimiser(f, s(t)) for f in objectives for s in (zero_start, shifted_start)]
            excess = max(
                float(f(W)) - min(float(f(U)) for U in found) for f in objectives for W in found
            )
            yield -excess, t.size, {**t.description, "excess": excess}

    return collect(cases(), tolerance=1e-9, family="minimisers found from two starts")


def audit_same_functions(
    trainings: Iterable[Training], factor: float = 1.0, *, antisymmetric: bool = True
) -> Finding:
    """Test the repair of eq. (13): one smallest value, one classifier; centred minimisers in both.

    For every minimiser W of the cross-Lipschitz problem, W minus the mean of its columns minimises
    both problems, and ``A (w_+ - w_-)`` is that of the Jacobian problem.

    Args:
        trainings: Problems with lambda above 0.
        factor: Factor of lambda in the Jacobian problem; anything but 1 plants an error.
        antisymmetric: Centre the minimiser; if not, an error is planted.

    Returns:
        The finding.
    """

    def error(t: Training) -> float:
        other = Training(t.features, t.signs, factor * t.weight, t.maps)
        cross = t.minimiser(t.cross_objective, shifted_start(t))
        jacobian = other.minimiser(other.jacobian_objective, shifted_start(t))
        centred = cross - cross.mean(1, keepdim=True) if antisymmetric else cross
        margins = [t.features @ (W[:, 0] - W[:, 1]) for W in (cross, jacobian)]
        return max(
            relative_error(t.cross_objective(cross), other.jacobian_objective(jacobian)),
            relative_error(t.jacobian_objective(centred), t.cross_objective(cross)),
            float((margins[0] - margins[1]).abs().max()),
        )

    results = ((-error(t), t.size, t.description) for t in trainings)
    return collect(results, tolerance=1e-7, family="one layer, and last layers with a dead unit")
