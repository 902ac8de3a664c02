"""Lemma 3.2 and its corollaries: they hold, and planted errors are found."""

from __future__ import annotations

import pytest
import torch

from nbsrc.audits.connections import binary_forms as forms
from nbsrc.audits.connections import spectra
from nbsrc.audits.connections.derivatives import gradient
from nbsrc.audits.connections.instances import Instance
from nbsrc.perturbation import binary_penalties, loss_gradient, loss_hessian


def test_forms_agree_with_the_library(cases: list[Instance]) -> None:
    for x in cases[::5]:
        p = torch.softmax(x.logits(), -1)
        slope = loss_gradient(p, x.V, x.label)
        assert torch.allclose(forms.lemma32_gradient(x), slope, rtol=1e-8, atol=1e-12)
        assert torch.allclose(forms.lemma32_hessian(x), loss_hessian(p, x.V), atol=1e-9)


def test_lemma32(cases: list[Instance], monkeypatch: pytest.MonkeyPatch) -> None:
    assert forms.audit_lemma32(cases).holds
    strict = forms.audit_lemma32(cases, strict_layout=True)
    assert not strict.holds
    assert len(strict.counterexample["x"]) == 2  # one input has one layout only
    assert forms.audit_lemma32([x for x in cases if len(x.x) == 1], strict_layout=True).holds
    monkeypatch.setattr(forms, "lemma32_gradient", lambda x: x.sign * x.q * x.a)
    assert not forms.audit_lemma32(cases).holds


def test_lemma32_sees_a_wrong_hessian(
    cases: list[Instance], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forms, "lemma32_hessian", lambda x: x.p**2 * torch.outer(x.a, x.a))
    assert not forms.audit_lemma32(cases).holds


def test_gradient_chain(cases: list[Instance], monkeypatch: pytest.MonkeyPatch) -> None:
    assert forms.audit_gradient_chain(cases, as_printed=False).holds
    assert not forms.audit_gradient_chain(cases, as_printed=True).holds
    monkeypatch.setattr(forms, "gradient", lambda x: -gradient(x))
    assert not forms.audit_gradient_chain(cases, as_printed=False).holds


def test_hessian_chain(cases: list[Instance]) -> None:
    assert forms.audit_hessian_chain(cases).holds
    late = forms.audit_hessian_chain(cases, forms.hessian_with_late_parenthesis)
    assert not late.holds
    assert late.counterexample["V"] == [[1.0, 1.0]]  # the true Hessian is 0
    assert late.counterexample["right"] == [[0.0]]


def test_rank_one(right: list[Instance], many: list[Instance]) -> None:
    assert spectra.audit_rank_one(right).holds
    assert not spectra.audit_rank_one(many).holds
    V = torch.ones(1, 2, dtype=torch.float64)
    bias = torch.tensor([1.0, 0.0], dtype=torch.float64)
    equal = Instance(V, torch.ones(1).double(), 0, bias)
    assert equal.margin == 1
    assert not spectra.audit_rank_one([equal]).holds


def test_eigenvector(cases: list[Instance]) -> None:
    assert spectra.audit_eigenvector(cases).holds
    assert not spectra.audit_eigenvector(cases, lambda x: x.p * x.nu**2).holds


def test_direction(cases: list[Instance], many: list[Instance]) -> None:
    assert spectra.audit_same_direction(cases).holds
    assert not spectra.audit_same_direction(many).holds


def test_norms(cases: list[Instance], many: list[Instance]) -> None:
    assert spectra.audit_norms(cases).holds
    assert not spectra.audit_norms(many).holds


def test_penalties(cases: list[Instance]) -> None:
    def printed(x: Instance) -> tuple[float, float, float]:
        found = binary_penalties(x.p, x.V)
        return float(found.jacobian), float(found.input_gradient), float(found.curvature)

    assert spectra.audit_penalties(cases, printed).holds
    assert not spectra.audit_penalties(
        cases, lambda x: (printed(x)[0], printed(x)[2], printed(x)[1])
    ).holds
