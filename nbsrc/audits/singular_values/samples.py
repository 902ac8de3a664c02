"""Samples of scores: the variance of margins against the variances of scores."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from nbsrc.audits.finding import Case, collect
from nbsrc.claims import Finding

__all__ = [
    "Sample",
    "audit_fixed_rival",
    "audit_total_variance",
    "audit_variances_decide",
    "random_samples",
    "small_samples",
]


@dataclass(frozen=True, eq=False)
class Sample:
    """Scores of several examples with their labels.

    Attributes:
        s: The scores, ``[examples, classes]``.
        labels: The labels.
    """

    s: Tensor
    labels: Tensor

    @cached_property
    def margins(self) -> Tensor:
        """The margin of every example."""
        own = self.s.gather(1, self.labels[:, None])[:, 0]
        others = self.s.scatter(1, self.labels[:, None], -torch.inf)
        return own - others.amax(1)

    @cached_property
    def variances(self) -> Tensor:
        """The variance of every score over the examples."""
        return self.s.var(0, correction=0)

    @property
    def size(self) -> tuple[int, ...]:
        """Examples, classes, sum of the scores."""
        return (*self.s.shape, int(self.s.abs().sum()))

    @property
    def description(self) -> dict[str, Any]:
        """Scores and labels."""
        return {"s": self.s.tolist(), "y": self.labels.tolist()}


def small_samples() -> list[Sample]:
    """Return all samples of two examples with two classes and scores 0, 1 or 2, label 0.

    Returns:
        The samples, the smallest first.
    """
    found = []
    for values in itertools.product((0, 1, 2), repeat=4):
        s = torch.tensor(values, dtype=torch.float64).reshape(2, 2)
        found.append(Sample(s, torch.zeros(2, dtype=torch.int64)))
    return sorted(found, key=lambda x: x.size)


def random_samples(count: int, seed: int) -> Iterator[Sample]:
    """Yield random samples of correlated scores, two to five classes, with random labels.

    Args:
        count: How many.
        seed: Seed.

    Yields:
        The samples.
    """
    g = torch.Generator().manual_seed(seed)
    for number in range(count):
        L = 2 + number % 4
        mix = torch.randn(L, L, generator=g, dtype=torch.float64)
        s = torch.randn(40, L, generator=g, dtype=torch.float64) @ mix
        yield Sample(s, torch.randint(0, L, (40,), generator=g))


def audit_variances_decide(samples: Iterable[Sample]) -> Finding:
    """Test that samples with the same variance of every score have the same variance of margins.

    A piecewise linear relation, as any other function, has one value for one argument.

    Args:
        samples: Samples, all pairs of which are compared.

    Returns:
        The finding; the slack is minus the difference.
    """

    def cases() -> Iterator[Case]:
        for one, two in itertools.combinations(samples, 2):
            if one.s.shape != two.s.shape or not torch.equal(one.variances, two.variances):
                continue
            a, b = (float(x.margins.var(correction=0)) for x in (one, two))
            size = tuple(x + y for x, y in zip(one.size, two.size, strict=True))
            shown = {"s": one.s.tolist(), "s'": two.s.tolist(), "variances of scores":
                     one.variances.tolist(), "of margins": [a, b]}  # fmt: skip
            yield -abs(a - b), size, shown

    return collect(cases(), tolerance=1e-12, family="pairs of two examples, two classes")


def audit_total_variance(
    samples: Iterable[Sample], factor: float = 2.0, *, one_label: bool = True
) -> Finding:
    """Test that the variance of margins is at most twice the sum of the scores' variances.

    Needs one label for all: the margin is then a function of s with Lipschitz constant sqrt(2).

    Args:
        samples: Samples.
        factor: The factor; 2 for the statement.
        one_label: Use the label of the first example for all; else keep the labels.

    Returns:
        The finding; the slack is relative to the sum.
    """

    def cases() -> Iterator[Case]:
        for x in samples:
            same = Sample(x.s, torch.full_like(x.labels, int(x.labels[0]))) if one_label else x
            total, found = float(x.variances.sum()), float(same.margins.var(correction=0))
            shown = {**same.description, "sum": total, "of margins": found}
            yield (factor * total - found) / (total or 1.0), x.size, shown

    return collect(cases(), tolerance=1e-12, family="samples with one label")


def audit_fixed_rival(samples: Iterable[Sample], *, covariance: bool = True) -> Finding:
    """Test ``Var(s_y - s_i) = a^T Cov(s) a`` for one label and one rival, ``a = e_y - e_i``.

    Args:
        samples: Samples; classes 0 and 1 are the label and the rival.
        covariance: Keep the covariance; without it the sum of two variances is left.

    Returns:
        The finding; the slack is minus the relative error.
    """

    def cases() -> Iterator[Case]:
        for x in samples:
            centred = x.s - x.s.mean(0)
            cov = centred.T @ centred / len(x.s)
            formula = float(cov[0, 0] + cov[1, 1] - 2 * covariance * cov[0, 1])
            truth = float((x.s[:, 0] - x.s[:, 1]).var(correction=0))
            scale = float(cov.diagonal().sum()) or 1.0
            yield -abs(formula - truth) / scale, x.size, {**x.description, "formula": formula}

    return collect(cases(), tolerance=1e-12, family="samples of correlated scores")
