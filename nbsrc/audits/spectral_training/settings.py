"""Accuracy against a setting of the training: step sizes of Figure 6, mixtures of Figure 7."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nbsrc.audits.spectral_training.judged import Parts, near, over

__all__ = ["Series", "interpolates", "levels_off", "series_of"]

#: The settings in order, and for each the clean and the robust accuracy.
Series = tuple[list[float], list[float], list[float]]


def series_of(runs: Iterable[Mapping[str, Any]], prefix: str, place: int) -> Series:
    """Read the runs whose labels are a word and a setting.

    Args:
        runs: Runs of a collected file, one seed for each setting.
        prefix: The word, such as ``"step"``.
        place: Place of the radius in the measure ``curve``.

    Returns:
        The series.
    """
    found = sorted(
        (float(run["label"].split()[-1]), run["measures"])
        for run in runs
        if run["label"].startswith(f"{prefix} ") and run["seed"] == 0
    )
    return (
        [setting for setting, _ in found],
        [float(measures["accuracy"]["test_accuracy"]) for _, measures in found],
        [float(measures["curve"]["mean"][place]) for _, measures in found],
    )


def levels_off(series: Series, usual: float, *, rise: float = 0.1, flat: float = 0.1) -> Parts:
    """Figure 6: robustness rises with the step size, then stays.

    Args:
        series: The step sizes and accuracies.
        usual: The usual step size, from which on it should stay.
        rise: The least rise from the smallest to the usual one.
        flat: The largest range from the usual one on.

    Returns:
        The parts.
    """
    steps, _, robust = series
    late = [value for step, value in zip(steps, robust, strict=True) if step >= usual]
    return {
        "rises": over("rise", [late[0] - robust[0] - rise], [late[0] - robust[0]]),
        "stays": near([max(late)], [min(late)], flat),
    }


def interpolates(series: Series, *, jump: float = 0.15, same: float = 0.05) -> Parts:
    """Figure 7: a continuous trade-off between two ends that are equivalent.

    Args:
        series: The mixtures and accuracies.
        jump: The largest difference of neighbours in either accuracy.
        same: The largest difference of the ends' robust accuracies.

    Returns:
        The parts.
    """
    _, clean, robust = series
    return {
        "continuous": near(_before(clean + robust, clean), _after(clean + robust, clean), jump),
        "equivalent ends": near([robust[0]], [robust[-1]], same),
    }


def _before(values: Sequence[float], first: Sequence[float]) -> list[float]:
    """Return all values but the last of either half."""
    return [v for n, v in enumerate(values) if n not in (len(first) - 1, len(values) - 1)]


def _after(values: Sequence[float], first: Sequence[float]) -> list[float]:
    """Return all values but the first of either half."""
    return [v for n, v in enumerate(values) if n not in (0, len(first))]
