"""Audits of facts about matrix norms: definitions, equivalence, and what equivalence is worth."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import product

import torch
from torch import Tensor

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.norms import matrix_norm, printed_equivalence_with
from nbsrc.claims import Finding

__all__ = [
    "audit_equivalence",
    "audit_induced_norm",
    "opposite_ranking",
    "printed_equivalence",
    "random_matrices",
    "rank_correlation",
]

Slacks = Callable[[Tensor], tuple[float, ...]]


def random_matrices(count: int, seed: int, largest: int = 7) -> Iterator[Tensor]:
    """Yield random matrices up to 7 x 7: Gaussian, sparse, of ones, one column, one row, zero.

    Args:
        count: Number of matrices.
        seed: Seed of a generator of its own.
        largest: Largest number of rows and of columns.

    Yields:
        Matrices in float64.
    """
    generator = torch.Generator().manual_seed(seed)
    for number in range(count):
        m, n = torch.randint(1, largest + 1, (2,), generator=generator).tolist()
        matrix = torch.randn(m, n, generator=generator, dtype=torch.float64)
        kind = number % 6
        if kind == 1:
            matrix *= torch.rand(m, n, generator=generator) < 0.3
        elif kind == 2:
            matrix = torch.ones_like(matrix)
        elif kind == 3:
            matrix = torch.zeros_like(matrix)
            matrix[:, 0] = 1
        elif kind == 4:
            matrix = torch.zeros_like(matrix)
            matrix[0, :] = 1
        elif number % 60 == 5:
            matrix = torch.zeros_like(matrix)
        yield matrix


def printed_equivalence(matrix: Tensor) -> tuple[float, ...]:
    r"""Return the slacks of the four inequalities between norms as the paper prints them.

    :math:`m^{-1/2}\|A\|_1\le\|A\|_2\le n^{1/2}\|A\|_1` and
    :math:`n^{-1/2}\|A\|_\infty\le\|A\|_2\le m^{1/2}\|A\|_\infty`, for an m x n matrix.

    Args:
        matrix: The matrix A.

    Returns:
        Upper minus lower side of the four inequalities.
    """
    return printed_equivalence_with(matrix, *matrix.shape)


def swapped_equivalence(matrix: Tensor) -> tuple[float, ...]:
    """Return the slacks with m and n exchanged: a wrong statement, for a negative control.

    Args:
        matrix: The matrix A.

    Returns:
        The four slacks.
    """
    return printed_equivalence_with(matrix, *reversed(matrix.shape))


def audit_equivalence(
    matrices: Iterator[Tensor],
    slacks: Slacks,
    tolerance: float,
    family: str = "random matrices up to 7 x 7",
) -> Finding:
    """Test inequalities between norms on matrices.

    Args:
        matrices: Matrices to test.
        slacks: Maps a matrix to the slacks of the inequalities.
        tolerance: Allowed violation.
        family: The matrices in words.

    Returns:
        The finding.
    """
    cases = (
        (slack, tuple(a.shape), {"matrix": a.round(decimals=3).tolist()})
        for a in matrices
        for slack in slacks(a)
    )
    return collect(cases, tolerance=tolerance, family=family)


def audit_induced_norm(
    matrices: Iterator[Tensor], formula: Callable[[Tensor, float], float]
) -> Finding:
    r"""Test a formula of the induced l1, l2 and linf norms against :math:`\max\|Ax\|/\|x\|`.

    The maximum of a convex function over the l1 and the linf ball is attained at an extreme point,
    so all of them are tried; for l2, the eigenvalues of :math:`A^\top A`.

    Args:
        matrices: Matrices to test.
        formula: Maps a matrix and an order in {1, 2, inf} to the norm.

    Returns:
        The finding, tolerance 1e-7 (the square root of an eigenvalue near 0).
    """

    def cases() -> Iterator[Case]:
        for a in matrices:
            signs = torch.tensor(list(product((-1.0, 1.0), repeat=a.shape[1]))).double()
            truth = {
                1: _best_unit_vector(a),
                2: math.sqrt(max(float(torch.linalg.eigvalsh(a.mT @ a).max()), 0.0)),
                math.inf: float((signs @ a.mT).abs().max()),
            }
            for order, value in truth.items():
                error = abs(formula(a, order) - value)
                yield -error, tuple(a.shape), {"matrix": a.tolist(), "ord": str(order)}

    return collect(cases(), tolerance=1e-7, family="random matrices, extreme points of the ball")


def _best_unit_vector(matrix: Tensor) -> float:
    images = matrix @ torch.eye(matrix.shape[1], dtype=matrix.dtype)
    return max(float(torch.linalg.vector_norm(column, ord=1)) for column in images.T)


def opposite_ranking(order: float = 1) -> dict[str, object] | None:
    """Return the smallest pair of 2 x 2 integer matrices that l1 and l2 rank oppositely.

    Args:
        order: 1 or ``math.inf``.

    Returns:
        The matrices and their norms, or None if there is no such pair with entries up to 2; the
        search tries entries up to 1 first.
    """
    for bound in (1, 2):
        entries = range(bound, -bound - 1, -1)
        matrices = [torch.tensor(e).double().reshape(2, 2) for e in product(entries, repeat=4)]
        values = [(matrix_norm(a, order), matrix_norm(a, 2), a.tolist()) for a in matrices]
        pairs = [
            (x, y) for x in values for y in values if x[0] > y[0] + 1e-9 and x[1] < y[1] - 1e-9
        ]
        if pairs:
            x, y = min(pairs, key=lambda pair: sum(abs(v) for m in pair for r in m[2] for v in r))
            return {
                "A": x[2], "B": y[2], "norms of A": [x[0], round(x[1], 6)],
                "norms of B": [y[0], round(y[1], 6)],
            }  # fmt: skip
    return None


def rank_correlation(first: Tensor, second: Tensor) -> float:
    """Return Spearman's rank correlation of two samples without ties.

    Args:
        first: A sample.
        second: A sample of the same length.

    Returns:
        The correlation, between -1 and 1.
    """
    ranks = torch.stack([first.argsort().argsort(), second.argsort().argsort()]).double()
    return float(torch.corrcoef(ranks)[0, 1])
