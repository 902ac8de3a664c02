"""One training loop: SGD with momentum on cross-entropy, the same numbers for the same seeds."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nbsrc.data import ImageData
from nbsrc.layer_trace import model_preserved

__all__ = ["EpochRecord", "Recorder", "TrainingSettings", "evaluate", "train"]

#: Called as ``recorder(model, epoch)`` before training (epoch 0) and after every epoch, with the
#: model in eval mode and without gradients; what it returns goes into the history.
Recorder: TypeAlias = Callable[[nn.Module, int], Any]


@dataclass(frozen=True)
class TrainingSettings:
    """The numbers of one training run.

    Attributes:
        epochs: Passes over the training images.
        batch_size: Images per step; the last batch of an epoch may be smaller.
        learning_rate: Step size.
        momentum: Momentum of SGD, in [0, 1).
        weight_decay: Factor of the squared norm of all parameters, as torch's SGD applies it.
    """

    epochs: int
    batch_size: int = 64
    learning_rate: float = 0.05
    momentum: float = 0.9
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            ValueError: If a number is out of range.
        """
        if self.epochs < 0:
            raise ValueError(f"epochs must be at least 0, got {self.epochs}")
        if self.batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {self.batch_size}")
        if not 0 < self.learning_rate < math.inf:
            raise ValueError(f"learning_rate must be positive, got {self.learning_rate}")
        if not 0 <= self.momentum < 1:
            raise ValueError(f"momentum must be in [0, 1), got {self.momentum}")
        if not 0 <= self.weight_decay < math.inf:
            raise ValueError(f"weight_decay must be at least 0, got {self.weight_decay}")


@dataclass(frozen=True)
class EpochRecord:
    """The state after an epoch; epoch 0 is the state before training.

    Attributes:
        epoch: Number of finished epochs.
        train_loss: Mean loss over the epoch's batches as they were seen, None for epoch 0.
        test_loss: Loss on the test images, in eval mode.
        test_accuracy: Share of test images classified correctly.
        recorded: What the recorder returned.
    """

    epoch: int
    train_loss: float | None
    test_loss: float
    test_accuracy: float
    recorded: Any = None


def train(
    model: nn.Module,
    data: ImageData,
    settings: TrainingSettings,
    *,
    generator: torch.Generator,
    recorder: Recorder | None = None,
) -> list[EpochRecord]:
    """Train a network in place.

    The order of the images and whatever the network draws itself (dropout) come from the
    generator. Each module's mode and torch's random state are as before afterwards. On one
    machine with one number of threads the numbers repeat exactly; torch promises no more.

    Args:
        model: The network, on the device on which to train.
        data: Training and test images.
        settings: Epochs, batch size and optimiser.
        generator: Source of all randomness, on the CPU.
        recorder: Called before training and after each epoch.

    Returns:
        One record before training and one per epoch.

    Raises:
        FloatingPointError: If the loss of a batch is not finite.
    """
    device = next(model.parameters()).device
    images, labels = data.train_images.to(device), data.train_labels.to(device)
    optimizer = torch.optim.SGD(
        model.parameters(),
        lr=settings.learning_rate,
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
    )
    history = [_record(model, data, 0, None, recorder)]
    with _training_mode(model), _own_random_state(device, generator):
        for epoch in range(1, settings.epochs + 1):
            order = torch.randperm(len(images), generator=generator).to(device)
            total = 0.0
            for batch in order.split(settings.batch_size):
                loss = F.cross_entropy(model(images[batch]), labels[batch])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                total += _finite(float(loss.detach()), epoch) * len(batch)
            history.append(_record(model, data, epoch, total / len(images), recorder))
    return history


def evaluate(
    model: nn.Module, images: Tensor, labels: Tensor, *, batch_size: int = 1000
) -> tuple[float, float]:
    """Compute mean loss and accuracy in eval mode; the model stays as it was.

    Args:
        model: The network.
        images: Images, ``[n, ...]``.
        labels: Labels, ``[n]``.
        batch_size: Images per forward.

    Returns:
        Mean cross-entropy and share of images classified correctly.

    Raises:
        ValueError: If there is no image.
    """
    if not len(images):
        raise ValueError("images must not be empty, got shape " + str(tuple(images.shape)))
    device = next(model.parameters()).device
    loss, correct = 0.0, 0
    with model_preserved(model):
        for x, y in zip(images.split(batch_size), labels.split(batch_size), strict=True):
            logits, target = model(x.to(device)), y.to(device)
            loss += float(F.cross_entropy(logits, target, reduction="sum"))
            correct += int((logits.argmax(dim=1) == target).sum())
    return loss / len(images), correct / len(images)


def _record(
    model: nn.Module, data: ImageData, epoch: int, loss: float | None, recorder: Recorder | None
) -> EpochRecord:
    """Return the record of an epoch."""
    test_loss, accuracy = evaluate(model, data.test_images, data.test_labels)
    with model_preserved(model):
        recorded = None if recorder is None else recorder(model, epoch)
    return EpochRecord(epoch, loss, test_loss, accuracy, recorded)


def _finite(loss: float, epoch: int) -> float:
    """Return a finite loss.

    Raises:
        FloatingPointError: If it is not finite.
    """
    if not math.isfinite(loss):
        raise FloatingPointError(f"the loss became {loss} in epoch {epoch}: training diverged")
    return loss


@contextmanager
def _training_mode(model: nn.Module) -> Iterator[None]:
    """Put the model in training mode for a while, then restore each module's own mode."""
    modes = [(module, module.training) for module in model.modules()]
    model.train()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


@contextmanager
def _own_random_state(device: torch.device, generator: torch.Generator) -> Iterator[None]:
    """Seed torch's global random state from the generator for a while, then restore it."""
    devices = [device] if device.type == "cuda" else []
    seed = int(torch.randint(2**62, (), generator=generator))
    with torch.random.fork_rng(devices):
        torch.default_generator.manual_seed(seed)
        for _ in devices:
            torch.cuda.manual_seed(seed)
        yield
