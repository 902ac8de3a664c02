"""The three hard entries of Table 1: exact values, certified brackets, and why they are hard."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from itertools import combinations, product

import torch

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.operator_norms.matrices import MatrixCase, pair_name
from nbsrc.audits.operator_norms.table import brute_force, corners
from nbsrc.claims import Finding
from nbsrc.operator_norm import exact_operator_norm, operator_norm

__all__ = ["audit_bracket", "audit_enumeration", "audit_max_cut", "graphs"]


def audit_enumeration(
    cases: Iterable[MatrixCase], *, signs: Callable[[int], int] = lambda d: d
) -> Finding:
    r"""Test the exact values of the three hard entries against brute force.

    With s over all sign vectors of the outputs: :math:`\|J\|_{\infty,1}=\max_s\|J^\top s\|_1` and
    :math:`\|J\|_{2,1}=\max_s\|J^\top s\|_2`; (inf, 2) by input signs, or a sweep for two outputs.

    Args:
        cases: Matrices.
        signs: A planted error: how many of the d outputs may have either sign.

    Returns:
        The finding; the slack is minus the largest relative error.
    """

    def results() -> Iterator[Case]:
        for case in cases:
            d = len(case.J)
            free = signs(d)
            s = torch.ones(2**free, d, dtype=torch.float64)
            s[:, :free] = corners(free)
            pairs = (
                ((math.inf, 1.0), float((s @ case.J).abs().sum(1).max())),
                ((2.0, 1.0), float((s @ case.J).norm(dim=1).max())),
                ((math.inf, 2.0), float(exact_operator_norm(case.J, math.inf, 2))),
            )
            for (p, q), value in pairs:
                other = brute_force(case.J, p, q)
                library = float(exact_operator_norm(case.J, p, q))
                error = max(abs(value - other), abs(value - library)) / max(other, 1e-300)
                shown = {**case.description, "pair": pair_name((p, q)), "value": value}
                yield -error, case.size, {**shown, "brute force": other}

    return collect(results(), tolerance=1e-9, family="the three hard pairs, small matrices")


def audit_bracket(cases: Iterable[MatrixCase], *, shrink: float = 1.0) -> Finding:
    """Test that the certified bracket of (inf, 2) contains the norm, and is narrow.

    Args:
        cases: Matrices with two rows and columns at least.
        shrink: A planted error: a factor on the upper end.

    Returns:
        The finding; the slack is the smaller distance to an end, relative, and -1 where the bracket
        is wider than the proven factor ``sqrt(pi / 2)``.
    """

    def results() -> Iterator[Case]:
        for case in cases:
            if min(case.J.shape) < 2 or case.sigma == 0:
                continue
            found = operator_norm(case.J, math.inf, 2, method="bracket")
            exact = brute_force(case.J, math.inf, 2)
            slack = min(exact - found.lower, shrink * found.upper - exact) / exact
            slack = slack if found.upper <= exact * 1.2534 else -1.0
            shown = {**case.description, "lower": found.lower, "upper": found.upper}
            yield slack, case.size, {**shown, "exact": exact}

    return collect(results(), tolerance=0.0, family="matrices with two rows and columns at least")


def graphs(nodes: int) -> Iterator[tuple[tuple[int, int], ...]]:
    """Yield all graphs with edges on so many nodes.

    Args:
        nodes: Number of nodes.

    Yields:
        The edges.
    """
    pairs = list(combinations(range(nodes), 2))
    for count in range(1, len(pairs) + 1):
        yield from combinations(pairs, count)


def audit_max_cut(nodes: int, *, factor: float = 4.0) -> Finding:
    r"""Test that each of the three hard norms is the maximum cut of a graph.

    With B the matrix of rows :math:`x_a - x_b`, one per edge, :math:`\|B\|_{\infty,2}^2 =
    \|B^\top\|_{2,1}^2 = \|B^\top B\|_{\infty,1} = 4\,\mathrm{maxcut}`.

    Args:
        nodes: All graphs with up to so many nodes.
        factor: A planted error: the 4.

    Returns:
        The finding; the slack is minus the largest difference.
    """

    def results() -> Iterator[Case]:
        for count in range(2, nodes + 1):
            for edges in graphs(count):
                B = torch.zeros(len(edges), count, dtype=torch.float64)
                for row, (a, b) in enumerate(edges):
                    B[row, a], B[row, b] = 1, -1
                cut = max(
                    sum(side[a] != side[b] for a, b in edges)
                    for side in product((0, 1), repeat=count)
                )
                values = (
                    float(exact_operator_norm(B, math.inf, 2)) ** 2,
                    float(exact_operator_norm(B.T, 2, 1)) ** 2,
                    float(exact_operator_norm(B.T @ B, math.inf, 1)),
                )
                error = max(abs(value - factor * cut) for value in values)
                yield -error, (count, len(edges)), {"edges": list(edges), "cut": cut}

    return collect(results(), tolerance=1e-9, family="all graphs on a few nodes")
