"""Movement over a ball decides, not the slope: audits, controls and planted errors."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from nbsrc.audits.robustness import movement
from nbsrc.audits.robustness.sets import LabelledSet
from nbsrc.constructions import Certificate, certify_robust, robust_classifier
from nbsrc.lipschitz import lipschitz_constant
from tests.audits.robustness.robust_examples import constant, line, small_sets, smallest_set

SETS = small_sets()[:4]


def test_small_local_constant_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    with_balls = [data for data in SETS if data.eps > 0]
    found = smallest_set(
        lambda x: movement.audit_small_local_constant_needed(x, (1e2, 1e4)), with_balls
    )
    assert found.counterexample["certified"] == 1
    assert found.worst_slack < 0.5 - 1e4 * min(data.eps for data in with_balls)
    everything = movement.audit_small_local_constant_needed(SETS, (1e2, 1e4))
    assert everything.trials == 2 * len(with_balls) < 2 * len(SETS)

    def plain(data: LabelledSet, xi: float, where: str) -> nn.Sequential:
        return robust_classifier(data.points, data.labels, data.eps, data.ord)

    monkeypatch.setattr(movement, "steep_network", plain)  # flat on the balls: it holds
    assert movement.audit_small_local_constant_needed(with_balls, (1e2,)).holds


def test_movement_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    found = movement.audit_movement_decides(SETS, (1e2,))
    assert found.holds
    assert found.trials == 5 * len(SETS)
    assert found.worst_slack == pytest.approx(5 / 8)  # the teeth are 3/8 high
    blind = smallest_set(lambda x: movement.audit_movement_decides(x, (1e2,), centre=False), SETS)
    assert blind.counterexample["network"] == "rotated labels"
    assert blind.counterexample["movement"] < 0.5 <= blind.counterexample["distance at the centre"]

    def always_no(*arguments: Any, **options: Any) -> Certificate:
        found = certify_robust(*arguments, **options)
        return replace(found, certified=torch.zeros_like(found.certified))

    def far_up(*arguments: Any, **options: Any) -> Certificate:
        found = certify_robust(*arguments, **options)
        return replace(found, upper=found.upper + 2)

    for planted in (always_no, far_up):
        with monkeypatch.context() as patch:
            patch.setattr(movement, "certify_robust", planted)
            smallest_set(lambda x: movement.audit_movement_decides(x, (1e2,)), SETS)


@pytest.mark.parametrize(("output", "promised"), [(1.484375, True), (1.5, False)])
def test_promise_up_to_one_half(
    output: float, promised: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A constant does not move: it is promised exactly if it is less than 1/2 from the label."""
    data = line([0], [1], 1)
    slack, _, _ = movement._movement_case(data, data.labels, "flat", constant(output), True)
    assert slack == pytest.approx(1)

    def always_no(*arguments: Any, **options: Any) -> Certificate:
        found = certify_robust(*arguments, **options)
        return replace(found, certified=torch.zeros_like(found.certified))

    monkeypatch.setattr(movement, "certify_robust", always_no)
    slack, _, _ = movement._movement_case(data, data.labels, "flat", constant(output), True)
    assert slack == (-1 if promised else 1)


def test_gentlest() -> None:
    data = line([0, 4], [1, 2], 1)
    full = lipschitz_constant(robust_classifier(data.points, data.labels, 1.0, 2), 2).value
    for shrink in (1.0, 1e-3, 1e-9):
        constant, accuracy = movement.gentlest(shrink)
        assert constant == pytest.approx(shrink * full, rel=1e-6)
        assert accuracy == 1
