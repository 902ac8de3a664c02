"""What a training step costs: operations counted exactly, with penalties and with adversaries."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from nbsrc.audits.finding import Case, collect
from nbsrc.claims import Finding
from nbsrc.regularizers import (
    AdversarialTraining,
    CrossLipschitz,
    Curvature,
    InputGradient,
    JacobianPenalty,
    Regularizer,
    Threat,
)

__all__ = ["PENALTIES", "adversarial", "audit_cheaper", "audit_costs", "training_flops"]


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


def audit_costs(counts: Mapping[tuple[str, int], int], steps: Mapping[int, int]) -> Finding:
    """Test that costs grow as they are said to: by the same for every class and every step.

    Args:
        counts: Operations by penalty and number of classes, for at least three numbers in
            arithmetic progression; beside the penalty's own, the network's last layer grows.
        steps: Operations of adversarial training by number of steps, at least three.

    Returns:
        The finding; the slack is minus the relative second difference.
    """
    cases: list[Case] = []
    lines: dict[str, dict[int, int]] = {"adversarial training": dict(steps)}
    for (name, classes), count in counts.items():
        lines.setdefault(name, {})[classes] = count
    for place, (name, line) in enumerate(lines.items()):
        points = sorted(line)
        for a, b, c in zip(points, points[1:], points[2:], strict=False):
            bend = (line[c] - line[b]) * (b - a) - (line[b] - line[a]) * (c - b)
            words = f"{name}: {line[a]}, {line[b]}, {line[c]} operations at {a}, {b}, {c}"
            cases.append((-abs(bend) / line[c], (place, a), words))
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
