"""What a training step costs: operations counted exactly, with penalties and with adversaries."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from nbsrc.audits.finding import Case, collect
from nbsrc.claims import Finding
from nbsrc.models import build_model
from nbsrc.regularizers import (
    AdversarialTraining,
    CrossLipschitz,
    Curvature,
    InputGradient,
    JacobianPenalty,
    Regularizer,
    Threat,
)

__all__ = [
    "PENALTIES",
    "adversarial",
    "audit_cheaper",
    "audit_steps",
    "operations",
    "training_flops",
]


def adversarial(steps: int) -> AdversarialTraining:
    """Return training on points of PGD with so many steps, from the image itself.

    Args:
        steps: Number of steps.

    Returns:
        The regulariser; the clean loss does not count.
    """
    return AdversarialTraining(Threat(0.1, alpha=0.01, steps=steps, bounds=(0.0, 1.0)))


#: What makes the regulariser of a step, from a source of random directions.
PENALTIES: dict[str, Callable[[torch.Generator], Regularizer]] = {
    "plain": lambda _: Regularizer(),
    "input gradient": lambda _: InputGradient(1e-6),
    "Jacobian": lambda _: JacobianPenalty(1e-6),
    "Jacobian, 1 projection": lambda draw: JacobianPenalty(1e-6, 1, draw),
    "cross-Lipschitz": lambda _: CrossLipschitz(1e-6),
    "curvature": lambda _: Curvature(1e-6),
    "FGSM": lambda _: adversarial(1),
    "PGD, 7 steps": lambda _: adversarial(7),
    "PGD, 40 steps": lambda _: adversarial(40),
}


class _Counter(TorchDispatchMode):
    """Adds up torch's counts of every product of matrices and convolution that is executed."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        count = flop_registry.get(func.overloadpacket)
        if count is not None:
            self.total += int(count(*args, **(kwargs or {}), out_val=out))
        return out


def training_flops(model: nn.Module, x: Tensor, y: Tensor, regularizer: Regularizer) -> int:
    """Count the multiplications and additions of matrix products and convolutions in a step.

    Args:
        model: The network.
        x: Images.
        y: Labels.
        regularizer: What is added to the loss.

    Returns:
        The number, of the forward and all backward passes up to the gradients of the weights.
    """
    model.zero_grad()
    with _Counter() as counter:
        logits = model(x)
        added = regularizer.penalty(model, x, y, logits)
        loss = F.cross_entropy(logits, y)
        (loss if added is None else loss + added).backward()
    model.zero_grad()
    total: int = counter.total
    return total


def operations(
    classes: int, names: Sequence[str], *, net: str = "lenet_300_100", batch: int = 4
) -> dict[str, int]:
    """Count the operations of steps of a network for MNIST images.

    Args:
        classes: Number of classes.
        names: Names in ``PENALTIES``.
        net: Name of the network.
        batch: Images of a step.

    Returns:
        The numbers by name.
    """
    draw = torch.Generator().manual_seed(0)
    model = build_model(net, generator=draw, classes=classes)
    x = torch.rand(batch, 1, 28, 28, generator=draw)
    y = torch.zeros(batch, dtype=torch.long)
    return {name: training_flops(model, x, y, PENALTIES[name](draw)) for name in names}


def audit_steps(counts: Mapping[int, int], step: int) -> Finding:
    """Test that every step of the adversary costs the same operations.

    Args:
        counts: Operations of adversarial training by number of steps.
        step: Those of one step: a forward pass, and a backward pass to the image.

    Returns:
        The finding; the slack is minus the relative difference.
    """
    points = sorted(counts)
    cases: list[Case] = []
    for a, b in pairwise(points):
        extra = counts[b] - counts[a]
        cases.append((-abs(extra / (step * (b - a)) - 1), (b,), f"{a} to {b} steps: {extra}"))
    return collect(cases, tolerance=0.0, family="operations, exactly counted")


def audit_cheaper(
    counts: Mapping[tuple[str, int], int], limit: int, names: Sequence[str]
) -> Finding:
    """Test that steps with penalties take fewer operations than a limit.

    Args:
        counts: Operations by penalty and number of classes.
        limit: Those of adversarial training.
        names: The penalties that count.

    Returns:
        The finding; the slack is relative to the limit.
    """
    cases: list[Case] = [
        (1 - count / limit, (classes, number),
         f"{name}, {classes} classes: {count / limit:.2f} of the adversary's operations")
        for number, ((name, classes), count) in enumerate(counts.items())
        if name in names
    ]  # fmt: skip
    return collect(cases, tolerance=0.0, family=f"{len(names)} penalties")
