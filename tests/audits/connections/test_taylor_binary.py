"""Propositions 3.1 to 3.3 and their proofs: they hold, and planted errors are found."""

from __future__ import annotations

import math

import pytest

from nbsrc.audits.connections import taylor_binary as taylor
from nbsrc.audits.connections import taylor_proofs as proofs
from nbsrc.audits.connections.derivatives import gradient
from nbsrc.audits.connections.instances import Instance, at_margins
from nbsrc.perturbation import taylor_norm_typeset


def test_prop31(right: list[Instance]) -> None:
    assert taylor.audit_norm(right, taylor.prop31).holds
    typeset = taylor.audit_norm(right, lambda x: float(taylor_norm_typeset(x.p, x.nu)))
    assert not typeset.holds
    assert typeset.counterexample["V"] == [[1.0, 0.0]]
    exact = taylor.audit_norm(right, lambda x: x.margin / x.nu)
    assert not exact.holds


def test_prop32(right: list[Instance]) -> None:
    assert taylor.audit_box_norm(right, taylor.prop32).holds
    wrong = taylor.audit_box_norm(right, lambda x: taylor.prop32(x, 2))
    assert not wrong.holds
    assert len(wrong.counterexample["x"]) == 2


def test_prop33(cases: list[Instance]) -> None:
    radii = (0.01, 1.0, 5.0)
    assert taylor.audit_worst_taylor_loss(cases, radii).holds
    assert not taylor.audit_worst_taylor_loss(
        cases, radii, lambda x, e: taylor.prop33(x, e, 2)
    ).holds


def test_worked_out_by_hand() -> None:
    """V = [1, 0], x = 1: p = e / (1 + e), and s solves q s + p q s^2 / 2 = log 2p."""
    x = next(iter(at_margins([1.0])))
    s = taylor.prop31(x)
    assert x.q * s + x.p * x.q * s**2 / 2 == pytest.approx(math.log(2 * x.p))
    assert s > 1


def test_different_minimisers(right: list[Instance]) -> None:
    drawn = [x for x in right if len(x.x) > 1 and any(v != round(v) for v in x.x.tolist())]
    assert taylor.audit_different_minimisers(drawn).holds
    found = taylor.audit_different_minimisers(right)
    assert not found.holds
    assert len(found.counterexample["x"]) == 1


def test_one_variable(cases: list[Instance]) -> None:
    assert proofs.audit_one_variable(cases).holds
    assert not proofs.audit_one_variable(cases, lambda x: x.q / x.p).holds


def test_roots(right: list[Instance]) -> None:
    assert proofs.audit_roots(right).holds
    found = proofs.audit_roots(right, lambda x: x.p if x.label == 0 else x.q)
    assert not found.holds
    assert found.counterexample["y"] == -1


def test_second_root_is_no_attack(right: list[Instance], monkeypatch: pytest.MonkeyPatch) -> None:
    assert proofs.audit_second_root(right).holds
    monkeypatch.setattr(proofs, "gradient", lambda x: -gradient(x))
    assert not proofs.audit_second_root(right).holds


def test_eq23(right: list[Instance]) -> None:
    assert taylor.audit_box_norm(right, lambda x: proofs.eq23(x, x.p)).holds
    found = taylor.audit_box_norm(right, lambda x: proofs.eq23(x, x.p if x.label == 0 else x.q))
    assert found.counterexample["y"] == -1


def test_substitution(right: list[Instance]) -> None:
    assert proofs.audit_substitution(right).holds
    assert not proofs.audit_substitution(right, proofs.eq20_second_line).holds


def test_box_bound(cases: list[Instance]) -> None:
    assert proofs.audit_box_bound(cases, 1.0, 1).holds
    found = proofs.audit_box_bound(cases, 1.0, 2)
    assert not found.holds
    assert len(found.counterexample["x"]) == 2


def test_eq8_is_prop31_and_has_no_value_at_one(right: list[Instance]) -> None:
    for x in right:
        if 1e-2 < x.margin < 8:  # outside, the printed form cancels or p loses its digits
            assert taylor.eq8(x.p, x.nu) == pytest.approx(taylor.prop31(x), rel=1e-9, abs=0)
    assert math.isfinite(taylor.eq8(1 - 2**-52, 1.0))
    assert math.isinf(taylor.eq8(1.0, 1.0))
