"""Problems (1) and (2), FGSM and DeepFool: they hold, and planted errors are found."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from nbsrc.audits.connections import attacks
from nbsrc.audits.connections.derivatives import gradient
from nbsrc.audits.connections.instances import Instance, at_margins
from nbsrc.perturbation import ExactPerturbation, exact_perturbation_norm


def test_deepfool_by_hand() -> None:
    """V = [2, 0], x = 1: the boundary is at 0."""
    x = next(iter(at_margins([2.0])))
    assert attacks.deepfool_step(x).tolist() == [-1.0]
    assert attacks.shortest_by_programming(x) == pytest.approx(1.0)


def test_minimum_is_attained_if_ties_count(right: list[Instance]) -> None:
    found = attacks.audit_minimum_is_attained(right, attacks.first_winner)
    assert found.counterexample["V"] == [[1.0, 0.0]]
    assert attacks.audit_minimum_is_attained(right).holds


def test_minimum_audit_sees_a_step_that_is_too_long(
    right: list[Instance], monkeypatch: pytest.MonkeyPatch
) -> None:

    def longer(logits: torch.Tensor, V: torch.Tensor, y: int, order: float) -> ExactPerturbation:
        found = exact_perturbation_norm(logits, V, y, order)
        return replace(found, perturbation=1.01 * found.perturbation)

    monkeypatch.setattr(attacks, "exact_perturbation_norm", longer)
    assert not attacks.audit_minimum_is_attained(right).holds


def test_worst_loss_formula(cases: list[Instance]) -> None:
    def dual(p: float) -> float:
        return math.inf if p == 1 else 1.0

    assert attacks.audit_worst_loss_formula(cases, 0.5, dual).holds
    assert not attacks.audit_worst_loss_formula(cases, 0.5, lambda p: p).holds


def test_fgsm(cases: list[Instance], many: list[Instance]) -> None:
    assert attacks.audit_fgsm(cases, 0.5).holds
    assert not attacks.audit_fgsm(many, 0.5).holds


def test_fgsm_fails_in_single_precision() -> None:
    """V = [18, 1], x = 1: p rounds to 1, and what is left of the gradient has the wrong sign."""
    x = Instance(torch.tensor([[18.0, 1.0]]).double(), torch.ones(1).double(), 0)
    assert attacks.audit_fgsm([x], 0.5).holds
    assert not attacks.audit_fgsm([x], 0.5, torch.float32).holds


def test_fgsm_audit_sees_a_wrong_sign(
    cases: list[Instance], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attacks, "gradient", lambda x: -gradient(x))
    assert not attacks.audit_fgsm(cases, 0.5).holds


def test_deepfool(right: list[Instance], many: list[Instance]) -> None:
    some = [*right[::4], *many]
    literal = attacks.audit_deepfool(right, overshoot=0.0, optimum=lambda x: x.margin / x.nu)
    assert literal.counterexample["V"] == [[1.0, 0.0]]
    assert attacks.audit_deepfool(some, overshoot=0.0, winners=attacks.all_winners).holds
    assert attacks.audit_deepfool(some, overshoot=1e-6).holds
    halved = attacks.audit_deepfool(some, overshoot=-0.5)
    assert not halved.holds


def test_deepfool_names_the_classes_it_ran_on(right: list[Instance], many: list[Instance]) -> None:
    two = attacks.audit_deepfool(right[:3], overshoot=1e-6)
    assert two.family.endswith("number of classes: 2")
    counts = ", ".join(str(k) for k in sorted({x.classes for x in many}))
    assert attacks.audit_deepfool(many, overshoot=1e-6).family.endswith(counts)
