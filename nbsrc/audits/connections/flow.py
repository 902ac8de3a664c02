"""Training under nu^2 / 2 and under mu^2: when the two runs are the same run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from nbsrc.audits.finding import Case, collect
from nbsrc.claims import Finding
from nbsrc.perturbation.flow import bayes_start, descend, weak_features

__all__ = [
    "Run",
    "any_data",
    "audit_classifier",
    "audit_conserved",
    "audit_same_path",
    "bayes_runs",
]


@dataclass(frozen=True, eq=False)
class Run:
    """A training problem with a start.

    Attributes:
        x: Inputs, shape ``[examples, n]``.
        y: Labels 0 and 1, shape ``[examples]``.
        start: The first V, shape ``[n, 2]``.
        strength: lambda.
        steps: Number of steps.
    """

    x: Tensor
    y: Tensor
    start: Tensor
    strength: float
    steps: int = 300

    @lru_cache(maxsize=64)  # noqa: B019 - few runs, asked for by several audits
    def path(self, penalty: str, factor: float = 1.0, optimiser: str = "gd") -> Tensor:
        """Return all iterates under a penalty.

        Args:
            penalty: ``"mu2"`` for ``mu^2``, ``"spread"`` for ``nu^2 / 2``.
            factor: Factor of lambda.
            optimiser: ``"gd"``, ``"momentum"`` or ``"adam"``.

        Returns:
            Shape ``[steps + 1, n, 2]``.
        """
        return descend(
            self.x, self.y, self.start, penalty=penalty, strength=factor * self.strength,
            rate=0.05, steps=self.steps, optimiser=optimiser,
        )  # fmt: skip

    @property
    def size(self) -> tuple[int, ...]:
        """Inputs and examples."""
        return self.x.shape[1], len(self.x)

    @property
    def description(self) -> dict[str, Any]:
        """Sizes, lambda and the first column's sum with the second at the start."""
        total = float(self.start.sum(1).abs().max())
        return {
            "inputs": self.x.shape[1], "examples": len(self.x), "lambda": self.strength,
            "largest entry of v_+ + v_- at the start": total,
        }  # fmt: skip


def bayes_runs(seed: int, steps: int = 300) -> list[Run]:
    """Return the paper's example for several sizes, weights and starts.

    Args:
        seed: Seed of the data.
        steps: Number of steps.

    Returns:
        The runs.
    """
    g = torch.Generator().manual_seed(seed)
    runs = []
    for n, strength, a in ((2, 0.1, 0.5), (5, 1.0, 0.3), (10, 1e-2, 1.0), (20, 0.3, 0.5)):
        x, y = weak_features(200, n, 0.4, generator=g)
        runs.append(Run(x, y, bayes_start(n, a), strength, steps))
    return runs


def any_data(seed: int, *, shift: float, steps: int = 300) -> list[Run]:
    """Return runs on data without any structure, from random starts.

    Args:
        seed: Seed.
        shift: Added to both columns of an antisymmetric start.
        steps: Number of steps.

    Returns:
        The runs; labels are independent of the inputs.
    """
    g = torch.Generator().manual_seed(seed)
    runs = []
    for n, strength in ((1, 0.5), (3, 0.1), (6, 1.0)):
        x = torch.randn(50, n, generator=g, dtype=torch.float64)
        y = torch.randint(2, (50,), generator=g)
        column = torch.randn(n, generator=g, dtype=torch.float64)
        runs.append(Run(x, y, torch.stack([column, -column], 1) + shift, strength, steps))
    return runs


def audit_same_path(runs: Iterable[Run], factor: float = 1.0, optimiser: str = "gd") -> Finding:
    """Test that V is the same at every step under both penalties, to the last bit.

    Args:
        runs: The runs.
        factor: lambda of ``nu^2 / 2`` over lambda of ``mu^2``.
        optimiser: The optimiser.

    Returns:
        The finding, tolerance 0; the slack is minus the largest difference of an entry, or -1
        where V hardly moves, which would make the test empty.
    """

    def cases() -> Iterator[Case]:
        for run in runs:
            one, two = run.path("mu2", 1.0, optimiser), run.path("spread", factor, optimiser)
            moved = float((one[-1] - one[0]).abs().max())
            error = float((one - two).abs().max()) if moved > 0.05 else 1.0
            yield -error, run.size, {**run.description, "largest difference of V": error}

    return collect(cases(), tolerance=0, family="whole training runs, every step compared")


def audit_classifier(runs: Iterable[Run], optimiser: str = "gd", factor: float = 1.0) -> Finding:
    """Test that ``v_+ - v_-`` is the same at every step under both penalties.

    Args:
        runs: The runs, from any start.
        optimiser: The optimiser.
        factor: lambda of ``nu^2 / 2`` over lambda of ``mu^2``.

    Returns:
        The finding, tolerance 1e-12.
    """

    def cases() -> Iterator[Case]:
        for run in runs:
            one, two = run.path("mu2", 1.0, optimiser), run.path("spread", factor, optimiser)
            gap = (one - two)[..., 0] - (one - two)[..., 1]
            error = float(gap.abs().max())
            yield -error, run.size, {**run.description, "largest difference": error}

    return collect(cases(), tolerance=1e-12, family="whole training runs, every step compared")


def audit_conserved(runs: Iterable[Run], penalty: str = "spread") -> Finding:
    """Test that gradient descent under ``nu^2 / 2`` leaves ``v_+ + v_-`` where it starts.

    Args:
        runs: The runs.
        penalty: ``"spread"``; under ``"mu2"`` the sum decays, and the test must fail.

    Returns:
        The finding, tolerance 1e-12.
    """

    def cases() -> Iterator[Case]:
        for run in runs:
            total = run.path(penalty).sum(-1)
            yield -float((total - total[0]).abs().max()), run.size, run.description

    return collect(cases(), tolerance=1e-12, family="whole training runs")
