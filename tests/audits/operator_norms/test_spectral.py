"""The power method: convergence, error bound, fixed points, directions."""

from __future__ import annotations

import math

import pytest
import torch

from nbsrc.audits.operator_norms import directions, spectral
from nbsrc.audits.operator_norms.matrices import MatrixCase, degenerate_matrices, with_starts


def test_power_method_fails_for_zero_only(
    cases: list[MatrixCase], nonzero: list[MatrixCase]
) -> None:
    found = spectral.audit_power_method(cases, 250)
    assert found.counterexample["J"] == [[0.0]]
    assert found.counterexample["left"] == "undefined"
    assert spectral.audit_power_method(nonzero, 250).holds
    assert not spectral.audit_power_method(nonzero, 2).holds


def test_orthogonal_start_stays_below() -> None:
    case = MatrixCase(
        torch.diag(torch.tensor([2.0, 1.0])).double(), torch.tensor([0.0, 1.0]).double()
    )
    assert float(spectral.printed_iteration(case.J, case.v0, 50)[2][-1]) == 1
    assert spectral.alignment(case.J, case.v0) == 0


def test_error_bound(nonzero: list[MatrixCase]) -> None:
    assert spectral.audit_error_bound(nonzero, 8).holds
    assert not spectral.audit_error_bound(nonzero, 8, power=8.0).holds


def test_vectors_converge_to_the_projection_of_the_start() -> None:
    many = [c for c in with_starts(list(degenerate_matrices()), 1) if c.sigma > 0]
    assert spectral.audit_vector_converges(many, 60).holds
    assert not spectral.audit_vector_converges(many, 1).holds  # two values that differ


def test_stationary(cases: list[MatrixCase], nonzero: list[MatrixCase]) -> None:
    two = [MatrixCase(torch.diag(torch.tensor([2.0, 1.0])).double(), torch.ones(2).double())]
    found = spectral.audit_stationary([*two, *cases], optimal=False)
    assert found.counterexample["|J v|"] == 1
    assert found.counterexample["sigma"] == 2
    assert spectral.audit_stationary(cases, optimal=True).holds
    assert not spectral.audit_stationary(nonzero, optimal=True, every_step=2).holds


def test_directions(cases: list[MatrixCase], nonzero: list[MatrixCase]) -> None:
    assert directions.audit_steepest(nonzero, 100, 0).holds
    assert not directions.audit_steepest(nonzero, 100, 0, late=True).holds
    assert directions.audit_best_direction(cases, 100, 0).holds
    assert not directions.audit_best_direction(cases, 100, 0, rank=1).holds
    assert directions.audit_backward_pass(nonzero).holds
    assert not directions.audit_backward_pass(nonzero, rank=1).holds


def test_steps_until_aligned_grows_as_the_gap_closes() -> None:
    v0 = torch.tensor([0.6, 0.8], dtype=torch.float64)
    steps = [
        directions.steps_until_aligned(torch.diag(torch.tensor([1.0, r])).double(), v0)
        for r in (0.5, 0.9, 0.99)
    ]
    assert steps == sorted(steps)
    assert steps[0] == pytest.approx(2, abs=1)
    close = torch.diag(torch.tensor([1.0, 1 - 1e-5], dtype=torch.float64))
    assert directions.steps_until_aligned(close, v0, most=20) == math.inf


def test_one_limit() -> None:
    many = [c for c in degenerate_matrices() if c.sigma > 0]
    for dtype in (torch.float32, torch.float64):
        assert not spectral.audit_one_limit(many, 100, 0, dtype).holds
        clear = [MatrixCase(torch.diag(torch.tensor([3.0, 1.0])).double())]
        assert spectral.audit_one_limit(clear, 100, 0, dtype).holds
