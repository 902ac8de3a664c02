"""The steps (15), (17), (18), (108); counted passes; other orders p."""

from __future__ import annotations

import math

import pytest
import torch

from nbsrc.audits.power_methods import algorithms, lp_balls, orders, passes
from nbsrc.audits.power_methods.cases import ORDERS, Case, linear_net, random_cases
from nbsrc.audits.power_methods.iteration import raw_step, steepest

VECTORS = [torch.tensor(v).double() for v in ((1,), (-2,), (1, 1), (2, -1), (0, 3, -3), (1, 1, 1))]


@pytest.fixture(scope="module")
def nets() -> list[Case]:
    return list(random_cases(8, 0))


@pytest.mark.parametrize("p", ORDERS)
def test_direction(p: float) -> None:
    assert algorithms.audit_direction(VECTORS, p).holds
    assert not algorithms.audit_direction(VECTORS, p, lambda z, _: z / z.abs().sum()).holds
    nothing = algorithms.audit_direction(VECTORS, p, lambda z, _: 0 * z / 0)
    assert not nothing.holds


@pytest.mark.parametrize("p", ORDERS)
def test_feasible_and_uniform(nets: list[Case], p: float, monkeypatch: pytest.MonkeyPatch) -> None:
    assert algorithms.audit_feasible(nets, p, 0).holds
    assert not algorithms.audit_feasible(nets, p, 0, clip=False).holds
    assert algorithms.audit_uniform(p, 3, 2000, 0).holds
    draw = algorithms.uniform_in_ball
    monkeypatch.setattr(algorithms, "uniform_in_ball", lambda *a: draw(*a) * 0.9)
    assert not algorithms.audit_uniform(p, 3, 2000, 0).holds


@pytest.mark.parametrize("p", ORDERS)
def test_scale_and_update(nets: list[Case], p: float) -> None:
    assert algorithms.audit_scale(nets, p, 0).holds
    assert not algorithms.audit_scale(nets, p, 0, sign=-1.0).holds
    assert algorithms.audit_update(nets, p, 2.0).holds
    assert not algorithms.audit_update(nets, p, 2.0, flip=True).holds


@pytest.mark.parametrize("q", ORDERS)
def test_autograd_on_kinks(q: float) -> None:
    assert passes.audit_kinks(q).holds
    assert not passes.audit_kinks(q, lambda z: z).holds


def test_passes(nets: list[Case]) -> None:
    assert passes.audit_passes(nets, 4, 4).holds
    assert not passes.audit_passes(nets, 4, 1).holds


@pytest.mark.parametrize("p", [1.25, 1.5, 3.0, 4.0])
def test_projection(p: float) -> None:
    assert orders.audit_projection(p, 20, 0).holds


def test_projection_audit_sees_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orders, "project_lp_ball", lambda x, c, e, p: x / (1 + x.abs().sum()))
    assert not orders.audit_projection(3.0, 20, 0).holds


def test_projection_refuses_one() -> None:
    zero = torch.zeros(1, 2).double()
    with pytest.raises(ValueError, match="above 1 and finite"):
        lp_balls.project_lp_ball(zero, zero, torch.ones(1), 1.0)


@pytest.mark.parametrize("p", [1.5, 3.0])
def test_law_of_orders(p: float) -> None:
    J = torch.tensor([[1.0, 2.0], [1.0, -1.0]]).double()
    zero, start = torch.zeros(1, 2).double(), torch.tensor([[1.0, 0.5]]).double()
    cases = [Case(linear_net(J), zero, start, "linear", whole=True)]
    law = orders.order_of_attack(p)
    assert orders.audit_power_of_order(cases, p, 2.0, law, step=steepest).holds
    assert not orders.audit_power_of_order(cases, p, 2.0, p).holds
    assert orders.audit_power_of_order(cases, p, math.inf, p, step=raw_step).holds
    assert not orders.audit_power_of_order(cases, p, math.inf, law, step=raw_step).holds
