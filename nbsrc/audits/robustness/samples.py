"""A separated sample and the population it was drawn from."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.robustness.existence import certified_share
from nbsrc.audits.robustness.sets import LabelledSet, shared_point
from nbsrc.claims import Finding
from nbsrc.constructions import robust_classifier

__all__ = ["audit_sample_for_itself", "audit_sample_for_population", "populations"]


def populations(seed: int, count: int) -> Iterator[tuple[LabelledSet, LabelledSet]]:
    """Yield a population on the line with a sample that is separated although it is not.

    The population is 0, 1, ..., N - 1 with label 1 on the left half and 2 on the right half, under
    eps = 1: its middle points are at distance 1, not more than 2 eps. The sample leaves a gap in
    the middle.

    Args:
        seed: Seed of the samples.
        count: Number of random pairs after the smallest one.

    Yields:
        Population and sample.
    """
    generator = torch.Generator().manual_seed(seed)
    for number in range(count + 1):
        half = 2 + 5 * number
        x = torch.arange(2 * half, dtype=torch.float64)[:, None]
        y = 1 + (torch.arange(2 * half) >= half).long()
        keep = torch.rand(2 * half, generator=generator) < 0.5
        keep[0] = keep[-1] = True
        keep[half - 1 : half + 1] = False  # 2 eps = 2 needs a gap of at least 3
        population = LabelledSet(x, y, 1.0, 2.0)
        yield population, LabelledSet(x[keep], y[keep], 1.0, 2.0)


def audit_sample_for_population(seed: int, count: int = 12) -> Finding:
    """Test that a separated sample implies a network with robust accuracy 1 on the population.

    Args:
        seed: Seed of the samples.
        count: Number of random populations.

    Returns:
        The finding; the slack is minus the share that every classifier loses: one point, if the
        closed balls of the two middle points share a point. What the network that is perfect on
        the sample loses is shown beside it.
    """

    def judged() -> Iterator[Case]:
        for population, sample in populations(seed, count):
            network = robust_classifier(sample.points, sample.labels, sample.eps, sample.ord)
            lost = 1 - certified_share(population, network)
            every = 1 / len(population.points) if shared_point(population) <= 0 else 0.0
            shown = {
                "population": f"0 to {len(population.points) - 1}, halves labelled 1 and 2",
                "sample": [int(x) for x in sample.points[:, 0]],
                "eps": population.eps,
                "lost by every classifier": f"at least {every:g}",
                "lost by the network of the sample": lost,
            }
            yield -every, population.size, shown

    return collect(judged(), tolerance=0, family="separated samples of populations on the line")


def audit_sample_for_itself(seed: int, count: int = 12, *, fresh: bool = False) -> Finding:
    """Test that a separated sample has a network with robust accuracy 1 on the sample.

    Args:
        seed: Seed of the samples.
        count: Number of random populations.
        fresh: Whether the network is judged on the whole population instead (a control).

    Returns:
        The finding; the slack is the certified share minus 1.
    """

    def judged() -> Iterator[Case]:
        for population, sample in populations(seed, count):
            network = robust_classifier(sample.points, sample.labels, sample.eps, sample.ord)
            share = certified_share(population if fresh else sample, network)
            yield share - 1, sample.size, {"sample": sample.points[:, 0].tolist()}

    return collect(judged(), tolerance=0, family="separated samples on the line")
