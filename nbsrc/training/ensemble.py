"""Several initialisations trained as one batched model, with the numbers of separate trainings."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nbsrc.data import ImageData
from nbsrc.regularizers import Composition, Regularizer
from nbsrc.training.arithmetic import Precision, arithmetic, clip_hook
from nbsrc.training.augmentation import Augmentation
from nbsrc.training.checkpoint import Checkpoint, RunState
from nbsrc.training.ensemble_records import Book, record_members
from nbsrc.training.evaluation import EpochRecord, Recorder
from nbsrc.training.identity import run_identity
from nbsrc.training.loop import TrainingDiverged
from nbsrc.training.progress import Pace, ProgressCallback
from nbsrc.training.randomness import augmentation_generator, drawn_seed, own_random_state
from nbsrc.training.schedules import Schedule, set_rate
from nbsrc.training.settings import TrainingSettings
from nbsrc.training.stacked import Stacked

__all__ = ["train_ensemble"]

log = logging.getLogger(__name__)


def train_ensemble(
    models: Sequence[nn.Module],
    data: ImageData,
    settings: TrainingSettings,
    *,
    generators: Sequence[torch.Generator],
    recorder: Recorder | None = None,
    regularizer: Regularizer | None = None,
    schedule: Schedule | None = None,
    augmentation: Augmentation | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: ProgressCallback | None = None,
) -> list[list[EpochRecord] | TrainingDiverged]:
    """Train networks of one architecture at once, in place.

    Network e sees what ``train(models[e], ..., generator=generators[e])`` would show it: its own
    order of the images, its own augmentation. The numbers are those of separate trainings up to
    rounding, which training may amplify: float64 agrees to many digits, float32 need not after
    many steps. Networks that are random in training (dropout) are refused. On one CPU core ten
    networks for 8x8 images train about twice as fast as one by one, ten LeNets of full width on
    28x28 images only at three quarters of the speed: what is saved is overhead per operation.

    Args:
        models: The networks, on one device; all layers are trained in training mode.
        data: Training and test images.
        settings: Epochs, batch size and optimiser of each; gradients are clipped one by one.
        generators: One per network, on the CPU.
        recorder: Called with each network before training and after each epoch, in eval mode.
        regularizer: Only its penalty may act, and it must be a mean over the batch of terms of
            single examples: the stacked network is given to it, with the examples of all networks.
            If it draws random numbers, they are others than in separate trainings.
        schedule: Sets the learning rate before every step.
        augmentation: Changes the images of every network's batch.
        checkpoint: A file from which a killed run goes on exactly, as for ``train``.
        progress: Called every few seconds with the rate and the time left; None logs a line.

    Returns:
        For each network its records; or, where its loss or weights were not finite any more, the
        exception with the records before: the other networks do not notice. ``train_loss`` is
        without the penalty, of which only the mean over all networks is computed.

    Raises:
        NotImplementedError: If a layer is random in training mode.
        TypeError: If there is something that a checkpoint cannot hold.
        ValueError: If the networks differ in more than their weights, there are not as many
            generators, the regulariser has other hooks than the penalty, the settings want
            channels last, or the checkpoint file cannot be read or belongs to another run.
    """
    if len(generators) != len(models):
        raise ValueError(f"generators must be {len(models)}, one each, got {len(generators)}")
    if settings.channels_last:
        raise ValueError("channels_last must be false: stacked convolutions are grouped ones")
    _check_penalty_alone(regularizer)
    stacked = Stacked(models)
    precision = Precision(stacked, settings.precision)
    device = next(stacked.parameters()).device
    images, labels = data.train_images.to(device), data.train_labels.to(device)
    optimizer = torch.optim.SGD(
        stacked.parameters(),
        lr=settings.learning_rate,
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
    )
    clip_hook(optimizer, settings.clip_gradient, members=True)
    store = None
    if checkpoint is not None:
        whole = (stacked, data, settings, generators, regularizer, schedule, augmentation)
        store = Checkpoint(checkpoint, run_identity(*whole))
    active = Regularizer() if regularizer is None else regularizer
    seeds = [drawn_seed(generator) for generator in generators]
    own = [augmentation_generator(seed) for seed in seeds]
    with own_random_state(device, seeds[0]), arithmetic(stacked, settings):
        state = RunState(stacked, optimizer, active, (*generators, *own), device)
        saved = None if store is None else store.read(state)
        if saved is None:
            books, done, step = [Book() for _ in models], 0, 0
            record_members(stacked, models, data, 0, None, recorder, books)
        else:
            books = [Book.from_plain(entry) for entry in saved["books"]]
            done, step = saved["epoch"], saved["step"]
            log.info("going on after epoch %d of %d", done, settings.epochs)
        steps = math.ceil(len(images) / settings.batch_size)
        pace = Pace(progress, epochs=settings.epochs, steps=steps)
        for epoch in range(done + 1, settings.epochs + 1):
            orders = torch.stack([torch.randperm(len(images), generator=g) for g in generators])
            total = torch.zeros(len(models), dtype=torch.float64)
            batches = orders.to(device).split(settings.batch_size, dim=1)
            for number, batch in enumerate(batches, start=1):
                if schedule is not None:
                    set_rate(optimizer, schedule.rate(settings.learning_rate, epoch - 1, step))
                x = images[batch]
                if augmentation is not None:
                    x = torch.stack([augmentation(*pair) for pair in zip(x, own, strict=True)])
                x, y = x.flatten(0, 1), labels[batch].flatten()
                with precision.forward():
                    losses = _step(stacked, x, y, optimizer, active)
                total += losses * batch.shape[1]
                step += 1
                pace.step(epoch, number, float(losses.mean()))
                for book, loss in zip(books, losses.tolist(), strict=True):
                    book.check(loss, epoch)
            means = (total / len(images)).tolist()
            record_members(stacked, models, data, epoch, means, recorder, books)
            if store is not None:
                plain = [book.plain() for book in books]
                store.write(state, {"books": plain, "epoch": epoch, "step": step})
    stacked.unstack(models)
    return [book.result() for book in books]


def _step(
    stacked: Stacked,
    x: Tensor,
    y: Tensor,
    optimizer: torch.optim.Optimizer,
    regularizer: Regularizer,
) -> Tensor:
    """Take one step of all networks.

    Each network's gradient is that of its own mean loss: the sum of the means is taken.

    Returns:
        The networks' losses without penalties, on the CPU.
    """
    stacked.train()
    logits = stacked(x)
    each = F.cross_entropy(logits, y, reduction="none")
    losses: Tensor = each.unflatten(0, (stacked.members, -1)).mean(dim=1)
    objective = losses.sum()
    term = regularizer.penalty(stacked, x, y, logits)
    if term is not None:
        objective = objective + stacked.members * term
    optimizer.zero_grad()
    objective.backward()
    optimizer.step()
    return losses.detach().double().cpu()


def _check_penalty_alone(regularizer: Regularizer | None) -> None:
    """Check that a regulariser has no hook besides the penalty.

    Raises:
        ValueError: If it has one; the message names it.
    """
    parts = regularizer.parts if isinstance(regularizer, Composition) else (regularizer,)
    for part in parts:
        for hook in ("after_backward", "after_step", "after_epoch"):
            if part is not None and getattr(type(part), hook) is not getattr(Regularizer, hook):
                raise ValueError(
                    f"regularizer must act by its penalty alone, but {type(part).__name__} has "
                    f"{hook}: train the networks one by one"
                )
