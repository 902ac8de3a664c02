"""Theorem 3.1 with a classifier that is chosen after seeing the sample."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

from nbsrc.audits.connections.compare import audit_true
from nbsrc.audits.finding import Case, collect
from nbsrc.audits.margin_bound.memory import ARC_CONSTANT, Memory, arc, drawn, memorise
from nbsrc.claims import Finding
from nbsrc.margins import display_bound, proof_end_bound, repaired_bound

__all__ = [
    "RADIUS",
    "Trial",
    "audit_fixed",
    "audit_hypotheses",
    "audit_theorem",
    "trials",
]

RADIUS = 0.9  # of robustness and of the balls; any number from 0.77 to below 1 would do


@dataclass(frozen=True, eq=False)
class Trial:
    """A sample size with a network that memorises a sample of this size.

    Attributes:
        m: Size of the sample.
        count: Number of inputs.
        eta: Allowed probability of failure.
        seed: Seed of the sample.
    """

    m: int
    count: int
    eta: float
    seed: int

    @cached_property
    def memory(self) -> Memory:
        """The network for one sample."""
        return memorise(drawn(self.m, self.count, self.seed), self.count)

    @cached_property
    def certain(self) -> float:
        """What the generalisation error exceeds for every sample.

        The empirical risk is 0, and at least ``count - m`` inputs have the margin
        ``c (a + |b|)``, at most ``sqrt 2 c``.
        """
        u = 0.01 * float(arc(self.count).abs().sum(1).max())
        return (1 - self.m / self.count) * (1 - u / self.memory.gamma)

    def displayed(self, u: float) -> float:
        """Return eq. (4), k = 1, with the arc's constant and balls of the robustness radius.

        One ball covers the arc, but (4) has ``C / eps`` for it, which is larger.

        Args:
            u: The margin to insert.

        Returns:
            The bound.
        """
        return display_bound(u, self.memory.gamma, ARC_CONSTANT / RADIUS, 1, self.m, self.eta)

    @cached_property
    def printed(self) -> float:
        """Eq. (4) with (5)."""
        return self.displayed(self.memory.printed)

    @cached_property
    def with_true_margin(self) -> float:
        """Eq. (4) with the smallest true margin in place of (5)."""
        return self.displayed(self.memory.true_margin)

    @cached_property
    def proof_end(self) -> float:
        """The last lines of the proof, with gamma for the radius."""
        net = self.memory
        return proof_end_bound(net.printed, net.gamma, ARC_CONSTANT, 1, self.m, self.eta)

    @cached_property
    def repaired(self) -> float:
        """The repaired bound; one cell, two classes."""
        u = self.memory.true_margin
        return repaired_bound(u, self.memory.gamma, 1, 2, self.m, self.eta)

    @property
    def size(self) -> tuple[int, ...]:
        """Size of the sample."""
        return self.m, self.count, round(100 * (1 - self.eta))

    @property
    def description(self) -> dict[str, Any]:
        """Sizes, eq. (5) and the true smallest margin."""
        return {"m": self.m, "inputs": self.count, "eta": self.eta, "gamma": self.memory.gamma,
                "u_min of (5)": self.memory.printed, "true u_min": self.memory.true_margin,
                "error": self.memory.error}  # fmt: skip


def trials(
    sizes: tuple[int, ...], etas: tuple[float, ...], seed: int, *, count: int = 10_000
) -> list[Trial]:
    """Return trials with the same distribution.

    Args:
        sizes: Sizes of the sample.
        etas: Allowed probabilities of failure.
        seed: Seed.
        count: Number of inputs.

    Returns:
        The trials.
    """
    pairs = itertools.product(sizes, etas)
    return [Trial(m, count, eta, seed) for m, eta in pairs]


def audit_hypotheses(cases: Iterable[Trial]) -> Finding:
    """Test that the networks meet every hypothesis of the theorem.

    Args:
        cases: Trials.

    Returns:
        The finding: v = 1 at every input, robust by the strict Definition 2 with `RADIUS`, the
        margin falls towards the nearest boundary point, one ball of this radius covers the arc,
        scores are not negative (so the last activation of eq. (2) changes nothing).
    """

    def all_hold(trial: Trial) -> bool:
        net = trial.memory
        scores = net.scores(net.points)
        return (
            net.nearest_boundary == 1
            and net.robust(RADIUS) and net.monotone and net.one_ball(RADIUS)
            and bool((scores >= 0).all())
        )  # fmt: skip

    return audit_true(cases, all_hold, family="networks that memorise their sample")


def audit_theorem(cases: Iterable[Trial], bound: Callable[[Trial], float]) -> Finding:
    """Test a bound for networks that memorise their sample.

    A violation is one with probability 1: the bound is below what every sample exceeds. The
    error of the sample at hand is at least that.

    Args:
        cases: Trials.
        bound: The bound.

    Returns:
        The finding; the slack is the bound minus the certain error, or minus the error at hand
        where the bound is not violated for certain.
    """

    def results() -> Iterator[Case]:
        for trial in cases:
            value = bound(trial)
            error = trial.certain if value < trial.certain else trial.memory.error
            shown = {**trial.description, "bound": value, "error for every sample": trial.certain}
            yield value - error, trial.size, shown

    return collect(results(), tolerance=1e-9, family="networks that memorise their sample")


def audit_fixed(cases: Iterable[Trial], samples: int) -> Finding:
    """Test (4) for the same networks, fixed before a fresh sample is drawn.

    Args:
        cases: Trials.
        samples: Fresh samples per network.

    Returns:
        The finding; the slack is the smallest "bound minus error" over the samples. The bound may
        fail with probability eta; it is never seen to.
    """

    def results() -> Iterator[Case]:
        for trial in cases:
            net = trial.memory
            losses = (1 - net.margins / net.gamma).clamp(0, 1)
            g = torch.Generator().manual_seed(trial.seed + 1)
            fresh = torch.randint(0, trial.count, (samples, trial.m), generator=g)
            errors = (losses[fresh].mean(1) - losses.mean()).abs()
            yield trial.printed - float(errors.max()), trial.size, trial.description

    return collect(results(), tolerance=1e-9, family="fresh samples, one fixed network")
