"""Examples in one ball of the cover, and all small balls: gaps of scores, labels, the sample."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from nbsrc.margins import ramp_loss

__all__ = ["Ball", "balls"]


@dataclass(frozen=True, eq=False)
class Ball:
    """Examples in one ball, on which a robust classifier predicts the class 1.

    Attributes:
        gaps: Score of class 1 minus that of class 2, not negative ``[n]``.
        labels: Labels, 1 or 2 ``[n]``.
        seen: Which examples belong to the sample.
        gamma: Width of the ramp.
    """

    gaps: tuple[int, ...]
    labels: tuple[int, ...]
    seen: tuple[bool, ...]
    gamma: float = 2.0

    @cached_property
    def margins(self) -> Tensor:
        """The true margins."""
        sign = [1.0 if y == 1 else -1.0 for y in self.labels]
        return torch.tensor(self.gaps, dtype=torch.float64) * torch.tensor(sign).double()

    @cached_property
    def losses(self) -> Tensor:
        """The ramp losses."""
        return ramp_loss(-self.margins, self.gamma)

    @cached_property
    def right(self) -> tuple[bool, ...]:
        """Whether the predicted class is the label."""
        return tuple(y == 1 for y in self.labels)

    @cached_property
    def u_all(self) -> float:
        """The smallest true margin of all examples, negative if one is wrong."""
        return float(self.margins.min())

    @cached_property
    def case_one(self) -> bool:
        """Case 1 of the proof: all training examples are right."""
        return all(r for r, s in zip(self.right, self.seen, strict=True) if s)

    @cached_property
    def u_min(self) -> float:
        """The smallest true margin of a correctly classified example; infinite if none is."""
        return min((float(g) for g, r in zip(self.gaps, self.right, strict=True) if r),
                   default=float("inf"))  # fmt: skip

    def parts(self) -> Iterator[Ball]:
        """Yield the cells (ball, label) that hold an example of the sample."""
        for y in (1, 2):
            chosen = [i for i, label in enumerate(self.labels) if label == y]
            if any(self.seen[i] for i in chosen):
                yield Ball(
                    tuple(self.gaps[i] for i in chosen),
                    (y,) * len(chosen),
                    tuple(self.seen[i] for i in chosen),
                    self.gamma,
                )

    @cached_property
    def variation(self) -> float:
        """The largest difference of two losses."""
        return float(self.losses.max() - self.losses.min())

    @cached_property
    def training_variation(self) -> float:
        """The largest difference of the loss of a training example and any other (Def. 8)."""
        mine = self.losses[torch.tensor(self.seen)]
        return float((mine[:, None] - self.losses).abs().max())

    @cached_property
    def size(self) -> tuple[int, ...]:
        """The number of examples, then of distinct gaps, then the gaps."""
        return len(self.gaps), len(set(self.gaps)), sum(self.gaps)

    @cached_property
    def description(self) -> dict[str, Any]:
        """The scores' gaps, labels and the sample."""
        return {"gaps": list(self.gaps), "labels": list(self.labels),
                "in the sample": list(self.seen), "gamma": self.gamma}  # fmt: skip


def balls(most: int = 3, gaps: tuple[int, ...] = (0, 1, 2, 3)) -> Iterator[Ball]:
    """Yield all balls with a few examples and whole gaps; at least one is in the sample.

    Args:
        most: Largest number of examples.
        gaps: The gaps.

    Yields:
        The balls; examples in every order once.
    """
    kinds = list(itertools.product(gaps, (1, 2), (True, False)))
    for n in range(1, most + 1):
        for chosen in itertools.combinations_with_replacement(kinds, n):
            g, y, s = zip(*chosen, strict=True)
            if any(s):
                yield Ball(g, y, s)
