"""Lipschitz constants of graphs' networks are maximum cuts: controls and planted errors."""

from __future__ import annotations

import math
from itertools import permutations

import pytest

from nbsrc.audits.robustness import cuts
from nbsrc.lipschitz import lipschitz_constant, product_of_norms
from tests.audits.robustness.robust_examples import scaled

GRAPHS = list(cuts.connected_graphs(5))
FEW = [edges for edges in GRAPHS if len(edges) <= 3]


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
    found = cuts.audit_maximum_cut(FEW, tolerance=1e-9)
    assert found.holds
    assert found.trials == 2 * len(FEW)
    control = cuts.audit_maximum_cut(FEW, tolerance=1e-9, value=product_of_norms)
    assert not control.holds
    assert control.counterexample == {"edges": "((0, 1),)", "norm": "inf", "cut": 1, "value": 2}
    euclidean = scaled(1.001, only=2.0)
    only_l2 = cuts.audit_maximum_cut(FEW[:2], tolerance=1e-9, value=euclidean)
    assert only_l2.counterexample["norm"] == "2.0"
    # even against odd nodes: right for paths, wrong for triangles
    monkeypatch.setattr(cuts, "max_cut", lambda edges: sum((a - b) % 2 for a, b in edges))
    assert not cuts.audit_maximum_cut(FEW, tolerance=1e-9).holds


def test_triangle_worked_out_by_hand() -> None:
    """A triangle cuts two of its three edges."""
    triangle = ((0, 1), (0, 2), (1, 2))
    assert triangle in GRAPHS
    network = cuts.maxcut_network(triangle)
    assert lipschitz_constant(network, math.inf).value == pytest.approx(2)
    assert cuts.max_cut(triangle) == 2
