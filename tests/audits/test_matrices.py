"""Audits of facts about matrix norms, with wrong constants and wrong formulas planted."""

from __future__ import annotations

import math
from itertools import product

import pytest
import torch
from torch import Tensor

from nbsrc.audits import matrices
from nbsrc.audits.norms import matrix_norm


def sample(count: int = 120, largest: int = 6) -> list[Tensor]:
    return list(matrices.random_matrices(count, 0, largest))


def test_random_matrices() -> None:
    drawn = sample()
    assert len(drawn) == 120
    assert all(max(a.shape) <= 6 and a.dtype == torch.float64 for a in drawn)
    assert any(not a.any() for a in drawn)
    assert any((a == 1).all() and a.numel() > 1 for a in drawn)
    assert any(a.shape[0] != a.shape[1] for a in drawn)
    assert all(torch.equal(a, b) for a, b in zip(drawn, sample(), strict=True))


def test_equivalence() -> None:
    assert matrices.audit_equivalence(iter(sample()), matrices.printed_equivalence, 1e-12).holds
    found = matrices.audit_equivalence(iter(sample()), matrices.swapped_equivalence, 1e-12)
    assert not found.holds
    wrong = [a.shape for a in sample() if min(matrices.swapped_equivalence(a)) < -1e-12]
    least = torch.tensor(found.counterexample["matrix"])
    assert tuple(least.shape) == min(tuple(s) for s in wrong)


@pytest.mark.parametrize("position", range(4))
def test_every_printed_constant_is_the_best(position: int) -> None:
    """A slightly better constant in any of the four inequalities is refuted by some matrix."""

    def sharper(a: Tensor) -> tuple[float, ...]:
        slack = matrices.printed_equivalence(a)[position]
        return (slack - 0.001 * matrix_norm(a, 2),)

    assert not matrices.audit_equivalence(iter(sample()), sharper, 1e-12).holds


def test_induced_norm() -> None:
    assert matrices.audit_induced_norm(iter(sample(60)), matrix_norm).holds

    def swapped(a: Tensor, order: float) -> float:
        return matrix_norm(a, {1: math.inf, math.inf: 1}.get(order, order))

    def frobenius(a: Tensor, order: float) -> float:
        return matrix_norm(a, "fro" if order == 2 else order)

    assert not matrices.audit_induced_norm(iter(sample(60)), swapped).holds
    found = matrices.audit_induced_norm(iter(sample(60)), frobenius)
    assert not found.holds
    assert found.counterexample["ord"] == "2"


@pytest.mark.parametrize("order", [1, math.inf])
def test_opposite_ranking(order: float) -> None:
    pair = matrices.opposite_ranking(order)
    a, b = (torch.tensor(pair[n]).double() for n in "AB")
    assert matrix_norm(a, order) > matrix_norm(b, order)
    assert matrix_norm(a, 2) < matrix_norm(b, 2)
    assert pair["norms of A"] == [matrix_norm(a, order), round(matrix_norm(a, 2), 6)]
    assert max(a.abs().max(), b.abs().max()) == 2
    ones = [torch.tensor(e).double().reshape(2, 2) for e in product((-1, 0, 1), repeat=4)]
    values = [(matrix_norm(m, order), float(torch.linalg.matrix_norm(m, 2))) for m in ones]
    assert not any(x[0] > y[0] and x[1] < y[1] - 1e-9 for x in values for y in values)


def test_no_opposite_ranking_of_a_norm_with_itself() -> None:
    assert matrices.opposite_ranking(2) is None


def test_rank_correlation() -> None:
    first = torch.tensor([0.1, 5.0, 2.0, 3.0])
    assert matrices.rank_correlation(first, first.exp()) == pytest.approx(1)
    assert matrices.rank_correlation(first, -first) == pytest.approx(-1)
    other = torch.tensor([1.0, 2.0, 4.0, 3.0])  # ranks 0312 and 0132: 1 - 6*8/(4*15)
    assert matrices.rank_correlation(first, other) == pytest.approx(0.2)
