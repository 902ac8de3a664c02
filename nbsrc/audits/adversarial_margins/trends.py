"""Does a value rise or fall with the strength of adversarial training? One rule for all rows.

A trend is *clear* on a data set if, at every seed, the strongest training lies beyond the weakest,
and the means over seeds are monotone over all strengths. It is there *in the mean* if the strongest
mean lies beyond the weakest mean. The rule was fixed before the adversarial runs on CIFAR-10 were
there; a first table of the digits' gaps, margins and singular values had been seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from nbsrc.audits.adversarial_margins.records import Table, means, transposed
from nbsrc.audits.finding import Case, collect
from nbsrc.claims import Finding

__all__ = ["audit_trend", "in_the_mean", "mixed_word", "over_seeds", "trend_word"]


def audit_trend(values: Table, sign: int, *, name: str = "value") -> Finding:
    """Test that a value moves with the strength of the training.

    Args:
        values: The value by strength and seed.
        sign: 1 if it should rise, -1 if it should fall.
        name: The value in words.

    Returns:
        The finding over the seeds (strongest against weakest) and the steps of the means. No
        change is no trend. Without two strengths nothing holds.
    """

    def cases() -> Iterable[Case]:
        if len(values) < 2:
            return
        ends = values[min(values)], values[max(values)]
        for seed, (weak, strong) in enumerate(zip(*ends, strict=False)):
            shown: dict[str, object] = {"seed": seed, "weakest": weak, "strongest": strong}
            yield sign * (strong - weak) - 1e-12, (0, seed), shown
        centre = means(values)
        for weak, strong in pairwise(sorted(centre)):
            shown = {"from": weak, "to": strong, "means": [centre[weak], centre[strong]]}
            yield sign * (centre[strong] - centre[weak]) - 1e-12, (1, 0), shown

    direction = "rises" if sign > 0 else "falls"
    return collect(cases(), tolerance=0, family=f"{name} {direction} over {len(values)} strengths")


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


def trend_word(tables: Sequence[Table], sign: int) -> str:
    """Return the verdict on a trend.

    Args:
        tables: One table per data set.
        sign: 1 if the value should rise, -1 if it should fall.

    Returns:
        ``"reproduced"`` if the trend is clear on all data sets, ``"partly-reproduced"`` if it is
        there in the mean on one at least, else ``"not-reproduced"``.
    """
    return mixed_word([(values, sign) for values in tables])


def mixed_word(trends: Sequence[tuple[Table, int]]) -> str:
    """Return the verdict on several trends, each with a sign of its own.

    Args:
        trends: Tables with the signs.

    Returns:
        As :func:`trend_word`: all must be clear for ``"reproduced"``.
    """
    if trends and all(audit_trend(values, sign).holds for values, sign in trends):
        return "reproduced"
    there = any(in_the_mean(values, sign) for values, sign in trends)
    return "partly-reproduced" if there else "not-reproduced"


def over_seeds(trends: Sequence[tuple[Table, int]]) -> bool:
    """Say whether the rule finds nothing with seeds in the place of strengths: the control.

    Args:
        trends: Tables with the signs.

    Returns:
        Whether the same rule, with seeds as strengths, does not say ``"reproduced"``.
    """
    turned = [(transposed(values), sign) for values, sign in trends]
    return mixed_word(turned) != "reproduced"
