"""Proposition 2: robust networks with a steep part outside, between or inside the balls."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import pairwise, product

import torch
from torch import Tensor, nn

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.robustness.existence import Instance, certified_share
from nbsrc.audits.robustness.sets import LabelledSet
from nbsrc.claims import Finding
from nbsrc.constructions import (
    certify_robust,
    lipschitz_infimum,
    robust_classifier,
    robust_classifier_with_lipschitz,
    steep_pairs,
)
from nbsrc.constructions.steep import PLACES
from nbsrc.lipschitz import lipschitz_lower_bound

__all__ = [
    "PLACES",
    "audit_placements",
    "audit_proof_of_proposition2",
    "audit_proposition2",
    "coding_bounds",
    "measured_slope",
    "steep_network",
    "well_placed",
]


def coding_bounds() -> dict[str, float]:
    """Return the least Lipschitz constants for the points 0, 1, 2 with eps = 1/4, by coding.

    Returns:
        The infimum over all robust scalar classifiers, for the labels 1, 2, 3 and 1, 3, 2.
    """
    points = torch.tensor([[0.0], [1.0], [2.0]], dtype=torch.float64)
    codings = {"1, 2, 3": [1, 2, 3], "1, 3, 2": [1, 3, 2]}
    return {
        name: lipschitz_infimum(points, torch.tensor(labels), 0.25, 2)
        for name, labels in codings.items()
    }


def steep_network(data: LabelledSet, xi: float, where: str) -> nn.Sequential:
    """Return the robust classifier of a set with a steep part.

    Args:
        data: The set.
        xi: Slope wanted.
        where: One of :data:`PLACES`.

    Returns:
        The network.
    """
    return robust_classifier_with_lipschitz(data.points, data.labels, data.eps, data.ord, xi, where)


def measured_slope(network: nn.Module, data: LabelledSet, xi: float, where: str) -> float:
    """Return the least quotient of Definition 1 over the pairs where the network should be steep.

    Args:
        network: The network.
        data: The set.
        xi: Slope wanted.
        where: One of :data:`PLACES`.

    Returns:
        The least quotient: a lower bound of the Lipschitz constant, for "inside" of every ball's.
    """
    pairs = steep_pairs(data.points, data.labels, data.eps, data.ord, xi, where)
    return min(
        lipschitz_lower_bound(network, start[None], end[None], data.ord)
        for start, end in zip(pairs.starts, pairs.ends, strict=True)
    )


def audit_placements(
    sets: Iterable[LabelledSet],
    slopes: Sequence[float],
    *,
    tolerance: float,
    height: float | None = None,
) -> Finding:
    """Test that all three placements have the slope wanted and certified robust accuracy 1.

    Args:
        sets: Separable sets.
        slopes: Slopes wanted.
        tolerance: Relative rounding allowed for the slope.
        height: Height of the teeth inside the balls instead of 3/8 (a control).

    Returns:
        The finding; the slack is the least of the relative excess of the slope, the certified
        robust accuracy minus 1, and -1 if the steep part is not where it should be.
    """

    def judged() -> Iterator[Case]:
        for data, xi, where in product(sets, slopes, PLACES):
            if where == "inside" and data.eps == 0:
                continue  # a ball of radius 0 has no inside
            network = steep_network(data, xi, where)
            if height is not None and where == "inside":
                _stretch(network, height / 0.375, data)
            excess = measured_slope(network, data, xi, where) / xi - 1
            share = certified_share(data, network)
            placed = 0.0 if well_placed(data, xi, where, network) else -1.0
            shown = data.description | {"where": where, "slope": xi, "certified": share}
            yield min(excess, share - 1, placed), data.size, shown | {"in place": placed == 0}

    return collect(judged(), tolerance=tolerance, family="separable finite sets, three placements")


def well_placed(data: LabelledSet, xi: float, where: str, network: nn.Module) -> bool:
    """Return whether the steep pairs lie where they should.

    Args:
        data: The set.
        xi: Slope wanted.
        where: One of :data:`PLACES`.
        network: The network.

    Returns:
        For "inside": one pair per ball, both ends in the closed ball. Otherwise: both ends outside
        all balls, the output on the balls within 1e-8 of the labels, not counting what rounding
        makes of a ramp of this slope (the certificate bounds it), and for "outside" a first
        coordinate beyond all balls, for "shell" one that is not, and points of two classes nearer
        to either end than the separation.
    """
    pairs = steep_pairs(data.points, data.labels, data.eps, data.ord, xi, where)
    ends = torch.stack([pairs.starts, pairs.ends])
    steps = ends[:, :, None, :] - data.points
    distance = torch.linalg.vector_norm(steps, ord=data.ord, dim=-1)
    if where == "inside":
        own = distance.diagonal(dim1=1, dim2=2)
        return bool((own <= data.eps).all()) and len(pairs.starts) == len(data.points)
    found = certify_robust(network, data.points, data.labels, data.eps, data.ord, pieces=1)
    flat = float(found.deviation.max()) <= 1e-8 + 1e-14 * xi
    there = bool((ends[..., 0] > data.points[:, 0].max() + data.eps).all())
    if where == "shell":
        near = [data.labels[row < data.separation].unique() for row in distance.flatten(0, 1)]
        there = not there and all(len(classes) >= 2 for classes in near)
    return bool((distance > data.eps).all()) and flat and there


def _stretch(network: nn.Sequential, factor: float, data: LabelledSet) -> None:
    """Multiply what the teeth add to the output."""
    last = network[-1]
    assert isinstance(last, nn.Linear)
    weight, bias = last.weight.detach().clone(), last.bias.detach().clone()
    weight[:, data.size[2] :] *= factor
    # The network holds the teeth as 3/8 minus a unit, or for a single tooth as a unit.
    if bool((weight[:, data.size[2] :] < 0).all()):
        bias += 0.375 * (factor - 1)
    last.weight = nn.Parameter(weight, requires_grad=False)
    last.bias = nn.Parameter(bias, requires_grad=False)


def audit_proposition2(
    instances: Iterable[LabelledSet | Instance], slopes: Sequence[float], *, steep: bool = True
) -> Finding:
    """Test that every separable set has a robust network with a Lipschitz constant of at least xi.

    Args:
        instances: Sets; the infinite ones say what robust accuracy is possible at all.
        slopes: Values of xi.
        steep: Whether the network has its steep part (False is a control).

    Returns:
        The finding; the slack is the smaller of the relative excess of the slope over xi and the
        certified robust accuracy minus 1.
    """

    def judged() -> Iterator[Case]:
        for data, xi in product(instances, slopes):
            if not isinstance(data, LabelledSet):
                yield -data.shortfall(), data.size, data.description
                continue
            if data.separation <= 2 * data.eps:
                yield certified_share(data) - 1, data.size, data.description
                continue
            network = steep_network(data, xi, "outside")
            if not steep:
                network = robust_classifier(data.points, data.labels, data.eps, data.ord)
            excess = measured_slope(network, data, xi, "outside") / xi - 1
            share = certified_share(data, network)
            shown = data.description | {"xi": xi, "certified": share}
            yield min(excess, share - 1), data.size, shown

    return collect(judged(), tolerance=1e-5, family="separable sets")


def audit_proof_of_proposition2(*, max_dimension: int, zeta: float = 0.1) -> Finding:
    """Test the arithmetic of the proof of Proposition 2: boxes, values, distance and quotient.

    Args:
        max_dimension: Largest number of coordinates.
        zeta: Tolerance of the approximation; 0.1 as printed.

    Returns:
        The finding; the slack is the least of: the gap of the values minus 1 as an exact fraction,
        minus the error of the distance, and -1 if the boxes meet or do not hold their points.
    """
    gap = Fraction("0.1") - Fraction("-1.1") - 2 * Fraction(str(zeta))

    def judged() -> Iterator[Case]:
        for n, k, order in product(range(1, max_dimension + 1), range(1, 20), (1, 2, math.inf)):
            u = Fraction(3) + Fraction(1, 2**k)
            boxes = [(Fraction(0), Fraction(1)), (Fraction(2), Fraction(3)), (u, Fraction(4))]
            disjoint = all(a[1] < b[0] for a, b in pairwise(boxes))
            first, second = _corner(3, n), _corner(float(u), n)
            distance = float(torch.linalg.vector_norm(first - second, ord=order))
            root = 0 if order == math.inf else 1 / order
            error = abs(distance - n**root * float(u - 3))
            slack = min(float(gap) - 1, -error if error > 1e-14 else 0.0, 0.0 if disjoint else -1.0)
            shown = {"n": n, "u": str(u), "norm": str(order), "gap of the values": str(gap)}
            yield slack, (n, k), shown

    return collect(judged(), tolerance=0, family="dimensions, norms and u = 3 + 2^-k")


def _corner(value: float, dimension: int) -> Tensor:
    return torch.full((dimension,), value, dtype=torch.float64)
