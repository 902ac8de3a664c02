"""The loop."""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from nbsrc.data import ImageData
from nbsrc.regularizers import Regularizer, training_step
from nbsrc.training.arithmetic import Precision, arithmetic, clip_hook
from nbsrc.training.augmentation import Augmentation
from nbsrc.training.checkpoint import Checkpoint, RunState, to_rows
from nbsrc.training.evaluation import EpochRecord, Recorder, epoch_record
from nbsrc.training.identity import run_identity
from nbsrc.training.progress import Pace, ProgressCallback
from nbsrc.training.randomness import augmentation_generator, drawn_seed, own_random_state
from nbsrc.training.schedules import Schedule, set_rate
from nbsrc.training.settings import TrainingSettings

__all__ = ["TrainingDiverged", "lost", "train"]

log = logging.getLogger(__name__)


class TrainingDiverged(FloatingPointError):  # noqa: N818 - it is a result, not an error
    """The loss or the weights are not finite any more.

    Attributes:
        history: The records of the epochs before.
    """

    def __init__(self, message: str, history: list[EpochRecord]) -> None:
        """Keep the records."""
        super().__init__(message)
        self.history = history


def train(
    model: nn.Module,
    data: ImageData,
    settings: TrainingSettings,
    *,
    generator: torch.Generator,
    recorder: Recorder | None = None,
    regularizer: Regularizer | None = None,
    schedule: Schedule | None = None,
    augmentation: Augmentation | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_share: float = 1.0,
    progress: ProgressCallback | None = None,
) -> list[EpochRecord]:
    """Train a network in place.

    The order of the images, whatever the network draws itself (dropout) and the augmentation come
    from the generator; the order is the same with and without augmentation. Each module's mode and
    torch's random state are as before afterwards. On one machine with one number of threads the
    numbers repeat exactly; torch promises no more.

    With a checkpoint file the state is kept after every epoch, or as often as ``checkpoint_share``
    allows. If the file exists, the run goes on from there: call with the same arguments, the
    network with its initial weights, and generators in their first state. The numbers are then
    those of a run that was never interrupted, bit for bit on a CPU, and the generator ends in the
    same state. A run whose last epoch was kept returns at once. The file stays; it is the caller's
    to delete.

    Args:
        model: The network, on the device on which to train.
        data: Training and test images.
        settings: Epochs, batch size and optimiser.
        generator: Source of all randomness, on the CPU.
        recorder: Called before training and after each epoch. With a checkpoint it must return
            tensors and plain values, and is not called again for epochs in the file.
        regularizer: Called as :func:`nbsrc.regularizers.training_step` says, and after each epoch,
            before the recorder.
        schedule: Sets the learning rate before every step; constant without one.
        augmentation: Changes the images of every batch.
        checkpoint: The file, None to keep nothing.
        checkpoint_share: The share of the time that writing the file may take, in (0, 1]. With 1 it
            is written after every epoch; with 0.05 not before 19 times what the last writing took
            have passed, which is also what a killed run loses at most, and one epoch.
        progress: Called every few seconds with the rate and the time left; None logs a line.

    Returns:
        One record before training and one per epoch.

    Raises:
        TrainingDiverged: If the loss of a batch, or a weight after an epoch, is not finite; a
            ``FloatingPointError`` with the records so far. A test loss that is not finite while
            the weights are (batch norm's running statistics can do that) is recorded as it is.
        TypeError: If an argument has the wrong type, or there is something that a checkpoint cannot
            hold.
        ValueError: If the checkpoint file cannot be read or belongs to another run, the settings
            do not fit the network or the images, or ``checkpoint_share`` is not in (0, 1].
    """
    _check_types(
        model=(model, nn.Module),
        data=(data, ImageData),
        settings=(settings, TrainingSettings),
        generator=(generator, torch.Generator),
        regularizer=(Regularizer() if regularizer is None else regularizer, Regularizer),
    )
    if not 0 < checkpoint_share <= 1:
        raise ValueError(f"checkpoint_share must be in (0, 1], got {checkpoint_share}")
    if settings.channels_last and data.train_images.ndim != 4:
        raise ValueError(
            f"channels_last needs images [n, c, h, w], got {tuple(data.train_images.shape)}"
        )
    precision = Precision(model, settings.precision)
    device = next(model.parameters()).device
    images, labels = data.train_images.to(device), data.train_labels.to(device)
    optimizer = torch.optim.SGD(
        model.parameters(),
        lr=settings.learning_rate,
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
    )
    clip_hook(optimizer, settings.clip_gradient)
    store = None
    if checkpoint is not None:
        whole = (model, data, settings, [generator], regularizer, schedule, augmentation)
        store = Checkpoint(checkpoint, run_identity(*whole))
    active = Regularizer() if regularizer is None else regularizer
    seed = drawn_seed(generator)
    own = augmentation_generator(seed)
    with _training_mode(model), own_random_state(device, seed), arithmetic(model, settings):
        state = RunState(model, optimizer, active, (generator, own), device)
        saved = None if store is None else store.read(state)
        if saved is None:
            history, step = [epoch_record(model, data, 0, None, recorder)], 0
        else:
            history, step = [EpochRecord(**row) for row in saved["history"]], saved["step"]
            log.info("going on after epoch %d of %d", len(history) - 1, settings.epochs)
        steps = math.ceil(len(images) / settings.batch_size)
        pace = Pace(progress, epochs=settings.epochs, steps=steps)
        due = time.monotonic()
        for epoch in range(len(history), settings.epochs + 1):
            order = torch.randperm(len(images), generator=generator).to(device)
            total = 0.0
            for number, batch in enumerate(order.split(settings.batch_size), start=1):
                if schedule is not None:
                    set_rate(optimizer, schedule.rate(settings.learning_rate, epoch - 1, step))
                x = images[batch]
                if augmentation is not None:
                    x = augmentation(x, own)
                if settings.channels_last:
                    x = x.contiguous(memory_format=torch.channels_last)
                with precision.forward():
                    loss = float(training_step(model, x, labels[batch], optimizer, active))
                total += _finite(loss, epoch, history) * len(batch)
                step += 1
                pace.step(epoch, number, loss)
            active.after_epoch(model)
            _check_weights(model, epoch, history)
            history.append(epoch_record(model, data, epoch, total / len(images), recorder))
            if store is not None and (start := time.monotonic()) >= due:
                store.write(state, {"history": to_rows(history), "step": step})
                end = time.monotonic()
                due = end + (end - start) * (1 / checkpoint_share - 1)
    return history


def _check_types(**arguments: tuple[object, type]) -> None:
    """Refuse arguments of another type, such as a class where an instance is needed.

    Args:
        **arguments: Value and type by name.

    Raises:
        TypeError: If a value has another type.
    """
    for name, (value, kind) in arguments.items():
        if not isinstance(value, kind):
            got = f"the class {value.__name__}" if isinstance(value, type) else repr(value)
            raise TypeError(f"{name} must be a {kind.__name__}, got {got}")


def _finite(loss: float, epoch: int, history: list[EpochRecord]) -> float:
    """Return a finite loss.

    Raises:
        TrainingDiverged: If it is not finite.
    """
    if not math.isfinite(loss):
        raise TrainingDiverged(lost(loss, epoch), history)
    return loss


def _check_weights(model: nn.Module, epoch: int, history: list[EpochRecord]) -> None:
    """Find what the last step of an epoch has done, which no further loss would show.

    Raises:
        TrainingDiverged: If a weight is not finite.
    """
    if not all(bool(p.isfinite().all()) for p in model.parameters()):
        raise TrainingDiverged(lost(None, epoch), history)


def lost(loss: float | None, epoch: int) -> str:
    """The message of a divergence.

    Args:
        loss: The loss that was not finite, None if it was a weight.
        epoch: In which epoch.

    Returns:
        Words.
    """
    what = "weights became infinite or nan" if loss is None else f"the loss became {loss}"
    return f"{what} in epoch {epoch}: training diverged"


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
