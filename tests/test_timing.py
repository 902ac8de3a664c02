"""time_call counts, warms up and stops within its budget."""

from __future__ import annotations

import time
from typing import Any

import pytest

from nbsrc.timing import time_call, time_calls


def test_it_calls_as_often_as_it_says() -> None:
    calls: list[int] = []
    timing = time_call(lambda: calls.append(1), repeats=5, warm_up=2)
    assert timing.repeats == 5
    assert len(calls) == 7
    assert 0 <= timing.fastest <= timing.lower <= timing.median <= timing.upper
    assert set(timing.as_dict()) == {"median", "lower", "upper", "fastest", "repeats"}


def test_it_measures_seconds() -> None:
    timing = time_call(lambda: time.sleep(0.02), repeats=3)
    assert timing.fastest >= 0.02


def test_the_first_call_is_not_timed_unless_asked() -> None:
    pauses = iter([0.05, 0.0, 0.0])
    assert time_call(lambda: time.sleep(next(pauses)), repeats=2).upper < 0.05
    pauses = iter([0.05])
    assert time_call(lambda: time.sleep(next(pauses)), repeats=1, warm_up=0).median >= 0.05


def test_a_budget_stops_early_but_never_before_one_call() -> None:
    assert time_call(lambda: time.sleep(0.02), repeats=100, budget=0.1).repeats <= 5
    once = time_call(lambda: time.sleep(0.02), repeats=100, budget=1e-9, warm_up=0)
    assert once.repeats == 1
    assert once.lower == once.median == once.upper


def test_several_functions_are_called_in_turns() -> None:
    order: list[str] = []
    functions = {name: (lambda name=name: order.append(name)) for name in "ab"}
    timings = time_calls(functions, repeats=20, warm_up=1)
    rounds = ["".join(order[i : i + 2]) for i in range(0, len(order), 2)]
    assert len(rounds) == 21
    assert set(rounds) == {"ab", "ba"}  # both orders occur
    assert {name: timing.repeats for name, timing in timings.items()} == {"a": 20, "b": 20}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"repeats": 0}, "repeats must be at least 1, got 0"),
        ({"warm_up": -1}, "warm_up must be at least 0, got -1"),
        ({"budget": 0}, "budget must be a positive number .* got 0"),
    ],
)
def test_bad_arguments_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        time_call(lambda: None, **options)
