"""The two terms of eq. (4) by themselves: how large, how worst, and what scaling does to both."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from nbsrc.audits.connections.compare import audit_at_most, audit_equal, audit_true
from nbsrc.audits.finding import Case, collect
from nbsrc.audits.margin_bound.memory import drawn, memorise
from nbsrc.claims import Finding
from nbsrc.margins import bhc_radius, display_bound, repaired_bound, xu_mannor_bound

__all__ = [
    "SecondTerm",
    "audit_scaling",
    "audit_second_term",
    "audit_worst_is_mean",
    "largest_dimension",
    "second_terms",
]


@dataclass(frozen=True)
class SecondTerm:
    """The second term of (4) in one setting.

    Attributes:
        k: Dimension.
        ratio: ``C / eps``.
        m: Size of the sample.
        eta: Allowed probability of failure.
    """

    k: int
    ratio: float
    m: int
    eta: float

    @property
    def value(self) -> float:
        """The term."""
        return display_bound(2.0, 1.0, self.ratio, self.k, self.m, self.eta)

    @property
    def size(self) -> tuple[int, ...]:
        """Dimension first."""
        return self.k, round(100 * self.ratio)

    @property
    def description(self) -> dict[str, Any]:
        """All numbers."""
        return {"k": self.k, "C / eps": self.ratio, "m": self.m, "eta": self.eta,
                "second term": self.value}  # fmt: skip


def second_terms(m: int, eta: float, ratios: tuple[float, ...], most: int) -> list[SecondTerm]:
    """Return the second term for dimensions from 1.

    Args:
        m: Size of the sample.
        eta: Allowed probability of failure.
        ratios: ``C / eps``.
        most: Largest dimension.

    Returns:
        The cases.
    """
    return [SecondTerm(k, r, m, eta) for k in range(1, most + 1) for r in ratios]


def audit_second_term(cases: Iterable[SecondTerm], *, standard: bool, K: float = 2.0) -> Finding:
    """Test the second term: that it is below 1, or that it is the standard one.

    Args:
        cases: Settings.
        standard: Test instead that it is the second term of Theorem C.1 with M = 1 and
            ``K = (C / eps)^k``, and that it is below 1 if and only if
            ``K log 2 * 2 + 2 log(1 / eta) < m``.
        K: The number in front of ``log 2``.

    Returns:
        The finding.
    """
    if not standard:
        return audit_at_most(cases, lambda c: c.value, lambda _: 1.0, tolerance=0,
                             family="settings like those of CIFAR-10")  # fmt: skip

    def right(c: SecondTerm) -> bool:
        cells = c.ratio**c.k
        standard = xu_mannor_bound(0.0, cells, c.m, c.eta)
        printed = math.sqrt(2 * math.log(2) * cells / c.m + 2 * math.log(1 / c.eta) / c.m)
        same = max(abs(standard - c.value), abs(printed - c.value)) <= 1e-12 * c.value
        return same and (c.value < 1) == (K * math.log(2) * cells - 2 * math.log(c.eta) < c.m)

    return audit_true(cases, right, family="settings like those of CIFAR-10")


def audit_worst_is_mean(cells: Iterable[tuple[float, ...]]) -> Finding:
    """Test that the worst cell's term is all that the proof can say, for equal shares.

    Args:
        cells: The smallest margins of the cells, in units of gamma.

    Returns:
        The finding: mean of the cells' terms against the term of the smallest margin.
    """

    @dataclass(frozen=True)
    class Margins:
        u: tuple[float, ...]

        @property
        def size(self) -> tuple[int, ...]:
            return (len(self.u),)

        @property
        def description(self) -> dict[str, Any]:
            return {"smallest margins of the cells over gamma": list(self.u)}

    def mean(c: Margins) -> float:
        return sum(max(0.0, 1 - u) for u in c.u) / len(c.u)

    return audit_equal(
        [Margins(u) for u in cells], mean, lambda c: max(0.0, 1 - min(c.u)), tolerance=1e-12,
        family="cells with equal shares of the sample",
    )  # fmt: skip


def audit_scaling(m: int, scales: tuple[float, ...], seed: int, *, tight: bool = False) -> Finding:
    """Test footnote 3: scores times c < 1 have smaller margins, a smaller gap, and a valid bound.

    Args:
        m: Size of the sample.
        scales: Factors of the scores, falling.
        seed: Seed.
        tight: Test instead that the bound falls with the gap.

    Returns:
        The finding; the slack is the smallest of what must be positive: the fall of the margins, of
        the gap, and the bound minus the gap.
    """
    count = 10 * m
    nets = [memorise(drawn(m, count, seed), count, scale=s) for s in scales]
    bounds = [repaired_bound(n.true_margin, n.gamma, 1, 2, m, 0.05) for n in nets]

    def cases() -> Iterator[Case]:
        for i, (one, two) in enumerate(itertools.pairwise(nets)):
            falls = [float(one.margins.mean() - two.margins.mean()), one.error - two.error]
            room = bounds[i] - bounds[i + 1] if tight else bounds[i + 1] - two.error
            shown = {"scale": scales[i + 1], "gap": two.error, "bound": bounds[i + 1]}
            yield min(*falls, room), (i,), shown

    return collect(cases(), tolerance=0, family="one network, its scores times smaller numbers")


def largest_dimension(ratio: float, m: int, eta: float) -> int:
    """Return the largest dimension at which the second term is below 1.

    Args:
        ratio: ``C / eps`` above 1.
        m: Size of the sample.
        eta: Allowed probability of failure.

    Returns:
        The dimension, 0 if there is none.

    Raises:
        ValueError: If the ratio is at most 1.
    """
    if not ratio > 1:
        raise ValueError(f"ratio must be above 1, got {ratio}")
    k = 0
    while bhc_radius(ratio ** (k + 1), m, eta) < 1:
        k += 1
    return k
