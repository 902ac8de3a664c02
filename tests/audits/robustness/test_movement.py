"""Movement over a ball, not the slope: audits, controls and planted errors."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from torch import nn

from nbsrc.audits.robustness import movement, slopes
from nbsrc.audits.robustness.definition import (
    random_line_cases,
    robust_as_printed,
    robust_by_prediction,
)
from nbsrc.audits.robustness.line import LineCase, PiecewiseLinear
from nbsrc.audits.robustness.sets import LabelledSet
from nbsrc.audits.robustness.slopes import steep_network
from nbsrc.constructions import Certificate, certify_robust, robust_classifier, steep_pairs
from nbsrc.lipschitz import lipschitz_constant
from tests.audits.robustness.robust_examples import (
    always_no,
    constant,
    line,
    small_sets,
    smallest_set,
)

F = Fraction
SETS = small_sets()[:4]
CASES = list(random_line_cases(300, 0))


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

    with monkeypatch.context() as patch:
        patch.setattr(movement, "steep_network", plain)  # flat on the balls: it holds
        assert movement.audit_small_local_constant_needed(with_balls, (1e2,)).holds
    # steep pairs that are not in the balls refute nothing
    monkeypatch.setattr(
        slopes, "steep_pairs", lambda *arguments: steep_pairs(*arguments[:5], "outside")
    )
    monkeypatch.setattr(
        movement, "steep_network", lambda data, xi, where: steep_network(data, xi, "outside")
    )
    assert movement.measured_slope(movement.steep_network(SETS[1], 1e2, ""), SETS[1], 1e2, "") >= 99
    assert movement.audit_small_local_constant_needed(with_balls, (1e2,)).holds


def test_movement_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    found = movement.audit_movement_bounds(SETS, (1e2,))
    assert found.holds
    assert found.trials == 5 * len(SETS)
    assert found.worst_slack == pytest.approx(5 / 8)  # the teeth are 3/8 high
    blind = smallest_set(lambda x: movement.audit_movement_bounds(x, (1e2,), centre=False), SETS)
    assert blind.counterexample["network"] == "rotated labels"
    assert blind.counterexample["movement"] < 0.5 <= blind.counterexample["distance at the centre"]

    def far_up(*arguments: Any, **options: Any) -> Certificate:
        found = certify_robust(*arguments, **options)
        return replace(found, upper=found.upper + 2)

    for planted in (always_no, far_up):
        with monkeypatch.context() as patch:
            patch.setattr(movement, "certify_robust", planted)
            smallest_set(lambda x: movement.audit_movement_bounds(x, (1e2,)), SETS[:2])


@pytest.mark.parametrize(("output", "promised"), [(1.484375, True), (1.5, False)])
def test_promise_up_to_one_half(
    output: float, promised: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A constant does not move: it is promised exactly if it is less than 1/2 from the label."""
    data = line([0], [1], 1)
    slack, _, _ = movement._movement_case(data, data.labels, "flat", constant(output), True)
    assert slack == pytest.approx(1)

    monkeypatch.setattr(movement, "certify_robust", always_no)
    slack, _, _ = movement._movement_case(data, data.labels, "flat", constant(output), True)
    assert slack == (-1 if promised else 1)


def test_signed_movement(monkeypatch: pytest.MonkeyPatch) -> None:
    found = movement.audit_signed_movement(CASES)
    assert found.holds
    assert found.trials == len(CASES)
    larger = movement.audit_signed_movement(CASES, signed=False)
    assert not larger.holds
    shown = larger.counterexample
    assert shown["robust"]  # refused by the nearer threshold, though the output moves away from it
    both = max(Fraction(shown["rise"]), Fraction(shown["fall"]))
    assert both >= F(1, 2) - abs(Fraction(shown["output at the centre"]) - shown["label"])
    for planted in (
        robust_by_prediction,
        lambda case: robust_as_printed(case._replace(eps=F(0))),  # the centre only
        lambda case: robust_as_printed(case._replace(eps=2 * case.eps)),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(movement, "robust_as_printed", planted)
            assert not movement.audit_signed_movement(CASES).holds


@pytest.mark.parametrize(
    ("values", "label", "robust", "agree"),
    [
        ((F(3, 4), F(5, 4)), 1, True, False),  # 1/4 from the lower threshold, rises by 1/2
        ((F(1), F(5, 4)), 1, True, True),  # in the middle both sides count alike
        ((F(5, 4), F(3, 2)), 1, False, True),  # rises to the threshold: not robust
        ((F(3, 2), F(1)), 2, False, True),  # at the threshold from the start
    ],
)
def test_signed_movement_worked_out_by_hand(
    values: tuple[Fraction, Fraction], label: int, robust: bool, agree: bool
) -> None:
    g = PiecewiseLinear((F(0), F(1)), values)
    case = LineCase(g, F(0), label, 2, F(1))
    assert robust_as_printed(case) is robust
    assert movement.audit_signed_movement([case]).holds
    assert movement.audit_signed_movement([case], signed=False).holds is agree


def test_gentlest() -> None:
    data = line([0, 4], [1, 2], 1)
    full = lipschitz_constant(robust_classifier(data.points, data.labels, 1.0, 2), 2).value
    for shrink in (1.0, 1e-3, 1e-9):
        constant, accuracy = movement.gentlest(shrink)
        assert constant == pytest.approx(shrink * full, rel=1e-6)
        assert accuracy == 1
