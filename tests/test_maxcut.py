"""The Lipschitz constant of the incidence network is the maximum cut: all graphs up to 5 nodes."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from nbsrc.linear_region import enumerate_regions
from nbsrc.lipschitz import lipschitz_constant, product_of_norms
from nbsrc.maxcut import incidence_matrix, max_cut, maxcut_network

Graph = tuple[tuple[int, int], ...]


def is_connected(nodes: int, graph: Graph) -> bool:
    reached = {0}
    for _ in range(nodes):
        reached |= {n for edge in graph if reached & set(edge) for n in edge}
    return len(reached) == nodes


def connected_graphs(nodes: int) -> list[Graph]:
    """One graph of each isomorphism class."""
    pairs = list(itertools.combinations(range(nodes), 2))
    found: dict[Graph, Graph] = {}
    for size in range(nodes - 1, len(pairs) + 1):
        for graph in itertools.combinations(pairs, size):
            if is_connected(nodes, graph):
                renamed = (
                    tuple(sorted(tuple(sorted((p[a], p[b]))) for a, b in graph))
                    for p in itertools.permutations(range(nodes))
                )
                found.setdefault(min(renamed), graph)
    return list(found.values())


GRAPHS = {nodes: connected_graphs(nodes) for nodes in (2, 3, 4, 5)}


def cut_by_sets(nodes: int, graph: Graph) -> int:
    """Brute force of its own: all subsets of nodes."""
    return max(
        sum((a in side) != (b in side) for a, b in graph)
        for size in range(nodes + 1)
        for side in map(set, itertools.combinations(range(nodes), size))
    )


def test_the_number_of_connected_graphs_is_right() -> None:
    assert {n: len(g) for n, g in GRAPHS.items()} == {2: 1, 3: 2, 4: 6, 5: 21}


@pytest.mark.parametrize("nodes", GRAPHS)
def test_all_connected_graphs(nodes: int) -> None:
    for number, graph in enumerate(GRAPHS[nodes]):
        # Orientations are free: turn every other edge round.
        edges = [(b, a) if (number + i) % 2 else (a, b) for i, (a, b) in enumerate(graph)]
        cut = cut_by_sets(nodes, graph)
        assert max_cut(edges) == cut
        regions = enumerate_regions(maxcut_network(edges))
        assert len(regions) == 2**nodes - 2  # all patterns but all on and all off
        assert regions.doubtful == 0
        assert max(float(r.weight.norm()) ** 2 for r in regions) == pytest.approx(cut, rel=1e-12)
        assert max(float(r.weight.abs().sum()) for r in regions) == cut


def test_constants_of_three_graphs() -> None:
    triangle, path = [(0, 1), (1, 2), (2, 0)], [(0, 1), (1, 2), (2, 3)]
    complete = list(itertools.combinations(range(5), 2))
    for edges, cut in ((triangle, 2), (path, 3), (complete, 6)):
        net = maxcut_network(edges)
        assert lipschitz_constant(net, 2).value == pytest.approx(math.sqrt(cut), rel=1e-12)
        assert lipschitz_constant(net, math.inf).value == cut
        assert lipschitz_constant(net, 1).value == 1.0
        assert product_of_norms(net, math.inf).value >= cut


def test_a_planted_bug_is_seen() -> None:
    """Negative control: a bias lets all units be on or off, a missing sign changes the cut."""
    net = maxcut_network([(0, 1), (1, 2), (2, 0)])
    net[0].weight.data = net[0].weight.abs()
    assert lipschitz_constant(net, math.inf).value > 2


def test_incidence_matrix() -> None:
    expected = torch.tensor([[1.0, 0.0], [-1.0, -1.0], [0.0, 1.0]], dtype=torch.float64)
    assert torch.equal(incidence_matrix([(0, 1), (2, 1)]), expected)


@pytest.mark.parametrize(
    ("edges", "match"),
    [
        ([], "edges must not be empty"),
        ([(0, 0)], r"must join two different nodes 0, 1, ..., got \(0, 0\)"),
        ([(-1, 0)], "must join two different nodes"),
        ([(0, 1), (1, 0)], r"must not repeat, got \(1, 0\) twice"),
        ([(0, 1), (2, 3)], "connected graph, node 2 is not reached"),
        ([(0, 2)], "connected graph, node 1 is not reached"),
    ],
)
def test_bad_graphs(edges: list[tuple[int, int]], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        maxcut_network(edges)


def test_too_many_nodes_for_brute_force() -> None:
    with pytest.raises(ValueError, match="at most 24 nodes, got 31"):
        max_cut([(0, 30)])
    with pytest.raises(ValueError, match="edges must not be empty"):
        max_cut([])
