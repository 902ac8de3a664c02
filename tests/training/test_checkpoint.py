"""A killed run goes on to the same numbers, bit for bit; other files are refused."""

from __future__ import annotations

import io
import math
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nbsrc.regularizers import Regularizer
from nbsrc.training import (
    CropAndFlip,
    EpochRecord,
    StepDecay,
    TrainingDiverged,
    TrainingSettings,
    train,
)
from nbsrc.training.identity import difference
from tests.training import runs

Result = tuple[nn.Module, list[EpochRecord], torch.Generator]


@pytest.fixture(scope="module")
def uninterrupted() -> Result:
    return runs.whole_run()


def assert_same(one: Result, two: Result) -> None:
    states = one[0].state_dict(), two[0].state_dict()
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    assert one[1] == two[1]  # floats and 0-d tensors, to the last bit
    assert torch.equal(one[2].get_state(), two[2].get_state())


def test_a_run_killed_in_the_middle_of_an_epoch_goes_on_exactly(
    tmp_path: Path, uninterrupted: Result
) -> None:
    file = tmp_path / "runs" / "one.pt"
    step = 3 * runs.STEPS_PER_EPOCH + 2  # in the fourth epoch, after the rate was divided
    script, threads = Path(runs.__file__), str(torch.get_num_threads())
    command = [sys.executable, str(script), str(file), str(step), threads]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "waiting\n"
        child.send_signal(signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
    kept = torch.load(file, weights_only=True)
    assert len(kept["history"]) == 4  # before training and after three epochs
    assert kept["step"] == 3 * runs.STEPS_PER_EPOCH
    torch.manual_seed(123)
    before = torch.random.get_rng_state()
    resumed = runs.whole_run(str(file))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert_same(resumed, uninterrupted)
    assert_same(runs.whole_run(str(file)), uninterrupted)  # a finished run returns at once


def test_everything_in_the_file_is_needed(tmp_path: Path, uninterrupted: Result) -> None:
    """Planted errors: whatever is left out of the restored state changes the numbers."""
    file = tmp_path / "one.pt"
    interrupted(file, epochs=3)
    whole = torch.load(file, weights_only=True)
    fresh = runs.whole_run(data=runs.small_data(), settings=TrainingSettings(0, 28), seed=1)
    replaced: dict[str, Any] = {
        "generators": [torch.Generator().manual_seed(s).get_state() for s in (1, 2)],
        "torch": torch.Generator().manual_seed(3).get_state(),
        "regularizer": runs.both(fresh[0]).state_dict(),
        "optimizer": whole["state"]["optimizer"] | {"state": {}},
    }
    for key, value in replaced.items():
        torch.save(whole | {"state": whole["state"] | {key: value}}, file)
        history = runs.whole_run(str(file))[1]
        assert history[:4] == uninterrupted[1][:4]
        assert history[4:] != uninterrupted[1][4:], key
    torch.save(whole, file)
    assert_same(runs.whole_run(str(file)), uninterrupted)


class Interrupted(Exception):
    """Stands for anything that stops a run between two epochs."""


def interrupted(file: Path, epochs: int, **changes: Any) -> None:
    """A run that stops after some epochs."""

    def recorder(model: nn.Module, epoch: int) -> dict[str, Any]:
        if epoch > epochs:
            raise Interrupted
        result: dict[str, Any] = runs.weight(model, epoch)
        return result

    with pytest.raises(Interrupted):
        runs.whole_run(str(file), recorder=recorder, **changes)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"seed": 1}, "generator is '"),
        ({"net": "other"}, "initial weights is '"),
        ({"schedule": StepDecay((2, 3))}, r"schedule.milestones\[1\] is 4 there and 3 here"),
        ({"schedule": None}, "schedule is {'class': 'StepDecay'.* there and None here"),
        ({"augmentation": CropAndFlip(2)}, "augmentation.padding is 1 there and 2 here"),
        ({"settings": TrainingSettings(6, 28)}, "settings.epochs is 5 there and 6 here"),
        ({"regularizer": "other"}, r"regularizer.parts\[0\].beta is 0.001 there and 0.002 here"),
        ({"data": "other"}, r"data\.train\.sha256 is '"),
    ],
)
def test_a_file_of_another_run_is_refused(
    tmp_path: Path, change: dict[str, Any], where: str
) -> None:
    file = tmp_path / "one.pt"
    interrupted(file, epochs=1)
    content = file.read_bytes()
    if change.get("net") == "other":
        change = {"net": runs.network()}
        change["net"].get_parameter("linear.bias").data[0] = 1e-3
    if change.get("regularizer") == "other":
        change = {"regularizer": runs.both(runs.network(), beta=2e-3)}
    if change.get("data") == "other":
        data = runs.small_data()
        images = data.train_images.clone()
        images[5, 0, 3, 3] += 1e-3
        change = {"data": replace(data, train_images=images)}
    with pytest.raises(ValueError, match=rf"one\.pt belongs to another run: {where}"):
        runs.whole_run(str(file), **change)
    assert file.read_bytes() == content


def test_damaged_files_are_named(tmp_path: Path) -> None:
    file = tmp_path / "one.pt"
    file.write_bytes(b"PK\x03\x04 no")
    with pytest.raises(ValueError, match=r"one\.pt is no readable checkpoint: delete it"):
        runs.whole_run(str(file))
    torch.save({"weights": torch.zeros(1)}, file)
    with pytest.raises(ValueError, match=r"one\.pt is no checkpoint of this version: delete it"):
        runs.whole_run(str(file))
    stream = io.BytesIO()
    torch.save({"format": 2, "identity": Path}, stream)  # a class: never loaded
    file.write_bytes(stream.getvalue())
    with pytest.raises(ValueError, match="no readable checkpoint"):
        runs.whole_run(str(file))


def test_what_a_checkpoint_cannot_hold_is_named(tmp_path: Path) -> None:
    file = tmp_path / "one.pt"
    with pytest.raises(TypeError, match=r"the recorder's result must be .* got PosixPath"):
        runs.whole_run(str(file), recorder=lambda model, epoch: [{"a": (1, Path("b"))}])
    assert list(tmp_path.iterdir()) == []


class Poison(Regularizer):
    """Makes the weights NaN in one step."""

    def __init__(self, step: int) -> None:
        self._steps, self._step = 0, step

    def after_step(self, model: nn.Module) -> None:
        self._steps += 1
        if self._steps == self._step:
            model.get_parameter("linear.weight").data.fill_(math.nan)

    def state_dict(self) -> dict[str, Any]:
        return {"steps": self._steps}

    def load_state_dict(self, state: Any) -> None:
        self._steps = state["steps"]


@pytest.mark.parametrize(
    ("step", "epoch", "what"),
    [
        (9, 3, "the loss became nan"),
        (12, 3, "weights became infinite or nan"),  # by the last step of an epoch
        (1, 1, "the loss became nan"),
    ],
)
def test_divergence_is_reported_with_the_records_before_and_again_after_a_resume(
    tmp_path: Path, step: int, epoch: int, what: str
) -> None:
    file = tmp_path / "one.pt"
    message = f"{what} in epoch {epoch}: training diverged"
    for _ in range(2):
        with pytest.raises(TrainingDiverged, match=message) as caught:
            runs.whole_run(str(file), regularizer=Poison(step))
        assert [record.epoch for record in caught.value.history] == list(range(epoch))
    assert isinstance(caught.value, FloatingPointError)
    assert file.exists() == (epoch > 1)


def test_differences_are_found_by_place() -> None:
    assert difference({"a": [1, {"b": 2}]}, {"a": [1, {"b": 2}]}) is None
    assert difference({"a": [1, {"b": 2}]}, {"a": [1, {"b": 3}]}) == "a[1].b is 3 there and 2 here"
    assert difference([1], [1, 2], "a") == "a is [1, 2] there and [1] here"
    long = difference("x", "y" * 200, "a")
    assert long is not None
    assert "..." in long


def test_functions_are_told_apart_by_name() -> None:
    def first(images: Tensor, generator: torch.Generator) -> Tensor:
        return images

    from nbsrc.training.identity import _described

    assert _described(first).endswith("first")
    assert _described(Poison(3)) == {"class": "Poison"}


def test_writing_takes_no_more_than_its_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, written = [0.0], []

    def write(*_: object) -> None:
        written.append(clock[0])
        clock[0] += 2.0

    def epoch_passes(_: nn.Module, epoch: int) -> None:
        clock[0] += 3.0 if epoch else 0.0

    monkeypatch.setattr("nbsrc.training.loop.time.monotonic", lambda: clock[0])
    monkeypatch.setattr("nbsrc.training.loop.Checkpoint.write", write)

    def times(share: float) -> list[float]:
        clock[0] = 0.0
        written.clear()
        net = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
        train(
            net, runs.small_data(), TrainingSettings(6, 28), recorder=epoch_passes,
            generator=torch.Generator().manual_seed(0), checkpoint=tmp_path / "one.pt",
            checkpoint_share=share,
        )  # fmt: skip
        return list(written)

    assert times(1.0) == [3.0, 8.0, 13.0, 18.0, 23.0, 28.0]
    assert times(0.25) == [3.0, 11.0, 19.0]  # 2 seconds of writing, then 6 without
    for wrong in (0.0, 1.5, math.nan):
        with pytest.raises(ValueError, match=r"checkpoint_share must be in \(0, 1\], got"):
            times(wrong)
