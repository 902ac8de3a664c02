"""Gradients of the regularisers, sum of squares, objective (13), the q-th power."""

from __future__ import annotations

import math

import pytest
import torch

from nbsrc.audits.operator_norms import objectives, regularisers, squares
from nbsrc.audits.operator_norms.matrices import MatrixCase
from nbsrc.audits.operator_norms.points import ReluPoint, random_points, relu_point


@pytest.fixture(scope="module")
def simple(relu_points: list[ReluPoint]) -> list[ReluPoint]:
    one_layer = list(random_points(3, 3, depths=(1,)))
    return regularisers.simple_points([*relu_points, *one_layer], gap=0.1)


def test_global_gradient(cases: list[MatrixCase]) -> None:
    simple = [c for c in cases if c.multiplicity(1e-3) == 1]
    assert regularisers.audit_global_gradient(simple, 0).holds
    assert not regularisers.audit_global_gradient(simple, 0, factor=1.1).holds
    identity = [MatrixCase(torch.eye(2).double())]
    assert not regularisers.audit_global_gradient(identity, 0).holds


def test_subgradient(cases: list[MatrixCase]) -> None:
    assert regularisers.audit_subgradient(cases, 0).holds
    assert not regularisers.audit_subgradient(cases, 0, factor=1.1).holds


def test_local_objective(simple: list[ReluPoint]) -> None:
    assert regularisers.audit_local_objective(simple[::6], 60, 0).holds
    assert not regularisers.audit_local_objective(simple[::6], 1, 0).holds


def test_sum_of_squares(simple: list[ReluPoint]) -> None:
    assert squares.audit_sum_of_squares(simple, 0.999).holds
    assert squares.audit_sum_of_squares(simple, 0.999, sign=-1).holds
    assert not squares.audit_sum_of_squares(simple, 0.9, exponent=1).holds
    assert not squares.audit_sum_of_squares(simple, 5).holds
    one = [relu_point([[[1]], [[1]]], [1])]
    signs = [squares.audit_sum_of_squares(one, 2, sign=s).holds for s in (1, -1)]
    assert sorted(signs) == [False, True]  # the ball leaves the cell on one side only


def test_squares_on_kinks_and_for_multiple_norms(relu_points: list[ReluPoint]) -> None:
    double = relu_point([[[1, 0], [0, 1]], [[1, 0], [0, 1]]], [2, 2])  # J = I
    kinks = [point for point in relu_points if point.on_kink]
    found = squares.audit_squares_anywhere([double, *kinks])
    assert found.holds
    assert found.trials > len(kinks)
    assert not squares.audit_squares_anywhere(relu_points, inside=False).holds


def test_norm_loss_in_cell(simple: list[ReluPoint]) -> None:
    assert objectives.audit_norm_loss_in_cell(simple[::2], 0.999, 0).holds
    assert not objectives.audit_norm_loss_in_cell(simple[::2], 0.9, 0, exponent=2).holds
    assert not objectives.audit_norm_loss_in_cell(simple[::2], 5, 0).holds


def test_power(cases: list[MatrixCase]) -> None:
    assert objectives.audit_power_gradient(cases, (1, 2, 4)).holds
    assert not objectives.audit_power_gradient(cases, (1, math.inf)).holds
    assert not objectives.audit_power_gradient(cases, (2,), power=0.5).holds
    assert objectives.audit_power_training(cases, same=False, seed=0).holds
    assert not objectives.audit_power_training(cases, same=True, seed=0).holds
