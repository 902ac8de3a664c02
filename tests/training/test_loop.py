"""Hooks, schedules and augmentations of the loop; plain training: tests/test_training.py."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nbsrc.data import ImageData, load_digits
from nbsrc.models import digits_cnn
from nbsrc.regularizers import Regularizer, WeightDecay
from nbsrc.training import CropAndFlip, InverseDecay, StepDecay, TrainingSettings, train


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def data() -> ImageData:
    few = load_digits().first(24, 10)
    return replace(
        few, train_images=few.train_images.double(), test_images=few.test_images.double()
    )


def linear() -> nn.Module:
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10)).double()
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(0.1 * torch.randn(p.shape, generator=seeded(), dtype=p.dtype))
    return model


class Journal(Regularizer):
    """Writes down which hook is called, and what has happened to gradients and weights."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.weights: list[Tensor] = []

    def _note(self, hook: str, model: nn.Module) -> None:
        self.calls.append(hook)
        self.weights.append(model.get_parameter("1.weight").detach().clone())

    def penalty(self, model: nn.Module, x: Tensor, y: Tensor, logits: Tensor) -> Tensor:
        assert torch.equal(model(x), logits)
        self._note("penalty", model)
        return logits.square().mean()

    def after_backward(self, model: nn.Module) -> None:
        assert model.get_parameter("1.weight").grad is not None
        self._note("after_backward", model)

    def after_step(self, model: nn.Module) -> None:
        self._note("after_step", model)

    def after_epoch(self, model: nn.Module) -> None:
        self._note("after_epoch", model)


def test_hooks_are_called_in_the_documented_order(data: ImageData) -> None:
    journal = Journal()

    def recorder(model: nn.Module, epoch: int) -> None:
        journal.calls.append(f"record {epoch}")

    settings = TrainingSettings(epochs=2, batch_size=12)
    train(linear(), data, settings, generator=seeded(), regularizer=journal, recorder=recorder)
    step = ["penalty", "after_backward", "after_step"]
    epochs = [[*step, *step, "after_epoch", f"record {n}"] for n in (1, 2)]
    assert journal.calls == ["record 0", *epochs[0], *epochs[1]]
    before, backward, stepped, *_ = journal.weights
    assert torch.equal(before, backward)
    assert not torch.equal(backward, stepped)


def test_one_regularised_step_is_sgd_on_loss_and_penalty(data: ImageData) -> None:
    model, reference = linear(), linear()
    settings = TrainingSettings(epochs=1, batch_size=24, learning_rate=0.1, momentum=0.0)
    history = train(model, data, settings, generator=seeded(), regularizer=Journal())
    logits = reference(data.train_images)
    loss = F.cross_entropy(logits, data.train_labels) + logits.square().mean()
    weights = reference.get_parameter("1.weight")
    (gradient,) = torch.autograd.grad(loss, [weights])
    expected = weights - 0.1 * gradient
    assert torch.allclose(model.get_parameter("1.weight"), expected, rtol=1e-12, atol=1e-14)
    assert history[1].train_loss == pytest.approx(loss.item(), rel=1e-12)


def test_no_regulariser_and_one_that_does_nothing_are_the_same(data: ImageData) -> None:
    settings = TrainingSettings(epochs=2, batch_size=7)
    histories = [
        train(linear(), data, settings, generator=seeded(), **options)
        for options in ({}, {"regularizer": Regularizer()}, {"schedule": StepDecay(())})
    ]
    assert histories[0] == histories[1] == histories[2]


def reference_run(data: ImageData, rates: list[float]) -> nn.Module:
    """SGD with momentum, written out; one rate per step of one batch."""
    model = linear()
    speed = [torch.zeros_like(p) for p in model.parameters()]
    for rate in rates:
        loss = F.cross_entropy(model(data.train_images), data.train_labels)
        gradients = torch.autograd.grad(loss, list(model.parameters()))
        with torch.no_grad():
            for p, v, g in zip(model.parameters(), speed, gradients, strict=True):
                v.mul_(0.9).add_(g)
                p.sub_(rate * v)
    return model


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [
        (StepDecay((1, 3)), [0.5, 0.05, 0.05, 0.005]),
        (StepDecay((2,), divide_by=2.0, unit="steps"), [0.5, 0.5, 0.25, 0.25]),
        (InverseDecay(gamma=1.0, power=1.0), [0.5, 0.25, 0.5 / 3, 0.125]),
    ],
)
def test_schedules_set_the_rate_of_every_step(
    data: ImageData, schedule: Any, rates: list[float]
) -> None:
    model = linear()
    settings = TrainingSettings(epochs=4, batch_size=24, learning_rate=0.5)
    train(model, data, settings, generator=seeded(), schedule=schedule)
    expected = reference_run(data, rates)
    for ours, theirs in zip(model.parameters(), expected.parameters(), strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-10, atol=1e-12)


def test_augmentation_has_its_own_generator_and_leaves_the_order_alone(data: ImageData) -> None:
    seen: list[tuple[Tensor, torch.Generator]] = []

    def watch(images: Tensor, generator: torch.Generator) -> Tensor:
        seen.append((images.clone(), generator))
        torch.rand(3, generator=generator)
        return images

    settings = TrainingSettings(epochs=2, batch_size=10)
    source = seeded()
    watched = train(linear(), data, settings, generator=source, augmentation=watch)
    assert watched == train(linear(), data, settings, generator=seeded())
    assert all(generator is not source for _, generator in seen)
    assert [len(images) for images, _ in seen] == [10, 10, 4] * 2
    batches = torch.cat([images for images, _ in seen[:3]])
    pixels = sorted(map(tuple, batches.flatten(1).tolist()))
    assert pixels == sorted(map(tuple, data.train_images.flatten(1).tolist()))


def test_augmented_training_repeats_and_differs(data: ImageData) -> None:
    settings = TrainingSettings(epochs=2, batch_size=8)
    runs = [
        train(
            digits_cnn(generator=seeded()).double(), data, settings,
            generator=seeded(seed), augmentation=augmentation,
        )
        for seed, augmentation in ((0, CropAndFlip(1)), (0, CropAndFlip(1)), (0, None))
    ]  # fmt: skip
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_weight_decay_as_a_regulariser_is_that_of_the_settings(data: ImageData) -> None:
    model, other = linear(), linear()
    decay = WeightDecay(["1.weight", "1.bias"], 0.3)
    train(model, data, TrainingSettings(3, 8), generator=seeded(), regularizer=decay)
    train(other, data, TrainingSettings(3, 8, weight_decay=0.3), generator=seeded())
    for ours, theirs in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-12, atol=1e-14)


def test_a_test_loss_that_is_not_finite_is_recorded_as_it_is(data: ImageData) -> None:
    """Batch norm's running statistics may overflow in eval mode while training goes well."""
    spoiled = replace(data, test_images=data.test_images * math.inf)
    history = train(linear(), spoiled, TrainingSettings(2, 8), generator=seeded())
    plain = train(linear(), data, TrainingSettings(2, 8), generator=seeded())
    assert all(math.isnan(record.test_loss) for record in history)
    assert [r.train_loss for r in history] == [r.train_loss for r in plain]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"generator": 0}, "generator must be a Generator, got 0"),
        ({"settings": {"epochs": 1}}, "settings must be a TrainingSettings, got {'epochs': 1}"),
        ({"regularizer": WeightDecay}, "regularizer must be a Regularizer, got the class Weight"),
        ({"regularizer": "decay"}, "regularizer must be a Regularizer, got 'decay'"),
    ],
)
def test_arguments_of_another_type_are_named(
    data: ImageData, change: dict[str, Any], message: str
) -> None:
    given: dict[str, Any] = {"settings": TrainingSettings(1), "generator": seeded()}
    with pytest.raises(TypeError, match=message):
        train(linear(), data, **(given | change))
