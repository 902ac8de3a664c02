"""The operator norm iteration: local maxima, ascent, gradients, limits."""

from __future__ import annotations

import math

import torch

from nbsrc.audits.operator_norms import ascent, iteration, passes, special_orders
from nbsrc.audits.operator_norms.matrices import NINE, MatrixCase
from nbsrc.operator_norm import power_method


def test_local_maxima_stop_below_the_norm() -> None:
    found = iteration.local_maxima()
    assert {case.orders for case in found} == set(NINE) - {(2.0, 2.0)}
    for case in found:
        below = iteration.stops_below(case.J.unsqueeze(0), case.orders, case.v0.unsqueeze(0))
        assert bool(below.all())
        assert bool(iteration.stops_below(
            case.J.unsqueeze(0), case.orders, case.v0.unsqueeze(0), alpha=1.0
        ).all())  # fmt: skip


def test_local_maxima_are_the_smallest() -> None:
    recorded = {c.orders: (c.J.tolist(), c.v0.tolist()) for c in iteration.local_maxima()}
    found = {c.orders: (c.J.tolist(), c.v0.tolist()) for c in iteration.smallest_failures()}
    assert found == recorded


def test_reaches_norm(nonzero: list[MatrixCase]) -> None:
    assert not iteration.audit_reaches_norm(iteration.local_maxima(), 50, seed=0).holds
    only = [MatrixCase(c.J, c.start, (2.0, 2.0)) for c in nonzero]
    assert iteration.audit_reaches_norm(only, 200, seed=0).holds


def test_shares() -> None:
    rows = iteration.shares((3, 4), 2, 5, 0, steps=60)
    assert [row["pair"] for row in rows][4] == "(2, 2)"
    assert all(0 <= row["share of starts"] <= row["best of 10"] <= 1 for row in rows)


def test_ascent(nonzero: list[MatrixCase]) -> None:
    assert ascent.audit_ascent(nonzero, 6).holds
    assert not ascent.audit_ascent(nonzero, 6, reverse=True).holds


def test_finite_steps_climb(nonzero: list[MatrixCase]) -> None:
    assert ascent.audit_climbs(nonzero[::4], 6, (0.1, 1.0)).holds
    assert not ascent.audit_climbs(nonzero[::4], 6, (0.1,), factor=4.0).holds


def test_finite(cases: list[MatrixCase]) -> None:
    assert ascent.audit_finite(cases, 40, [p for p in NINE if p != (2.0, 2.0)]).holds
    close = MatrixCase(torch.diag(torch.tensor([1.0, 0.99])).double(), torch.ones(2).double())
    assert not ascent.audit_finite([close], 40, [(2.0, 2.0)]).holds


def test_non_negative(nonzero: list[MatrixCase]) -> None:
    assert ascent.audit_non_negative(nonzero).holds
    assert not ascent.audit_non_negative(nonzero, absolute=False).holds


def test_gradient(cases: list[MatrixCase]) -> None:
    orders = (1, 1.5, 2, 4, math.inf)
    assert passes.audit_gradient(cases, orders, from_left=False).holds
    assert not passes.audit_gradient(cases, orders[:4], from_left=True).holds
    assert not passes.audit_gradient(cases, (1.5, 4), from_left=False, power=1.1).holds
    assert passes.audit_norm_subgradient(cases, orders, 0).holds
    assert not passes.audit_norm_subgradient(cases, orders, 0, factor=1.05).holds


def test_shapes_that_do_not_fit() -> None:
    J = torch.ones(1, 2).double()
    assert passes.printed_gradient(J, torch.ones(2).double(), 2, from_left=True) is None


def test_two_forms(nonzero: list[MatrixCase]) -> None:
    assert passes.audit_two_forms(nonzero[::4], NINE, (0.1, 10.0)).holds
    assert not passes.audit_two_forms(nonzero[::4], NINE, (0.1,), factor=0.9).holds


def test_special_orders() -> None:
    vectors = [[1.0], [2.0, 0.0], [1.0, -1.0], [3.0, 3.0, 1.0]]
    cases = [
        MatrixCase(torch.eye(len(v)).double(), torch.tensor(v, dtype=torch.float64))
        for v in vectors
    ]
    assert special_orders.audit_special_cases(cases).holds
    assert all(special_orders.audit_limit(cases, q).holds for q in (10, 100, 1e3, 1e4))
    assert not special_orders.audit_limit(cases, 1e3, divide=False).holds
    near = MatrixCase(torch.eye(2).double(), torch.tensor([1000.0, 999.0]).double())
    assert not special_orders.audit_limit([near], 1e3).holds


def test_a_step_with_three_nearest_points() -> None:
    """The example of the page: three nearest points of the sphere, all at the same distance."""
    J, v = torch.tensor([[-1.0, 1.0, 1.0]]).double(), torch.tensor([4.0, 3.0, 3.0]).double() / 4
    run = power_method(J, math.inf, 1, v, 1, 1 / 8)
    moved = v + J[0] / 8
    assert moved.tolist() == [0.875] * 3
    assert run.v.tolist() == [1.0, 0.875, 0.875]
    assert float((run.v - moved).norm()) == 0.125  # no point of the sphere is nearer
