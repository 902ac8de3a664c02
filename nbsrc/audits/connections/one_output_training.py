"""Proposition 3.4 with one output: minimisers under the two penalties."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import torch
from scipy.optimize import brentq
from torch.nn import functional as F

from nbsrc.audits.connections.compare import relative_error
from nbsrc.audits.finding import collect
from nbsrc.claims import Finding

__all__ = ["Sample", "audit_minimisers", "minimiser", "samples", "two_column_minimiser"]


@dataclass(frozen=True)
class Sample:
    """A data set with one input.

    Attributes:
        x: The inputs.
        y: The labels, +1 or -1.
    """

    x: tuple[float, ...]
    y: tuple[int, ...]

    @property
    def size(self) -> tuple[int, ...]:
        """Number of examples, sum of the inputs."""
        return len(self.x), int(sum(abs(v) for v in self.x))

    @property
    def description(self) -> dict[str, Any]:
        """The examples."""
        return {"x": list(self.x), "y": list(self.y)}


def samples() -> Iterator[Sample]:
    """Yield small data sets with whole inputs: separable ones, and ones that are not.

    Yields:
        The data sets.
    """
    for count in (1, 2, 3):
        for x in product((1.0, 2.0, -1.0), repeat=count):
            for y in product((1, -1), repeat=count):
                yield Sample(x, y)


def minimiser(sample: Sample, weight: float) -> float:
    """Return the minimiser of ``mean log(1 + exp(-y v x)) + weight v^2``.

    Args:
        sample: The data.
        weight: Above 0.

    Returns:
        The v, unique as the objective is strongly convex.

    Raises:
        ValueError: If ``weight`` is not positive.
    """
    if weight <= 0:
        raise ValueError(f"weight must be positive, got {weight}")
    yx = torch.tensor([a * b for a, b in zip(sample.x, sample.y, strict=True)]).double()

    def slope(v: float) -> float:
        return float((-yx * torch.sigmoid(-v * yx)).mean()) + 2 * weight * v

    bound = float(yx.abs().max()) / weight + 1
    return float(brentq(slope, -bound, bound, xtol=1e-14))


def two_column_minimiser(sample: Sample, strength: float) -> float:
    r"""Return the minimiser of mean cross-entropy with ``V = [v, 0]`` plus ``strength * mu^2``.

    Newton's method on automatic derivatives of the two-class objective: it shares nothing with
    :func:`minimiser`, which solves the one-output condition by bisection.

    Args:
        sample: The data.
        strength: Above 0.

    Returns:
        The v.
    """
    x = torch.tensor(sample.x, dtype=torch.float64)
    labels = torch.tensor([0 if y == 1 else 1 for y in sample.y])
    v = torch.zeros((), dtype=torch.float64)
    for _ in range(60):
        v.requires_grad_()
        V = torch.stack([v, torch.zeros_like(v)])
        value = F.cross_entropy(x[:, None] * V, labels) + strength * V.square().sum()
        (slope,) = torch.autograd.grad(value, v, create_graph=True)
        (bend,) = torch.autograd.grad(slope, v)
        v = (v - slope / bend.clamp_min(2 * strength)).detach()
        if abs(float(slope.detach())) < 1e-15:
            break
    return float(v)


def audit_minimisers(
    data: Iterable[Sample], strengths: Sequence[float], jacobian: Callable[[float], float]
) -> Finding:
    r"""Test Proposition 3.4 with one output, where :math:`\mu = \nu = \|v\|`.

    Args:
        data: Data sets.
        strengths: Values of lambda of the cross-Lipschitz penalty :math:`\lambda\nu^2/2`.
        jacobian: The strength of the Jacobian penalty :math:`\lambda'\mu^2` as a function of
            lambda; the identity in the paper.

    Returns:
        The finding.
    """
    return collect(
        (
            (
                -relative_error(
                    minimiser(s, strength / 2), two_column_minimiser(s, jacobian(strength))
                ),
                (*s.size, round(1000 * strength)),
                {**s.description, "lambda": strength},
            )
            for s in data
            for strength in strengths
        ),
        tolerance=1e-9,
        family="data sets of one to three examples with one input",
    )
