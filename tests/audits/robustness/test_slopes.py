"""Proposition 2: steep parts in three places, its proof's arithmetic, and planted errors."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from nbsrc.audits.robustness import sets, slopes
from nbsrc.audits.robustness.infinite import bounded_sets
from nbsrc.audits.robustness.sets import LabelledSet, touching_pair
from nbsrc.audits.robustness.unbounded import DiscreteMetricSet, IntegerSet
from nbsrc.constructions import (
    SteepPairs,
    robust_classifier,
    robust_classifier_with_lipschitz,
    steep_pairs,
)
from tests.audits.robustness.robust_examples import (
    constant,
    line,
    small_sets,
    smallest_set,
)

SETS = small_sets()


def test_coding_bounds_worked_out_by_hand() -> None:
    """From 3/2 to 5/2 over a gap of 3/2 for labels in order; over a gap of 1/2 out of order."""
    assert slopes.coding_bounds() == {"1, 2, 3": pytest.approx(1 / 1.5), "1, 3, 2": 2}


def test_measured_slope_worked_out_by_hand() -> None:
    data = line([0, 4], [1, 2], 1)
    for where in slopes.PLACES:
        assert slopes.measured_slope(constant(1), data, 10.0, where) == 0
        steep = slopes.steep_network(data, 10.0, where)
        assert slopes.measured_slope(steep, data, 10.0, where) >= 10
    identity = nn.Sequential(nn.Linear(1, 1, bias=False).double())
    nn.init.constant_(identity[0].weight, -3)
    assert slopes.measured_slope(identity, data, 10.0, "inside") == pytest.approx(3)


def test_placements(monkeypatch: pytest.MonkeyPatch) -> None:
    def audit(sets: list[LabelledSet], **options: Any):
        return slopes.audit_placements(sets, (1e2,), tolerance=1e-5, **options)

    few = [SETS[0], SETS[1], *[data for data in SETS if data.eps == 0][:1]]
    found = slopes.audit_placements(few, (1e2, 1e6), tolerance=1e-5)
    assert found.holds
    no_inside = sum(data.eps == 0 for data in few)
    assert found.trials == 6 * len(few) - 2 * no_inside < 6 * len(few)
    assert audit(SETS[1:3], height=0.45).holds  # still below one half
    tall = smallest_set(lambda x: audit(x, height=0.6), SETS[1:4])
    assert tall.counterexample["where"] == "inside"
    assert tall.counterexample["certified"] == 0

    def half_as_steep(*arguments: Any) -> nn.Sequential:
        *data, xi, where = arguments
        return robust_classifier_with_lipschitz(*data, xi / 4, where)

    with monkeypatch.context() as patch:
        patch.setattr(slopes, "robust_classifier_with_lipschitz", half_as_steep)
        assert not audit(SETS[1:]).holds

    def wrong_eps(points: Any, labels: Any, eps: float, ord: float, *rest: Any) -> nn.Sequential:
        return robust_classifier_with_lipschitz(points, labels, eps / 10, ord, *rest)

    monkeypatch.setattr(slopes, "robust_classifier_with_lipschitz", wrong_eps)
    smallest_set(audit, SETS[3:])


@pytest.mark.parametrize("place", slopes.PLACES)
def test_placements_find_a_place_that_is_ignored(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Network and pairs are always made for one place: slopes and accuracy are as they should."""

    def network(*arguments: Any) -> nn.Sequential:
        return robust_classifier_with_lipschitz(*arguments[:5], place)

    def pairs(*arguments: Any) -> SteepPairs:
        return steep_pairs(*arguments[:5], place)

    monkeypatch.setattr(slopes, "robust_classifier_with_lipschitz", network)
    monkeypatch.setattr(slopes, "steep_pairs", pairs)
    found = slopes.audit_placements(SETS[1:3], (1e2,), tolerance=1e-5)
    assert found.worst_slack == -1
    assert found.counterexample["certified"] == 1
    assert found.counterexample["in place"] is False
    assert found.counterexample["where"] != place
    for data in SETS[1:3]:
        steep = slopes.steep_network(data, 1e2, place)
        placed = {x: slopes.well_placed(data, 1e2, x, steep) for x in slopes.PLACES}
        assert placed == {x: x == place for x in slopes.PLACES}


def test_well_placed_asks_for_the_label_on_the_balls() -> None:
    data = line([0, 4], [1, 2], 1)
    for where in ("outside", "shell"):
        assert slopes.well_placed(data, 10.0, where, slopes.steep_network(data, 10.0, where))
        assert not slopes.well_placed(data, 10.0, where, constant(1))
        inside = slopes.steep_network(data, 10.0, "inside")  # within 3/8, not 1e-8, of the label
        assert not slopes.well_placed(data, 10.0, where, inside)


@pytest.mark.parametrize(
    ("starts", "ends", "placed"),
    [
        ([[0.5], [3.0]], [[0.0], [3.5]], True),
        ([[0.5], [3.0]], [[0.0], [2.9]], False),  # an end outside its ball
        ([[3.0], [0.5]], [[3.5], [0.0]], False),  # each in the other's ball
        ([[0.5]], [[0.0]], False),  # one ball has none
    ],
)
def test_well_placed_inside_worked_out_by_hand(
    starts: list[list[float]],
    ends: list[list[float]],
    placed: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = line([0, 4], [1, 2], 1)
    pairs = SteepPairs("inside", torch.tensor(starts).double(), torch.tensor(ends).double(), 1.0)
    monkeypatch.setattr(slopes, "steep_pairs", lambda *_: pairs)
    assert slopes.well_placed(data, 1.0, "inside", constant(1)) is placed


def test_well_placed_tells_between_from_beyond(monkeypatch: pytest.MonkeyPatch) -> None:
    """Points above each other: right of the middle is near both classes, and beyond all balls."""
    x = torch.tensor([[0.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    data = LabelledSet(x, torch.tensor([1, 2]), 0.125, 2.0)
    network = slopes.steep_network(data, 10.0, "outside")
    for start, place in ((0.25, "outside"), (0.0, "shell")):
        ends = torch.tensor([[start, 0.5], [start + 0.0625, 0.5]], dtype=torch.float64)
        pairs = SteepPairs(place, ends[:1], ends[1:], 1.0)
        monkeypatch.setattr(slopes, "steep_pairs", lambda *_, p=pairs: p)
        for where in ("outside", "shell"):
            assert slopes.well_placed(data, 1.0, where, network) is (where == place)


def test_single_tooth_is_stretched_too() -> None:
    """One cell holds both points: the network has one tooth, held without a cap."""
    data = line([0, 1], [1, 1], 4)
    network = slopes.steep_network(data, 1e-3, "inside")
    height = float((network(data.points) - 1).detach().abs().max())
    slopes._stretch(network, 2.0, data)
    assert float((network(data.points) - 1).detach().abs().max()) == pytest.approx(2 * height)


def test_proposition2(monkeypatch: pytest.MonkeyPatch) -> None:
    audit = slopes.audit_proposition2
    nets = [x.enlarged for x in bounded_sets(0)[-1:]]
    found = audit([*SETS, *nets], (1e2, 1e6))
    assert found.holds
    assert found.trials == 2 * (len(SETS) + 1)
    integers = audit([*SETS, DiscreteMetricSet(4), IntegerSet(2), IntegerSet(1)], (1e2,))
    assert integers.counterexample == IntegerSet(1).description
    assert integers.worst_slack <= -1
    touching = smallest_set(lambda x: audit(x, (1e2,)), [*SETS, touching_pair(2, ord=1)])
    assert touching.worst_slack == -0.5
    smallest_set(lambda x: audit(x, (1e2,), steep=False), SETS)

    def steep_and_wrong(*arguments: Any) -> nn.Sequential:
        network = robust_classifier_with_lipschitz(*arguments)
        network[-1].bias = nn.Parameter(network[-1].bias + 0.6, requires_grad=False)
        return network

    with monkeypatch.context() as patch:
        patch.setattr(slopes, "robust_classifier_with_lipschitz", steep_and_wrong)
        assert smallest_set(lambda x: audit(x, (1e2,)), SETS[2:]).worst_slack == -1
    monkeypatch.setattr(
        slopes, "robust_classifier_with_lipschitz", lambda *a: robust_classifier(*a[:4])
    )  # robust, and flat where it should be steep
    assert not audit(SETS[:1], (1e2,)).holds


def test_proof_of_proposition2() -> None:
    audit = slopes.audit_proof_of_proposition2
    found = audit(max_dimension=3)
    assert found.holds
    assert found.trials == 3 * 19 * 3
    assert found.worst_slack == 0  # the gap is 1, exactly
    loose = audit(max_dimension=3, zeta=0.2)
    assert loose.counterexample == {
        "n": 1,
        "u": "7/2",
        "norm": "1",
        "gap of the values": "4/5",
    }
    assert not audit(max_dimension=1, zeta=0.1001).holds
    assert audit(max_dimension=1, zeta=0.0999).holds


def test_proof_of_proposition2_checks_the_distance(monkeypatch: pytest.MonkeyPatch) -> None:
    true = slopes._corner
    monkeypatch.setattr(slopes, "_corner", lambda value, n: true(value, n + 1))
    found = slopes.audit_proof_of_proposition2(max_dimension=2)
    assert not found.holds
    assert found.counterexample["norm"] == "1"  # in the linf norm the dimension does not count


def test_rounding_of_a_very_steep_ramp_is_allowed_for() -> None:
    """This set and slope certify the labels up to 4e-5, which is rounding of a slope of 1e10."""
    (data,) = (x for x in sets.random_sets(6, 10, max_dimension=8, max_points=15)
               if len(x.points) == 11)  # fmt: skip
    assert slopes.audit_placements([data], [1e10], tolerance=1e-5).holds
    assert not slopes.well_placed(data, 1e10, "shell", constant(1, 3))
