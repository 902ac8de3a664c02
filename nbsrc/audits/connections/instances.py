"""Points with their labels and the affine map of the network around them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import product
from typing import Any

import torch
from torch import Tensor

__all__ = [
    "Instance",
    "at_margins",
    "box_corners",
    "correct",
    "random_instances",
    "random_multiclass",
    "small_instances",
]


@dataclass(frozen=True, eq=False)
class Instance:
    """A point x, its label, and the logits ``z = V^T x + b`` of the linear region around it.

    For two classes index 0 is the class ``+`` and index 1 the class ``-``.

    Attributes:
        V: The columns ``v_k``, shape ``[n, K]``, float64.
        x: The point, shape ``[n]``.
        label: Index of the true class.
        bias: The offsets b, shape ``[K]``; zero in the paper.
    """

    V: Tensor
    x: Tensor
    label: int
    bias: Tensor = field(default_factory=lambda: torch.zeros(1, dtype=torch.float64))

    def logits(self, r: Tensor | None = None) -> Tensor:
        """Return the logits at ``x + r``.

        Args:
            r: Perturbations, shape ``[..., n]``; none if omitted.

        Returns:
            The logits, shape ``[..., K]``.
        """
        point = self.x if r is None else self.x + r
        return point @ self.V + self.bias

    def loss(self, r: Tensor | None = None) -> Tensor:
        """Return the cross-entropy at ``x + r``.

        Args:
            r: Perturbations, shape ``[..., n]``.

        Returns:
            The loss, shape ``[...]``.
        """
        return -torch.log_softmax(self.logits(r), -1)[..., self.label]

    @cached_property
    def classes(self) -> int:
        """The number of classes K."""
        return self.V.shape[1]

    @cached_property
    def p(self) -> float:
        """The probability of the true class."""
        return float(torch.softmax(self.logits(), -1)[self.label])

    @cached_property
    def q(self) -> float:
        """``1 - p``, without cancellation."""
        others = torch.softmax(self.logits(), -1).clone()
        others[self.label] = 0
        return float(others.sum())

    @cached_property
    def sign(self) -> int:
        """The label as the paper writes it for two classes: +1 or -1."""
        return 1 - 2 * self.label

    @cached_property
    def a(self) -> Tensor:
        """``v_+ - v_-`` (two classes)."""
        return self.V[:, 0] - self.V[:, 1]

    @cached_property
    def nu(self) -> float:
        """The length of ``v_+ - v_-``."""
        return float(self.a.norm())

    @cached_property
    def margin(self) -> float:
        """The true logit minus the largest other one; positive where the point is correct."""
        z = self.logits()
        others = torch.cat([z[: self.label], z[self.label + 1 :]])
        return float(z[self.label] - others.max())

    @cached_property
    def xi(self) -> float:
        """``log K`` minus the loss."""
        return float(torch.log(torch.tensor(float(self.classes), dtype=torch.float64))) - float(
            self.loss()
        )

    @cached_property
    def size(self) -> tuple[int, ...]:
        """Inputs, classes, whole numbers before others, sum of the entries' sizes."""
        entries = torch.cat([self.V.flatten(), self.x, self.bias])
        whole = bool((entries == entries.round()).all())
        return self.V.shape[0], self.classes, 1 - whole, int(entries.abs().sum())

    @cached_property
    def description(self) -> dict[str, Any]:
        """V row by row, x and the label (for two classes +1 or -1)."""
        shown: dict[str, Any] = {"V": self.V.tolist(), "x": self.x.tolist()}
        if self.bias.any():
            shown["bias"] = self.bias.tolist()
        return {**shown, "y": self.sign if self.classes == 2 else self.label}


def small_instances() -> Iterator[Instance]:
    """Yield all small two-class instances with whole entries, without offsets.

    ``n = 1``: entries of V from -2 to 2, x = 1 or 2. ``n = 2``: entries of V from -1 to 1, four
    points. Both labels; right, wrong and undecided points; equal, opposite and zero columns.

    Yields:
        The instances.
    """
    entries = {1: (1, 0, -1, 2, -2), 2: (1, 0, -1)}
    for n, points in ((1, [[1], [2]]), (2, [[1, 0], [0, 2], [1, 1], [2, -1]])):
        for columns in product(entries[n], repeat=2 * n):
            V = torch.tensor(columns, dtype=torch.float64).reshape(n, 2)
            for point, label in product(points, (0, 1)):
                yield Instance(V, torch.tensor(point, dtype=torch.float64), label)


def random_instances(
    count: int, seed: int, *, largest_margin: float = 9.0, n: tuple[int, int] = (1, 8)
) -> Iterator[Instance]:
    """Yield random two-class instances that include the edges.

    V is generic, or has antisymmetric, orthogonal, nearly equal, proportional or very differently
    scaled columns, or a large common shift. x is moved along ``v_+ - v_-`` so that the margin is
    a drawn number, from 1e-6 to ``largest_margin`` in size, of both signs: p is over and under one
    half, close to it and close to 0 and 1.

    Args:
        count: How many.
        seed: Seed.
        largest_margin: Largest ``|log(p / (1 - p))|``.
        n: Smallest and largest dimension.

    Yields:
        The instances.
    """
    g = torch.Generator().manual_seed(seed)

    def uniform(low: float, high: float) -> float:
        return low + (high - low) * float(torch.rand((), generator=g, dtype=torch.float64))

    for number in range(count):
        size = int(torch.randint(n[0], n[1] + 1, (), generator=g))
        one, two = torch.randn(2, size, generator=g, dtype=torch.float64) * 10 ** uniform(-1, 1)
        kind = number % 7
        if kind == 1:
            two = -one
        elif kind == 2:
            two = two - (two @ one) / (one @ one) * one
        elif kind == 3:
            two = one + 0.05 * one.norm() * two / two.norm()
        elif kind == 4:
            two = uniform(-2, 0.9) * one
        elif kind == 5:
            two = 0.01 * two
        elif kind == 6:
            one, two = one + 2, two + 2
        V = torch.stack([one, two], 1)
        a = one - two
        level = largest_margin * uniform(0, 1) ** 2 if number % 3 else 10 ** uniform(-6, -1)
        target = level if number % 4 else -level
        label = int(torch.randint(0, 2, (), generator=g))
        x = torch.randn(size, generator=g, dtype=torch.float64)
        x = x + ((1 - 2 * label) * target - a @ x) / (a @ a) * a
        yield Instance(V, x, label)


def correct(instances: Iterable[Instance]) -> list[Instance]:
    """Return the correctly classified instances.

    Args:
        instances: Instances.

    Returns:
        Those whose true logit is strictly the largest.
    """
    return [x for x in instances if x.margin > 0]


def random_multiclass(count: int, seed: int, *, most: int = 5) -> Iterator[Instance]:
    """Yield correctly classified random instances with three classes or more.

    Args:
        count: How many.
        seed: Seed.
        most: Largest number of classes.

    Yields:
        The instances; the label is the predicted class.
    """
    g = torch.Generator().manual_seed(seed)
    for _ in range(count):
        K = int(torch.randint(3, most + 1, (), generator=g))
        V = torch.randn(4, K, generator=g, dtype=torch.float64)
        x = torch.randn(4, generator=g, dtype=torch.float64)
        yield Instance(V, x, int((x @ V).argmax()))


def at_margins(margins: Iterable[float]) -> Iterator[Instance]:
    """Yield the one-dimensional instances ``V = [t, 0]``, ``x = 1``, label +, of margin t.

    Args:
        margins: The margins, positive where the point is correct.

    Yields:
        The instances.
    """
    for t in margins:
        V = torch.tensor([[t, 0.0]], dtype=torch.float64)
        yield Instance(V, torch.ones(1, dtype=torch.float64), 0)


@lru_cache(maxsize=16)
def box_corners(n: int) -> Tensor:
    """Return the corners of the box of half side 1.

    Args:
        n: Dimension.

    Returns:
        Shape ``[2^n, n]``; not to be changed in place.
    """
    return torch.tensor(list(product((-1.0, 1.0), repeat=n)), dtype=torch.float64)
