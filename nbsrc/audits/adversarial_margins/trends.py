"""Does a value rise or fall with the strength of adversarial training? One rule for all rows.

A trend is *clear* on a data set if, at every seed, the strongest training lies beyond the weakest,
and the means over seeds are monotone over all strengths. It is there *in the mean* if the strongest
mean lies beyond the weakest mean. Both were fixed before the adversarial runs on CIFAR-10 were
there; a first table of the digits' gaps, margins and singular values had been seen. That half of
the trends in the mean suffice for "partly" was decided later: with clear trends instead, other
seeds of the digits gave other words.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from statistics import mean

from nbsrc.audits.adversarial_margins.records import Table, means, transposed
from nbsrc.audits.finding import Case, collect
from nbsrc.claims import Finding

__all__ = ["audit_trend", "explained", "in_the_mean", "mixed_word", "over_seeds"]


def audit_trend(values: Table, sign: int, *, name: str = "value") -> Finding:
    """Test that a value moves with the strength of the training.

    Args:
        values: The value by strength and seed.
        sign: 1 if it should rise, -1 if it should fall.
        name: The value in words.

    Returns:
        The finding over the seeds (strongest against weakest) and the steps of the means. No
        change is no trend, nor is an unknown one. Without two strengths nothing holds.
    """

    def cases() -> Iterable[Case]:
        if len(values) < 2:
            return
        ends = values[min(values)], values[max(values)]
        for place, (weak, strong) in enumerate(zip(*ends, strict=False)):
            shown: dict[str, object] = {"place": place, "weakest": weak, "strongest": strong}
            yield _slack(weak, strong, sign), (0, place), shown
        centre = means(values)
        for weak, strong in pairwise(sorted(centre)):
            shown = {"from": weak, "to": strong, "means": [centre[weak], centre[strong]]}
            yield _slack(centre[weak], centre[strong], sign), (1, 0), shown

    direction = "rises" if sign > 0 else "falls"
    return collect(cases(), tolerance=0, family=f"{name} {direction} over {len(values)} strengths")


def _slack(weak: float, strong: float, sign: int) -> float:
    """Return by how much a value moves in the right direction; minus infinity if one is unknown."""
    change = sign * (strong - weak) - 1e-12
    return -math.inf if math.isnan(change) else change


def in_the_mean(values: Table, sign: int) -> bool:
    """Say whether the strongest training's mean lies beyond the weakest one's.

    Args:
        values: The value by strength and seed.
        sign: 1 if it should rise, -1 if it should fall.

    Returns:
        Whether it does.
    """
    centre = means(values)
    return len(centre) > 1 and sign * (centre[max(centre)] - centre[min(centre)]) > 0


def mixed_word(trends: Sequence[tuple[Table, int]], *, figure: bool = False) -> str:
    """Return the verdict on trends, one for each value and data set.

    Args:
        trends: Tables with the signs, 1 for a value that should rise and -1 for one that falls.
        figure: Whether the row is a figure of networks that are not ours, whose direction is all
            that can be repeated.

    Returns:
        ``"reproduced"`` if all trends are clear (``"partly-reproduced"`` for a figure),
        ``"partly-reproduced"`` if at least half of them are there in the mean, else
        ``"not-reproduced"``.
    """
    if trends and all(audit_trend(values, sign).holds for values, sign in trends):
        return "partly-reproduced" if figure else "reproduced"
    seen = sum(in_the_mean(values, sign) for values, sign in trends)
    return "partly-reproduced" if 2 * seen >= len(trends) > 0 else "not-reproduced"


def explained(values: Table) -> float:
    """Return the share of the variance of values that goes with the strength.

    Args:
        values: The value by strength and seed.

    Returns:
        The squared differences of the strengths' means from the mean of all values, over those of
        the values themselves; 0 if all values are equal.

    Example:
        >>> explained({4.0: [1.0, 2.0], 8.0: [3.0, 4.0]})
        0.8
    """
    every = [value for row in values.values() for value in row]
    centre = mean(every)
    whole = sum((value - centre) ** 2 for value in every)
    between = sum(len(row) * (mean(row) - centre) ** 2 for row in values.values())
    return between / whole if whole > 0 else 0.0


def over_seeds(trends: Sequence[tuple[Table, int]]) -> tuple[float, float]:
    """Return what strengths explain, and what seeds explain in their place: the control.

    Args:
        trends: Tables with the signs; those with a single seed or strength are left out.

    Returns:
        The means over trends of the shares of variance, see :func:`explained`; zeros if no trend
        is left.
    """
    pairs = [(values, transposed(values)) for values, _ in trends]
    both = [(one, two) for one, two in pairs if len(one) > 1 and len(two) > 1]
    if not both:
        return 0.0, 0.0
    return mean(explained(one) for one, _ in both), mean(explained(two) for _, two in both)
