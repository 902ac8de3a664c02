"""The proof of Theorem 2, and what its network must know of the distribution: its support."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.robustness.existence import certified_share
from nbsrc.audits.robustness.sets import LabelledSet, points_of_balls, two_points
from nbsrc.claims import Finding
from nbsrc.constructions import certify_robust, robust_classifier

__all__ = [
    "audit_any_probabilities",
    "audit_proof_steps",
    "audit_without_the_support",
]


def audit_proof_steps(
    sets: Iterable[LabelledSet], *, zeta: float = 0.1, tolerance: float
) -> Finding:
    """Test the steps of the proof after the first on finite sets and norm balls.

    The covers of two classes are at distance separation - 2 eps > 0, so that their closures are
    disjoint and the label function is continuous; and functions that differ from the labels by
    zeta on every ball have robust accuracy 1.

    Args:
        sets: Separable sets.
        zeta: Tolerance of the approximation.
        tolerance: Rounding allowed for the distance.

    Returns:
        The finding; the slack is the smaller of minus the error of the distance and the certified
        robust accuracy minus 1.
    """

    def judged() -> Iterator[Case]:
        for data in sets:
            x, z = _closest(data)
            step = (z - x) * data.eps / data.separation
            between = torch.linalg.vector_norm((z - step) - (x + step), ord=data.ord)
            error = abs(float(between) - (data.separation - 2 * data.eps))
            share = min(certified_share(data, _shifted(data, shift)) for shift in (zeta, -zeta))
            yield min(-error, share - 1), data.size, data.description | {"zeta": zeta}

    return collect(judged(), tolerance=tolerance, family="separable finite sets")


def _shifted(data: LabelledSet, shift: float) -> nn.Sequential:
    """Return the robust classifier with a constant error."""
    network = robust_classifier(data.points, data.labels, data.eps, data.ord)
    last = network[-1]
    assert isinstance(last, nn.Linear)
    last.bias = nn.Parameter(last.bias.detach() + shift, requires_grad=False)
    return network


def _closest(data: LabelledSet) -> tuple[Tensor, Tensor]:
    distances = torch.linalg.vector_norm(
        data.points[:, None] - data.points[None, :], ord=data.ord, dim=-1
    )
    distances[data.labels[:, None] == data.labels[None, :]] = torch.inf
    i, j = divmod(int(distances.argmin()), len(data.points))
    return data.points[i], data.points[j]


def audit_without_the_support(sets: Iterable[LabelledSet], seed: int) -> Finding:
    """Test whether a network can be built without knowing the distribution.

    A network is built for all points but one; the left-out point has positive probability.

    Args:
        sets: Separable sets.
        seed: Seed of the choice.

    Returns:
        The finding; the slack is the refuted share of the full set, negated.
    """
    generator = torch.Generator().manual_seed(seed)

    def judged() -> Iterator[Case]:
        for data in [two_points(), *sets]:
            out = int(torch.randint(len(data.points), (), generator=generator))
            keep = torch.arange(len(data.points)) != out
            if data.labels[keep].unique().numel() == 0:
                continue
            network = robust_classifier(data.points[keep], data.labels[keep], data.eps, data.ord)
            found = certify_robust(network, data.points, data.labels, data.eps, data.ord, pieces=1)
            refuted = 1 - found.robust_accuracy.upper
            shown = data.description | {"left out": out, "refuted share": refuted}
            yield -refuted, data.size, shown

    return collect(judged(), tolerance=0, family="separable finite sets, one point unseen")


def audit_any_probabilities(
    sets: Iterable[LabelledSet],
    seed: int,
    *,
    tolerance: float,
    dtype: torch.dtype = torch.float64,
) -> Finding:
    """Test that support and labels are enough, and that float arithmetic does no harm.

    The network is run on centres and random points of every ball, in the given precision; the
    robust share is taken under random probabilities.

    Args:
        sets: Separable sets.
        seed: Seed of points and probabilities.
        tolerance: Largest distance of an output from its label.
        dtype: Precision in which the network runs.

    Returns:
        The finding; the slack is minus the largest distance from the label where the probability
        is positive, or the certified accuracy minus 1 if that is less.
    """
    generator = torch.Generator().manual_seed(seed)

    def judged() -> Iterator[Case]:
        for data in sets:
            network = robust_classifier(data.points, data.labels, data.eps, data.ord)
            found = certify_robust(network, data.points, data.labels, data.eps, data.ord, pieces=1)
            weights = torch.rand(len(data.points), generator=generator, dtype=torch.float64)
            weights /= weights.sum()
            lost = float(weights[~found.certified].sum())
            x = points_of_balls(data, 8, generator)
            run = network.to(dtype)(x.to(dtype)).detach()[..., 0].double()
            error = float((run - data.labels).abs().nan_to_num(math.inf).max())  # inf - inf: lost
            shown = data.description | {"output error": error, "precision": str(dtype)}
            yield min(-error, -lost), data.size, shown

    return collect(judged(), tolerance=tolerance, family="separable sets, random probabilities")
