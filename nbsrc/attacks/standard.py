"""AutoAttack (Croce & Hein 2020) through pyautoattack, safe for the networks of this project.

The attack ensemble itself expects images of three axes, at least ten classes, float32 and a
network in evaluation mode, seeds itself from the clock, and its check of dynamic defences removes
the tracer of debuggers and coverage. This adapter takes care of each; see
:func:`nbsrc.attacks.auto_attack`.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from nbsrc.attacks._arguments import check_images, check_seed, predictions, under_attack
from nbsrc.attacks.accuracy import RobustAccuracy
from nbsrc.attacks.gradient import AttackResult

__all__ = ["auto_attack", "ensemble"]

NORMS = {1.0: "L1", 2.0: "L2", math.inf: "Linf"}
#: Square needs images of at least this height and width.
LEAST_SIDE = 5


class _Wrapped(nn.Module):
    """A network that takes float32 images with three axes and returns float32 logits.

    Square divides the height by 5, so inputs that are flat, or lower or narrower than that, are
    folded row by row into an image that is nearly square; what is left of its last rows has no
    effect on the network.
    """

    def __init__(self, net: nn.Module, x: Tensor) -> None:
        super().__init__()
        self.net, self.shape, self.dtype = net, tuple(x.shape[1:]), x.dtype
        self.size = math.prod(self.shape)
        self.folded = len(self.shape) < 3 or min(self.shape[1:]) < LEAST_SIDE
        self.width = max(LEAST_SIDE, math.ceil(math.sqrt(self.size)))
        self.height = max(LEAST_SIDE, math.ceil(self.size / self.width))

    def fold(self, x: Tensor) -> Tensor:
        """Make float32 images with three axes of the network's inputs.

        Args:
            x: ``[batch, *input]``.

        Returns:
            ``[batch, channels, height, width]``.
        """
        if not self.folded:
            return x.float()
        images = x.new_zeros(len(x), self.height * self.width, dtype=torch.float32)
        images[:, : self.size] = x.flatten(1).float()
        return images.reshape(-1, 1, self.height, self.width)

    def unfold(self, images: Tensor) -> Tensor:
        """The inverse of :meth:`fold`, in the network's dtype.

        Args:
            images: ``[batch, channels, height, width]``.

        Returns:
            ``[batch, *input]``.
        """
        used = images.flatten(1)[:, : self.size]
        return used.reshape(-1, *self.shape).to(self.dtype)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the network.

        Args:
            x: ``[batch, channels, height, width]``.

        Returns:
            ``[batch, classes]``.
        """
        logits: Tensor = self.net(self.unfold(x))
        return logits.float()


def ensemble(
    net: nn.Module, classes: int, eps: float, p: float, seed: int, device: torch.device | str
) -> Any:
    """The attacks with the parameters of the published standard version, as far as they exist.

    Standard: APGD-CE, APGD-T and FAB-T with 9 targets (APGD-T in l1: 5), 100 iterations each, and
    Square with 5,000 queries. With C classes there are C - 1 targets at most. The targeted DLR loss
    of APGD-T divides by a difference that involves the fourth largest logit, so with 3 classes or
    fewer APGD-T is left out.

    Args:
        net: A network on images with three axes.
        classes: Number of classes C, at least 2.
        eps: Largest perturbation.
        p: 1, 2 or infinity.
        seed: Seed.
        device: Device of the images.

    Returns:
        A ``pyautoattack.AutoAttack``.

    Raises:
        ImportError: If pyautoattack is not installed.
    """
    try:
        from pyautoattack import AutoAttack
    except ImportError as error:
        raise ImportError("pyautoattack is needed: pip install 'nbsrc[attacks]'") from error
    attack = AutoAttack(net, norm=NORMS[float(p)], eps=eps, seed=seed, device=device)
    attack.apgd_targeted.n_target_classes = min(attack.apgd_targeted.n_target_classes, classes - 1)
    attack.fab.n_target_classes = min(attack.fab.n_target_classes, classes - 1)
    if classes < 4:
        attack.attacks_to_run = [name for name in attack.attacks_to_run if name != "apgd-t"]
    return attack


def auto_attack(
    net: nn.Module, x: Tensor, y: Tensor, eps: float, p: float = math.inf, *,
    seed: int = 0, batch_size: int = 250,
) -> AttackResult:  # fmt: skip
    """The standard version of AutoAttack, for any number of classes, input shape and float dtype.

    Attacks run in float32; whether a point is broken is decided by the network in its own dtype.
    Flat and very small inputs are folded into an image for Square. What the network and the process
    had before is restored: modes, buffers, random states, gradients, the tracer.

    Args:
        net: The network, any mode; it is attacked in evaluation mode and left as it was.
        x: Images in [0, 1], ``[batch, *input]`` with one to three input axes.
        y: Labels, ``[batch]``.
        eps: Largest perturbation, greater than 0.
        p: 1, 2 or infinity.
        seed: Seed of all attacks.
        batch_size: Images per batch.

    Returns:
        The attack; ``accuracy.details`` names the attacks that ran and the number of targets.

    Raises:
        ImportError: If pyautoattack is not installed.
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range.
    """
    check_images(net, x, y)
    if p not in NORMS:
        raise ValueError(f"p must be 1, 2 or infinity, got {p!r}")
    if not 0 < eps < math.inf:
        raise ValueError(f"eps must be positive and finite, got {eps!r}")
    if x.ndim > 4:
        raise ValueError(f"x must have one to three input axes, got shape {tuple(x.shape)}")
    check_seed(seed)
    with under_attack(net):
        right = predictions(net, x, batch_size) == y
        classes = int(net(x[:1]).shape[1])
        if bool(((y < 0) | (y >= classes)).any()):
            raise ValueError(f"y must be between 0 and {classes - 1}, got {y.unique().tolist()}")
        wrapped = _Wrapped(net, x).eval()
        attack = ensemble(wrapped, classes, eps, p, seed, x.device)
        found = x.detach().clone()
        broken = ~right
        attacked = right.nonzero().squeeze(1)
        if len(attacked):
            moved, _ = attack.run_standard_evaluation(
                wrapped.fold(x.detach()[attacked]), y[attacked], batch_size=batch_size
            )
            found[attacked] = wrapped.unfold(moved)
            broken[attacked] = predictions(net, found[attacked], batch_size) != y[attacked]
    accuracy = RobustAccuracy(
        attack="AutoAttack, standard version", norm=float(p), eps=float(eps), points=len(x),
        correct=int((~broken).sum()), clean_correct=int(right.sum()), seed=seed,
        details={
            "attacks": list(attack.attacks_to_run), "classes": classes,
            "targets_apgd_t": attack.apgd_targeted.n_target_classes,
            "targets_fab_t": attack.fab.n_target_classes,
        },
    )  # fmt: skip
    return AttackResult(x=found, broken=broken, accuracy=accuracy)
