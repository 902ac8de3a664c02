"""Points on which a network is measured, and how their values are summarised."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nbsrc.data import ImageData
from nbsrc.layer_trace import model_preserved

__all__ = ["first_test_images", "image_shape", "logits", "probabilities", "quantiles"]

_QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)


def first_test_images(
    model: nn.Module, data: ImageData, images: int | None
) -> tuple[Tensor, Tensor]:
    """Return the first test images with labels, on the network's device.

    Args:
        model: The network.
        data: The data of the run.
        images: Number of images, None for all.

    Returns:
        Images and labels.
    """
    device = next(model.parameters()).device
    return data.test_images[:images].to(device), data.test_labels[:images].to(device)


def probabilities(model: nn.Module, x: Tensor) -> Tensor:
    """Return the softmax of a network in eval mode.

    Args:
        model: The network; it stays as it was.
        x: ``[batch, *input]``.

    Returns:
        Probabilities in float64 on the CPU, ``[batch, classes]``.
    """
    return logits(model, x).softmax(1)


def logits(model: nn.Module, x: Tensor) -> Tensor:
    """Return the outputs of a network in eval mode.

    Args:
        model: The network; it stays as it was.
        x: ``[batch, *input]``.

    Returns:
        Outputs in float64 on the CPU, ``[batch, classes]``.
    """
    device = next(model.parameters()).device
    with model_preserved(model), torch.no_grad():
        parts = [model(part.to(device)).double().cpu() for part in x.split(1000)]
    return torch.cat(parts)


def image_shape(data: ImageData) -> tuple[int, ...]:
    """Return the shape of a batch of one image.

    Args:
        data: The data of the run.

    Returns:
        ``(1, channels, height, width)``.
    """
    return (1, *data.train_images.shape[1:])


def quantiles(values: Tensor) -> dict[str, float] | None:
    """Return quantiles by their level.

    Args:
        values: Numbers in one dimension.

    Returns:
        Quantiles by level, 0, 0.05, 0.25, 0.5, 0.75, 0.95 and 1 as texts; None without values.
    """
    if not len(values):
        return None
    levels = torch.tensor(_QUANTILES, dtype=torch.float64)
    found = torch.quantile(values.double().cpu(), levels).tolist()
    return {f"{level:g}": value for level, value in zip(_QUANTILES, found, strict=True)}
