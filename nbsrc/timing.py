"""Time a function: median and spread of repeated calls."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Timing", "time_call"]


@dataclass(frozen=True)
class Timing:
    """Seconds per call over several calls.

    Attributes:
        median: Median.
        lower: Lower quartile (the only value, if there is one call).
        upper: Upper quartile.
        fastest: Shortest call.
        repeats: Number of timed calls.
    """

    median: float
    lower: float
    upper: float
    fastest: float
    repeats: int

    def as_dict(self) -> dict[str, float | int]:
        """Return the fields as plain JSON values."""
        return asdict(self)


def time_call(
    function: Callable[[], Any],
    repeats: int = 100,
    *,
    budget: float | None = None,
    warm_up: int = 1,
) -> Timing:
    """Time a function without arguments.

    Calls that were made only to warm up caches are not counted. With a budget the timing stops
    early, after at least one timed call, once the next call would exceed it; ``Timing.repeats``
    says how many calls there were.

    Args:
        function: What to time; its result is dropped.
        repeats: Largest number of timed calls, at least 1.
        budget: Seconds that the timed calls together should not exceed, None for no limit.
        warm_up: Calls before the first timed one.

    Returns:
        Median, quartiles and fastest call, in seconds.

    Raises:
        ValueError: If ``repeats`` is below 1, ``warm_up`` negative or ``budget`` not positive.
    """
    if repeats < 1:
        raise ValueError(f"repeats must be at least 1, got {repeats}")
    if warm_up < 0:
        raise ValueError(f"warm_up must be at least 0, got {warm_up}")
    if budget is not None and not budget > 0:
        raise ValueError(f"budget must be a positive number of seconds or None, got {budget}")
    for _ in range(warm_up):
        function()
    seconds: list[float] = []
    while len(seconds) < repeats:
        if seconds and budget is not None and sum(seconds) + min(seconds) > budget:
            break
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    if len(seconds) == 1:
        lower = upper = seconds[0]
    else:
        lower, _, upper = statistics.quantiles(seconds, n=4, method="inclusive")
    return Timing(statistics.median(seconds), lower, upper, min(seconds), len(seconds))
