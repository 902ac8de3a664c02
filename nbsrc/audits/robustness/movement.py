"""How far the output moves over a ball, how fast, and what that says on robustness."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import product

import torch
from torch import Tensor, nn

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.robustness.definition import robust_as_printed
from nbsrc.audits.robustness.existence import certified_share
from nbsrc.audits.robustness.line import LineCase
from nbsrc.audits.robustness.sets import LabelledSet
from nbsrc.audits.robustness.slopes import PLACES, measured_slope, steep_network, well_placed
from nbsrc.claims import Finding
from nbsrc.constructions import certify_robust, gentle_classifier, robust_classifier
from nbsrc.lipschitz import lipschitz_constant

__all__ = [
    "audit_movement_bounds",
    "audit_signed_movement",
    "audit_small_local_constant_needed",
    "gentlest",
]


def audit_small_local_constant_needed(
    sets: Iterable[LabelledSet], slopes: Sequence[float]
) -> Finding:
    """Test that a network with robust accuracy 1 has small local constants on the balls.

    Small is what suffices: a local constant L with ``L eps < 0.5``.

    Args:
        sets: Separable sets; those with eps = 0 have no inside and are left out.
        slopes: Slopes of the zigzags inside the balls.

    Returns:
        The finding; the slack is 0.5 minus eps times the least slope found inside the balls, for
        networks with certified robust accuracy 1, and 0.5 for others.
    """

    def judged() -> Iterator[Case]:
        for data, xi in product([d for d in sets if d.eps > 0], slopes):
            network = steep_network(data, xi, "inside")
            slope = measured_slope(network, data, xi, "inside")
            share = certified_share(data, network)
            steep = share == 1 and well_placed(data, xi, "inside", network)
            shown = data.description | {"slope inside every ball": slope, "certified": share}
            yield 0.5 - (data.eps * slope if steep else 0.0), data.size, shown

    return collect(judged(), tolerance=0, family="robust networks that are steep inside the balls")


def audit_movement_bounds(
    sets: Iterable[LabelledSet], slopes: Sequence[float], *, centre: bool = True
) -> Finding:
    """Test that little movement is sufficient, and that robustness bounds the movement by 1.

    With m the largest ``|g(x') - g(x)|`` on the ball: ``m < 0.5 - |g(x) - y|`` makes x robust, and
    at a robust x ``m < 1``. Networks: plain, steep in three places, and with the labels rotated.

    Args:
        sets: Separable sets.
        slopes: Slopes of the steep networks.
        centre: Whether the output at the centre counts (False is a control).

    Returns:
        The finding; the slack is -1 where a point with little movement is not certified, else 1
        minus the movement at certified points.
    """

    def judged() -> Iterator[Case]:
        for data in sets:
            plain = robust_classifier(data.points, data.labels, data.eps, data.ord)
            yield _movement_case(data, data.labels, "plain", plain, centre)
            for xi, where in product(slopes, PLACES):
                steep = steep_network(data, xi, where)
                yield _movement_case(data, data.labels, f"{where}, slope {xi:g}", steep, centre)
            rotated = data.labels.unique().roll(1)[data.labels.unique(return_inverse=True)[1]]
            wrong = robust_classifier(data.points, rotated, data.eps, data.ord)
            yield _movement_case(data, rotated, "rotated labels", wrong, centre)

    return collect(judged(), tolerance=1e-9, family="plain, steep and wrong networks")


def _movement_case(
    data: LabelledSet, taught: Tensor, name: str, network: nn.Sequential, centre: bool
) -> Case:
    """Judge one network, which was built for the labels ``taught``."""
    found = certify_robust(network, data.points, taught, data.eps, data.ord, pieces=1)
    certified = found.certified & (taught == data.labels)
    with torch.no_grad():
        output = network(data.points)
    movement = torch.maximum(found.upper - output, output - found.lower)[:, 0]
    distance = (output[:, 0] - data.labels).abs()
    promised = movement + (distance if centre else 0.0) < 0.5
    slack = torch.where(certified, 1 - movement, torch.inf)
    slack[promised & ~certified] = -1.0
    worst = int(slack.argmin())
    shown = data.description | {
        "network": name,
        "movement": float(movement[worst]),
        "distance at the centre": float(distance[worst]),
    }
    return float(slack[worst].clamp_max(1.0)), data.size, shown


def audit_signed_movement(cases: Iterable[LineCase], *, signed: bool = True) -> Finding:
    """Test what decides robustness: rise and fall of the output against its room on each side.

    A point is robust exactly if the output rises by less than 0.5 + y - g(x) and falls by less
    than 0.5 - y + g(x) on the ball.

    Args:
        cases: Classifiers on the line with a labelled interval, in exact fractions.
        signed: Whether rise and fall are looked at apart. If not, the larger of both is compared
            with ``0.5 - |g(x) - y|``, the distance from the nearer threshold (a control).

    Returns:
        The finding; the slack is -1 where the criterion and Definition 2 disagree.
    """
    half = Fraction(1, 2)

    def judged() -> Iterator[Case]:
        for case in cases:
            low, high = case.g.range_on(case.x - case.eps, case.x + case.eps)
            output = case.g(case.x)
            rise, fall = high - output, output - low
            if signed:
                criterion = rise < half + case.label - output and fall < half - case.label + output
            else:
                criterion = max(rise, fall) < half - abs(output - case.label)
            agree = criterion == robust_as_printed(case)
            shown = {
                "output at the centre": str(output),
                "label": case.label,
                "rise": str(rise),
                "fall": str(fall),
                "robust": robust_as_printed(case),
            }
            yield 0.0 if agree else -1.0, (len(case.g.knots), case.classes), shown

    return collect(judged(), tolerance=0, family="piecewise linear classifiers on the line")


def gentlest(shrink: float) -> tuple[float, float]:
    """Return the exact Lipschitz constant and the certified robust accuracy of a gentle network.

    Args:
        shrink: The factor t of :func:`nbsrc.constructions.gentle_classifier`.

    Returns:
        Constant and accuracy, for the points 0 and 4 with labels 1 and 2, eps = 1.
    """
    x, y, eps = torch.tensor([[0.0], [4.0]], dtype=torch.float64), torch.tensor([1, 2]), 1.0
    network = gentle_classifier(x, y, eps, 2, shrink=shrink)
    accuracy = certify_robust(network, x, y, eps, 2).robust_accuracy.lower
    return lipschitz_constant(network, 2).value, accuracy
