"""The families of matrices: edges included, smallest first."""

from __future__ import annotations

import math

import pytest
import torch

from nbsrc.audits.operator_norms import matrices


def test_small_matrices_hold_the_edges() -> None:
    found = list(matrices.small_matrices(2))
    assert len(found) == 4 + 16 + 16 + 256
    assert {tuple(case.J.shape) for case in found} == {(1, 1), (1, 2), (2, 1), (2, 2)}
    assert sum(case.sigma == 0 for case in found) == 4
    assert any(case.J.tolist() == [[1.0, 0.0], [0.0, 1.0]] for case in found)


def test_random_matrices_hold_tall_wide_and_rank_one() -> None:
    found = list(matrices.random_matrices(27, 0))
    shapes = {tuple(case.J.shape) for case in found}
    assert any(d > n for d, n in shapes)
    assert any(d < n for d, n in shapes)
    assert (1, 1) in shapes
    ranks = [int(torch.linalg.matrix_rank(case.J)) for case in found]
    assert any(r < min(c.J.shape) for r, c in zip(ranks, found, strict=True))


def test_degenerate_matrices_are_degenerate() -> None:
    for case in matrices.degenerate_matrices():
        assert case.multiplicity() > 1


def test_whole_numbers_come_before_others_and_small_before_large() -> None:
    whole = matrices.MatrixCase(torch.tensor([[5.0]]))
    rough = matrices.MatrixCase(torch.tensor([[0.5]]))
    assert whole.size < rough.size < matrices.MatrixCase(torch.eye(2)).size


def test_a_case_without_start_or_pair_says_so() -> None:
    case = matrices.MatrixCase(torch.eye(2))
    with pytest.raises(ValueError, match="no start"):
        _ = case.v0
    with pytest.raises(ValueError, match="no pair"):
        _ = case.orders
    named = matrices.MatrixCase(torch.eye(2), torch.ones(2), (math.inf, 1.0))
    assert named.description["pair"] == "(inf, 1)"
    assert named.orders == (math.inf, 1.0)
