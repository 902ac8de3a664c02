"""Definition 1: quotients, and regions that give their supremum, with planted errors."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from nbsrc.audits.robustness import quotients
from tests.audits.robustness.robust_examples import scaled

NETWORKS = list(quotients.small_networks(3, 0))


def test_small_networks() -> None:
    networks = list(quotients.small_networks(12, 1))
    assert {quotients.input_size(net) for net in networks} == {1, 2}
    assert {net[-1].out_features for net in networks} == {1, 2}
    assert {len(net) for net in networks} == {3, 5}
    for net in networks:
        for layer in net:
            if isinstance(layer, nn.Linear):
                assert torch.equal(layer.weight, layer.weight.round())
                assert layer.weight.abs().max() <= 3
    assert all(net[-1].out_features == 1 for net in quotients.small_networks(4, 1, outputs=1))


def test_integer_layer() -> None:
    layer = quotients.integer_layer(torch.tensor([[1, -2]]), torch.tensor([3]))
    assert layer(torch.tensor([[5.0, 1.0]]).double()).item() == 6


def test_all_pairs() -> None:
    found = quotients.audit_all_pairs(include_equal=True)
    assert not found.holds
    assert found.counterexample == {"f": "x", "x1": 0, "x2": 0, "quotient": "undefined"}
    assert (found.trials, quotients.audit_all_pairs(include_equal=False).trials) == (4, 2)
    assert quotients.audit_all_pairs(include_equal=False).holds


def test_regions_give_the_supremum(monkeypatch: pytest.MonkeyPatch) -> None:
    def audit(networks: list[nn.Sequential]):
        return quotients.audit_regions_give_the_supremum(networks, 0, tolerance=1e-9)

    found = audit(NETWORKS)
    assert found.holds
    assert found.trials == 3 * len(NETWORKS)
    for planted in (scaled(0.9), scaled(1.1, only=1.0)):
        with monkeypatch.context() as patch:
            patch.setattr(quotients, "lipschitz_constant", planted)
            wrong = audit(NETWORKS)
        assert not wrong.holds
        least = min(x for x in map(quotients.input_size, NETWORKS))
        assert wrong.counterexample["inputs"] == least
        assert wrong.counterexample["off by"] > 0.01
    true = quotients.enumerate_regions
    monkeypatch.setattr(
        quotients,
        "enumerate_regions",
        lambda net: sorted(true(net), key=lambda region: float(region.weight.abs().max()))[:1],
    )  # the steepest regions are lost: no pair attains the constant
    assert not audit(NETWORKS).holds


def test_two_point_quotient() -> None:
    """|x - 1| takes the same value at 0 and 2, and has slope 1 between them."""
    assert quotients.two_point_quotient() == (0, pytest.approx(1))


def test_segment_quotient() -> None:
    """100 y is zero on a horizontal segment, and steep across it."""
    assert quotients.segment_quotient() == (0, pytest.approx(100))


def test_quotients_look_at_the_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted error: the segment and the pair of points are left for a grid of starts."""
    true = quotients.lipschitz_lower_bound

    def elsewhere(network: nn.Sequential, a: torch.Tensor, b: torch.Tensor, ord: float) -> float:
        return true(network, a, a + torch.ones_like(a), ord)

    monkeypatch.setattr(quotients, "lipschitz_lower_bound", elsewhere)
    assert quotients.two_point_quotient().quotient == pytest.approx(1)
    assert quotients.segment_quotient().quotient > 1
