"""Lower bounds of margins that are true: full row rank, and the region around the point."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from nbsrc.audits.connections.compare import audit_at_most
from nbsrc.audits.margin_bound.networks import Example
from nbsrc.claims import Finding
from nbsrc.linear_region import affine_map, region_radius
from nbsrc.margins import row_rank_constant

__all__ = ["audit_local_margin", "audit_row_rank"]


def audit_row_rank(examples: Iterable[Example], factor: float = 1.0) -> Finding:
    """Test the repair: ``margin >= sigma_min(W_1) d_+ v(x)`` for one layer of full row rank.

    Args:
        examples: Examples; those without a positive margin or without full row rank are left out.
        factor: Factor of the constant.

    Returns:
        The finding.
    """

    def fits(e: Example) -> bool:
        first = e.weights[0]
        rank = int(torch.linalg.matrix_rank(first)) == len(first)
        return len(e.weights) == 2 and rank and float(e.margin()) > 1e-12

    return audit_at_most(
        [e for e in examples if fits(e)],
        lambda e: factor * row_rank_constant(e.weights, e.y) * e.v(e.x),
        lambda e: float(e.margin()),
        tolerance=1e-9, family="one hidden layer of full row rank, v exact",
    )  # fmt: skip


def audit_local_margin(examples: Iterable[Example], factor: float = 1.0) -> Finding:
    """Test ``margin >= min_j |grad u_j| min(v, r)``, r the radius of the region, for any depth.

    Args:
        examples: Examples with a positive margin.
        factor: Factor of the right side.

    Returns:
        The finding.
    """

    def right(e: Example) -> float:
        A = affine_map(e.module, e.x[None])[0][0]
        others = [j for j in range(len(A)) if j != e.y]
        slope = float((A[e.y] - A[others]).norm(dim=1).min())
        return factor * slope * min(e.v(e.x), float(region_radius(e.module, e.x[None], 2)[0]))

    return audit_at_most(
        [e for e in examples if float(e.margin()) > 1e-12], right, lambda e: float(e.margin()),
        tolerance=1e-9, family="bias-free networks of any depth, v and r exact",
    )  # fmt: skip
