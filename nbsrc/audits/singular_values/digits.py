"""A small network trained on the digits: spectra of its layers, and its losses at other scales."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from nbsrc.audits.singular_values.rescaling import plain_cnn, weight_layers
from nbsrc.data import ImageData
from nbsrc.layer_spectra import circular_singular_values, layer_spectra
from nbsrc.training import TrainingSettings, train

__all__ = ["INPUT", "loss_curve", "spectra_rows", "statistic_rows", "trained_cnn"]

#: Shape of one image of the digits.
INPUT = (1, 1, 8, 8)


def trained_cnn(
    data: ImageData, *, epochs: int, seed: int, channels: tuple[int, int] = (8, 12)
) -> nn.Sequential:
    """Train the plain CNN on the digits.

    Args:
        data: The digits.
        epochs: Passes over the training images.
        seed: Seed of weights and order.
        channels: Output channels of the convolutions.

    Returns:
        The network.
    """
    g = torch.Generator().manual_seed(seed)
    net = plain_cnn(g, channels)
    train(net, data, TrainingSettings(epochs=epochs), generator=g)
    return net


def loss_curve(net: nn.Module, data: ImageData, scales: Sequence[float]) -> list[dict[str, float]]:
    """Mean cross-entropies when all scores are multiplied by a factor.

    Args:
        net: The network.
        data: Its data.
        scales: The factors.

    Returns:
        One row per factor: ``scale``, ``train``, ``test``, ``gap`` and the ``test accuracy``.
    """
    with torch.no_grad():
        outputs = [(net(x).double(), y) for x, y in (
            (data.train_images, data.train_labels), (data.test_images, data.test_labels)
        )]  # fmt: skip
    rows = []
    for scale in scales:
        losses = [float(functional.cross_entropy(scale * z, y)) for z, y in outputs]
        z, y = outputs[1]
        right = float(((scale * z).argmax(1) == y).double().mean())
        rows.append({"scale": scale, "train": losses[0], "test": losses[1],
                     "gap": losses[1] - losses[0], "test accuracy": right})  # fmt: skip
    return rows


def statistic_rows(nets: Mapping[str, nn.Module]) -> list[dict[str, Any]]:
    """Standard deviation of every layer's singular values, and over their mean.

    Args:
        nets: Networks by name.

    Returns:
        One row per network and layer.
    """
    return [
        {"network": name, "layer": record.name, "type": record.type, "std": record.spectrum.std,
         "std / mean": record.spectrum.relative_std}
        for name, net in nets.items()
        for record in layer_spectra(net, INPUT)
        if record.spectrum is not None
    ]  # fmt: skip


def spectra_rows(net: nn.Module) -> list[dict[str, Any]]:
    """The singular values of the first convolution: as applied, and of two tori (Fourier).

    Args:
        net: A network whose first layer is a convolution with stride 1.

    Returns:
        One row per singular value and spectrum, largest first; of the larger torus only as many
        values as the layer has.

    Raises:
        ValueError: If the spectrum of the first layer is missing.
    """
    first = layer_spectra(net, INPUT)[0]
    if first.spectrum is None or first.input_size is None:
        raise ValueError(f"the first layer must have a spectrum, got {first.remark or first.type}")
    weight, size = weight_layers(net)[0].weight, first.input_size
    larger = [n + p for n, p in zip(size, first.geometry["padding"], strict=True)]
    spectra = {
        "zero padding, as applied": first.spectrum.values,
        f"circular, {size[0]} x {size[1]} pixels": circular_singular_values(weight, size),
        f"circular, {larger[0]} x {larger[1]} pixels": circular_singular_values(weight, larger),
    }
    return [
        {"spectrum": name, "index": index, "value": value}
        for name, values in spectra.items()
        for index, value in enumerate(values[: len(first.spectrum.values)].tolist(), start=1)
    ]
