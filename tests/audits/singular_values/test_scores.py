"""Definitions on scores, samples of them, confidence; each audit sees a planted bug."""

from __future__ import annotations

import pytest
import torch

from nbsrc.audits.singular_values import confidence, ramp, samples, scores
from nbsrc.audits.singular_values.cases import Scores, small_scores

GRID = [i / 4 for i in range(-12, 13)]
CASES = small_scores()


def test_largest_magnitude() -> None:
    found = scores.audit_largest_magnitude(CASES)
    assert found.counterexample == {"s": [0.0, -1.0], "largest": [0], "in size": [1]}
    assert scores.audit_largest_magnitude([x for x in CASES if min(x.s) >= 0]).holds


def test_margin_definition_and_sign() -> None:
    assert scores.audit_margin_definition(CASES).holds

    def over_all(x: Scores) -> float:
        return x.s[x.label] - max(x.s)

    assert not scores.audit_margin_definition(CASES, over_all).holds
    assert scores.audit_sign(CASES).holds
    assert not scores.audit_sign(CASES, rule=over_all).holds
    with pytest.raises(ValueError, match="2 classes"):
        scores.margin(Scores((1.0,), 0))


def test_one_classifier_several_margins() -> None:
    found = scores.audit_one_classifier_one_margin(CASES)
    assert found.counterexample["s"] == [1.0, 0.0]
    assert scores.audit_one_classifier_one_margin(CASES, scores.relative_margin).holds


def test_boundary() -> None:
    for first_of_two in (True, False):
        assert not scores.audit_boundary(CASES, predicted=False, first_of_two=first_of_two).holds
    assert scores.audit_boundary(CASES, predicted=True, first_of_two=False).holds
    two = [x for x in CASES if len(x.s) == 2]
    assert scores.audit_boundary(two, predicted=False, first_of_two=True).holds
    assert not scores.audit_boundary(CASES, predicted=True, first_of_two=True).holds
    assert not scores.audit_plateau((1, 0, -1), (0, 1, -1), converse=False).holds
    assert scores.audit_plateau((1, 0, -1), (0, 1, -1), converse=True).holds


def test_ramp() -> None:
    found = ramp.audit_ramp((1, 2, 0.5, 0, -1), GRID)
    assert found.counterexample == {"gamma": 0, "r": 0.0, "values": ["undefined"]}
    assert ramp.audit_ramp((1, 2, 0.5), GRID).holds
    assert ramp.audit_library_ramp((1, 2, 0.5), GRID).holds
    assert not ramp.audit_ramp((-1,), GRID).holds

    def steep(r: float, gamma: float) -> list[float]:
        return [min(1.0, max(0.0, 1 + 2 * r / gamma))]

    assert not ramp.audit_ramp((1,), GRID, steep).holds


def test_ramp_identity() -> None:
    found = ramp.audit_ramp_identity(GRID, (1, 2), clipped=False)
    assert found.counterexample == {"gamma": 1, "u": -1.0, "formula": 2.0, "ramp": 1.0}
    assert ramp.audit_ramp_identity(GRID, (1, 2), clipped=True).holds
    assert ramp.audit_ramp_identity([u for u in GRID if u >= 0], (1, 2), clipped=False).holds


def test_variance_of_margins() -> None:
    found = samples.audit_variances_decide(samples.small_samples())
    assert found.counterexample["variances of scores"] == [0.25, 0.25]
    every = [*samples.small_samples(), *samples.random_samples(40, 0)]
    assert samples.audit_total_variance(every).holds
    assert not samples.audit_total_variance(every, 1.9).holds
    mixed = samples.Sample(torch.tensor([[1.0, 0.0], [1.0, 0.0]]).double(), torch.tensor([0, 1]))
    assert samples.audit_total_variance([mixed]).holds
    assert not samples.audit_total_variance([mixed], one_label=False).holds
    assert samples.audit_fixed_rival(every).holds
    assert not samples.audit_fixed_rival(every, covariance=False).holds


def test_loss_probability_margin() -> None:
    assert confidence.audit_loss_and_probability(CASES).holds
    assert not confidence.audit_loss_and_probability(CASES, 1.0).holds
    found = confidence.audit_two_losses_for_one_margin(range(2, 11), (0, 1, 2))
    assert found.counterexample["classes"] == 2
    assert confidence.audit_two_losses_for_one_margin(range(3, 11), (0, 1, 2)).holds
    assert confidence.audit_probability_between(CASES).holds
    assert not confidence.audit_probability_between(CASES, last=2).holds


def test_mechanism() -> None:
    grid = [i / 2 for i in range(25)]
    arguments = ((0, 0.01, 0.02), (0.05, 0.2), grid)
    assert not confidence.audit_mechanism(*arguments, optimal=False).holds
    assert confidence.audit_mechanism(*arguments, optimal=True).holds
    assert not confidence.audit_mechanism((0.3,), (0.4,), grid, optimal=False).holds
    assert confidence.audit_model_loss((0, 2, 50), grid).holds
    a = torch.tensor(confidence.turning_point(0.2))
    assert float(torch.sigmoid(a)) == pytest.approx(0.8)
    low = confidence.model_loss(a, 0.2)
    assert low < confidence.model_loss(a + 0.1, 0.2)
    assert low < confidence.model_loss(a - 0.1, 0.2)
