"""Theorem 2, set by set: the audits hold, and planted errors and controls break."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch

from nbsrc.audits.robustness import existence
from nbsrc.audits.robustness.sets import NORMS, touching_pair
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


@dataclass(frozen=True)
class Stated:
    """An instance that says what it lacks."""

    missing: float
    size: tuple[int, ...] = (3,)

    @property
    def description(self) -> dict[str, object]:
        return {"X": f"stated {self.size[0]}"}

    def shortfall(self) -> float:
        return self.missing


def test_certified_share_worked_out_by_hand() -> None:
    data = line([0, 4, 9], [1, 2, 1], 1)
    assert existence.certified_share(data) == 1
    assert existence.certified_share(data, constant(1)) == pytest.approx(2 / 3)
    assert existence.certified_share(data, constant(1.5)) == 0  # exactly one half from all labels
    assert existence.certified_share(touching_pair(2)) == 0.5
    assert existence.certified_share(line([0, 1, 2, 3], [1, 2, 1, 1], 0.5)) == 0.75


def test_a_set_is_lost_only_with_a_point_in_two_balls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not separable, and no point shared: one of the two is wrong, and nothing is concluded."""
    monkeypatch.setattr(existence, "shared_point", lambda data: 1e-6)
    with pytest.raises(ValueError, match=r"the balls must share a point, got \{'points': "):
        existence.certified_share(touching_pair(1))
    assert existence.certified_share(line([0, 4], [1, 2], 1)) == 1  # separable: not asked


def test_theorem2() -> None:
    assert existence.audit_theorem2(SETS).holds
    assert existence.audit_theorem2([*SETS, Stated(0.0)]).trials == len(SETS) + 1
    touching = [touching_pair(n, ord=q) for n in (3, 1) for q in NORMS]
    assert smallest_set(existence.audit_theorem2, [*SETS, *touching]).worst_slack == -0.5
    lost = existence.audit_theorem2([*SETS, Stated(0.25, (9,)), Stated(2.0, (4,))])
    assert lost.counterexample == {"X": "stated 4"}
    assert lost.worst_slack == -2


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


def test_classes() -> None:
    found = existence.audit_classes((2, 3), 0, tolerance=1e-9)
    assert found.holds
    assert found.trials == 6
    crowded = existence.audit_classes((2, 3), 0, tolerance=1e-9, attack_factor=1.5)
    assert not crowded.holds
    assert crowded.counterexample["classes"] == 2


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
