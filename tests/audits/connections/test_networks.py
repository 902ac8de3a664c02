"""Networks: masks, linear maps and layers; planted errors are found."""

from __future__ import annotations

import pytest
import torch

from nbsrc.audits.connections import blocks, network_audits
from nbsrc.audits.connections.networks import (
    NetworkPoint,
    local_instance,
    random_points,
    smallest_points,
)


@pytest.fixture(scope="module")
def points() -> list[NetworkPoint]:
    return list(random_points(40, 0))


@pytest.fixture(scope="module")
def general() -> list[NetworkPoint]:
    return [*smallest_points(), *random_points(30, 1, slopes=(0.1, 0.5, -1.0))]


def test_smallest_network_by_hand() -> None:
    """Slope 2 at x = -1: the unit gives -2, so V = 2 [1, 0] and not 0."""
    point = next(p for p in smallest_points() if p.slope == 2 and p.x[0] < 0)
    assert point.logits(point.x).tolist() == [-2.0, 0.0]
    assert point.map(slopes=True).tolist() == [[2.0, 0.0]]
    assert point.map(slopes=False).tolist() == [[0.0, 0.0]]
    assert local_instance(point, 1).V.tolist() == [[2.0, 0.0]]


def test_local_instance_with_biases() -> None:
    for point in random_points(5, 2, biases=True):
        instance = local_instance(point, 0)
        assert torch.allclose(instance.logits(), point.logits(point.x), atol=1e-12)


def test_piecewise_linear(points: list[NetworkPoint]) -> None:
    assert network_audits.audit_piecewise_linear(points, 0).holds
    smooth = [NetworkPoint(p.weights, p.x, smooth=True) for p in points if len(p.weights) > 1]
    assert not network_audits.audit_piecewise_linear(smooth, 0).holds
    assert not network_audits.audit_piecewise_linear(random_points(20, 0, biases=True), 0).holds


def test_masks(points: list[NetworkPoint], general: list[NetworkPoint]) -> None:
    assert network_audits.audit_masks(points, slopes=False).holds
    found = network_audits.audit_masks(general, slopes=False)
    assert found.counterexample["slope"] == 2.0
    assert found.counterexample["x"] == [-1.0]
    assert network_audits.audit_masks(general, slopes=True).holds


def test_last_layer(points: list[NetworkPoint]) -> None:
    linear = NetworkPoint((torch.tensor([[1.0, -1.0]]).double(),), torch.ones(1).double())
    found = network_audits.audit_last_layer([linear, *points])
    assert found.counterexample["weights"] == [[[1.0, -1.0]]]
    positive = NetworkPoint((torch.tensor([[1.0, 2.0]]).double(),), torch.ones(1).double())
    assert network_audits.audit_last_layer([positive]).holds


def test_linear_map(points: list[NetworkPoint], general: list[NetworkPoint]) -> None:
    assert network_audits.audit_linear_map(points, 0, slopes=False).holds
    assert network_audits.audit_linear_map(general, 0, slopes=True).holds
    assert not network_audits.audit_linear_map(general, 0, slopes=False).holds
    biased = random_points(20, 0, biases=True)
    assert not network_audits.audit_linear_map(biased, 0, slopes=False).holds


def test_derivatives(points: list[NetworkPoint]) -> None:
    assert network_audits.audit_derivatives(points).holds
    kink = [NetworkPoint(p.weights, 0 * p.x) for p in smallest_points()][:1]
    assert not network_audits.audit_derivatives(kink).holds


def test_weight_decay(points: list[NetworkPoint]) -> None:
    assert network_audits.audit_weight_decay([p for p in points if len(p.weights) == 1]).holds
    assert not network_audits.audit_weight_decay(points).holds


def test_blocks() -> None:
    assert blocks.audit_blocks(blocks.pick(blocks.PIECEWISE), 1, 0).holds
    found = blocks.audit_blocks(blocks.two_tokens(), 1, 0)
    assert found.counterexample["x"] == [1.0, 0.0]
    for name in ("softmax self-attention", "softplus"):
        assert not blocks.audit_blocks(blocks.pick([name]), 1, 0).holds


def test_blocks_leave_the_global_generator_alone() -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    blocks.audit_blocks(blocks.pick(["biases"]), 1, 0)
    assert torch.equal(torch.get_rng_state(), before)
