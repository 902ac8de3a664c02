"""Definition 1: quotients, regions and maximum cuts, with planted errors."""

from __future__ import annotations

import math
from itertools import permutations

import pytest
import torch
from torch import nn

from nbsrc.audits.robustness import quotients
from nbsrc.bracket import Bracket
from nbsrc.lipschitz import lipschitz_constant, product_of_norms

NETWORKS = list(quotients.small_networks(3, 0))
GRAPHS = list(quotients.connected_graphs(5))
FEW = [edges for edges in GRAPHS if len(edges) <= 3]


def scaled(factor: float, only: float | None = None):
    """Planted error: a constant off by a factor, in all norms or in one."""

    def value(network: nn.Sequential, order: float, *rest: object) -> Bracket:
        true = lipschitz_constant(network, order, *rest).value
        wrong = true * (factor if only in {None, order} else 1)
        return Bracket(wrong, wrong, wrong, 0, converged=True)

    return value


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
    assert found.counterexample == {"f": "x", "x1": 0, "x2": 0, "quotient": "0/0"}
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


def test_connected_graphs_are_counted_up_to_isomorphism() -> None:
    counts = [sum(max(map(max, edges)) == n - 1 for edges in GRAPHS) for n in (2, 3, 4, 5)]
    assert counts == [1, 2, 6, 21]  # OEIS A001349


def test_connected_graphs_are_different() -> None:
    four = [edges for edges in GRAPHS if max(map(max, edges)) == 3]
    for edges in four:
        renamed = {
            frozenset(frozenset((names[a], names[b])) for a, b in edges)
            for names in permutations(range(4))
        }
        alike = [x for x in four if frozenset(map(frozenset, x)) in renamed]
        assert alike == [edges]


def test_maximum_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    found = quotients.audit_maximum_cut(FEW, tolerance=1e-9)
    assert found.holds
    assert found.trials == 2 * len(FEW)
    control = quotients.audit_maximum_cut(FEW, tolerance=1e-9, value=product_of_norms)
    assert not control.holds
    assert control.counterexample == {"edges": "((0, 1),)", "norm": "inf", "cut": 1, "value": 2}
    euclidean = scaled(1.001, only=2.0)
    only_l2 = quotients.audit_maximum_cut(FEW[:2], tolerance=1e-9, value=euclidean)
    assert only_l2.counterexample["norm"] == "2.0"
    # even against odd nodes: right for paths, wrong for triangles
    monkeypatch.setattr(quotients, "max_cut", lambda edges: sum((a - b) % 2 for a, b in edges))
    assert not quotients.audit_maximum_cut(FEW, tolerance=1e-9).holds


def test_triangle_worked_out_by_hand() -> None:
    """A triangle cuts two of its three edges."""
    triangle = ((0, 1), (0, 2), (1, 2))
    assert triangle in GRAPHS
    network = quotients.maxcut_network(triangle)
    assert lipschitz_constant(network, math.inf).value == pytest.approx(2)
    assert quotients.max_cut(triangle) == 2
