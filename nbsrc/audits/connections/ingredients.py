"""The ingredients nu, mu and p: what they bound, and how far they can be chosen freely."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from nbsrc.audits.connections.instances import Instance
from nbsrc.audits.finding import Case, collect
from nbsrc.claims import Finding

__all__ = [
    "Target",
    "audit_inputs_differ",
    "audit_lipschitz",
    "audit_reachable",
    "targets",
]


def audit_lipschitz(
    instances: Iterable[Instance],
    seed: int,
    quantity: Callable[[Tensor], Tensor],
    constant: Callable[[Instance], float],
    direction: Callable[[Instance], Tensor] | None = None,
) -> Finding:
    """Test ``|q(g(x + r)) - q(g(x))| <= constant |r|`` in the region, with equality on request.

    Args:
        instances: Instances.
        seed: Seed of five random steps per instance.
        quantity: What is taken of the logits, such as their difference.
        constant: The Lipschitz constant.
        direction: A direction in which equality is asked for.

    Returns:
        The finding; relative slack.
    """
    generator = torch.Generator().manual_seed(seed)

    def growth(x: Instance, r: Tensor) -> float:
        change = quantity(x.logits(r)) - quantity(x.logits())
        return float(torch.linalg.vector_norm(change) / r.norm())

    def cases() -> Iterator[Case]:
        for x in instances:
            steps = torch.randn(5, len(x.x), generator=generator, dtype=torch.float64)
            value = constant(x)
            slack = min(value - growth(x, r) for r in steps)
            if direction is not None and direction(x).any():
                slack = min(slack, -abs(value - growth(x, direction(x))))
            yield slack / max(value, 1e-6), x.size, x.description

    return collect(cases(), tolerance=1e-8, family="steps inside the region")


@dataclass(frozen=True)
class Target:
    """Can a point x have probability ``sigma(margin)`` under a bias-free map with this nu?

    Attributes:
        x: The point.
        nu: Length of ``v_+ - v_-``.
        margin: The margin asked for.
    """

    x: tuple[float, ...]
    nu: float
    margin: float

    @property
    def size(self) -> tuple[int, ...]:
        """Dimension, whole numbers before others, sum of the numbers."""
        numbers = [*self.x, self.nu, self.margin]
        return len(self.x), int(any(v != round(v) for v in numbers)), int(sum(map(abs, numbers)))

    @property
    def description(self) -> dict[str, Any]:
        """The numbers."""
        return {"x": list(self.x), "nu": self.nu, "margin asked for": self.margin}


def targets(count: int, seed: int) -> Iterator[Target]:
    """Yield whole-number targets in one dimension and random ones in two to four.

    Args:
        count: How many random ones.
        seed: Seed.

    Yields:
        The targets.
    """
    for nu in (1.0, 2.0):
        for margin in (1.0, 2.0, 3.0):
            yield Target((1.0,), nu, margin)
    g = torch.Generator().manual_seed(seed)
    for number in range(count):
        x = torch.randn(2 + number % 3, generator=g, dtype=torch.float64)
        nu, margin = (4 * torch.rand(2, generator=g, dtype=torch.float64)).tolist()
        yield Target(tuple(x.tolist()), nu, margin)


def audit_reachable(cases_: Iterable[Target], *, within_reach: bool) -> Finding:
    """Test that a map with the given nu and the wanted margin at x exists, and build it.

    The difference ``v_+ - v_-`` is turned from the direction of x by the angle whose cosine is
    ``margin / (nu |x|)``; where that is above 1, no direction comes nearer than that of x.

    Args:
        cases_: The targets.
        within_reach: Only ask for margins up to ``nu |x|`` (in one dimension: equal to it).

    Returns:
        The finding; the slack is minus the distance of the nearest margin.
    """

    def nearest(t: Target) -> float:
        x = torch.tensor(t.x, dtype=torch.float64)
        length = float(x.norm())
        cosine = min(1.0, t.margin / (t.nu * length)) if len(t.x) > 1 else 1.0
        aside = torch.zeros_like(x)
        if len(t.x) > 1:
            aside[int(x.abs().argmin())] = 1.0
            aside = aside - (aside @ x) / length**2 * x
            aside = aside / aside.norm()
        a = t.nu * (cosine * x / length + math.sqrt(1 - cosine**2) * aside)
        return float(a @ x)

    def cases() -> Iterator[Case]:
        for t in cases_:
            reach = t.nu * math.hypot(*t.x)
            if within_reach and (t.margin > reach or (len(t.x) == 1 and t.margin != reach)):
                continue
            shown = {**t.description, "largest margin": reach}
            yield -abs(nearest(t) - t.margin), t.size, shown

    return collect(cases(), tolerance=1e-9, family="one whole-number and several random points")


def audit_inputs_differ(instances: Iterable[Instance], steps: Callable[[Instance], Tensor]
                        ) -> Finding:  # fmt: skip
    """Test footnote 1: with one V, another input has another probability.

    Args:
        instances: Instances with a gradient.
        steps: The step to the other input.

    Returns:
        The finding; the slack is the change of the margin, or -1 where there is none.
    """

    def cases() -> Iterator[Case]:
        for x in instances:
            other = Instance(x.V, x.x + steps(x), x.label)
            change = abs(other.margin - x.margin)
            yield (change if change > 1e-9 else -1.0), x.size, x.description

    return collect(cases(), tolerance=0, family="pairs of inputs of one linear network")
