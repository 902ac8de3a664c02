"""Equation (8), Table 1, the hard entries and Max-Cut."""

from __future__ import annotations

import math

import pytest
import torch

from nbsrc.audits.operator_norms import hard, table
from nbsrc.audits.operator_norms.matrices import MatrixCase
from nbsrc.operator_norm import exact_operator_norm


def test_definition(cases: list[MatrixCase]) -> None:
    assert table.audit_definition(cases[::3], 0).holds
    assert not table.audit_definition(cases[::3], 0, swap=True).holds


def test_table(cases: list[MatrixCase]) -> None:
    assert table.audit_table(cases).holds
    wrong = table.audit_table(cases, lambda J, p, q: table.printed_entry(J.T, p, q))
    assert not wrong.holds


def test_hard_entries(cases: list[MatrixCase]) -> None:
    assert hard.audit_enumeration(cases).holds
    assert not hard.audit_enumeration(cases, signs=lambda d: max(0, d - 2)).holds
    assert hard.audit_bracket(cases).holds
    assert not hard.audit_bracket(cases, shrink=0.99).holds


def test_brute_force_in_the_plane() -> None:
    angles = torch.linspace(0, 2 * math.pi, 20001, dtype=torch.float64)
    circle = torch.stack([angles.cos(), angles.sin()])
    J = torch.tensor([[1.0, 2.0], [-3.0, 1.0], [0.5, 0.5]], dtype=torch.float64)
    for q in (1.0, 2.0, math.inf):
        best = float(torch.linalg.vector_norm(J @ circle, q, dim=0).max())
        assert table.brute_force(J, 2.0, q) == pytest.approx(best, rel=1e-6)


def test_frobenius(cases: list[MatrixCase]) -> None:
    found = table.audit_frobenius(cases, "sum")
    assert not found.holds
    assert table.audit_frobenius(cases, "root").holds


def test_max_cut() -> None:
    assert hard.audit_max_cut(3).holds
    assert not hard.audit_max_cut(3, factor=2).holds
    assert len(list(hard.graphs(3))) == 7
    triangle = torch.tensor([[1.0, -1, 0], [0, 1, -1], [1, 0, -1]], dtype=torch.float64)
    assert float(exact_operator_norm(triangle, math.inf, 2)) ** 2 == pytest.approx(8)
