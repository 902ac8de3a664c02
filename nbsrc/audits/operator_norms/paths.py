"""Caption of Table 1: entries of the Jacobian as sums over the paths of the network."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product

import torch
from torch import Tensor

from nbsrc.audits.connections.compare import audit_equal
from nbsrc.audits.operator_norms.points import ReluPoint
from nbsrc.claims import Finding

__all__ = ["audit_paths", "path_sums"]


def path_sums(point: ReluPoint, *, all_paths: bool = False) -> Tensor:
    """Return the sums over active paths, by visiting every path from input j to output i.

    Args:
        point: A network and an input.
        all_paths: A planted error: paths through inactive units count as well.

    Returns:
        ``[d, n]``.
    """
    masks = [torch.ones(len(point.x), dtype=torch.float64), *point.masks()]
    widths = [len(point.x), *(len(W) for W in point.weights)]
    sums = torch.zeros(widths[-1], widths[0], dtype=torch.float64)
    for path in product(*(range(width) for width in widths)):
        value = 1.0
        for layer, W in enumerate(point.weights):
            open_ = 1.0 if all_paths else float(masks[layer][path[layer]])
            value *= float(W[path[layer + 1], path[layer]]) * open_
        sums[path[-1], path[0]] += value
    return sums


def audit_paths(
    points: Iterable[ReluPoint], *, transpose: bool = False, every: bool = False
) -> Finding:
    """Test that the entry (i, j) of J is the sum over the active paths from input j to output i.

    Args:
        points: Small networks and inputs.
        transpose: A planted error: columns for rows.
        every: A planted error: inactive paths count as well.

    Returns:
        The finding.
    """
    return audit_equal(
        points,
        lambda x: path_sums(x, all_paths=every).T if transpose else path_sums(x, all_paths=every),
        lambda x: x.jacobian(),
        tolerance=1e-12,
        family="ReLU networks with biases, every path visited",
    )
