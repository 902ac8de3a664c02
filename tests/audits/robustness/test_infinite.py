"""Infinite bounded sets: nets that cover, and a cube that holds them."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from scipy.spatial.distance import cdist
from torch import Tensor, nn

from nbsrc.audits.robustness import infinite
from nbsrc.audits.robustness.existence import audit_theorem2
from nbsrc.audits.robustness.unbounded import integer_sets
from nbsrc.constructions import robust_classifier

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
    assert [x.shortfall() for x in few] == [0, 0]

    def for_a_coarse_net(x: Tensor, y: Tensor, eps: float, ord: float) -> nn.Sequential:
        return robust_classifier(x[::5], y[::5], eps, ord)

    monkeypatch.setattr(infinite, "robust_classifier", for_a_coarse_net)
    assert not audit_theorem2(few).holds


def test_fits_a_cube() -> None:
    assert infinite.audit_fits_a_cube(BOUNDED).holds
    found = infinite.audit_fits_a_cube([*BOUNDED, *reversed(integer_sets())])
    assert not found.holds
    assert found.counterexample["outside by"] == 0.5  # [-1, 1] onto [0, 1] sends 2 to 3/2
    far = replace(BOUNDED[0].members, points=BOUNDED[0].members.points + torch.tensor([9.0, 0.0]))
    moved = replace(BOUNDED[0], members=far)
    assert not infinite.audit_fits_a_cube([moved]).holds
