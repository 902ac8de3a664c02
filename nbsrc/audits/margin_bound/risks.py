"""Risks of finite distributions: the definitions, and one classifier fixed before the sample."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from nbsrc.audits.connections.compare import audit_equal, audit_true
from nbsrc.audits.finding import Case, collect
from nbsrc.audits.margin_bound.chance import Draw
from nbsrc.claims import Finding
from nbsrc.margins import hoeffding_radius, margin, ramp_loss, ramp_risk

__all__ = ["Risky", "audit_fixed_classifier", "audit_ramp_risk", "audit_unbiased", "risky"]


@dataclass(frozen=True, eq=False)
class Risky:
    """A finite distribution with scores and labels.

    Attributes:
        scores: ``[N, K]``.
        labels: ``[N]``.
        mu: Probabilities ``[N]``.
        gamma: Width of the ramp.
    """

    scores: Tensor
    labels: Tensor
    mu: Tensor
    gamma: float

    @cached_property
    def size(self) -> tuple[int, ...]:
        """Atoms and classes."""
        return tuple(self.scores.shape)

    @cached_property
    def description(self) -> dict[str, Any]:
        """All numbers."""
        return {"scores": self.scores.tolist(), "labels": self.labels.tolist(),
                "mu": self.mu.tolist(), "gamma": self.gamma}  # fmt: skip


def risky(count: int, seed: int) -> Iterator[Risky]:
    """Yield random distributions with whole scores: ties, margins of exactly gamma.

    Args:
        count: How many.
        seed: Seed.

    Yields:
        The distributions.
    """
    g = torch.Generator().manual_seed(seed)
    for number in range(count):
        N, K = 1 + number % 5, 2 + number % 3
        scores = torch.randint(-2, 3, (N, K), generator=g).double()
        mu = torch.rand(N, generator=g, dtype=torch.float64)
        labels = torch.randint(0, K, (N,), generator=g)
        yield Risky(scores, labels, mu / mu.sum(), float(1 + number % 2))


def audit_ramp_risk(cases: Iterable[Risky], sign: float = -1.0) -> Finding:
    """Test Definition 5: term by term, and between the error rate and the rate of small margins.

    Args:
        cases: Distributions.
        sign: What the margin is multiplied by in the ramp loss.

    Returns:
        The finding.
    """

    def right(d: Risky) -> bool:
        rows = zip(d.scores.tolist(), d.labels.tolist(), strict=True)
        u = [s[y] - max(v for i, v in enumerate(s) if i != y) for s, y in rows]
        by_hand = sum(
            p * min(1.0, max(0.0, 1 - m / d.gamma)) for p, m in zip(d.mu.tolist(), u, strict=True)
        )
        risk = float(d.mu @ ramp_loss(sign * margin(d.scores, d.labels), d.gamma))
        library = float(ramp_risk(d.scores, d.labels, d.gamma, d.mu))
        wrong = sum(p for p, m in zip(d.mu.tolist(), u, strict=True) if m <= 0)
        small = sum(p for p, m in zip(d.mu.tolist(), u, strict=True) if m < d.gamma)
        room = 1e-12
        agree = abs(risk - by_hand) <= room and abs(library - by_hand) <= room
        return bool(agree and wrong - room <= risk <= small + room)

    return audit_true(cases, right, family="finite distributions, ties and margins of gamma")


def audit_unbiased(family: Iterable[Draw], *, chosen_after: bool = False) -> Finding:
    """Test that the mean of the empirical risk over all samples is the risk.

    Args:
        family: Draws; the loss of atom i is ``i / (N - 1)``.
        chosen_after: Whether the classifier is chosen to have loss 0 on the sample and 1 elsewhere.

    Returns:
        The finding.
    """

    def mean(d: Draw) -> float:
        shares, chances = d.samples
        loss = (shares == 0).double() if chosen_after else _loss(d).expand_as(shares)
        return float(chances @ (shares * loss).sum(1))

    def risk(d: Draw) -> float:
        if chosen_after:
            shares, chances = d.samples
            return float(chances @ ((shares == 0).double() @ d.mu))
        return float(d.mu @ _loss(d))

    return audit_equal(family, mean, risk, tolerance=1e-10, family="all samples, exactly")


def audit_fixed_classifier(
    family: Iterable[Draw], *, factor: float = 1.0, chosen_after: bool = False
) -> Finding:
    """Test that the generalisation error of one loss in [0, 1] stays within Hoeffding's radius.

    Args:
        family: Draws; two losses per draw: ``i / (N - 1)`` and 1 on the first atom only.
        factor: Factor of the radius.
        chosen_after: Whether the loss is 0 on the sample and 1 elsewhere.

    Returns:
        The finding; the slack is the allowed minus the exact probability of failure.
    """

    def cases() -> Iterator[Case]:
        for d in family:
            bound = factor * hoeffding_radius(d.m, d.eta)
            first = torch.zeros(len(d.mu), dtype=torch.float64)
            first[0] = 1
            for loss in (_loss(d), first):
                shares, chances = d.samples
                errors = (shares == 0).double() @ d.mu if chosen_after else (shares - d.mu) @ loss
                fails = float(chances[errors.abs() > bound + 1e-12].sum())
                yield d.eta - fails, d.size, {**d.description, "probability": fails}

    return collect(cases(), tolerance=1e-9, family="all samples of small distributions, exactly")


def _loss(d: Draw) -> Tensor:
    return torch.linspace(0, 1, len(d.mu), dtype=torch.float64)
