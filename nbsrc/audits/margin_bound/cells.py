"""What happens inside one ball of the cover: eqs. (8), (15), (16) and the two cases."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from nbsrc.audits.connections.compare import audit_at_most, audit_true
from nbsrc.audits.margin_bound.networks import Example
from nbsrc.claims import Finding
from nbsrc.margins import loss_term, ramp_loss

__all__ = [
    "Ball",
    "audit_bound_of_losses",
    "audit_case_two",
    "audit_cases",
    "audit_slow",
    "audit_variation",
    "balls",
]


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


def audit_bound_of_losses(cells: Iterable[Ball], factor: float = 1.0) -> Finding:
    """Test ``l <= max(0, 1 - u^i / gamma) <= max(0, 1 - u / gamma)`` in correct cells.

    Args:
        cells: Balls with correct examples only.
        factor: Factor of the minimal margin.

    Returns:
        The finding; u is the smaller one of u^i and 1, as if another cell had the margin 1.
    """

    def excess(b: Ball) -> float:
        own, all_cells = factor * b.u_min, factor * min(b.u_min, 1.0)
        first, second = loss_term(own, b.gamma), loss_term(all_cells, b.gamma)
        return max(float(b.losses.max()) - first, first - second)

    return audit_at_most(
        [b for b in cells if all(b.right)], excess, lambda _: 0.0, tolerance=1e-12,
        family="cells with correct examples, true minimal margin",
    )  # fmt: skip


def audit_variation(
    cells: Iterable[Ball],
    variation: Callable[[Ball], float] = lambda b: b.variation,
    *,
    factor: float = 1.0,
    by_label: bool = False,
) -> Finding:
    """Test that losses in a cell differ by at most ``max(0, 1 - u_min / gamma)``.

    Args:
        cells: The balls.
        variation: The difference that is meant.
        factor: Factor of the minimal margin.
        by_label: Whether each label in a ball is a cell of its own.

    Returns:
        The finding; u_min is the smallest true margin of a correctly classified example.
    """
    chosen = [part for b in cells for part in b.parts()] if by_label else cells
    return audit_at_most(
        chosen, variation, lambda b: max(0.0, 1 - factor * b.u_min / b.gamma), tolerance=1e-12,
        family="up to three examples in a ball, whole score gaps",
    )  # fmt: skip


def audit_cases(cells: Iterable[Ball], *, by_label: bool = False) -> Finding:
    """Test that the training examples of a cell are all right or all wrong.

    Args:
        cells: The balls.
        by_label: Whether each label in a ball is a cell of its own.

    Returns:
        The finding.
    """

    def one_case(b: Ball) -> bool:
        return len({r for r, s in zip(b.right, b.seen, strict=True) if s}) == 1

    chosen = [part for b in cells for part in b.parts()] if by_label else cells
    return audit_true(chosen, one_case, family="training examples in a ball, predicted class 1")


def audit_case_two(
    cells: Iterable[Ball], statement: Callable[[Ball], bool], *, by_label: bool = False
) -> Finding:
    """Test a statement on the cells whose training examples are all wrong.

    Args:
        cells: The balls.
        statement: The statement.
        by_label: Whether each label in a ball is a cell of its own.

    Returns:
        The finding.
    """
    chosen = [part for b in cells for part in b.parts()] if by_label else cells
    wrong = [b for b in chosen if not any(r and s for r, s in zip(b.right, b.seen, strict=True))]
    return audit_true(wrong, statement, family="balls whose training examples are all wrong")


def audit_slow(examples: Iterable[Example], gamma: float, bound: float | None = None) -> Finding:
    """Test that robustness keeps the margin's change in a ball within ``gamma - u_min``.

    Args:
        examples: Robust examples whose support is one ball.
        gamma: Width of the ramp.
        bound: Another bound of the change.

    Returns:
        The finding.
    """

    def change(e: Example) -> float:
        u = e.margin(e.points)
        return float(u.max() - u.min())

    def allowed(e: Example) -> float:
        return gamma * loss_term(float(e.margin(e.points).min()), gamma)

    return audit_at_most(
        examples, change, allowed if bound is None else lambda _: bound, tolerance=1e-9,
        family="robust networks, inputs in one ball",
    )  # fmt: skip
