"""Theorem 1: true without ties and zeros, false with them, repaired by the exposed face."""

from __future__ import annotations

import math

import pytest
import torch

from nbsrc.audits.power_methods import steps, theorem
from nbsrc.audits.power_methods.cases import PAIRS, Case, linear_net, random_cases, whole_maps


@pytest.fixture(scope="module")
def nets() -> list[Case]:
    return list(random_cases(12, 0))


@pytest.fixture(scope="module")
def small() -> list[Case]:
    return [*whole_maps(1, 1), *whole_maps(2, 1), *whole_maps(2, 2, (0, 1))]


def case(J: list[list[float]], start: list[float]) -> Case:
    n = len(start)
    point = torch.zeros(1, n, dtype=torch.float64)
    return Case(linear_net(J), point, torch.tensor([start]).double(), "linear", whole=True)


@pytest.mark.parametrize(("p", "q"), PAIRS)
def test_generic_networks_agree(nets: list[Case], p: float, q: float) -> None:
    assert theorem.audit_same_iterates(nets, p, q, limit="printed").holds
    assert not theorem.audit_same_iterates(nets, p, q, limit="printed", size=20.0).holds
    assert steps.audit_cell_step(nets, p, q).holds
    assert not steps.audit_cell_step(nets, p, q, size=20.0).holds


def test_small_steps_differ(nets: list[Case]) -> None:
    assert not theorem.audit_same_iterates(nets, 2, 2, limit="printed", alpha=0.5).holds


@pytest.mark.parametrize(
    ("p", "J", "start"), [(1.0, [[1.0, 1.0]], [1, 0]), (math.inf, [[0, 1]], [1, 1])]
)
def test_smallest_counterexamples(small: list[Case], p: float, J: list, start: list) -> None:
    found = theorem.audit_same_iterates(small, p, 2.0, limit="printed")
    assert not found.holds
    assert found.counterexample["J"] == J
    assert found.counterexample["start"] == start
    assert theorem.audit_each_step(small, p, 2.0, limit="projection").holds
    assert not theorem.audit_each_step(small, p, 2.0, limit="printed").holds


@pytest.mark.parametrize("q", [1.0, 2.0, math.inf])
def test_large_enough_steps_for_ties(q: float) -> None:
    three = [c for c in whole_maps(3, 1) if len(c.J.abs().unique()) < 3]
    assert theorem.audit_each_step(three, 1.0, q, limit="projection", alpha=3.0).holds
    # tie of two entries, all mass outside it: alpha = m + 1 = 3 is needed
    outside = case([[2, 2, 1]], [0, 0, 1])
    assert theorem.audit_each_step([outside], 1.0, q, limit="projection", alpha=3.0).holds
    outside = case([[2, 2, 1]], [0, 0, 1])
    assert not theorem.audit_each_step([outside], 1.0, q, limit="projection", alpha=2.9).holds


@pytest.mark.parametrize(("p", "q"), PAIRS)
def test_iteration_on_the_sphere(small: list[Case], nets: list[Case], p: float, q: float) -> None:
    assert steps.audit_iteration_limit([*small, *nets], p, q, limit="projection").holds
    printed = steps.audit_iteration_limit(small, p, q, limit="printed")
    assert printed.holds == (p == 2)


def test_attack_may_stay_while_the_formula_goes_on() -> None:
    stuck = case([[1, 1], [1, 0]], [1, -1])
    path = theorem.attack_path(stuck, math.inf, 1.0, 3)
    assert float((path[-1] @ stuck.J.T).abs().sum()) == 1
    free = theorem.power_path(stuck, math.inf, 1.0, 3, "printed")
    assert float((free[-1] @ stuck.J.T).abs().sum()) == 3
    for alpha in (0.1, 2.0, 100.0, 1e9):
        again = theorem.attack_path(stuck, math.inf, 1.0, 3, alpha=alpha)
        assert torch.equal(again, path)


def test_limit_of_a_run_is_no_run_of_limits() -> None:
    tied = case([[0, 1], [1, 1]], [0.5, -0.5])
    assert not theorem.audit_same_iterates([tied], 2.0, math.inf, limit="projection").holds
    assert theorem.audit_each_step([tied], 2.0, math.inf, limit="projection").holds
    for J, start, q in (([[0, 1], [1, 1]], [0.5, -0.5], math.inf),
                        ([[1, 1], [0, 1]], [0.5, -0.25], 1.0)):  # fmt: skip
        found = steps.audit_run_of_limits(J, start, q)
        assert not found.holds
        assert found.worst_slack < -0.4
    assert steps.audit_run_of_limits([[2, 1], [0, 1]], [0.5, 0.5], math.inf).holds


def test_same_gains(small: list[Case]) -> None:
    found = theorem.audit_same_gains(small, math.inf, 1.0, limit="printed")
    assert found.counterexample["attack"] == [1.0]
    assert theorem.audit_same_gains(small, math.inf, 1.0, limit="projection").holds


@pytest.mark.parametrize(("p", "q"), PAIRS)
def test_gains_rise(small: list[Case], p: float, q: float) -> None:
    assert steps.audit_gains_rise(small, p, q).holds


def test_gains_fall_without_a_projection(small: list[Case]) -> None:
    backwards = steps.audit_gains_rise(small, 2.0, 2.0, alpha=-0.5)
    assert not backwards.holds


def test_starts_without_gradient_are_left_out() -> None:
    assert len(case([[1, 1]], [0.5, -0.5]).starts(1.0)) == 0
