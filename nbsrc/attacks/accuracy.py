"""Accuracy under attack, stated with attack, norm, size, number of points, seed and interval."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from scipy import stats

__all__ = ["RobustAccuracy", "accuracy_interval"]


@dataclass(frozen=True)
class RobustAccuracy:
    """How many points an attack left correctly classified.

    A point counts as correct if it is classified correctly and the attack did not change that. The
    value is an upper estimate of the robust accuracy on these points: another attack may do better.

    Attributes:
        attack: The attack and its settings in words.
        norm: The order of the norm that limits the perturbation.
        eps: The largest perturbation.
        points: Number of points attacked, wrongly classified ones included.
        correct: Points still classified correctly.
        clean_correct: Points classified correctly without attack.
        seed: The seed of the attack's random numbers.
        details: Further numbers, such as the accuracy after each part of an ensemble.
    """

    attack: str
    norm: float
    eps: float
    points: int
    correct: int
    clean_correct: int
    seed: int
    details: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse counts that cannot be.

        Raises:
            ValueError: If not ``0 <= correct <= clean_correct <= points``, or no point is given.
        """
        if not 0 <= self.correct <= self.clean_correct <= self.points or self.points < 1:
            raise ValueError(
                "counts must satisfy 0 <= correct <= clean_correct <= points and points >= 1, got "
                f"{self.correct}, {self.clean_correct}, {self.points}"
            )

    @property
    def value(self) -> float:
        """The share of points still classified correctly."""
        return self.correct / self.points

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of :func:`accuracy_interval` for this share."""
        return accuracy_interval(self.correct, self.points)

    def as_dict(self) -> dict[str, Any]:
        """Return everything as JSON values; an infinite norm is written ``"inf"``.

        Returns:
            The fields, and ``value`` and ``interval``.
        """
        low, high = self.interval
        return {
            "attack": self.attack,
            "norm": "inf" if math.isinf(self.norm) else self.norm,
            "eps": self.eps,
            "points": self.points,
            "correct": self.correct,
            "clean_correct": self.clean_correct,
            "seed": self.seed,
            "value": self.value,
            "interval": [low, high],
            "details": dict(self.details),
        }


def accuracy_interval(correct: int, points: int, level: float = 0.95) -> tuple[float, float]:
    """The exact binomial confidence interval of a share (Clopper & Pearson 1934).

    It covers the accuracy on the distribution that the points were drawn from, if they were drawn
    independently and the network did not see them. It says nothing about another seed of training.

    Args:
        correct: Successes.
        points: Trials, at least 1.
        level: The confidence level, strictly between 0 and 1.

    Returns:
        The lower and upper end.

    Raises:
        ValueError: If the counts are not ``0 <= correct <= points``, there are no points, or the
            level is not between 0 and 1.

    Example:
        >>> [round(end, 4) for end in accuracy_interval(10, 10)]
        [0.6915, 1.0]
    """
    if points < 1 or not 0 <= correct <= points:
        raise ValueError(f"correct must be between 0 and points >= 1, got {correct} of {points}")
    if not 0 < level < 1:
        raise ValueError(f"level must be strictly between 0 and 1, got {level}")
    found = stats.binomtest(correct, points).proportion_ci(level, method="exact")
    return float(found.low), float(found.high)
