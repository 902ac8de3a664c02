"""Theorem 2, set by set: the audits hold, and planted errors and controls break."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
import torch
from scipy.spatial.distance import cdist

from nbsrc.audits.robustness import existence
from nbsrc.audits.robustness.sets import NORMS, LabelledSet, touching_pair
from nbsrc.constructions import robust_classifier
from tests.audits.robustness.robust_examples import (
    always_yes,
    constant,
    for_smaller_balls,
    line,
    small_sets,
    smallest_set,
    tight,
)

SETS = small_sets()
METRICS = {1.0: "cityblock", 2.0: "euclidean", math.inf: "chebyshev"}


@dataclass(frozen=True)
class Stated:
    """An instance with a robust accuracy of its own."""

    accuracy: float
    size: tuple[int, ...] = (3,)

    @property
    def description(self) -> dict[str, object]:
        return {"X": f"stated {self.size[0]}"}

    def best_robust_accuracy(self) -> float:
        return self.accuracy


def test_certified_share_worked_out_by_hand() -> None:
    data = line([0, 4, 9], [1, 2, 1], 1)
    assert existence.certified_share(data) == 1
    assert existence.certified_share(data, constant(1)) == pytest.approx(2 / 3)
    assert existence.certified_share(data, constant(1.5)) == 0  # exactly one half from all labels
    assert existence.certified_share(touching_pair(2)) == 0.5
    assert existence.certified_share(line([0, 1, 2, 3], [1, 2, 1, 1], 0.5)) == 0.75


def test_theorem2() -> None:
    assert existence.audit_theorem2(SETS).holds
    assert existence.audit_theorem2([*SETS, Stated(1.0)]).trials == len(SETS) + 1
    touching = [touching_pair(n, ord=q) for n in (3, 1) for q in NORMS]
    found = smallest_set(existence.audit_theorem2, [*SETS, *touching])
    assert found.counterexample["robust accuracy"] == 0.5
    lost = existence.audit_theorem2([*SETS, Stated(0.75, (9,)), Stated(0.5, (4,))])
    assert lost.counterexample == {"X": "stated 4", "robust accuracy": 0.5}
    assert lost.worst_slack == -0.5


def test_theorem2_finds_a_classifier_for_smaller_balls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(existence, "robust_classifier", for_smaller_balls)
    smallest_set(existence.audit_theorem2, SETS)
    assert not existence.audit_theorem2([x for x in SETS if tight(x)][:1]).holds


def test_constructed(monkeypatch: pytest.MonkeyPatch) -> None:
    found = existence.audit_constructed(SETS, tolerance=1e-9)
    assert found.holds
    assert found.worst_slack <= 0
    control = {"tolerance": 1e-9, "attack_factor": 1.5}
    smallest_set(lambda x: existence.audit_constructed(x, **control), SETS)
    with monkeypatch.context() as patch:
        patch.setattr(existence, "robust_classifier", for_smaller_balls)
        smallest_set(lambda x: existence.audit_constructed(x, tolerance=1e-9), SETS)
    monkeypatch.setattr(existence, "certify_robust", always_yes)
    # with a certificate that never says no the control no longer breaks, and gives it away
    assert existence.audit_constructed(SETS, **control).holds


def test_vector_outputs(monkeypatch: pytest.MonkeyPatch) -> None:
    found = existence.audit_vector_outputs(SETS)
    assert found.holds
    assert found.trials == 2 * len(SETS)
    swapped = smallest_set(lambda x: existence.audit_vector_outputs(x, swap_classes=True), SETS)
    assert swapped.counterexample["factor"] in {1.0, 1000.0}
    monkeypatch.setattr(existence, "robust_classifier", for_smaller_balls)
    smallest_set(existence.audit_vector_outputs, SETS)


def test_without_the_support(monkeypatch: pytest.MonkeyPatch) -> None:
    found = existence.audit_without_the_support(SETS, 0)
    assert not found.holds
    assert found.counterexample["points"] == [[0.0], [1.0]]
    assert found.counterexample["refuted share"] == 0.5  # the left-out one of two points
    assert found.trials == len(SETS) + 1

    def knows_all(*_: object) -> torch.nn.Sequential:
        x = torch.tensor([[0.0], [1.0]], dtype=torch.float64)
        return robust_classifier(x, torch.tensor([1, 2]), 0.25, 2)

    monkeypatch.setattr(existence, "robust_classifier", knows_all)
    assert existence.audit_without_the_support([], 0).holds


def test_any_probabilities(monkeypatch: pytest.MonkeyPatch) -> None:
    assert existence.audit_any_probabilities(SETS, 0, tolerance=1e-9).holds
    half = existence.audit_any_probabilities(SETS, 0, tolerance=1e-9, dtype=torch.float16)
    assert not half.holds
    assert half.counterexample["output error"] > 1e-9
    monkeypatch.setattr(existence, "robust_classifier", for_smaller_balls)
    found = existence.audit_any_probabilities(SETS, 0, tolerance=1e-9)
    assert not found.holds
    assert found.worst_slack < -0.01


@pytest.mark.parametrize("number", range(len(SETS)))
def test_points_lie_in_the_closed_balls(number: int) -> None:
    data = SETS[number]
    drawn = existence.points_of_balls(data, 10, torch.Generator().manual_seed(number))
    assert drawn.shape == (10, *data.points.shape)
    assert torch.equal(drawn[-1], data.points)
    for k in range(len(data.points)):
        away = cdist(drawn[:, k].numpy(), data.points[k : k + 1].numpy(), METRICS[data.ord])
        assert away.max() <= data.eps
        assert away[:5].min() >= data.eps * (1 - 1e-9)


def test_points_of_balls_without_interior() -> None:
    data = SETS[0].with_eps(0.0)
    drawn = existence.points_of_balls(data, 4, torch.Generator().manual_seed(0))
    assert torch.equal(drawn, data.points.expand_as(drawn))


def test_classes() -> None:
    found = existence.audit_classes((2, 3), 0, tolerance=1e-9)
    assert found.holds
    assert found.trials == 6
    crowded = existence.audit_classes((2, 3), 0, tolerance=1e-9, attack_factor=1.5)
    assert not crowded.holds
    assert crowded.counterexample["classes"] == 2


def test_proof_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    audit = existence.audit_proof_steps
    assert audit(SETS, tolerance=1e-9).holds
    assert audit(SETS, zeta=0.49, tolerance=1e-9).holds
    loose = smallest_set(lambda x: audit(x, zeta=0.5, tolerance=1e-9), SETS)
    assert loose.counterexample["zeta"] == 0.5

    def farthest(data: LabelledSet) -> tuple[torch.Tensor, torch.Tensor]:
        other = data.points[data.labels != data.labels[0]]
        return data.points[0], other[int((other - data.points[0]).norm(dim=1).argmax())]

    monkeypatch.setattr(existence, "_closest", farthest)
    assert not audit(SETS, tolerance=1e-9).holds


@pytest.mark.parametrize("ord", NORMS)
def test_large_random_set(ord: float) -> None:
    data = existence.large_random_set(30, dimension=3, classes=7, seed=0, ord=ord)
    assert data.size == (30, 3, 7)
    assert data.eps == pytest.approx(0.45 * data.separation)
    assert 0 <= data.points.min() <= data.points.max() <= 1
    again = existence.large_random_set(30, dimension=3, classes=7, seed=0, ord=ord)
    assert torch.equal(data.points, again.points)


def test_the_family_has_nearly_touching_balls_and_points() -> None:
    """Otherwise the planted classifiers for smaller balls would go unseen."""
    assert any(tight(x) for x in SETS)
    assert any(x.eps == 0 for x in SETS)
