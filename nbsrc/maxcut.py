"""A one-hidden-layer network whose Lipschitz constant is the maximum cut of a graph.

Why exact Lipschitz constants are out of reach for large networks: Virmaux & Scaman, Lipschitz
regularity of deep neural networks, NeurIPS 2018, prove that computing them is NP-hard for two
layers already. Here is a short reduction from MAX-CUT, one of Karp's NP-complete problems.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

__all__ = ["Edges", "incidence_matrix", "max_cut", "maxcut_network"]

Edges: TypeAlias = Sequence[tuple[int, int]]


def maxcut_network(edges: Edges) -> nn.Sequential:
    r"""The network :math:`f(x)=\sum_a \mathrm{ReLU}((Bx)_a)`, B the node-edge incidence matrix.

    .. math:: Lip_2(f)^2 = Lip_\infty(f) = \text{max cut of the graph}

    Proof. On the region of pattern s the gradient is :math:`B^\top s`. Its entry at the edge
    (a, b) is :math:`s_a - s_b` up to sign: 1 in absolute value if s separates a from b, else 0. So
    the squared l2 norm and the l1 norm (dual to linf) are both the number of edges cut by s.
    Which patterns have a region? The columns of B sum to 0, and the graph is connected, so Bx runs
    through all vectors with sum 0: every pattern with a positive and a negative entry is strictly
    attained, the patterns all ones and all zeros are not, and they cut nothing. The maximum over
    the regions is the maximum cut.

    Args:
        edges: The edges of a connected graph on the nodes 0, 1, ..., each once. The network has an
            input per edge; the orientation of an edge only changes the sign of its input.

    Returns:
        ``Linear(edges, nodes, bias=False)``, ReLU, ``Linear(nodes, 1, bias=False)`` in float64.

    Raises:
        ValueError: If there is no edge, an edge is a loop or given twice, or the graph is not
            connected.

    Example:
        >>> from nbsrc.lipschitz import lipschitz_constant
        >>> triangle = maxcut_network([(0, 1), (1, 2), (2, 0)])
        >>> round(lipschitz_constant(triangle, float("inf")).value, 9)
        2.0
    """
    matrix = incidence_matrix(edges)
    first = nn.Linear(matrix.shape[1], matrix.shape[0], bias=False, dtype=torch.float64)
    last = nn.Linear(matrix.shape[0], 1, bias=False, dtype=torch.float64)
    first.weight.data = matrix
    last.weight.data = torch.ones_like(last.weight)
    return nn.Sequential(first, nn.ReLU(), last)


def incidence_matrix(edges: Edges) -> Tensor:
    """The node-edge incidence matrix: 1 at the first, -1 at the second node of each edge.

    Args:
        edges: The edges of a connected graph on the nodes 0, 1, ..., each once.

    Returns:
        ``[nodes, edges]`` in float64.

    Raises:
        ValueError: If there is no edge, an edge is a loop or given twice, or the graph is not
            connected.
    """
    if not edges:
        raise ValueError("edges must not be empty")
    seen: set[frozenset[int]] = set()
    for edge in edges:
        if len(edge) != 2 or min(edge) < 0 or edge[0] == edge[1]:
            raise ValueError(f"edges must join two different nodes 0, 1, ..., got {edge}")
        if frozenset(edge) in seen:
            raise ValueError(f"edges must not repeat, got {edge} twice (in one or both directions)")
        seen.add(frozenset(edge))
    nodes = max(max(edge) for edge in edges) + 1
    matrix = torch.zeros(nodes, len(edges), dtype=torch.float64)
    for column, (start, end) in enumerate(edges):
        matrix[start, column], matrix[end, column] = 1.0, -1.0
    reached, size = {edges[0][0]}, 0
    while len(reached) > size:
        size = len(reached)
        reached |= {node for edge in edges if reached & set(edge) for node in edge}
    if size < nodes:
        missing = min(set(range(nodes)) - reached)
        raise ValueError(f"edges must form a connected graph, node {missing} is not reached")
    return matrix


def max_cut(edges: Edges) -> int:
    """The maximum cut by trying all partitions.

    Args:
        edges: The edges of a graph on the nodes 0, 1, ....

    Returns:
        The largest number of edges between the two sides of a partition of the nodes.

    Raises:
        ValueError: If there is no edge, or there are more than 24 nodes (2^23 partitions).

    Example:
        >>> max_cut([(0, 1), (1, 2), (2, 0)])
        2
    """
    if not edges:
        raise ValueError("edges must not be empty")
    nodes = max(max(edge) for edge in edges) + 1
    if nodes > 24:
        raise ValueError(f"edges must join at most 24 nodes, got {nodes}")
    sides = np.arange(2 ** (nodes - 1))  # the last node stays on one side
    cut = np.zeros(len(sides), dtype=np.int64)
    for start, end in edges:
        cut += (sides >> start & 1) != (sides >> end & 1)
    return int(cut.max())
