"""Learning rates against torch's own schedulers and the papers' numbers."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch

from nbsrc.training import InverseDecay, Schedule, StepDecay


def test_step_decay_is_torchs_multi_step_schedule() -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.05)
    theirs = torch.optim.lr_scheduler.MultiStepLR(optimizer, [3, 5], gamma=0.1)
    ours = StepDecay((3, 5))
    for epoch in range(8):  # finished epochs
        assert ours.rate(0.05, epoch, 999) == pytest.approx(optimizer.param_groups[0]["lr"])
        optimizer.step()
        theirs.step()


def test_papers_settings() -> None:
    paper_a = StepDecay((75, 90, 100))
    assert [paper_a.rate(0.01, e, 0) for e in (0, 74, 75, 89, 90, 100, 119)] == pytest.approx([
        1e-2,
        1e-2,
        1e-3,
        1e-3,
        1e-4,
        1e-5,
        1e-5,
    ])
    paper_d = StepDecay((60_000, 80_000), unit="steps")
    assert [paper_d.rate(1.0, 99, s) for s in (59_999, 60_000, 80_000)] == [1.0, 0.1, 0.01]
    caffe = InverseDecay()
    assert caffe.rate(0.01, 0, 0) == 0.01
    assert caffe.rate(0.01, 0, 50_000) == pytest.approx(0.01 * 6**-0.75)


def test_no_milestones_and_no_decay_are_constant() -> None:
    schedules: tuple[Schedule, ...] = (StepDecay(()), InverseDecay(gamma=0.0))
    assert [s.rate(0.3, 10**6, 10**6) for s in schedules] == [0.3, 0.3]


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: StepDecay((3, 2)), r"milestones must be positive and increase, got \(3, 2\)"),
        (lambda: StepDecay((2, 2)), "milestones must be positive and increase"),
        (lambda: StepDecay((0, 2)), "milestones must be positive and increase"),
        (lambda: StepDecay("3"), "milestones must be a list of integers, got '3'"),
        (lambda: StepDecay((1.5,)), r"milestones must be integers, got \(1.5,\)"),
        (lambda: StepDecay((1,), divide_by=0.0), "divide_by must be positive, got 0.0"),
        (lambda: StepDecay((1,), unit="hours"), "unit must be 'epochs' or 'steps', got 'hours'"),
        (lambda: InverseDecay(gamma=-1.0), "gamma must be at least 0, got -1.0"),
        (lambda: InverseDecay(power=math.nan), "power must be at least 0, got nan"),
    ],
)
def test_bad_arguments_are_named(build: Callable[[], object], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        build()
