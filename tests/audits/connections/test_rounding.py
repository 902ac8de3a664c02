"""What the arithmetic of an oracle loses is no error of the statement; anything more is."""

from __future__ import annotations

import pytest
import torch

from nbsrc.audits.connections import compare, one_output
from nbsrc.audits.connections.compare import relative_error
from nbsrc.audits.connections.curvature import audit_penalty


def test_a_difference_within_rounding_does_not_count() -> None:
    assert relative_error(2.0, 1.5, rounding=0.5) == 0.0
    assert relative_error(2.0, 1.0, rounding=0.5) == 0.25
    assert relative_error(float("nan"), 1.0, rounding=9.0) == 1.0


@pytest.fixture
def confident() -> one_output.OneOutput:
    """A margin of 25: the label's probability is 1 up to rounding, and 1 - p is not."""
    v, x = (torch.tensor([5.0], dtype=torch.float64) for _ in range(2))
    return one_output.OneOutput(v, x, 1)


def test_a_confident_point(confident: one_output.OneOutput) -> None:
    assert confident.rest == pytest.approx(1 / (1 + torch.tensor(25.0).double().exp().item()))
    assert abs(confident.rest / (1 - confident.p) - 1) > 1e-7
    assert one_output.audit_as_two_classes([confident]).holds
    assert one_output.audit_derivatives([confident]).holds
    assert one_output.audit_perturbation([confident]).holds


def test_controls_are_seen_there_too(confident: one_output.OneOutput) -> None:
    assert not one_output.audit_as_two_classes([confident], second=-1.0).holds
    assert not one_output.audit_derivatives([confident], sign=1).holds
    assert not one_output.audit_perturbation([confident], factor=2.0).holds


def test_a_confident_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seed 6 draws a residual network with 1 - p = 6e-11; without the allowance it failed."""
    names = ["MLP without biases"] * 6 + ["residual"]
    assert audit_penalty(names, 4, 6, weights=False, tolerance=1e-9).holds
    monkeypatch.setattr("nbsrc.audits.connections.curvature.ROUNDING", 0.0)
    assert not audit_penalty(names, 4, 6, weights=False, tolerance=1e-9).holds
    assert compare.ROUNDING < 1e-14
