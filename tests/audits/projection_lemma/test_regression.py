"""Robust regression and robust hinge losses."""

from __future__ import annotations

import math

import pytest
import torch

from nbsrc.audits.projection_lemma import regression_audits as audits
from nbsrc.audits.projection_lemma import robust
from nbsrc.audits.projection_lemma.regression import Problem, induced, perturbation, problems

CASES = problems(8, 0)
NORMS = [x for x in CASES if torch.linalg.matrix_rank(x.M) == len(x.y)]


def test_induced_norm() -> None:
    found = audits.audit_seminorm(CASES, 0, definite=True)
    assert found.counterexample["A"] == [[0.0], [1.0]]
    assert audits.audit_seminorm(CASES, 0, definite=False).holds
    assert audits.audit_seminorm(NORMS, 0, definite=True).holds


def test_bound() -> None:
    assert audits.audit_bound(CASES, 0).holds
    assert not audits.audit_bound(CASES, 0, factor=1.1).holds
    assert audits.audit_bound(CASES, 0).trials == 4 * len(CASES)  # lambda = 0 and unseen moves too
    assert not audits.audit_bound(NORMS, 0, one_sided=True).holds


def test_the_sign_of_the_perturbation() -> None:
    printed = audits.audit_perturbation(CASES, 1)
    example = printed.counterexample
    assert (example["X"], example["y"], example["w"], example["h"]) == ([[0.0]], [1.0], [1.0], 0.0)
    assert audits.audit_perturbation(CASES, -1).holds


def test_norm_of_the_perturbation_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audits, "perturbation", lambda x, sign: 1.01 * perturbation(x, sign))
    assert not audits.audit_perturbation(CASES, -1).holds


def test_kernel() -> None:
    assert audits.audit_kernel(CASES).holds
    assert not audits.audit_kernel(CASES, 2.0).holds
    assert not audits.audit_kernel(CASES, any_r=True).holds


def test_equivalence() -> None:
    assert robust.audit_equivalence(4, 0).holds
    assert not robust.audit_equivalence(4, 0, printed=True).holds


@pytest.mark.parametrize(("p", "q"), [(1, 1), (1, math.inf), (math.inf, math.inf), (2, 2)])
def test_corners_have_the_norm_of_the_ball(p: float, q: float) -> None:
    corners = robust.extreme_perturbations(2, 2, p, q, 0.5)
    eye = torch.eye(2).double()
    x = Problem(eye, eye[0], eye[0], eye, p, q, 0.5)
    for corner in corners[:: max(1, len(corners) // 9)]:
        assert induced(x, corner) == pytest.approx(0.5)


def test_unknown_corners() -> None:
    with pytest.raises(NotImplementedError, match="no corners are listed"):
        robust.extreme_perturbations(2, 2, math.inf, 1, 1.0)


def test_curves() -> None:
    found = robust.curves(1.0, 0.0, 1.0, [0.5, 1.0])
    assert found["worst"] == found["regularised"] == found["repaired"] == [1.5, 2.0]
    assert found["printed"] == [0.5, 0.0]


def test_hinge() -> None:
    assert robust.audit_hinge_per_point(6, 0).holds
    assert not robust.audit_hinge_per_point(6, 0, same_norm=True).holds
    assert robust.audit_hinge_total(6, 0).holds
    assert not robust.audit_hinge_total(6, 0, separable=True).holds


def test_hinge_sees_a_wrong_dual(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(robust, "holder_conjugate", lambda p: p)
    assert not robust.audit_hinge_total(6, 0).holds
