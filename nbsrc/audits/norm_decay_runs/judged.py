"""Statements of paper A about norms of trained networks, as tests of collected runs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from statistics import mean, quantiles

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.norm_decay_runs.records import (
    BATCH_NORM,
    WEIGHTS,
    Pair,
    Run,
    epoch_norms,
    geometric_ratio,
)
from nbsrc.claims import Finding

__all__ = [
    "audit_comparable", "audit_compensated", "audit_layers", "audit_projected",
    "audit_reduced", "audit_stays", "behind", "final_ratio", "quartile_ratios"
]  # fmt: skip


def final_ratio(pair: Pair, order: str = "linf", kinds: Sequence[str] = WEIGHTS) -> float:
    """Return how much larger a run's final norms are than those of its plain partner.

    Args:
        pair: The runs.
        order: The norm.
        kinds: The layers.

    Returns:
        The geometric mean over the layers.
    """
    one, two = (epoch_norms(run["history"][-1], order, kinds) for run in (pair.run, pair.plain))
    return geometric_ratio(one, two)


def audit_comparable(found: Sequence[Pair], least: float, *, order: str = "linf") -> Finding:
    """Test that networks have final norms of at least a share of their plain partners'.

    Args:
        found: The pairs.
        least: The share.
        order: The norm.

    Returns:
        The finding; the slack is the geometric mean ratio over the layers minus the share.
    """
    cases: list[Case] = [
        (final_ratio(pair, order) - least, (n,), {"run": pair.words,
         "ratio": round(final_ratio(pair, order), 3)})
        for n, pair in enumerate(found)
    ]  # fmt: skip
    return collect(cases, tolerance=0, family=f"{len(found)} networks against their plain partner")


def quartile_ratios(found: Sequence[Pair], *, order: str = "linf") -> list[float]:
    """Compare the distributions of the layers' norms of networks and of their plain partners.

    Args:
        found: The pairs.
        order: The norm.

    Returns:
        For every pair the ratios of the lower quartile, the median and the upper quartile.
    """
    ratios: list[float] = []
    for pair in found:
        ends = [epoch_norms(r["history"][-1], order) for r in (pair.run, pair.plain)]
        cuts = [quantiles(list(norms.values()), n=4, method="inclusive") for norms in ends]
        ratios += [one / two for one, two in zip(*cuts, strict=True)]
    return ratios


def audit_layers(found: Sequence[Pair], least: float, *, order: str = "linf") -> Finding:
    """Test that most layers of a network have a norm of at least a share of the plain partner's.

    Args:
        found: The pairs.
        least: The share.
        order: The norm.

    Returns:
        The finding; the slack is the part of the layers that reach the share, minus one half.
    """
    cases: list[Case] = []
    for n, pair in enumerate(found):
        ends = [epoch_norms(r["history"][-1], order) for r in (pair.run, pair.plain)]
        reached = mean(norm >= least * ends[1][name] for name, norm in ends[0].items())
        shown = {"run": pair.words, "layers": round(reached, 3)}
        cases.append((reached - 0.5, (n,), shown))
    return collect(cases, tolerance=0, family=f"single layers of {len(found)} networks")


def audit_reduced(found: Sequence[Pair], *, order: str = "l1") -> Finding:
    """Test that a regulariser makes the norms smaller than plain training does.

    Args:
        found: The pairs.
        order: The norm.

    Returns:
        The finding; the slack is 1 minus the geometric mean ratio over the layers.
    """
    cases: list[Case] = [
        (1 - final_ratio(pair, order), (n,), {"run": pair.words,
         "ratio": round(final_ratio(pair, order), 3)})
        for n, pair in enumerate(found)
    ]  # fmt: skip
    return collect(cases, tolerance=0, family=f"{len(found)} regularised networks")


def audit_projected(runs: Iterable[Run], bound: float) -> Finding:
    """Test that the norms of batch norm are within a bound after every epoch.

    Args:
        runs: Runs with recorded norms.
        bound: The bound.

    Returns:
        The finding over all layers and epochs after the first step; the slack is relative.
    """

    def cases() -> Iterable[Case]:
        for run in runs:
            for epoch in run["history"][1:]:
                for name, norm in epoch_norms(epoch, "l1", BATCH_NORM).items():
                    shown = {"run": run["label"], "layer": name, "norm": round(norm, 3)}
                    yield 1 - norm / bound, (epoch["epoch"],), shown

    return collect(cases(), tolerance=1e-5, family="every batch norm after every epoch")


def audit_stays(runs: Iterable[Run], factor: float, order: str = "l1") -> Finding:
    """Test that norms stay the same during training, up to a factor.

    Args:
        runs: Runs with norms after every epoch.
        factor: The factor, above 1.
        order: The norm.

    Returns:
        The finding over layers and epochs; the slack is the logarithm of the factor minus the
        size of the logarithm of the change since the first epoch (the state after the first
        clipping).
    """

    def cases() -> Iterable[Case]:
        for run in runs:
            first = epoch_norms(run["history"][1], order)
            for epoch in run["history"][2:]:
                for name, norm in epoch_norms(epoch, order).items():
                    change = norm / first[name]
                    shown = {"run": run["label"], "layer": name, "times": round(change, 3)}
                    yield math.log(factor) - abs(math.log(change)), (epoch["epoch"],), shown

    return collect(cases(), tolerance=0, family=f"{order} norms of layers after every epoch")


def behind(name: str) -> str:
    """Return the batch norm behind a convolution of this project's ResNet-18.

    Args:
        name: Name of the convolution.

    Returns:
        Name of its batch norm.

    Example:
        >>> behind("layer2.0.conv1"), behind("layer2.0.downsample.0")
        ('layer2.0.bn1', 'layer2.0.downsample.1')
    """
    return name.replace("downsample.0", "downsample.1").replace("conv", "bn")


def audit_compensated(found: Sequence[Pair], *, below: float, order: str = "l1") -> Finding:
    """Test that batch norm grows behind convolutions that a regulariser has made small.

    Args:
        found: Pairs of ResNet-18.
        below: A convolution counts if its norm is at most this share of its plain partner's.
        order: The norm.

    Returns:
        The finding over these convolutions; the slack is the logarithm of the ratio of the norms
        of the batch norm behind, to that of the plain partner.
    """

    def cases() -> Iterable[Case]:
        for number, pair in enumerate(found):
            ends = [run["history"][-1] for run in (pair.run, pair.plain)]
            convs = [epoch_norms(end, order, ("conv",)) for end in ends]
            norms = [epoch_norms(end, order, BATCH_NORM) for end in ends]
            for name, norm in convs[0].items():
                share, bn = norm / convs[1][name], behind(name)
                if share <= below:
                    grown = norms[0][bn] / norms[1][bn]
                    shown = {"run": pair.words, "layer": name, "convolution": round(share, 3),
                             "batch norm": round(grown, 3)}  # fmt: skip
                    yield math.log(grown), (number,), shown

    return collect(cases(), tolerance=0, family="convolutions made small, ResNet-18")
