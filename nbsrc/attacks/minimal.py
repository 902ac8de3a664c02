"""Attacks that look for a smallest perturbation: DeepFool, and Carlini & Wagner, by foolbox."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from nbsrc.attacks._arguments import check_images, predictions, under_attack

__all__ = ["MinimalPerturbations", "carlini_wagner", "deepfool"]


@dataclass(frozen=True, eq=False)
class MinimalPerturbations:
    """The perturbations that an attack found, each checked by a forward pass.

    Attributes:
        x: The perturbed images, ``[batch, *input]``; the clean image where nothing was found.
        found: Whether the network is wrong at ``x``, ``[batch]``.
        norms: Size of the perturbation: 0 where the clean image is misclassified, infinite where
            nothing was found, ``[batch]``.
        norm: The order of the norm.
    """

    x: Tensor
    found: Tensor
    norms: Tensor
    norm: float


def deepfool(
    net: nn.Module, x: Tensor, y: Tensor, p: float = 2, *,
    steps: int = 50, overshoot: float = 0.02, candidates: int = 10, batch_size: int = 250,
) -> MinimalPerturbations:  # fmt: skip
    """DeepFool (Moosavi-Dezfooli, Fawzi & Frossard 2016) for l2 and linf.

    Args:
        net: The network, any mode; it is left as it was.
        x: Images in [0, 1], ``[batch, *input]``.
        y: Labels, ``[batch]``.
        p: 2 or infinity.
        steps: Most linearisations.
        overshoot: Relative overshoot of the boundary.
        candidates: Most likely classes to consider.
        batch_size: Images per batch.

    Returns:
        The perturbations; their norms are upper bounds of the smallest ones.

    Raises:
        ImportError: If foolbox is not installed.
        NotImplementedError: If ``p`` is another order.
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range.
    """
    foolbox = _foolbox()
    if p not in {2, math.inf}:
        raise NotImplementedError(f"DeepFool is available for p = 2 and infinity, got {p!r}")
    attacks = foolbox.attacks
    kind = attacks.L2DeepFoolAttack if p == 2 else attacks.LinfDeepFoolAttack
    attack = kind(steps=steps, overshoot=overshoot, candidates=candidates)
    return _run(foolbox, attack, net, x, y, float(p), batch_size)


def carlini_wagner(
    net: nn.Module, x: Tensor, y: Tensor, *,
    steps: int = 1000, binary_search_steps: int = 9, stepsize: float = 0.01,
    initial_const: float = 1e-3, confidence: float = 0.0, batch_size: int = 250,
) -> MinimalPerturbations:  # fmt: skip
    """The l2 attack of Carlini & Wagner (2017).

    Args:
        net: The network, any mode; it is left as it was.
        x: Images in [0, 1], ``[batch, *input]``.
        y: Labels, ``[batch]``.
        steps: Optimisation steps per constant.
        binary_search_steps: Constants tried.
        stepsize: Step size of Adam.
        initial_const: First constant.
        confidence: Margin asked of the wrong class.
        batch_size: Images per batch.

    Returns:
        The perturbations; their norms are upper bounds of the smallest ones.

    Raises:
        ImportError: If foolbox is not installed.
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range.
    """
    foolbox = _foolbox()
    attack = foolbox.attacks.L2CarliniWagnerAttack(
        binary_search_steps=binary_search_steps, steps=steps, stepsize=stepsize,
        confidence=confidence, initial_const=initial_const,
    )  # fmt: skip
    return _run(foolbox, attack, net, x, y, 2.0, batch_size)


def _run(
    foolbox: Any, attack: Any, net: nn.Module, x: Tensor, y: Tensor, p: float, batch_size: int
) -> MinimalPerturbations:
    check_images(net, x, y)
    result = x.detach().clone()
    norms = x.new_full((len(x),), math.inf)
    with under_attack(net):
        model = foolbox.PyTorchModel(net, bounds=(0, 1), device=x.device)
        wrong = predictions(net, x, batch_size) != y
        norms[wrong] = 0.0
        # Without a limit on the size foolbox returns the best perturbation that it found.
        left = (~wrong).nonzero().squeeze(1)
        for part in left.split(batch_size) if len(left) else ():
            with torch.enable_grad():
                _, images, _ = attack(model, x[part], y[part], epsilons=None)
            images = images.detach()
            broken = predictions(net, images, batch_size) != y[part]
            offset = (images - x[part]).flatten(1)
            sizes = torch.linalg.vector_norm(offset, p, dim=1)
            result[part[broken]] = images[broken]
            norms[part[broken]] = sizes[broken]
            wrong[part] = broken
    return MinimalPerturbations(x=result, found=wrong, norms=norms, norm=p)


def _foolbox() -> Any:
    """Import foolbox, or say how to get it."""
    try:
        import foolbox
    except ImportError as error:
        raise ImportError("foolbox is needed: pip install 'nbsrc[attacks]'") from error
    return foolbox
