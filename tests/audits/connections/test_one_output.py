"""The logistic loss: what carries over to one output, and what does not."""

from __future__ import annotations

import math

import pytest

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


def test_minimiser_of_one_example() -> None:
    """x = y = 1: sigma(-v) = v for lambda nu^2 / 2 with lambda = 1, sigma(-v) = 2 v for mu^2."""
    one = one_output.Sample((1.0,), (1,))
    for weight in (0.5, 1.0):
        v = one_output.minimiser(one, weight)
        assert 1 / (1 + math.exp(v)) == pytest.approx(2 * weight * v)
    with pytest.raises(ValueError, match="positive"):
        one_output.minimiser(one, 0.0)


def test_minimisers() -> None:
    data = list(one_output.samples())[:40]
    assert one_output.audit_minimisers(data, (0.5,), lambda s: s / 2).holds
    found = one_output.audit_minimisers(data, (1.0, 0.5), lambda s: s)
    assert found.counterexample == {"x": [1.0], "y": [1], "lambda": 0.5}
