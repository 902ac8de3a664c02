"""A run that uses everything: dropout, batch norm, two regularisers, a schedule, augmentation.

As a script it is the run that gets killed: it waits for ever in the forward of one step.
"""

from __future__ import annotations

import sys
import threading
from typing import Any

import torch
from torch import nn

from nbsrc.data import ImageData
from nbsrc.models import digits_cnn
from nbsrc.regularizers import Composition, GlobalSpectral, NormDecay, compose, weight_layers
from nbsrc.training import CropAndFlip, EpochRecord, StepDecay, TrainingSettings, train

EPOCHS, STEPS_PER_EPOCH = 5, 4


def small_data() -> ImageData:
    """Random images; the label is where the brightest of ten pixels is."""
    images = torch.rand(152, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    labels = images.flatten(1)[:, 20:30].argmax(dim=1)
    return ImageData("random", images[:112], labels[:112], images[112:], labels[112:])


def network() -> nn.Sequential:
    net = digits_cnn(generator=torch.Generator().manual_seed(0), channels=(3, 4, 4))
    net.add_module("dropout", nn.Dropout(0.2))
    return net


def both(net: nn.Module, *, beta: float = 1e-3) -> Composition:
    layers = weight_layers(net, (1, 1, 8, 8))
    spectral = GlobalSpectral(layers, 1e-2, torch.Generator().manual_seed(5))
    return compose(NormDecay(layers, 1, beta, 0.5), spectral)


def wait_at(net: nn.Module, step: int) -> None:
    """Say so and wait for ever in the forward of a training step."""
    seen = [0]

    def count(module: nn.Module, _: object) -> None:
        if module.training and seen[0] == step:
            sys.stdout.write("waiting\n")
            sys.stdout.flush()
            threading.Event().wait()
        seen[0] += module.training

    net.register_forward_pre_hook(count)


def weight(model: nn.Module, epoch: int) -> dict[str, Any]:
    """A recorder with a tensor and a number."""
    return {"epoch": epoch, "weight": model.get_parameter("conv1.weight").flatten()[0].clone()}


def whole_run(
    checkpoint: str | None = None, *, net: nn.Module | None = None, seed: int = 0, **changes: Any
) -> tuple[nn.Module, list[EpochRecord], torch.Generator]:
    """The network after the run, its history, and the generator."""
    net = network() if net is None else net
    generator = torch.Generator().manual_seed(seed)
    options: dict[str, Any] = {
        "settings": TrainingSettings(EPOCHS, batch_size=28, weight_decay=1e-3),
        "data": small_data(),
        "regularizer": both(net),
        "schedule": StepDecay((2, 4)),
        "augmentation": CropAndFlip(1),
        "recorder": weight,
        "checkpoint": checkpoint,
    } | changes
    return net, train(net, generator=generator, **options), generator


if __name__ == "__main__":
    torch.set_num_threads(int(sys.argv[3]))
    started = network()
    wait_at(started, int(sys.argv[2]))
    whole_run(sys.argv[1], net=started)
