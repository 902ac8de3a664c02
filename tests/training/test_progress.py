"""Rate and time left are told from time to time, and not too often."""

from __future__ import annotations

import logging

import pytest
import torch

from nbsrc.models import digits_cnn
from nbsrc.training import Progress, TrainingSettings, train, train_ensemble
from nbsrc.training import progress as module
from nbsrc.training.progress import Pace
from tests.training import runs


class Clock:
    """Ticks only when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_rate_and_time_left_are_those_of_this_process() -> None:
    clock, told = Clock(), list[Progress]()
    pace = Pace(told.append, epochs=5, steps=10, every=3.0, clock=clock)
    for step in range(1, 11):  # the third epoch, taken up from a checkpoint: 2 steps per second
        clock.now += 0.5
        pace.step(3, step, 1.0 / step)
    assert [p.step for p in told] == [6]
    assert told[0] == Progress(3, 5, 6, 10, 1 / 6, 2.0, (4 + 20) / 2)
    clock.now += 10
    pace.step(5, 10, 0.5)
    assert told[1].seconds_left == 0
    assert told[1].rate == pytest.approx(11 / 15)


def test_a_line_says_it_all() -> None:
    line = str(Progress(3, 20, 41, 200, 0.123456, 85.234, 3725.4))
    assert line == "epoch 3 of 20, step 41 of 200: loss 0.1235, 85.2 steps/s, 1:02:05 left"


def test_it_is_logged_by_default(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    with caplog.at_level(logging.INFO, "nbsrc"):
        pace = Pace(None, epochs=1, steps=4, every=1.0, clock=clock)
        pace.step(1, 1, 0.5)
        assert caplog.text == ""
        clock.now += 2
        pace.step(1, 2, 0.5)
    assert "epoch 1 of 1, step 2 of 4: loss 0.5, 1 steps/s, 0:00:02 left" in caplog.text


def test_training_tells_every_step_that_is_slow(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[Progress] = []
    settings = TrainingSettings(2, batch_size=50)  # 112 images: steps of 50, 50 and 12

    def model() -> torch.nn.Module:
        return digits_cnn(generator=torch.Generator().manual_seed(0), channels=(2, 2, 2))

    def seeded() -> torch.Generator:
        return torch.Generator().manual_seed(0)

    with caplog.at_level(logging.INFO, "nbsrc"):
        quiet = train(model(), runs.small_data(), settings, generator=seeded())
        assert caplog.text == ""  # a short run
    monkeypatch.setattr(module.Pace.__init__, "__kwdefaults__", {"every": 0.0, "clock": Clock()})
    history = train(model(), runs.small_data(), settings, generator=seeded(), progress=told.append)
    assert history == quiet
    places = [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3)]
    assert [(p.epoch, p.step) for p in told] == places
    assert {(p.epochs, p.steps) for p in told} == {(2, 3)}
    mean = sum(p.loss * n for p, n in zip(told[:3], (50, 50, 12), strict=True)) / 112
    assert mean == pytest.approx(history[1].train_loss)
    told.clear()
    train_ensemble(
        [model()], runs.small_data(), settings, generators=[seeded()], progress=told.append
    )
    assert [(p.epoch, p.step) for p in told] == places
    assert told[0].loss == pytest.approx(quiet[1].train_loss, rel=0.5)
