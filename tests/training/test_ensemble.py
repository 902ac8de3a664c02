"""An ensemble gives the numbers of separate trainings; its parts do not disturb each other."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nbsrc.data import ImageData
from nbsrc.models import build_model
from nbsrc.regularizers import (
    CrossLipschitz,
    Curvature,
    InputGradient,
    JacobianPenalty,
    Regularizer,
    WeightDecay,
    compose,
)
from nbsrc.training import (
    CropAndFlip,
    EpochRecord,
    Stacked,
    StepDecay,
    TrainingDiverged,
    TrainingSettings,
    train,
    train_ensemble,
)
from tests.training import runs

MEMBERS = 3


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def networks(name: str, dtype: torch.dtype = torch.float64) -> list[nn.Module]:
    return [
        build_model(name, generator=seeded(s), width=0.1, image=(1, 8, 8), dtype=dtype)
        for s in range(MEMBERS)
    ]


def generators() -> list[torch.Generator]:
    return [seeded(10 + s) for s in range(MEMBERS)]


@pytest.fixture(scope="module")
def data() -> ImageData:
    few = runs.small_data()
    return replace(
        few, train_images=few.train_images.double(), test_images=few.test_images.double()
    )


SETTINGS = TrainingSettings(epochs=3, batch_size=30, weight_decay=1e-3)  # the last batch: 22


def close(ours: Sequence[EpochRecord], theirs: Sequence[EpochRecord], *, losses: bool) -> None:
    assert len(ours) == len(theirs) == SETTINGS.epochs + 1
    for a, b in zip(ours, theirs, strict=True):
        assert (a.epoch, a.test_accuracy) == (b.epoch, b.test_accuracy)
        assert near(a.test_loss, b.test_loss)
        assert near(a.recorded, b.recorded)
        assert not losses or near(a.train_loss, b.train_loss)


def near(ours: float | None, theirs: float | None) -> bool:
    if ours is None or theirs is None:
        return ours is theirs
    return math.isclose(ours, theirs, rel_tol=1e-6)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("lenet_300_100", {}),
        ("lenet5", {"schedule": StepDecay((1, 2)), "augmentation": CropAndFlip(1)}),
        ("conv4", {"augmentation": CropAndFlip(1, flip=False)}),  # batch norm
        ("resnet32_fixup", {"schedule": StepDecay((4,), unit="steps")}),
        ("lenet_300_100", {"regularizer": InputGradient(0.1)}),
        ("lenet_300_100", {"regularizer": compose(CrossLipschitz(0.02), Curvature(0.1))}),
        ("lenet5", {"regularizer": JacobianPenalty(0.02)}),
    ],
)
def test_the_numbers_are_those_of_separate_trainings(
    data: ImageData, name: str, options: dict[str, Any]
) -> None:
    def recorder(model: nn.Module, epoch: int) -> float:
        assert not any(module.training for module in model.modules())
        return float(sum(p.square().sum() for p in model.parameters()))

    one_by_one, together = networks(name), networks(name)
    sources, others = generators(), generators()
    torch.manual_seed(4)
    before = torch.random.get_rng_state()
    results = train_ensemble(
        together, data, SETTINGS, generators=sources, recorder=recorder, **options
    )
    assert torch.equal(torch.random.get_rng_state(), before)
    for number, model in enumerate(one_by_one):
        source = others[number]
        history = train(model, data, SETTINGS, generator=source, recorder=recorder, **options)
        ours = results[number]
        assert isinstance(ours, list)
        close(ours, history, losses="regularizer" not in options)
        state = together[number].state_dict()
        for key, value in model.state_dict().items():
            assert torch.allclose(state[key], value, rtol=1e-6, atol=1e-9), key
        assert torch.equal(sources[number].get_state(), source.get_state())
    assert results[0] != results[1]


def test_a_diverging_network_ends_alone(data: ImageData) -> None:
    together, alone = networks("conv4"), networks("conv4")
    for models in (together, alone):
        models[1].get_parameter("linear2.weight").data[0, 0] = math.nan
    results = train_ensemble(together, data, SETTINGS, generators=generators())
    ended = results[1]
    assert isinstance(ended, TrainingDiverged)
    with pytest.raises(TrainingDiverged) as caught:
        train(alone[1], data, SETTINGS, generator=generators()[1])
    assert str(ended) == str(caught.value) == "the loss became nan in epoch 1: training diverged"
    assert [record.epoch for record in ended.history] == [0]
    for number in (0, 2):
        history = train(alone[number], data, SETTINGS, generator=generators()[number])
        ours = results[number]
        assert isinstance(ours, list)
        close(ours, history, losses=True)


class Leap:
    """A schedule with one huge step, the last of three."""

    def rate(self, base: float, epoch: int, step: int) -> float:
        return 1e308 if step == 2 else base


def test_weights_lost_in_the_last_step_end_a_network(data: ImageData) -> None:
    """No loss shows it. Where all gradients are below 1, as network 0 has them, nothing is lost."""
    louder = replace(data, train_images=10 * data.train_images)
    settings = TrainingSettings(1, batch_size=40)
    together, alone = networks("lenet_300_100"), networks("lenet_300_100")
    with torch.no_grad():
        for models in (together, alone):
            for layer in ("linear2", "linear3"):  # only the last bias has a gradient
                models[0].get_parameter(f"{layer}.weight").zero_()
    results = train_ensemble(together, louder, settings, generators=generators(), schedule=Leap())
    assert isinstance(results[0], list)
    train(alone[0], louder, settings, generator=generators()[0], schedule=Leap())
    for number in (1, 2):
        with pytest.raises(TrainingDiverged, match="weights became infinite or nan") as caught:
            train(alone[number], louder, settings, generator=generators()[number], schedule=Leap())
        assert repr(results[number]) == repr(caught.value)


class Interrupted(Exception):
    """Stands for anything that stops a run between two epochs."""


@pytest.mark.parametrize("poisoned", [False, True])
def test_an_interrupted_ensemble_goes_on_exactly(
    tmp_path: Path, data: ImageData, poisoned: bool
) -> None:
    def stop(model: nn.Module, epoch: int) -> None:
        if epoch == 2:
            raise Interrupted

    def run(recorder: Any, file: Path | None) -> tuple[list[nn.Module], Any]:
        models = networks("conv4")
        if poisoned:
            models[1].get_parameter("linear2.weight").data[0, 0] = math.nan
        options: dict[str, Any] = {"regularizer": InputGradient(0.1), "checkpoint": file}
        options |= {"augmentation": CropAndFlip(1), "schedule": StepDecay((1,))}
        sources = generators()
        results = train_ensemble(
            models, data, SETTINGS, generators=sources, recorder=recorder, **options
        )
        books = [(str(r), r.history) if isinstance(r, TrainingDiverged) else r for r in results]
        return models, [books, [source.get_state().tolist() for source in sources]]

    def nothing(model: nn.Module, epoch: int) -> None:
        return None

    file = tmp_path / "all.pt"
    models, results = run(nothing, None)
    with pytest.raises(Interrupted):
        run(stop, file)
    assert torch.load(file, weights_only=True)["epoch"] == 1
    for _ in range(2):  # goes on; then is finished
        again, same = run(nothing, file)
        assert repr(same) == repr(results)  # all digits, and nan equal to nan
        for ours, theirs in zip(again, models, strict=True):
            for a, b in zip(ours.state_dict().values(), theirs.state_dict().values(), strict=True):
                assert torch.equal(a.nan_to_num(7.0), b.nan_to_num(7.0))
    with pytest.raises(ValueError, match=r"belongs to another run: (generator|initial weights) is"):
        train_ensemble(
            networks("conv4"), data, SETTINGS, generators=[seeded(0)] * 3, checkpoint=file,
            regularizer=InputGradient(0.1), augmentation=CropAndFlip(1), schedule=StepDecay((1,)),
        )  # fmt: skip


def test_stacked_networks_are_one_network_to_an_attack() -> None:
    models = [model.eval() for model in networks("lenet5")]
    stacked = Stacked(models).eval()
    x = torch.rand(4, 1, 8, 8, generator=seeded(0), dtype=torch.float64)
    rows = x.repeat(MEMBERS, 1, 1, 1)
    assert torch.equal(stacked(rows), torch.cat([model(x) for model in models]))
    y = torch.arange(4)
    attack: Callable[..., Tensor] = fgsm
    moved = attack(stacked, rows, y.repeat(MEMBERS))
    expected = torch.cat([attack(model, x, y) for model in models])
    assert torch.equal(moved, expected)


def fgsm(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    inputs = x.clone().requires_grad_()
    loss = nn.functional.cross_entropy(model(inputs), y, reduction="sum")
    (slope,) = torch.autograd.grad(loss, inputs)
    return (x + 0.1 * slope.sign()).clamp(0, 1)


def test_stacked_weights_are_copies_and_can_be_written_back() -> None:
    models, others = networks("conv4"), networks("conv4")
    stacked = Stacked(models)
    with torch.no_grad():
        for p in stacked.parameters():
            p.add_(1.0)
    stacked(torch.rand(6, 1, 8, 8, generator=seeded(0), dtype=torch.float64))  # running statistics
    stacked.unstack(others)
    for model, other in zip(models, others, strict=True):
        assert torch.equal(
            other.get_parameter("conv1.weight"), model.get_parameter("conv1.weight") + 1
        )
        assert other.get_buffer("bn1.num_batches_tracked") == 1
        assert model.get_buffer("bn1.num_batches_tracked") == 0
    assert "_skeleton" not in "".join(stacked.state_dict())


class Projects(Regularizer):
    """A regulariser with another hook."""

    def after_epoch(self, model: nn.Module) -> None:
        pass


def test_bad_arguments_are_named(data: ImageData) -> None:
    def run(models: list[nn.Module], **options: Any) -> None:
        given = {"generators": [seeded(s) for s in range(len(models))]} | options
        train_ensemble(models, data, SETTINGS, **given)

    with pytest.raises(ValueError, match="models must not be empty"):
        run([])
    with pytest.raises(ValueError, match="generators must be 3, one each, got 2"):
        run(networks("lenet5"), generators=generators()[:2])
    different = [
        *networks("lenet5"),
        build_model("lenet5", generator=seeded(0), dtype=torch.double),
    ]
    with pytest.raises(ValueError, match="of one architecture, but number 3 differs"):
        run(different)
    dropping = [nn.Sequential(nn.Flatten(), nn.Linear(64, 10), nn.Dropout(0.1))]
    with pytest.raises(NotImplementedError, match=r"layer '2' \(Dropout\) is random in training"):
        run(dropping)
    for part, hook in ((Projects(), "after_epoch"), (WeightDecay(["a"], 1.0), "after_backward")):
        with pytest.raises(ValueError, match=f"{type(part).__name__} has {hook}: train the"):
            run(networks("lenet5"), regularizer=compose(InputGradient(1.0), part))
    with pytest.raises(ValueError, match="rows must be a multiple of 3, got 4"):
        Stacked(networks("lenet5"))(torch.zeros(4, 1, 8, 8, dtype=torch.float64))
    empty = replace(data, test_images=data.test_images[:0], test_labels=data.test_labels[:0])
    with pytest.raises(ValueError, match="images must not be empty"):
        train_ensemble(networks("lenet5"), empty, SETTINGS, generators=generators())
