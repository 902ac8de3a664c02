"""Records of several networks that are trained at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nbsrc.data import ImageData
from nbsrc.layer_trace import model_preserved
from nbsrc.training.checkpoint import to_rows
from nbsrc.training.evaluation import EpochRecord, Recorder
from nbsrc.training.loop import TrainingDiverged, lost
from nbsrc.training.stacked import Stacked

__all__ = ["Book", "evaluate_members", "record_members"]


@dataclass
class Book:
    """The records of one network, and how it ended if it diverged.

    Attributes:
        history: The records.
        end: The message of the divergence, None as long as there was none.
    """

    history: list[EpochRecord] = field(default_factory=list)
    end: str | None = None

    def check(self, loss: float | None, epoch: int) -> None:
        """Keep the first divergence.

        Args:
            loss: A loss, or None for weights that are not finite.
            epoch: The epoch in which it was seen.
        """
        if self.end is None and (loss is None or not math.isfinite(loss)):
            self.end = lost(loss, epoch)

    def result(self) -> list[EpochRecord] | TrainingDiverged:
        """The records, or the exception with them.

        Returns:
            What :func:`train_ensemble` returns for this network.
        """
        return self.history if self.end is None else TrainingDiverged(self.end, self.history)

    def plain(self) -> dict[str, Any]:
        """The book for a checkpoint.

        Returns:
            Plain values.
        """
        return {"history": to_rows(self.history), "end": self.end}

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> Book:
        """Read a book from a checkpoint.

        Args:
            plain: What :meth:`plain` returned.

        Returns:
            The book.
        """
        return cls([EpochRecord(**row) for row in plain["history"]], plain["end"])


def record_members(
    stacked: Stacked,
    models: Sequence[nn.Module],
    data: ImageData,
    epoch: int,
    losses: Sequence[float] | None,
    recorder: Recorder | None,
    books: Sequence[Book],
) -> None:
    """Evaluate all networks at once and append the records of those that go on.

    Args:
        stacked: The networks.
        models: The same, unstacked; with a recorder they get the present weights.
        data: The data; the test images are used.
        epoch: Number of finished epochs.
        losses: Mean losses of the epoch, None before training.
        recorder: What else to record.
        books: The books of the networks.
    """
    finite = stacked.finite()
    tests = evaluate_members(stacked, data.test_images, data.test_labels)
    if recorder is not None:
        stacked.unstack(models)
    for number, (book, (test_loss, accuracy)) in enumerate(zip(books, tests, strict=True)):
        if epoch > 0 and not finite[number]:
            book.check(None, epoch)
        if book.end is not None:
            continue
        recorded = None
        if recorder is not None:
            with model_preserved(models[number]):
                recorded = recorder(models[number], epoch)
        loss = None if losses is None else losses[number]
        book.history.append(EpochRecord(epoch, loss, test_loss, accuracy, recorded))


@torch.no_grad()
def evaluate_members(
    stacked: Stacked, images: Tensor, labels: Tensor, batch_size: int = 1000
) -> list[tuple[float, float]]:
    """Compute mean loss and accuracy of every network in eval mode.

    Args:
        stacked: The networks; they stay in eval mode.
        images: Images, ``[n, ...]``.
        labels: Labels, ``[n]``.
        batch_size: Images of each network per forward.

    Returns:
        For each network what :func:`nbsrc.training.evaluate` returns.

    Raises:
        ValueError: If there is no image.
    """
    if not len(images):
        raise ValueError("images must not be empty, got shape " + str(tuple(images.shape)))
    stacked.eval()
    count, device = stacked.members, next(stacked.parameters()).device
    loss = torch.zeros(count, dtype=torch.float64)
    correct = torch.zeros(count, dtype=torch.float64)
    for part, target in zip(images.split(batch_size), labels.split(batch_size), strict=True):
        x, y = part.to(device), target.to(device).repeat(count)
        logits = stacked(x.repeat(count, *[1] * (x.ndim - 1)))
        each = F.cross_entropy(logits, y, reduction="none").unflatten(0, (count, -1))
        right = (logits.argmax(dim=1) == y).unflatten(0, (count, -1))
        loss += each.double().sum(dim=1).cpu()
        correct += right.sum(dim=1).cpu()
    pairs = zip(loss.tolist(), correct.tolist(), strict=True)
    return [(total / len(images), right / len(images)) for total, right in pairs]
