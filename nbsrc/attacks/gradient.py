r"""Gradient attacks on images: projected gradient descent with restarts, and its one-step form.

Source: equations (15)-(18) of Roth, Kilcher & Hofmann (2020); with :math:`p = \infty` the attacks
of Madry et al. (2018), and with one step from the image itself the fast gradient sign method of
Goodfellow et al. (2015).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nbsrc.attacks._arguments import (
    check_counts,
    check_images,
    check_numbers,
    check_seed,
    predictions,
    under_attack,
)
from nbsrc.attacks.accuracy import RobustAccuracy
from nbsrc.operator_norm import AttackLoss, CrossEntropy, pga, uniform_in_ball

__all__ = ["AttackResult", "fgsm", "pgd"]

#: Makes the loss of a batch from its labels.
LossOf = Callable[[Tensor], AttackLoss]
PIXELS = (0.0, 1.0)
Bounds = tuple[float, float] | None


@dataclass(frozen=True, eq=False)
class AttackResult:
    """What an attack found.

    Attributes:
        x: The perturbed images; where the attack failed, its last attempt.
        broken: Whether the network is wrong at ``x``, checked by a forward pass, ``[batch]``.
        accuracy: Accuracy under this attack.
    """

    x: Tensor
    broken: Tensor
    accuracy: RobustAccuracy


def pgd(
    net: nn.Module, x: Tensor, y: Tensor, eps: float, p: float = math.inf, *,
    steps: int = 10, alpha: float | None = None, restarts: int = 1, loss: LossOf = CrossEntropy,
    seed: int = 0, batch_size: int = 250, bounds: Bounds = PIXELS,
) -> AttackResult:  # fmt: skip
    r"""Projected gradient descent in the lp ball and in the pixel box, with random restarts.

    .. math:: x_k = \mathrm{clip}_{[0,1]}\,\Pi_{B_\epsilon(x)}(x_{k-1} + \alpha v_k)

    with the direction :math:`v_k` of (18); without ``bounds`` nothing is clipped. Clipping moves
    every pixel towards its clean value or not at all, so the iterate stays in the ball for every
    p. The first attempt that the network gets wrong counts; restarts attack only what is left.

    Args:
        net: The network, any mode; it is attacked in evaluation mode and left as it was.
        x: Images between the bounds, ``[batch, *input]``.
        y: Labels, ``[batch]``.
        eps: Largest perturbation, at least 0.
        p: 1, 2 or infinity.
        steps: Iterations per restart.
        alpha: Step size; by default ``2.5 * eps / steps``; may be infinite.
        restarts: Number of uniform random starts.
        loss: Makes the loss from labels; by default the cross-entropy.
        seed: Seed of the starts.
        batch_size: Images per batch.
        bounds: Smallest and largest value of a pixel; None for images without, such as
            standardised ones.

    Returns:
        The attack.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range, see also :func:`nbsrc.operator_norm.pga`.
    """
    check_images(net, x, y, bounds)
    check_counts(steps=steps, restarts=restarts, batch_size=batch_size)
    check_numbers(eps=eps, alpha=0.0 if alpha is None else alpha)
    step = 2.5 * eps / steps if alpha is None else alpha
    generator = torch.Generator(device="cpu").manual_seed(check_seed(seed))

    def attempt(images: Tensor, labels: Tensor) -> Tensor:
        start = uniform_in_ball(images.cpu(), eps, p, generator).to(images.device)
        start = start if bounds is None else start.clamp(*bounds)
        return pga(
            net, images, eps, p, loss(labels), step, steps, start, bounds=bounds, on_zero="keep"
        ).x

    words = f"PGD, {steps} steps of {step:.4g}, {restarts} random start(s)"
    return _attack(net, x, y, attempt, restarts, batch_size, words, (p, eps, seed))


def fgsm(
    net: nn.Module, x: Tensor, y: Tensor, eps: float, p: float = math.inf, *,
    loss: LossOf = CrossEntropy, batch_size: int = 250, bounds: Bounds = PIXELS,
) -> AttackResult:  # fmt: skip
    r"""One step of size :math:`\epsilon` from the image itself along the lp-steepest direction.

    Args:
        net: The network, any mode; it is left as it was.
        x: Images between the bounds, ``[batch, *input]``.
        y: Labels, ``[batch]``.
        eps: Largest perturbation, at least 0.
        p: 1, 2 or infinity (the sign method).
        loss: Makes the loss from labels; by default the cross-entropy.
        batch_size: Images per batch.
        bounds: As in :func:`pgd`.

    Returns:
        The attack.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range.
    """
    check_images(net, x, y, bounds)

    def attempt(images: Tensor, labels: Tensor) -> Tensor:
        return pga(
            net, images, eps, p, loss(labels), eps, 1, images, bounds=bounds, on_zero="keep"
        ).x

    return _attack(net, x, y, attempt, 1, batch_size, "FGSM", (p, eps, 0))


def _attack(
    net: nn.Module, x: Tensor, y: Tensor, attempt: Callable[[Tensor, Tensor], Tensor],
    attempts: int, batch_size: int, words: str, what: tuple[float, float, int],
) -> AttackResult:  # fmt: skip
    """Attack all points until they break or the attempts are used up."""
    p, eps, seed = what
    if not 0 <= eps < math.inf:
        raise ValueError(f"eps must be at least 0 and finite, got {eps!r}")
    found = x.detach().clone()
    with under_attack(net):
        wrong = predictions(net, x, batch_size) != y
        clean = int((~wrong).sum())
        for _ in range(attempts):
            left = (~wrong).nonzero().squeeze(1)
            for part in left.split(batch_size) if len(left) else ():
                found[part] = attempt(x[part], y[part])
                wrong[part] = predictions(net, found[part], batch_size) != y[part]
    correct = int((~wrong).sum())
    accuracy = RobustAccuracy(
        attack=words, norm=float(p), eps=float(eps), points=len(x), correct=correct,
        clean_correct=clean, seed=seed,
    )  # fmt: skip
    return AttackResult(x=found, broken=wrong, accuracy=accuracy)
