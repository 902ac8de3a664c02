"""Definitions and the order of penalties: they hold, and planted errors are found."""

from __future__ import annotations

import pytest
import torch

from nbsrc.audits.connections import definitions, ingredients, penalty_order
from nbsrc.audits.connections.instances import Instance
from nbsrc.perturbation import critical_products

ALL = ("jacobian", "cross_lipschitz", "input_gradient", "curvature")


def test_softmax_and_sigmoid(cases: list[Instance], many: list[Instance]) -> None:
    assert definitions.audit_softmax([*cases, *many]).holds
    assert not definitions.audit_softmax(cases, common=False).holds
    assert definitions.audit_sigmoid(cases).holds
    assert not definitions.audit_sigmoid(cases, 2.0).holds


def test_threshold(cases: list[Instance], many: list[Instance]) -> None:
    assert any(x.margin == 0 for x in cases)
    assert definitions.audit_threshold(cases).holds
    assert not definitions.audit_threshold(cases, 0.7).holds
    assert not definitions.audit_threshold(many).holds


def test_slack(cases: list[Instance]) -> None:
    assert definitions.audit_slack(cases).holds
    assert not definitions.audit_slack(cases, 3.0).holds


def test_squares(cases: list[Instance]) -> None:
    assert definitions.audit_squares(cases, curvature_squared=False).holds
    found = definitions.audit_squares(cases, curvature_squared=True)
    assert found.counterexample["V"] == [[1.0, 0.0]]


def test_four_penalties(cases: list[Instance], many: list[Instance]) -> None:
    assert definitions.audit_four_penalties([*cases[::3], *many]).holds
    assert not definitions.audit_four_penalties(cases[::3], swap=True).holds


def test_lipschitz(cases: list[Instance]) -> None:
    def difference(z: torch.Tensor) -> torch.Tensor:
        return z[..., 0] - z[..., 1]

    def along(x: Instance) -> torch.Tensor:
        return x.a

    audit = ingredients.audit_lipschitz
    assert audit(cases, 0, difference, lambda x: x.nu, along).holds
    assert not audit(cases, 0, difference, lambda x: 0.9 * x.nu).holds
    assert not audit(cases, 0, difference, lambda x: 1.1 * x.nu, along).holds
    assert audit(cases, 0, lambda z: z, lambda x: float(x.V.norm())).holds
    assert not audit(cases, 0, lambda z: z, lambda x: float(x.V.norm()) / 2).holds


def test_reachable() -> None:
    wanted = list(ingredients.targets(20, 0))
    found = ingredients.audit_reachable(wanted, within_reach=False)
    assert found.counterexample["x"] == [1.0]
    assert found.counterexample["largest margin"] < found.counterexample["margin asked for"]
    fine = ingredients.audit_reachable(wanted, within_reach=True)
    assert fine.holds
    assert fine.trials > 5


def test_inputs_differ(cases: list[Instance]) -> None:
    moving = [x for x in cases if x.nu > 0]
    assert ingredients.audit_inputs_differ(moving, lambda x: x.a).holds

    def sideways(x: Instance) -> torch.Tensor:
        step = torch.ones_like(x.x)
        return step - (step @ x.a) / x.nu**2 * x.a

    assert not ingredients.audit_inputs_differ(moving, sideways).holds


def test_penalty_chain(cases: list[Instance], right: list[Instance]) -> None:
    found = penalty_order.audit_penalty_chain(cases)
    assert found.counterexample["V"] == [[1.0, 0.0]]
    assert found.counterexample["y"] == -1
    assert penalty_order.audit_penalty_chain(right).holds
    assert not penalty_order.audit_penalty_chain(right, 0.49).holds


@pytest.mark.parametrize("weight", [0.9, 1.1])
def test_eq12(cases: list[Instance], weight: float) -> None:
    assert penalty_order.audit_eq12(cases).holds
    assert not penalty_order.audit_eq12(cases, weight).holds


def test_descent(cases: list[Instance]) -> None:
    audit = penalty_order.audit_descent_lowers_nu
    found = audit(cases, ALL)
    assert found.counterexample["penalty"] == "input_gradient"
    assert found.counterexample["margin"] == 2.0
    assert audit(cases, ALL[:2]).holds
    assert audit(cases, ALL[2:3], critical_products().gradient).holds
    assert not audit(cases, ALL[2:3], 1.3 + critical_products().gradient).holds


def test_penalty_falls(cases: list[Instance]) -> None:
    assert penalty_order.audit_penalty_falls(cases, below_critical=True).holds
    found = penalty_order.audit_penalty_falls(cases, below_critical=False)
    assert found.counterexample["nu gamma"] == 2.0
    assert not penalty_order.audit_penalty_falls(cases, below_critical=True, shrink=1.01).holds
