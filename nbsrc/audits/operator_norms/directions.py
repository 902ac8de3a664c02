"""Sections 4.1, 7.2 and 7.3: what the directions u and v maximise, and how they are found."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from nbsrc.audits.connections.compare import audit_equal
from nbsrc.audits.finding import Case, collect
from nbsrc.audits.operator_norms.matrices import MatrixCase
from nbsrc.audits.operator_norms.spectral import alignment, printed_iteration, top_space
from nbsrc.claims import Finding
from nbsrc.operator_norm import power_method

__all__ = [
    "audit_backward_pass",
    "audit_best_direction",
    "audit_steepest",
    "steps_until_aligned",
]


def audit_backward_pass(cases: Iterable[MatrixCase], rank: int = 0) -> Finding:
    r"""Test that one backward pass from the dominant :math:`u_1` gives the dominant :math:`v_1`.

    Where the largest singular value is multiple, the result must lie in the top right space.

    Args:
        cases: Matrices other than zero.
        rank: A planted error: a later left vector.

    Returns:
        The finding.
    """

    def inside(case: MatrixCase) -> Tensor:
        U = torch.linalg.svd(case.J, full_matrices=False).U
        v = case.J.T @ U[:, min(rank, U.shape[1] - 1)]
        v = v / v.norm() if float(v.norm()) > 0 else v
        basis = top_space(case.J)
        outside: Tensor = basis.T @ (basis @ v) - v
        return outside

    return audit_equal(
        cases,
        lambda case: float(inside(case).abs().max()) + 1,
        lambda _: 1.0,
        tolerance=1e-12,
        family="matrices other than zero",
    )


def audit_steepest(
    cases: Iterable[MatrixCase], samples: int, seed: int, *, late: bool = False
) -> Finding:
    """Test that `v_1 = J^T u_1 / |J^T u_1|` maximises `u_1^T J v` over the unit ball.

    Args:
        cases: Matrices with starts; where the direction is zero there is none.
        samples: Random unit vectors to compare with.
        seed: Seed.
        late: A planted error: the ``u_2`` that comes next.

    Returns:
        The finding; the slack is the relative advantage over the best other vector.
    """
    g = torch.Generator().manual_seed(seed)

    def results() -> Iterator[Case]:
        for case in cases:
            us, vs, _ = printed_iteration(case.J, case.v0, 2)
            if not bool(torch.isfinite(vs[0]).all()):
                continue
            u, v = us[1 if late else 0], vs[0]
            n = len(v)
            others = torch.randn(samples, n, generator=g, dtype=torch.float64)
            others = torch.cat([others, torch.eye(n).double(), (case.J.T @ u).unsqueeze(0)])
            others = others / others.norm(dim=1, keepdim=True)
            gain, best = float(u @ case.J @ v), float((others @ (case.J.T @ u)).max())
            yield (gain - best) / best, case.size, {**case.description, "gain": gain, "best": best}

    return collect(results(), tolerance=1e-12, family="matrices, against random unit vectors")


def audit_best_direction(
    cases: Iterable[MatrixCase], samples: int, seed: int, rank: int = 0
) -> Finding:
    r"""Test that no input change of length 1 changes the output more than :math:`v_1`.

    Args:
        cases: Matrices.
        samples: Random unit vectors, each followed by its power iterate, a better one.
        seed: Seed.
        rank: A planted error: a later singular vector for the first.

    Returns:
        The finding; the slack is relative to the largest singular value.
    """
    g = torch.Generator().manual_seed(seed)

    def results() -> Iterator[Case]:
        for case in cases:
            rows = torch.linalg.svd(case.J, full_matrices=False).Vh
            v = rows[min(rank, len(rows) - 1)]
            others = torch.randn(samples, case.J.shape[1], generator=g, dtype=torch.float64)
            better = others @ case.J.T @ case.J
            better = better[better.norm(dim=1) > 0]
            others = torch.cat([others, better, torch.eye(case.J.shape[1]).double()])
            others = others / others.norm(dim=1, keepdim=True)
            best = float((others @ case.J.T).norm(dim=1).max())
            gain = float((case.J @ v).norm())
            scale = max(case.sigma, 1e-300)
            yield (gain - best) / scale, case.size, {**case.description, "gain": gain, "best": best}

    return collect(results(), tolerance=1e-12, family="matrices, against random unit vectors")


def steps_until_aligned(J: Tensor, v0: Tensor, cosine: float = 0.99, most: int = 10_000) -> float:
    """Return how many steps the power method takes until v_k has a given cosine to v_1.

    Args:
        J: ``[d, n]``, with a simple largest singular value.
        v0: ``[n]``.
        cosine: The cosine.
        most: Where to give up.

    Returns:
        The number, infinite if it is more than ``most``.
    """
    v = v0
    for k in range(1, most + 1):
        v = power_method(J, 2, 2, v, 1).v
        if alignment(J, v) >= cosine:
            return k
    return math.inf
