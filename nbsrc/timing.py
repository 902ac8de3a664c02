"""Time functions: median and spread of repeated calls."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Timing", "time_call", "time_calls"]


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
        """Return the fields as plain JSON values, rounded to a tenth of a microsecond.

        Returns:
            Field name and value.
        """
        return {key: round(value, 7) for key, value in asdict(self).items()}


def time_call(
    function: Callable[[], Any],
    repeats: int = 100,
    *,
    budget: float | None = None,
    warm_up: int = 1,
) -> Timing:
    """Time a function without arguments.

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
    found = time_calls({"": function}, repeats, budget=budget, warm_up=warm_up)
    return found[""]


def time_calls(
    functions: Mapping[str, Callable[[], Any]],
    repeats: int = 100,
    *,
    budget: float | None = None,
    warm_up: int = 1,
) -> dict[str, Timing]:
    """Time several functions in turns, so that a busy spell of the machine meets all of them.

    Every round calls each function once, in an order of its own: memory that one call leaves to
    the next would otherwise always help or hurt the same function. Calls that only warm up caches
    are not counted. With a budget the timing stops early, after at least one timed round, once
    another round would exceed it; ``Timing.repeats`` says how many rounds there were.

    Args:
        functions: What to time, by name; results are dropped.
        repeats: Largest number of timed calls of each, at least 1.
        budget: Seconds that all timed calls together should not exceed, None for no limit.
        warm_up: Calls of each before the first timed one.

    Returns:
        Median, quartiles and fastest call of each, in seconds.

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
        for function in functions.values():
            function()
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    rounds: list[float] = []
    shuffle = random.Random(0).shuffle
    while len(rounds) < repeats:
        if rounds and budget is not None and sum(rounds) + min(rounds) > budget:
            break
        order = list(functions.items())
        shuffle(order)
        for name, function in order:
            start = time.perf_counter()
            function()
            seconds[name].append(time.perf_counter() - start)
        rounds.append(sum(calls[-1] for calls in seconds.values()))
    return {name: _summary(calls) for name, calls in seconds.items()}


def _summary(seconds: list[float]) -> Timing:
    """Return median, quartiles and fastest of the calls."""
    if len(seconds) == 1:
        lower = upper = seconds[0]
    else:
        lower, _, upper = statistics.quantiles(seconds, n=4, method="inclusive")
    return Timing(statistics.median(seconds), lower, upper, min(seconds), len(seconds))
