"""The papers' schedules of the learning rate."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

import torch

__all__ = ["InverseDecay", "Schedule", "StepDecay", "set_rate"]


class Schedule(Protocol):
    """Anything that says the learning rate of the next step."""

    def rate(self, base: float, epoch: int, step: int) -> float:
        """The learning rate.

        Args:
            base: The rate of the settings.
            epoch: Finished epochs.
            step: Finished steps of all epochs.

        Returns:
            The rate of the next step.
        """
        ...


@dataclass(frozen=True)
class StepDecay:
    """Division of the rate by a factor after certain epochs (papers A, B, C) or steps (paper D).

    Attributes:
        milestones: After how many epochs or steps to divide, in increasing order.
        divide_by: The factor.
        unit: What the milestones count, ``"epochs"`` or ``"steps"``.

    Example:
        >>> schedule = StepDecay((75, 90, 100))
        >>> [schedule.rate(0.01, epoch, 0) for epoch in (74, 75, 90)]
        [0.01, 0.001, 0.0001]
    """

    milestones: tuple[int, ...]
    divide_by: float = 10.0
    unit: Literal["epochs", "steps"] = "epochs"

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            TypeError: If the milestones are no integers.
            ValueError: If one is out of range.
        """
        given: object = self.milestones
        if isinstance(given, str) or not isinstance(given, Iterable):
            raise TypeError(f"milestones must be a list of integers, got {given!r}")
        numbers = tuple(self.milestones)
        if not all(isinstance(n, int) for n in numbers):
            raise TypeError(f"milestones must be integers, got {numbers}")
        object.__setattr__(self, "milestones", numbers)
        if list(numbers) != sorted(set(numbers)) or (numbers and numbers[0] < 1):
            raise ValueError(f"milestones must be positive and increase, got {numbers}")
        if not 0 < self.divide_by < math.inf:
            raise ValueError(f"divide_by must be positive, got {self.divide_by}")
        if self.unit not in {"epochs", "steps"}:
            raise ValueError(f"unit must be 'epochs' or 'steps', got {self.unit!r}")

    def rate(self, base: float, epoch: int, step: int) -> float:
        """The learning rate.

        Args:
            base: The rate of the settings.
            epoch: Finished epochs.
            step: Finished steps of all epochs.

        Returns:
            ``base`` divided once for every milestone that has been reached.
        """
        done = epoch if self.unit == "epochs" else step
        passed = sum(milestone <= done for milestone in self.milestones)
        return float(base / self.divide_by**passed)


@dataclass(frozen=True)
class InverseDecay:
    """Caffe's policy "inv": the rate times (1 + gamma t)^(-power) after t steps.

    The defaults are those of Caffe's LeNet, whose training policy paper D uses for MNIST.

    Attributes:
        gamma: Speed of the decay.
        power: Its exponent.
    """

    gamma: float = 1e-4
    power: float = 0.75

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            ValueError: If one is negative or not finite.
        """
        for name in ("gamma", "power"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be at least 0, got {getattr(self, name)}")

    def rate(self, base: float, epoch: int, step: int) -> float:
        """The learning rate.

        Args:
            base: The rate of the settings.
            epoch: Not needed here.
            step: Finished steps of all epochs.

        Returns:
            The rate of the next step.
        """
        return float(base * (1 + self.gamma * step) ** -self.power)


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of all parameters.

    Args:
        optimizer: The optimiser.
        rate: The rate.
    """
    for group in optimizer.param_groups:
        group["lr"] = rate
