"""Equation (8) and Table 1: the nine norms against brute force."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import product

import torch
from torch import Tensor

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.operator_norms.matrices import NINE, MatrixCase, pair_name
from nbsrc.claims import Finding
from nbsrc.operator_norm import exact_operator_norm

__all__ = [
    "TRACTABLE",
    "audit_definition",
    "audit_frobenius",
    "audit_table",
    "brute_force",
    "corners",
    "printed_entry",
]

#: The six entries of Table 1 with a formula, as printed.
TRACTABLE: dict[tuple[float, float], str] = {
    (1.0, 1.0): "max l1 norm of a column",
    (1.0, 2.0): "max l2 norm of a column",
    (1.0, math.inf): "max linf norm of a column",
    (2.0, 2.0): "max singular value",
    (2.0, math.inf): "max l2 norm of a row",
    (math.inf, math.inf): "max l1 norm of a row",
}


def printed_entry(J: Tensor, p: float, q: float) -> float:
    """Return the formula of Table 1.

    Args:
        J: ``[d, n]``.
        p: The order in the domain.
        q: The order in the co-domain.

    Returns:
        The value.
    """
    words = TRACTABLE[(p, q)].split()
    if "singular" in words:
        gram = J @ J.T  # not the library's singular values
        return math.sqrt(max(0.0, float(torch.linalg.eigvalsh(gram)[-1])))
    vectors = J.T if "column" in words else J
    order = {"l1": 1.0, "l2": 2.0, "linf": math.inf}[words[1]]
    return max(float(torch.linalg.vector_norm(vector, order)) for vector in vectors)


@lru_cache(maxsize=32)
def corners(n: int) -> Tensor:
    """Return all sign vectors.

    Args:
        n: Their length.

    Returns:
        ``[2^n, n]``, float64.
    """
    return torch.tensor(list(product((1.0, -1.0), repeat=n)), dtype=torch.float64).reshape(2**n, n)


def brute_force(J: Tensor, p: float, q: float) -> float:
    r"""Return :math:`\max_{\|v\|_p=1}\|Jv\|_q` from the definition.

    For p = 1 and inf the maximum of a convex function is attained at a corner of the ball: all
    corners are tried. For p = 2 the best of the axes, all rows of J, all sums of rows with signs, a
    fixed set of random vectors (in the plane every half degree too), and for q = 2 their images
    under a high power of the Gram matrix.

    Args:
        J: ``[d, n]``.
        p: 1, 2 or infinity.
        q: 1, 2 or infinity.

    Returns:
        The largest value found.
    """
    d, n = J.shape
    if p == 1:
        tried = torch.eye(n, dtype=J.dtype)
    elif p == math.inf:
        tried = corners(n)
    else:
        g = torch.Generator().manual_seed(0)
        drawn = torch.randn(20, n, generator=g, dtype=J.dtype)
        if n == 2:
            turns = torch.arange(360, dtype=J.dtype) * (math.pi / 360)
            drawn = torch.cat([drawn, torch.stack([turns.cos(), turns.sin()], 1)])
        tried = torch.cat([torch.eye(n, dtype=J.dtype), J, corners(d) @ J, drawn])
        gram = J.T @ J
        for _ in range(14 if q == 2 else 0):  # the power 2^14 of the Gram matrix
            gram = gram / max(float(gram.abs().max()), 1e-300)
            gram = gram @ gram
        tried = torch.cat([tried, tried @ gram])
        tried = tried[tried.norm(dim=1) > 0]
        tried = tried / tried.norm(dim=1, keepdim=True)
    return float(torch.linalg.vector_norm(tried @ J.T, q, dim=1).max())


def audit_definition(cases: Iterable[MatrixCase], seed: int, *, swap: bool = False) -> Finding:
    """Test (8): attained on the sphere, never exceeded in the ball, p for the domain.

    Args:
        cases: Matrices.
        seed: Seed of the vectors of the ball.
        swap: A planted error: q for the domain.

    Returns:
        The finding, over the nine pairs; the slack is minus the relative error, or the excess.
    """
    g = torch.Generator().manual_seed(seed)

    def results() -> Iterator[Case]:
        for case in cases:
            drawn = torch.randn(100, case.J.shape[1], generator=g, dtype=torch.float64)
            sizes = torch.rand(100, 1, generator=g, dtype=torch.float64)
            for p, q in NINE:
                norm = float(exact_operator_norm(case.J, *((q, p) if swap else (p, q))))
                found = brute_force(case.J, p, q)
                inside = sizes * drawn / torch.linalg.vector_norm(drawn, p, dim=1, keepdim=True)
                best = float(torch.linalg.vector_norm(inside @ case.J.T, q, dim=1).max())
                error = max(abs(norm - found), best - norm) / max(norm, found, 1e-300)
                shown = {**case.description, "pair": pair_name((p, q)), "norm": norm}
                yield -error, case.size, {**shown, "on the sphere": found}

    return collect(results(), tolerance=1e-9, family="the nine pairs, corners and power iterations")


def audit_table(
    cases: Iterable[MatrixCase], entry: Callable[[Tensor, float, float], float] = printed_entry
) -> Finding:
    """Test the six formulas of Table 1 against brute force.

    Args:
        cases: Matrices.
        entry: The formula; another one is a planted error.

    Returns:
        The finding; the slack is minus the relative error.
    """

    def results() -> Iterator[Case]:
        for case in cases:
            for p, q in TRACTABLE:
                one, two = entry(case.J, p, q), brute_force(case.J, p, q)
                error = abs(one - two) / max(one, two, 1e-300)
                shown = {**case.description, "pair": pair_name((p, q)), "formula": one}
                yield -error, case.size, {**shown, "brute force": two}

    return collect(results(), tolerance=1e-8, family="six pairs; tall, wide, rank one, 1 x 1, zero")


def audit_frobenius(cases: Iterable[MatrixCase], reading: str) -> Finding:
    """Test what the Frobenius norm is a function of.

    Args:
        cases: Matrices.
        reading: "sum" for the sum of the singular values; "root" for the root of the sum of their
            squares, an upper bound of the largest, and at most their sum, itself a bound.

    Returns:
        The finding.
    """

    def results() -> Iterator[Case]:
        for case in cases:
            frobenius, values = float(case.J.square().sum().sqrt()), case.spectrum
            total, scale = float(values.sum()), max(case.sigma, 1e-300)
            if reading == "sum":
                slack = -abs(frobenius - total) / scale
            else:
                slack = -abs(frobenius - float(values.square().sum().sqrt())) / scale
                slack = min(slack, (frobenius - case.sigma) / scale, (total - frobenius) / scale)
            shown = {**case.description, "Frobenius": frobenius, "sum": total}
            yield slack, case.size, {**shown, "sigma": case.sigma}

    return collect(results(), tolerance=1e-12, family="matrices of rank one and more")
