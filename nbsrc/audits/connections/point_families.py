"""Families of points with any number of classes: small whole ones, random ones, extreme ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

import torch

from nbsrc.audits.connections.points import Point, point

__all__ = ["edge_points", "random_points", "small_points", "tied_points"]

LABEL_WEIGHTS: Sequence[int] = (1, 2, 3, 4, 6, 9, 20)


def small_points(
    classes: Sequence[int] = (2, 3, 4), *, correct: bool = True, scale: float = 1.0
) -> Iterator[Point]:
    """Yield small points with one input and whole numbers.

    Columns -1, 0 or 1, not all equal; weights 1 to 4 and some larger ones for the label.

    Args:
        classes: Numbers of classes.
        correct: Only those whose label is strictly the most probable class.
        scale: Factor of the columns.

    Yields:
        The points; the label is class 0.
    """
    for K in classes:
        for first, others in product((1, 0), product((-1, 0, 1), repeat=K - 1)):
            if list(others) != sorted(others) or set(others) == {first}:
                continue  # the same point in another order, or a point without a gradient
            shares = (1, 2) if K < 4 else (1, 3)
            owners = LABEL_WEIGHTS if K < 4 else LABEL_WEIGHTS[1::2]
            for own, rest in product(owners, product(shares, repeat=K - 1)):
                made = point([[scale * first, *(scale * v for v in others)]], [own, *rest])
                if made.correct or not correct:
                    yield made


def random_points(
    count: int,
    seed: int,
    *,
    classes: Sequence[int] = (2, 3, 4, 5, 6, 10),
    correct: bool = True,
    inputs: int = 5,
) -> Iterator[Point]:
    """Yield random points that include the edges.

    V is generic, of rank one, has a large common shift, two columns that matter, equal columns, or
    columns of very different length. Probabilities run from almost uniform to almost one; often a
    single rival holds nearly all of what the label leaves.

    Args:
        count: How many.
        seed: Seed.
        classes: Numbers of classes to draw from.
        correct: Let the label be the most probable class; else it is any class.
        inputs: Largest number of inputs.

    Yields:
        The points.
    """
    g = torch.Generator().manual_seed(seed)
    for number in range(count):
        K = classes[number % len(classes)]
        n = int(torch.randint(1, inputs + 1, (), generator=g))
        V = torch.randn(n, K, generator=g, dtype=torch.float64)
        kind = int(torch.randint(6, (), generator=g))
        if kind == 1:
            V = V[:, :1] * torch.randn(1, K, generator=g, dtype=torch.float64)
        elif kind == 2:
            V = V + 5 * torch.randn(n, 1, generator=g, dtype=torch.float64)
        elif kind == 3:
            V = torch.cat([V[:, :1], -V[:, :1], 1e-3 * V[:, 2:]], 1)
        elif kind == 4:
            V = torch.cat([V[:, :1], V[:, 1:2].expand(n, K - 1)], 1)
        elif kind == 5:
            V = V * 10 ** (2 * torch.rand(K, generator=g, dtype=torch.float64) - 1)
        width = 12 * float(torch.rand((), generator=g)) ** 2
        logits = width * torch.rand(K, generator=g, dtype=torch.float64)
        if number % 3 == 0:
            logits[2:] -= 8
        weights = logits.exp()
        chosen = int(torch.randint(K, (), generator=g))
        yield Point(V, weights, int(weights.argmax()) if correct else chosen)


def tied_points(classes: Sequence[int] = (2, 3, 4, 5, 6, 10)) -> Iterator[Point]:
    """Yield points whose label shares the largest probability with other classes.

    Args:
        classes: Numbers of classes.

    Yields:
        Points with one input: all probabilities equal, and a tie of two.
    """
    for K in classes:
        for columns in ([1] + [0] * (K - 1), [1, -1] + [0] * (K - 2)):
            yield point([columns], [1] * K)
            yield point([columns], [2, 2] + [1] * (K - 2))


def edge_points(classes: Sequence[int] = (2, 3, 4, 5, 6, 10)) -> Iterator[Point]:
    """Yield the extreme points of the inequalities: ``V = [v, -v, 0, ...]`` and one column apart.

    Args:
        classes: Numbers of classes.

    Yields:
        Points with one input, a label that is strictly most probable, and its probability from
        just above ``1/K`` to almost 1, with one rival or with equal rivals.
    """
    for K in classes:
        pair, single = [1, -1] + [0] * (K - 2), [1] + [0] * (K - 1)
        for column, own in product((pair, single), (1.001, 1.3, 2, 6, 50, 1e4, 1e9)):
            yield point([column], [own] + [1] * (K - 1))
            yield point([column], [own, 1] + [1e-9] * (K - 2))
