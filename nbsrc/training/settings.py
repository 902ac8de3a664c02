"""The numbers of one training run."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["PRECISIONS", "TrainingSettings"]

#: In what the logits of a training step may be computed.
PRECISIONS = ("float32", "bfloat16")


@dataclass(frozen=True)
class TrainingSettings:
    """The numbers of one training run.

    Attributes:
        epochs: Passes over the training images.
        batch_size: Images per step; the last batch of an epoch may be smaller.
        learning_rate: Step size.
        momentum: Momentum of SGD, in [0, 1).
        weight_decay: Factor of the squared norm of all parameters, as torch's SGD applies it.
        clip_gradient: Bound of the total 2-norm of the gradient that SGD gets, after all edits of a
            regulariser and before weight decay; None for none.
        precision: ``"float32"`` computes in the weights' own type and in torch's way, which is TF32
            for convolutions on some GPUs; ``"bfloat16"`` computes the training steps' logits under
            autocast. Weights, losses, the optimiser and all evaluation stay in the weights' type.
        channels_last: Whether images and convolutions lie channels last in memory, which is faster
            on a GPU in bfloat16.
        deterministic: Whether torch may use deterministic algorithms only, so that a GPU repeats
            its numbers; a network for which it has none is an error. On a CPU they repeat anyway.
    """

    epochs: int
    batch_size: int = 64
    learning_rate: float = 0.05
    momentum: float = 0.9
    weight_decay: float = 0.0
    clip_gradient: float | None = None
    precision: str = "float32"
    channels_last: bool = False
    deterministic: bool = False

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            TypeError: If a number is none, or a switch is not true or false.
            ValueError: If a number is out of range.
        """
        for name in ("epochs", "batch_size"):
            _check_type(name, getattr(self, name), int, "an integer")
        for name in ("learning_rate", "momentum", "weight_decay"):
            _check_type(name, getattr(self, name), (int, float), "a number")
        if self.epochs < 0:
            raise ValueError(f"epochs must be at least 0, got {self.epochs}")
        if self.batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {self.batch_size}")
        if not 0 < self.learning_rate < math.inf:
            raise ValueError(f"learning_rate must be positive, got {self.learning_rate}")
        if not 0 <= self.momentum < 1:
            raise ValueError(f"momentum must be in [0, 1), got {self.momentum}")
        if not 0 <= self.weight_decay < math.inf:
            raise ValueError(f"weight_decay must be at least 0, got {self.weight_decay}")
        if self.clip_gradient is not None and not 0 < self.clip_gradient < math.inf:
            raise ValueError(f"clip_gradient must be positive or None, got {self.clip_gradient}")
        if self.precision not in PRECISIONS:
            raise ValueError(f"precision must be one of {PRECISIONS}, got {self.precision!r}")
        for name in ("channels_last", "deterministic"):
            if not isinstance(getattr(self, name), bool):
                raise TypeError(f"{name} must be true or false, got {getattr(self, name)!r}")


def _check_type(name: str, value: object, kind: type | tuple[type, ...], words: str) -> None:
    """Refuse a value of another type; true and false are no numbers.

    Raises:
        TypeError: If it is of another type.
    """
    if isinstance(value, bool) or not isinstance(value, kind):
        raise TypeError(f"{name} must be {words}, got {value!r}")
