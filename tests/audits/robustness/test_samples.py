"""A separated sample promises robustness on the sample and not on the population."""

from __future__ import annotations

import pytest
import torch

from nbsrc.audits.robustness import samples
from tests.audits.robustness.robust_examples import for_smaller_balls


def test_populations() -> None:
    pairs = list(samples.populations(0, 5))
    assert len(pairs) == 6
    population, sample = pairs[0]
    assert population.points[:, 0].tolist() == [0, 1, 2, 3]
    assert population.labels.tolist() == [1, 1, 2, 2]
    assert sample.points[:, 0].tolist() == [0, 3]
    assert sample.labels.tolist() == [1, 2]
    for population, sample in pairs:
        assert population.separation == 1  # not above 2 eps = 2
        assert sample.separation >= 3
        assert population.eps == sample.eps == 1
        assert torch.isin(sample.points, population.points).all()
        assert torch.equal(sample.labels, population.labels[sample.points[:, 0].long()])


def test_sample_for_population() -> None:
    found = samples.audit_sample_for_population(0, 3)
    assert not found.holds
    assert found.trials == 4
    shown = found.counterexample
    assert shown["population"] == "0 to 3, halves labelled 1 and 2"
    assert shown["sample"] == [0, 3]
    assert shown["lost by every classifier"] == "at least 0.25"  # 1 or 2: their balls touch
    assert shown["lost by the network of the sample"] == 0.5  # the ball of 1 reaches its slope
    assert found.worst_slack == -0.25


def test_sample_for_population_can_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    """With eps below 1/2 no two balls meet: some classifier is robust, whatever the sample's is."""
    for eps, holds in ((0.25, True), (0.4375, True), (0.5, False)):
        pairs = [(a.with_eps(eps), b) for a, b in samples.populations(0, 0)]
        with monkeypatch.context() as patch:
            patch.setattr(samples, "populations", lambda seed, count, p=pairs: iter(p))
            assert samples.audit_sample_for_population(0).holds is holds


def test_sample_for_population_needs_a_shared_point(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "shared_point", lambda data: 1e-9)
    found = samples.audit_sample_for_population(0, 2)
    assert found.holds  # what one network loses does not count against the others


def test_sample_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    assert samples.audit_sample_for_itself(0, 3).holds
    fresh = samples.audit_sample_for_itself(0, 3, fresh=True)
    assert not fresh.holds
    assert fresh.counterexample["sample"] == [0, 3]
    # eps is a third of the distance: a plateau for a tenth of eps ends before the ball does
    monkeypatch.setattr(samples, "robust_classifier", for_smaller_balls)
    assert not samples.audit_sample_for_itself(0, 3).holds
