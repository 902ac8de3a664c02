"""The ingredients nu, mu and p, and the inequalities between the penalties (two classes)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from nbsrc.audits.connections.compare import audit_at_most, combine
from nbsrc.audits.connections.instances import Instance
from nbsrc.audits.finding import Case, collect
from nbsrc.claims import Finding
from nbsrc.perturbation import binary_penalties

__all__ = [
    "Target",
    "audit_descent_lowers_nu",
    "audit_eq12",
    "audit_inputs_differ",
    "audit_lipschitz",
    "audit_penalty_chain",
    "audit_reachable",
    "targets",
]

TOLERANCE = 1e-10
TWO = "two classes, columns of every kind"


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


def audit_penalty_chain(instances: Iterable[Instance], factor: float = 0.5) -> Finding:
    """Test ``(1 - p)^2 nu^2 <= p (1 - p) nu^2 <= mu^2 / 2``.

    Args:
        instances: Two-class instances.
        factor: What stands for 1/2; a smaller number plants an error.

    Returns:
        The finding.
    """
    cases = [(x, binary_penalties(x.p, x.V)) for x in instances]
    found = {id(x): values for x, values in cases}
    every = [x for x, _ in cases]
    return combine(
        audit_at_most(
            every, lambda x: float(found[id(x)].input_gradient),
            lambda x: float(found[id(x)].curvature), tolerance=TOLERANCE, family=TWO,
        ),
        audit_at_most(
            every, lambda x: float(found[id(x)].curvature),
            lambda x: factor * float(found[id(x)].jacobian), tolerance=TOLERANCE, family=TWO,
        ),
        family=TWO,
    )  # fmt: skip


def audit_eq12(instances: Iterable[Instance], weight: float = 1.0) -> Finding:
    """Test eq. (12): ``nu^2/2 <= |v_+|^2/2 + |v_+ . v_-| + |v_-|^2/2 <= mu^2``.

    Args:
        instances: Two-class instances.
        weight: Factor of the middle term's product; anything but 1 plants an error.

    Returns:
        The finding.
    """

    def middle(x: Instance) -> float:
        squares = float(x.V.square().sum()) / 2
        return squares + weight * abs(float(x.V[:, 0] @ x.V[:, 1]))

    every = list(instances)
    return combine(
        audit_at_most(every, lambda x: x.nu**2 / 2, middle, tolerance=TOLERANCE, family=TWO),
        audit_at_most(
            every, middle, lambda x: float(x.V.square().sum()), tolerance=TOLERANCE, family=TWO
        ),
        family=TWO,
    )


def audit_descent_lowers_nu(
    instances: Iterable[Instance], names: tuple[str, ...], largest_margin: float = math.inf
) -> Finding:
    """Test that a small gradient step on a penalty lowers nu, with p following V.

    Args:
        instances: Two-class instances with ``nu > 0`` and a whole or random V.
        names: Penalties: fields of :class:`nbsrc.perturbation.Penalties`.
        largest_margin: Leave out points whose margin is larger.

    Returns:
        The finding; the slack is minus the relative change of ``nu^2`` per unit step, so positive
        where nu falls.
    """

    def change(x: Instance, name: str) -> float:
        V = x.V.clone().requires_grad_()
        a = V[:, 0] - V[:, 1]
        others = {"jacobian": V.square().sum(), "cross_lipschitz": a.square().sum() / 2}
        q = torch.sigmoid(-x.sign * (a @ x.x))
        others["input_gradient"] = (q * a).square().sum()
        others["curvature"] = q * (1 - q) * a.square().sum()
        slope = torch.autograd.grad(others[name], V)[0]
        return float(2 * x.a @ (slope[:, 0] - slope[:, 1])) / x.nu**2

    def cases() -> Iterator[Case]:
        for x in instances:
            if x.nu > 0 and x.margin <= largest_margin:
                for name in names:
                    shown = {**x.description, "penalty": name, "margin": x.margin}
                    yield change(x, name), x.size, shown

    return collect(cases(), tolerance=1e-10, family="one-layer networks, right and wrong points")
