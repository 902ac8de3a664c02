"""The logistic loss: what carries over to one output, and what does not."""

from __future__ import annotations

from nbsrc.audits.connections import one_output

CASES = list(one_output.one_outputs(60, 0))


def test_as_two_classes() -> None:
    assert one_output.audit_as_two_classes(CASES).holds
    assert not one_output.audit_as_two_classes(CASES, second=-1.0).holds


def test_derivatives() -> None:
    assert one_output.audit_derivatives(CASES).holds
    assert not one_output.audit_derivatives(CASES, sign=1).holds


def test_perturbation() -> None:
    assert one_output.audit_perturbation(CASES).holds
    assert not one_output.audit_perturbation(CASES, factor=1.001).holds
