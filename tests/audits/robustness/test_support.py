"""What the network needs to know: support and labels. The steps of the proof of Theorem 2."""

from __future__ import annotations

import pytest
import torch

from nbsrc.audits.robustness import support
from nbsrc.audits.robustness.sets import LabelledSet, two_points
from nbsrc.constructions import robust_classifier
from tests.audits.robustness.robust_examples import (
    always_no,
    for_smaller_balls,
    small_sets,
    smallest_set,
)

SETS = small_sets()


def test_without_the_support(monkeypatch: pytest.MonkeyPatch) -> None:
    found = support.audit_without_the_support(SETS, 0)
    assert not found.holds
    assert found.counterexample["points"] == [[0.0], [4.0]]
    assert found.counterexample["refuted share"] == 0.5  # the left-out one of two points
    assert found.trials == len(SETS) + 1

    def knows_all(*_: object) -> torch.nn.Sequential:
        data = two_points()
        return robust_classifier(data.points, data.labels, data.eps, data.ord)

    monkeypatch.setattr(support, "robust_classifier", knows_all)
    assert support.audit_without_the_support([], 0).holds


def test_any_probabilities(monkeypatch: pytest.MonkeyPatch) -> None:
    assert support.audit_any_probabilities(SETS, 0, tolerance=1e-9).holds
    half = support.audit_any_probabilities(SETS, 0, tolerance=1e-9, dtype=torch.float16)
    assert not half.holds
    assert half.counterexample["output error"] > 1e-9
    with monkeypatch.context() as patch:
        patch.setattr(support, "certify_robust", always_no)
        lost = support.audit_any_probabilities(SETS, 0, tolerance=1e-9)
        assert lost.worst_slack == pytest.approx(-1)  # all probabilities together
    monkeypatch.setattr(support, "robust_classifier", for_smaller_balls)
    found = support.audit_any_probabilities(SETS, 0, tolerance=1e-9)
    assert not found.holds
    assert found.worst_slack < -0.01


def test_proof_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    audit = support.audit_proof_steps
    assert audit(SETS, tolerance=1e-9).holds
    assert audit(SETS, zeta=0.49, tolerance=1e-9).holds
    loose = smallest_set(lambda x: audit(x, zeta=0.5, tolerance=1e-9), SETS)
    assert loose.counterexample["zeta"] == 0.5

    def farthest(data: LabelledSet) -> tuple[torch.Tensor, torch.Tensor]:
        other = data.points[data.labels != data.labels[0]]
        return data.points[0], other[int((other - data.points[0]).norm(dim=1).argmax())]

    monkeypatch.setattr(support, "_closest", farthest)
    assert not audit(SETS, tolerance=1e-9).holds
