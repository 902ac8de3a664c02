"""Gradients of norms and their limits for growing order."""

from __future__ import annotations

import math

import pytest
import torch

from nbsrc.audits.projection_lemma import gradients, growing

POINTS = gradients.points(12, 0)


def test_gradient_where_it_exists() -> None:
    assert gradients.audit_gradient(POINTS, (1.3, 2, 3, 7, 30)).holds
    assert gradients.audit_gradient([x for x in POINTS if all(x)], (1,)).holds


def test_no_gradient_on_the_kinks() -> None:
    found = gradients.audit_gradient(POINTS, (1,))
    assert not found.holds
    assert found.counterexample == {"p": 1, "x": [0.0, 1.0], "formula": [0.0, 1.0]}
    tied = gradients.audit_gradient([(1.0, 1.0)], (math.inf,))
    assert not tied.holds
    zero = gradients.audit_gradient([(0.0,)], (2,))
    assert zero.counterexample["formula"] == "not defined: 0/0"


def test_subgradient_on_the_kinks_too() -> None:
    assert gradients.audit_subgradient(POINTS, (1, 1.3, 2, 3, 30, math.inf)).holds
    double = gradients.audit_subgradient(
        POINTS, (1, 2), lambda x, p: [2 * a for a in gradients.printed_gradient(x, p)]
    )
    assert not double.holds


def test_kinks_have_two_slopes() -> None:
    assert gradients.audit_kinks([x for x in POINTS if not all(x)], (1,)).holds
    assert gradients.audit_kinks([(1.0, -1.0), (2.0, 2.0, 0.0)], (math.inf,)).holds
    assert not gradients.audit_kinks([(1.0, -2.0)], (1, 2, math.inf)).holds


def test_a_wrong_gradient_is_seen() -> None:
    wrong = gradients.audit_gradient(
        POINTS, (3,), lambda x, p: gradients.printed_gradient(x, p + 0.01)
    )
    assert not wrong.holds


def test_autograd_agrees() -> None:
    for x in POINTS:
        t = torch.tensor(x, dtype=torch.float64, requires_grad=True)
        torch.linalg.vector_norm(t, 3).backward()
        assert t.grad is not None
        assert t.grad.tolist() == pytest.approx(gradients.printed_gradient(x, 3))


@pytest.mark.parametrize(
    "quantity", [growing.gradient, growing.powers, growing.ratio_of_powers, growing.summands]
)
def test_growing_orders(quantity: gradients.Quantity) -> None:
    assert gradients.audit_growing_order(POINTS, quantity).holds

    def shifted(x: gradients.Vector, p: int) -> tuple[list[float], list[float], float]:
        value, limit, bound = quantity(x, p)
        return value, [1.1 * a for a in limit], bound

    assert not gradients.audit_growing_order(POINTS, shifted).holds


def test_rate_is_one_over_p_with_ties() -> None:
    value, limit, bound = growing.gradient((2.0, -2.0, 1.0), 1000)
    error = max(abs(a - b) for a, b in zip(value, limit, strict=True))
    assert error == pytest.approx(math.log(2) / 2 / 1000, rel=1e-3)
    assert bound == pytest.approx(math.log(2) / 1000)
    assert growing.tied_count((2.0, -2.0, 1.0)) == 2
