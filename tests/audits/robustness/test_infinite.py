"""Infinite sets: nets that cover, integers that are lost, a metric without a norm."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from scipy.spatial.distance import cdist
from torch import Tensor, nn

from nbsrc.audits.robustness import infinite
from nbsrc.audits.robustness.existence import audit_theorem2
from nbsrc.constructions import robust_classifier
from tests.audits.robustness.robust_examples import constant

BOUNDED = infinite.bounded_sets(0)
METRICS = {1.0: "cityblock", 2.0: "euclidean", math.inf: "chebyshev"}


@pytest.mark.parametrize("number", range(len(BOUNDED)))
def test_nets_cover_their_sets(number: int) -> None:
    data = BOUNDED[number]
    x, y = data.members.points.numpy(), data.members.labels.numpy()
    z, label = data.net.points.numpy(), data.net.labels.numpy()
    table = cdist(x, z, METRICS[data.net.ord])
    table[y[:, None] != label[None, :]] = math.inf
    assert len(x) > 2 * len(z)
    assert table.min(axis=1).max() <= data.spacing * (1 + 1e-12)
    assert data.enlarged.separation > 2 * data.enlarged.eps
    assert data.enlarged.eps == data.net.eps + data.spacing
    assert data.description["X"] == data.name


def test_bounded_sets_have_robust_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    few = [BOUNDED[1], BOUNDED[-1]]
    assert audit_theorem2(few).holds

    def for_a_coarse_net(x: Tensor, y: Tensor, eps: float, ord: float) -> nn.Sequential:
        return robust_classifier(x[::5], y[::5], eps, ord)

    monkeypatch.setattr(infinite, "robust_classifier", for_a_coarse_net)
    assert not audit_theorem2(few).holds


def test_integers_lost_worked_out_by_hand() -> None:
    """The even integers but zero weigh 2/9, zero 1/3, the odd ones 4/9."""
    assert infinite.lost_integers(constant(1)) == pytest.approx(4 / 9, abs=1e-15)
    assert infinite.lost_integers(constant(2)) == pytest.approx(1 / 3 + 2 / 9, abs=1e-15)
    assert infinite.lost_integers(constant(1.5)) == pytest.approx(1, abs=1e-15)
    assert infinite.lost_integers(constant(2), largest=0) == pytest.approx(1 / 3)


def test_no_network_has_all_integers() -> None:
    """For -1, 0, 1 the output is 2 on both rays: the even integers but zero are lost."""
    instances = infinite.integer_sets()
    accuracies = [x.best_robust_accuracy() for x in instances]
    assert accuracies[0] == pytest.approx(7 / 9, abs=1e-15)
    assert accuracies == sorted(accuracies)
    assert accuracies[-1] < 1
    found = audit_theorem2(reversed(instances))
    assert not found.holds
    assert found.counterexample["network built for"] == "-1 to 1"


def test_discrete_metric() -> None:
    """A network for 0 and 1 climbs between them: 1/k is lost for all large k."""
    instances = infinite.discrete_metric_sets()
    accuracies = [x.best_robust_accuracy() for x in instances]
    assert 0.5 < accuracies[0] < accuracies[-1] < 1
    found = audit_theorem2([*infinite.integer_sets(), *instances])
    assert found.counterexample["X"] == "all integers"  # the simpler set comes first
    alone = audit_theorem2(instances)
    assert alone.counterexample["X"] == "0 and 1/k for k = 1, 2, ..."


def test_fits_a_cube() -> None:
    assert infinite.audit_fits_a_cube(BOUNDED).holds
    found = infinite.audit_fits_a_cube([*BOUNDED, *reversed(infinite.integer_sets())])
    assert not found.holds
    assert found.counterexample["network built for"] == "-1 to 1"
    assert found.counterexample["outside by"] == 0.5  # [-1, 1] onto [0, 1] sends 2 to 3/2
    far = replace(BOUNDED[0].members, points=BOUNDED[0].members.points + torch.tensor([9.0, 0.0]))
    moved = replace(BOUNDED[0], members=far)
    assert not infinite.audit_fits_a_cube([moved]).holds
