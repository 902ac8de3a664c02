"""Adversarial training against plain training and against random noise, live on small digits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nbsrc.attacks import pgd
from nbsrc.data import ImageData
from nbsrc.models import build_model
from nbsrc.regularizers import AdversarialTraining, Regularizer, Threat
from nbsrc.training import TrainingSettings, train

__all__ = ["NoiseTraining", "gains", "harden"]


@dataclass(frozen=True, eq=False)
class NoiseTraining(Regularizer):
    """Training on corners of the adversary's ball drawn at random, in place of its points.

    Attributes:
        eps: Size of the noise in every pixel.
        generator: Source of the signs.
    """

    eps: float
    generator: torch.Generator

    def penalty(self, model: nn.Module, x: Tensor, y: Tensor, logits: Tensor) -> Tensor:
        """The loss at the noisy images minus that of the clean ones, which the loop adds.

        Args:
            model: The network.
            x: Images in [0, 1].
            y: Labels.
            logits: The loop's outputs for x.

        Returns:
            A 0-d tensor.
        """
        signs = torch.randint(0, 2, x.shape, generator=self.generator) * 2 - 1
        noisy = (x + self.eps * signs).clamp(0, 1)
        return F.cross_entropy(model(noisy), y) - F.cross_entropy(logits, y)


def harden(
    data: ImageData, seeds: Sequence[int], *, epochs: int, eps: float, width: float = 0.25
) -> dict[str, list[dict[str, float]]]:
    """Train LeNet-300-100 in three ways from the same weights and attack all of them alike.

    Args:
        data: Images.
        seeds: Seeds of weights and of the order of images.
        epochs: Passes over the images.
        eps: Size of the perturbations in linf, in training and in the attack.
        width: Multiplier of the widths.

    Returns:
        By way of training: per seed the accuracies ``clean`` and ``robust`` on test images, the
        latter under PGD of 20 steps with 2 restarts.
    """
    threat = Threat(eps, alpha=eps / 4, steps=7, start="ball", bounds=(0.0, 1.0))
    channels, height, side = data.train_images.shape[1:]
    result: dict[str, list[dict[str, float]]] = {}
    for seed in seeds:

        def draw(seed: int = seed) -> torch.Generator:
            return torch.Generator().manual_seed(seed)

        ways: dict[str, Any] = {
            "plain": None,
            "adversarial": AdversarialTraining(threat, draw()),
            "noise": NoiseTraining(eps, draw()),
        }
        for name, regularizer in ways.items():
            net = build_model(
                "lenet_300_100", generator=draw(), width=width, image=(channels, height, side)
            )
            train(
                net, data, TrainingSettings(epochs, learning_rate=0.05), generator=draw(),
                regularizer=regularizer, progress=lambda *_: None,
            )  # fmt: skip
            x, y = data.test_images, data.test_labels
            net.eval()
            with torch.no_grad():
                clean = float((net(x).argmax(1) == y).double().mean())
            found = pgd(net, x, y, eps, math.inf, steps=20, restarts=2, seed=seed)
            result.setdefault(name, []).append({"clean": clean, "robust": found.accuracy.value})
    return result


def gains(
    result: dict[str, list[dict[str, float]]], better: str, worse: str = "plain"
) -> dict[str, float]:
    """Return what a way of training gains under attack and loses without, in its worst seed.

    Args:
        result: What :func:`harden` returned.
        better: A way of training.
        worse: The way to compare with.

    Returns:
        The smallest ``gain`` under attack and the largest ``loss`` of clean accuracy.
    """
    pairs = list(zip(result[better], result[worse], strict=True))
    return {
        "gain": min(a["robust"] - b["robust"] for a, b in pairs),
        "loss": max(b["clean"] - a["clean"] for a, b in pairs),
    }
