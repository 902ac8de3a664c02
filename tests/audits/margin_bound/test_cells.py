"""Balls, cells and covers: smallest failures, corrections and planted bugs."""

from __future__ import annotations

import pytest
import torch

from nbsrc.audits.margin_bound import ball, cells, covers, networks

BALLS = list(ball.balls(2))


def all_one(b: ball.Ball) -> bool:
    return bool((b.losses == 1).all())


def test_a_ball_by_hand() -> None:
    b = ball.Ball((1, 2, 0), (1, 2, 1), (True, False, True))
    assert b.margins.tolist() == [1, -2, 0]
    assert b.losses.tolist() == [0.5, 1, 1]
    assert b.u_min == 0
    assert b.variation == 0.5
    assert [p.labels for p in b.parts()] == [(1, 1)]


def test_true_margins_bound_losses() -> None:
    right = [b for b in BALLS if all(b.right)]
    assert cells.audit_bound_of_losses(BALLS).holds
    assert not cells.audit_bound_of_losses(BALLS, 1.5).holds
    assert cells.audit_variation(right).holds
    assert not cells.audit_variation(right, factor=1.1).holds


def test_case_one_needs_the_margins_of_wrong_examples_too() -> None:
    """All training examples right, an unseen one wrong: its negative margin makes (8) true."""
    b = ball.Ball((2, 2), (1, 2), (True, False))
    assert b.case_one
    assert (b.u_all, b.u_min) == (-2, 2)
    assert cells.audit_case_one(BALLS).holds
    assert not cells.audit_case_one(BALLS, factor=1.1).holds
    assert not cells.audit_case_one([b], lambda c: c.u_min).holds
    assert not ball.Ball((1,), (2,), (True,)).case_one


def test_step_17() -> None:
    assert cells.audit_step_17(BALLS, 1.0).holds
    assert not cells.audit_step_17(BALLS, 0.99).holds


def test_mixed_labels_break_the_cases() -> None:
    for found in (
        cells.audit_cases(BALLS),
        cells.audit_variation(BALLS),
        cells.audit_variation(BALLS, lambda b: b.training_variation),
        cells.audit_case_two(BALLS, all_one),
        cells.audit_case_two(BALLS, lambda b: b.variation == 0),
    ):
        assert not found.holds
        assert set(found.counterexample["labels"]) == {1, 2}


def test_cells_of_ball_and_label_repair_them() -> None:
    assert cells.audit_cases(BALLS, by_label=True).holds
    assert cells.audit_variation(BALLS, by_label=True).holds
    assert cells.audit_case_two(BALLS, all_one, by_label=True).holds
    assert not cells.audit_variation(BALLS, by_label=True, factor=1.1).holds


def test_planted_ramp(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ball, "ramp_loss", lambda r, gamma: (1 + r / gamma).clamp(min=0))
    wrong = [ball.Ball((3, 1), (2, 2), (True, True))]
    assert not cells.audit_case_two(wrong, all_one, by_label=True).holds


def test_slow() -> None:
    support = torch.tensor([[1.0], [2.0]], dtype=torch.float64)
    column, eye = torch.tensor([[1.0], [-1.0]]).double(), torch.eye(2).double()
    family = [networks.Example((c * column, eye), support[0], support=support) for c in (1.0, 9.0)]
    assert not cells.audit_slow(family, 1.0).holds
    assert cells.audit_slow(family[:1], 2.0).holds
    assert not cells.audit_slow(family, 1.0, bound=5.0).holds


def test_covers() -> None:
    assert covers.audit_disjoint(covers.rings(8)).counterexample["points on a ring"] == 4
    assert not covers.audit_cover_display(covers.rings(6), printed=True).holds
    assert covers.audit_cover_display(covers.rings(6), printed=False).holds
    assert covers.audit_cells(80, 0).holds
    assert not covers.audit_cells(80, 0, proper=False).holds
    assert not covers.audit_cells(80, 0, robust=0.5).holds


def test_manifolds() -> None:
    family = list(covers.manifold_radii(50, 3.0))
    assert not covers.audit_manifold(family, equal=True).holds
    assert covers.audit_manifold(family, equal=False).holds
    assert not covers.audit_manifold(family, equal=False, factor=0.99).holds
