"""Loss and accuracy in eval mode, and the record of an epoch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from torch import Tensor, nn
from torch.nn import functional as F

from nbsrc.data import ImageData
from nbsrc.layer_trace import model_preserved

__all__ = ["EpochRecord", "Recorder", "epoch_record", "evaluate"]

#: Called as ``recorder(model, epoch)`` before training (epoch 0) and after every epoch, with the
#: model in eval mode and without gradients; what it returns goes into the history.
Recorder: TypeAlias = Callable[[nn.Module, int], Any]


@dataclass(frozen=True)
class EpochRecord:
    """The state after an epoch; epoch 0 is the state before training.

    Attributes:
        epoch: Number of finished epochs.
        train_loss: Mean loss over the epoch's batches as they were seen, penalty of the regulariser
            included; None for epoch 0.
        test_loss: Loss on the test images, in eval mode.
        test_accuracy: Share of test images classified correctly.
        recorded: What the recorder returned.
    """

    epoch: int
    train_loss: float | None
    test_loss: float
    test_accuracy: float
    recorded: Any = None


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


def epoch_record(
    model: nn.Module, data: ImageData, epoch: int, loss: float | None, recorder: Recorder | None
) -> EpochRecord:
    """Evaluate the network after an epoch; it stays as it was.

    Args:
        model: The network.
        data: The data; the test images are used.
        epoch: Number of finished epochs.
        loss: Mean loss of the epoch.
        recorder: What else to record.

    Returns:
        The record.
    """
    test_loss, accuracy = evaluate(model, data.test_images, data.test_labels)
    with model_preserved(model):
        recorded = None if recorder is None else recorder(model, epoch)
    return EpochRecord(epoch, loss, test_loss, accuracy, recorded)
