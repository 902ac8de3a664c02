"""Instances: what they say about themselves, and which edges the families hold."""

from __future__ import annotations

import math

import pytest
import torch

from nbsrc.audits.connections import instances as module
from nbsrc.audits.connections.derivatives import gradient, hessian, jacobian, taylor_loss
from nbsrc.audits.connections.instances import Instance


def by_hand() -> Instance:
    V = torch.tensor([[2.0, 0.0], [1.0, -1.0]], dtype=torch.float64)
    return Instance(V, torch.tensor([1.0, -1.0], dtype=torch.float64), 1)


def test_numbers_worked_out_by_hand() -> None:
    """Logits (1, 1): a tie, so p is one half."""
    x = by_hand()
    assert x.logits().tolist() == [1.0, 1.0]
    assert (x.p, x.q, x.margin, x.sign, x.classes) == (0.5, 0.5, 0.0, -1, 2)
    assert x.a.tolist() == [2.0, 2.0]
    assert x.nu == pytest.approx(math.sqrt(8))
    assert x.xi == pytest.approx(0.0, abs=1e-15)
    assert x.size == (2, 2, 0, 6)
    assert x.description == {"V": [[2.0, 0.0], [1.0, -1.0]], "x": [1.0, -1.0], "y": -1}


def test_one_minus_p_has_no_cancellation() -> None:
    far = next(iter(module.at_margins([60.0])))
    assert far.p == 1.0
    assert far.q == pytest.approx(math.exp(-60), rel=1e-12)


def test_derivatives_by_hand() -> None:
    """At p = 1/2 the loss falls along the label's column at rate 1/2."""
    x = by_hand()
    assert gradient(x).tolist() == [1.0, 1.0]
    assert torch.allclose(hessian(x), torch.ones(2, 2, dtype=torch.float64))
    assert torch.equal(jacobian(x), x.V.T)
    r = torch.tensor([1.0, 0.0], dtype=torch.float64)
    assert float(taylor_loss(x, r)) == pytest.approx(math.log(2) + 1.5)


def test_families_hold_the_edges() -> None:
    whole = list(module.small_instances())
    drawn = list(module.random_instances(84, 0))
    for family in (whole, drawn):
        assert any(x.p < 0.5 for x in family)
        assert any(x.p > 0.8 for x in family)
        assert {x.label for x in family} == {0, 1}
    assert any(x.nu == 0 for x in whole)
    assert any(x.margin == 0 and x.nu > 0 for x in whole)
    assert any(0 < x.margin < 1e-3 for x in drawn)
    assert any(x.margin > 7 for x in drawn)
    assert any(torch.equal(x.V[:, 0], -x.V[:, 1]) for x in drawn)
    assert any(float(x.V[:, 0].norm() / x.V[:, 1].norm()) > 50 for x in drawn)
    assert max(len(x.x) for x in drawn) == 8
    assert all(x.margin > 0 for x in module.correct(whole))


def test_whole_numbers_come_first() -> None:
    sizes = [x.size for x in module.random_instances(5, 1, n=(1, 1))]
    assert all(size > next(iter(module.small_instances())).size for size in sizes)


def test_multiclass_points_are_correct() -> None:
    drawn = list(module.random_multiclass(10, 0))
    assert all(x.margin > 0 and x.classes >= 3 for x in drawn)
    assert all(x.p + x.q == pytest.approx(1) for x in drawn)
