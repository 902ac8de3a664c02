"""Lipschitz constants that are maximum cuts of graphs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from itertools import combinations, permutations

from torch import nn

from nbsrc.audits.finding import Case, collect
from nbsrc.bracket import Bracket
from nbsrc.claims import Finding
from nbsrc.lipschitz import lipschitz_constant
from nbsrc.maxcut import max_cut, maxcut_network

__all__ = [
    "audit_maximum_cut",
    "connected_graphs",
]

Graph = tuple[tuple[int, int], ...]


def connected_graphs(nodes: int) -> Iterator[Graph]:
    """Yield the connected graphs on 2 to ``nodes`` nodes, one per isomorphism class.

    Args:
        nodes: Largest number of nodes, at most 6 in reasonable time.

    Yields:
        Edge lists.
    """
    for count in range(2, nodes + 1):
        seen: set[Graph] = set()
        pairs = list(combinations(range(count), 2))
        for size in range(count - 1, len(pairs) + 1):
            for edges in combinations(pairs, size):
                if edges in seen or not _connected(edges, count):
                    continue
                seen.update(_renamed(edges, names) for names in permutations(range(count)))
                yield edges


def _renamed(edges: Graph, names: tuple[int, ...]) -> Graph:
    moved = [(names[a], names[b]) for a, b in edges]
    return tuple(sorted((min(edge), max(edge)) for edge in moved))


def _connected(edges: Graph, count: int) -> bool:
    reached = {0}
    for _ in range(count):
        reached |= {x for edge in edges if reached & set(edge) for x in edge}
    return len(reached) == count


def audit_maximum_cut(
    graphs: Iterable[Graph],
    *,
    tolerance: float,
    value: Callable[[nn.Sequential, float], Bracket] = lipschitz_constant,
) -> Finding:
    """Test that the Lipschitz constant of a graph's network is its maximum cut.

    Args:
        graphs: Connected graphs.
        tolerance: Rounding.
        value: What computes the constant of a network in a norm.

    Returns:
        The finding over the norms l2 (squared) and linf; the slack is minus the difference.
    """

    def judged() -> Iterator[Case]:
        for edges in graphs:
            network, cut = maxcut_network(edges), max_cut(edges)
            for order in (2.0, math.inf):
                found = value(network, order).value ** (2 if order == 2 else 1)
                shown = {"edges": str(edges), "norm": str(order), "cut": cut, "value": found}
                yield -abs(found - cut), (len(edges), int(order == 2)), shown

    return collect(judged(), tolerance=tolerance, family="connected graphs, two norms")
