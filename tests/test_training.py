"""The training loop repeats exactly, touches nothing global, and learns."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn

from nbsrc.data import ImageData, load_digits
from nbsrc.models import digits_cnn
from nbsrc.training import EpochRecord, TrainingSettings, evaluate, train


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def data() -> ImageData:
    return load_digits().first(256, 128)


def run(data: ImageData, seed: int = 0, **changes: Any) -> tuple[nn.Module, list[EpochRecord]]:
    model = digits_cnn(generator=seeded())
    model.add_module("dropout", nn.Dropout(0.1))
    settings = TrainingSettings(**({"epochs": 2} | changes))
    return model, train(model, data, settings, generator=seeded(seed))


def test_it_learns_and_repeats_exactly_whatever_the_global_state(data: ImageData) -> None:
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    model, history = run(data)
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(2)
    again, same = run(data)
    assert history == same
    assert all(
        torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True)
    )
    assert run(data, seed=1)[1] != history
    without_dropout = [
        train(digits_cnn(generator=seeded()), data, TrainingSettings(1), generator=seeded(seed))
        for seed in (0, 1)
    ]
    assert without_dropout[0][1] != without_dropout[1][1]  # the order of the images
    assert [record.epoch for record in history] == [0, 1, 2]
    assert history[0].train_loss is None
    assert history[-1].test_accuracy > history[0].test_accuracy + 0.3


def test_one_step_is_sgd_on_the_mean_cross_entropy(data: ImageData) -> None:
    few = data.first(5, 5)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10)).double()
    few = ImageData(
        "few", few.train_images.double(), few.train_labels, few.test_images.double(),
        few.test_labels,
    )  # fmt: skip
    weight = model[1].weight.detach().clone()
    loss = nn.functional.cross_entropy(model(few.train_images), few.train_labels)
    (gradient,) = torch.autograd.grad(loss, [model[1].weight])
    settings = TrainingSettings(epochs=1, batch_size=5, learning_rate=0.1, weight_decay=0.3)
    history = train(model, few, settings, generator=seeded())
    expected = weight - 0.1 * (gradient + 0.3 * weight)
    assert torch.allclose(model[1].weight, expected, rtol=1e-12, atol=1e-14)
    assert history[1].train_loss == pytest.approx(float(loss.detach()), rel=1e-12)


def test_weight_decay_shrinks_the_weights(data: ImageData) -> None:
    plain, _ = run(data)
    decayed, _ = run(data, weight_decay=0.1)
    size = [float(m.get_parameter("linear.weight").norm()) for m in (plain, decayed)]
    assert size[1] < 0.9 * size[0]


def test_the_recorder_sees_eval_mode_and_fills_the_history(data: ImageData) -> None:
    seen: list[tuple[int, bool, bool]] = []

    def recorder(model: nn.Module, epoch: int) -> str:
        seen.append((epoch, model.training, torch.is_grad_enabled()))
        return f"after {epoch}"

    model = digits_cnn(generator=seeded())
    history = train(model, data, TrainingSettings(epochs=1), generator=seeded(), recorder=recorder)
    assert seen == [(0, False, False), (1, False, False)]
    assert [record.recorded for record in history] == ["after 0", "after 1"]


def test_each_modules_mode_is_restored_even_after_a_failure(data: ImageData) -> None:
    model = digits_cnn(generator=seeded())
    model.get_submodule("bn1").eval()
    before = {name: module.training for name, module in model.named_modules()}
    train(model, data, TrainingSettings(epochs=1), generator=seeded())
    assert {name: module.training for name, module in model.named_modules()} == before
    with torch.no_grad():
        model.get_parameter("linear.weight").fill_(math.nan)
    with pytest.raises(FloatingPointError, match="nan in epoch 1: training diverged"):
        train(model, data, TrainingSettings(epochs=1), generator=seeded())
    assert {name: module.training for name, module in model.named_modules()} == before


def test_evaluate_equals_the_plain_computation_in_parts(data: ImageData) -> None:
    model = digits_cnn(generator=seeded())
    loss, accuracy = evaluate(model, data.test_images, data.test_labels, batch_size=50)
    model.eval()
    logits = model(data.test_images)
    true = float(nn.functional.cross_entropy(logits, data.test_labels).detach())
    assert loss == pytest.approx(true, rel=1e-5)
    assert accuracy == float((logits.argmax(1) == data.test_labels).double().mean())
    with pytest.raises(ValueError, match="images must not be empty"):
        evaluate(model, data.test_images[:0], data.test_labels[:0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": -1}, "epochs must be at least 0, got -1"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"learning_rate": 0.0}, "learning_rate must be positive, got 0.0"),
        ({"learning_rate": math.nan}, "learning_rate must be positive"),
        ({"momentum": 1.0}, r"momentum must be in \[0, 1\), got 1.0"),
        ({"weight_decay": -1.0}, "weight_decay must be at least 0, got -1.0"),
    ],
)
def test_settings_out_of_range_are_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TrainingSettings(**({"epochs": 1} | change))
