"""Margins toward the boundary: eq. (2), eqs. (10) to (12), Assumption 3.1, and planted errors."""

from __future__ import annotations

import pytest
import torch

from nbsrc.audits.segments import approaches as approach_module
from nbsrc.audits.segments import integrals, margins, trained
from nbsrc.audits.segments.approaches import Approach, relabelled, toward_boundary
from nbsrc.audits.segments.paths import Path


def monotone(approaches: list[Approach], classes: int = 0) -> list[Approach]:
    return [a for a in approaches if a.monotone and classes in {0, a.classes}]


def test_assumption(approaches: list[Approach]) -> None:
    assert margins.audit_monotone(approaches).counterexample["W"] == [[[0, 0], [-1, -1], [-2, 3]]]
    two = margins.audit_monotone([a for a in approaches if a.classes == 2]).counterexample
    assert two["W"] == [[[1, 0], [1, -2]], [[1, -2], [0, 0]]]
    wrong = [a for a in relabelled(approaches) if a.classes == 2]
    assert not any(a.monotone for a in wrong)
    linear = [a for a in approaches if a.classes == 2 and len(a.scores.weights) == 1]
    assert margins.audit_monotone(linear).holds
    assert not margins.audit_monotone(linear, backward=True).holds


def test_assumption_against_sampling(approaches: list[Approach]) -> None:
    t = torch.linspace(0, 1, 4001, dtype=torch.float64)
    for a in approaches:
        margin = a.margins(a.scores.regions.points(t))
        rises = bool((margin.diff() > 1e-9 * a.scale).any())
        assert not (rises and a.monotone)
        if not rises and not a.monotone:  # a rise shorter than the grid
            assert float(a.scores.shares.min()) < 1e-3
        lengths = [share for share, _, _ in a.refined]
        assert sum(lengths) == pytest.approx(1)


def test_scores(paths: list[Path]) -> None:
    found = margins.audit_scores(paths, relu=True).counterexample
    assert (found["W"], found["x"], found["M"], abs(found["u"])) == ([[[-1], [0]]], [1], 0, 1)
    assert margins.audit_scores(paths, relu=False).holds
    assert not margins.audit_scores(paths, relu=False, first_rival=True).holds


def test_linear_transform_of_the_features(approaches: list[Approach]) -> None:
    found = margins.audit_tied_margin(approaches, corrected=False).counterexample
    assert found["M"] not in found["linear"]
    assert margins.audit_tied_margin(approaches, corrected=True).holds
    two = [a for a in approaches if a.classes == 2]
    assert margins.audit_tied_margin(two, corrected=False).holds
    assert margins.audit_gain_bound(approaches).holds
    assert not margins.audit_gain_bound(approaches, share=0.9).holds


def test_eq_10(approaches: list[Approach]) -> None:
    assert not integrals.audit_gradient_integral(approaches, of="features").holds
    assert integrals.audit_gradient_integral(approaches).holds
    assert not integrals.audit_gradient_integral(approaches, sign=1).holds


def test_eq_11_and_its_repair(approaches: list[Approach]) -> None:
    known = monotone(approaches)
    found = integrals.audit_absolute_integral(known).counterexample
    assert found["W"] == [[[0, 0], [-1, 1], [-1, -2]]]
    assert found["integral"] == pytest.approx(-0.2)
    assert integrals.audit_absolute_integral(monotone(approaches, 2)).holds
    assert integrals.audit_repaired_sum(known).holds
    rough = [a for a in approaches if not a.monotone]
    assert not integrals.audit_absolute_integral(rough).holds
    assert not integrals.audit_repaired_sum(rough).holds
    fixed = integrals.audit_repaired_sum(known, fixed=True).counterexample
    assert fixed["sum"] != pytest.approx(fixed["M"])


def test_eq_11_where_the_lead_never_rises(approaches: list[Approach]) -> None:
    steady = [a for a in approaches if integrals.lead_never_rises(a)]
    assert integrals.audit_absolute_integral(steady).holds
    others = [a for a in approaches if not integrals.lead_never_rises(a)]
    assert not any(integrals.audit_absolute_integral([a]).holds for a in others)
    two = [a for a in approaches if a.classes == 2]
    assert all(a.monotone == integrals.lead_never_rises(a) for a in two)
    assert any(a.classes > 2 for a in steady)
    assert any(a.monotone for a in others)


def test_eq_12(approaches: list[Approach]) -> None:
    assert integrals.audit_variation(approaches).holds
    assert not integrals.audit_variation(approaches, lambda shares: 1 / shares).holds
    assert integrals.audit_constant_integrand(approaches, 0).holds
    assert not integrals.audit_variation(approaches, dropped=1).holds


def test_planted_errors_are_noticed(
    approaches: list[Approach], monkeypatch: pytest.MonkeyPatch
) -> None:
    known = monotone(approaches)[::2]
    right = integrals._steps
    monkeypatch.setattr(integrals, "_steps", lambda a, r: 0.999 * right(a, r))
    assert not integrals.audit_variation(known).holds
    assert not integrals.audit_constant_integrand(known, 0).holds
    monkeypatch.setattr(
        approach_module, "margin_never_rises", lambda regions, label: True
    )  # a test that accepts everything
    fresh = [Approach(a.scores, a.label, a.rival_at_end, a.distance) for a in approaches]
    assert margins.audit_monotone(fresh).holds
    assert not integrals.audit_repaired_sum(fresh).holds


def test_toward_boundary_ends_on_a_tie() -> None:
    W = torch.tensor([[1, 0], [0, 1]]).double()
    a = toward_boundary((W,), torch.tensor([2.0, 0.0]).double())
    assert a.scores.end.tolist() == [1, 1]
    assert (a.label, a.rival, a.rival_at_end) == (0, 1, 1)
    assert a.margins(a.scores.end[None]).tolist() == [0]
    same = toward_boundary((W[:1].expand(2, 2),), torch.tensor([2.0, 0.0]).double())
    assert same.distance == 0


def test_trained_networks() -> None:
    g = torch.Generator().manual_seed(0)
    x, y = trained.arms(3, 40, g)
    net = trained.perceptron([2, 8, 8, 3], g)
    before = trained.segment_numbers(net, [(x[0], x[50]), (x[3], x[90])])
    assert before["units"] == 16
    assert before["scores"] >= 1
    assert trained.fit(net, x, y, 150) > 0.9
    share, rough = trained.share_monotone(net, x[::15])
    assert share == pytest.approx(1 - len(rough) / 8)
