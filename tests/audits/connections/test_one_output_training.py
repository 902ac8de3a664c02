"""Minimisers with one output under the two penalties."""

from __future__ import annotations

import math

import pytest

from nbsrc.audits.connections import one_output_training as training


def test_minimiser_of_one_example() -> None:
    """x = y = 1: sigma(-v) = v for lambda nu^2 / 2 with lambda = 1, sigma(-v) = 2 v for mu^2."""
    one = training.Sample((1.0,), (1,))
    for weight in (0.5, 1.0):
        v = training.minimiser(one, weight)
        assert 1 / (1 + math.exp(v)) == pytest.approx(2 * weight * v)
        assert training.two_column_minimiser(one, weight) == pytest.approx(v)
    with pytest.raises(ValueError, match="positive"):
        training.minimiser(one, 0.0)


def test_minimisers() -> None:
    data = list(training.samples())[:40]
    assert training.audit_minimisers(data, (0.5,), lambda s: s / 2).holds
    found = training.audit_minimisers(data, (1.0, 0.5), lambda s: s)
    assert found.counterexample == {"x": [1.0], "y": [1], "lambda": 0.5}
