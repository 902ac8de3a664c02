"""Theorem 2: robust networks are built and certified, set by set."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Protocol

import torch
from torch import nn

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.robustness.sets import LabelledSet, shared_point
from nbsrc.claims import Finding
from nbsrc.constructions import certify_robust, robust_classifier

__all__ = [
    "Instance",
    "audit_classes",
    "audit_constructed",
    "audit_theorem2",
    "audit_vector_outputs",
    "certified_share",
    "large_random_set",
]


class Instance(Protocol):
    """A data set for which Theorem 2 promises a network."""

    @property
    def size(self) -> tuple[int, ...]:
        """What orders counterexamples."""

    @property
    def description(self) -> dict[str, Any]:
        """The set in words."""

    def shortfall(self) -> float:
        """Return 0 if a network with robust accuracy 1 was certified.

        Returns:
            Otherwise what is missing: a share of points, or a number of points that is positive
            for every network.
        """


def certified_share(data: LabelledSet, network: nn.Sequential | None = None) -> float:
    """Return the certified share of robust points.

    Args:
        data: The set.
        network: The network; by default the one that is built for the set, if the set is separable.

    Returns:
        A lower bound of the robust accuracy under equal weights. Without a network and with two
        balls of different classes that share a point, what is left when one of the two is lost.

    Raises:
        ValueError: If the set is not separable and no two balls share a point after rounding.
    """
    if network is None:
        if data.separation <= 2 * data.eps:
            if shared_point(data) > 1e-12 * (1 + data.eps):
                raise ValueError(f"the balls must share a point, got {data.description}")
            return 1 - 1 / len(data.points)
        network = robust_classifier(data.points, data.labels, data.eps, data.ord)
    found = certify_robust(network, data.points, data.labels, data.eps, data.ord, pieces=1)
    return found.robust_accuracy.lower


def audit_theorem2(instances: Iterable[Instance | LabelledSet]) -> Finding:
    """Test that every separable set has a network of robust accuracy 1.

    Args:
        instances: Sets under their metric.

    Returns:
        The finding; the slack is minus what is missing to robust accuracy 1.
    """

    def judged() -> Iterator[Case]:
        for data in instances:
            if isinstance(data, LabelledSet):
                missing = 1 - certified_share(data)
            else:
                missing = data.shortfall()
            yield -missing, data.size, data.description

    return collect(judged(), tolerance=0, family="separable sets")


def audit_constructed(
    sets: Iterable[LabelledSet], *, tolerance: float, attack_factor: float = 1.0
) -> Finding:
    """Bound the distance of the constructed network's output from the label over every ball.

    Args:
        sets: Separable sets.
        tolerance: Largest distance allowed; Definition 2 allows anything below 0.5.
        attack_factor: The balls are attacked with a gap's worth more than eps: with
            ``eps + (factor - 1) * separation / 2``. A control; 1 tests the statement.

    Returns:
        The finding; the slack is minus the certified largest distance.
    """

    def judged() -> Iterator[Case]:
        for data in sets:
            network = robust_classifier(data.points, data.labels, data.eps, data.ord)
            eps = data.eps + (attack_factor - 1) * data.separation / 2
            found = certify_robust(network, data.points, data.labels, eps, data.ord, pieces=1)
            deviation = float(found.deviation.max())
            yield -deviation, data.size, data.description | {"distance": deviation}

    return collect(judged(), tolerance=tolerance, family="separable finite sets")


def audit_vector_outputs(sets: Iterable[LabelledSet], *, swap_classes: bool = False) -> Finding:
    """Test the vector version: the score of the true class is largest on every ball, at any scale.

    A factor on the last layer changes no decision and multiplies the Lipschitz constant.

    Args:
        sets: Separable sets.
        swap_classes: Whether two outputs change places (a control).

    Returns:
        The finding; the slack is the certified share minus 1, for factors 1 and 1000.
    """

    def judged() -> Iterator[Case]:
        for data in sets:
            network = robust_classifier(
                data.points, data.labels, data.eps, data.ord, output="scores"
            )
            for factor in (1.0, 1000.0):
                last = network[-1]
                assert isinstance(last, nn.Linear)
                scaled = nn.Linear(last.in_features, last.out_features, dtype=last.weight.dtype)
                order = list(range(last.out_features))
                if swap_classes:
                    order[:2] = [1, 0]
                scaled.weight = nn.Parameter(factor * last.weight.detach()[order])
                scaled.bias = nn.Parameter(factor * last.bias.detach()[order])
                ranks = replace(data, labels=data.labels.unique(return_inverse=True)[1])
                share = certified_share(ranks, nn.Sequential(*list(network)[:-1], scaled))
                yield share - 1, data.size, data.description | {"factor": factor}

    return collect(judged(), tolerance=0, family="separable finite sets, vector outputs")


def audit_classes(
    counts: Sequence[int], seed: int, *, tolerance: float, attack_factor: float = 1.0
) -> Finding:
    """Test that the number of classes does not matter for the existence of a robust network.

    Args:
        counts: Numbers of classes.
        seed: Seed of the points.
        tolerance: Largest distance of the output from the label.
        attack_factor: As in :func:`audit_constructed`.

    Returns:
        The finding.
    """
    sets = [
        large_random_set(3 * count, dimension=dimension, classes=count, seed=seed, ord=norm)
        for count in counts
        for dimension, norm in ((1, 2.0), (2, math.inf), (5, 1.0))
    ]
    return audit_constructed(sets, tolerance=tolerance, attack_factor=attack_factor)


def large_random_set(
    count: int, *, dimension: int, classes: int, seed: int, ord: float = 2.0
) -> LabelledSet:
    """Return random points of the unit cube, as many classes as wanted, eps at 0.45 separation.

    Args:
        count: Number of points, at least one per class.
        dimension: Number of coordinates.
        classes: Number of classes; every class occurs.
        seed: Seed of the generator.
        ord: Norm of the balls.

    Returns:
        The set.
    """
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(count, dimension, generator=generator, dtype=torch.float64)
    data = LabelledSet(x, torch.arange(count) % classes + 1, 0.0, ord)
    return data.with_eps(0.45 * data.separation)
