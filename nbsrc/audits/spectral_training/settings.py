"""Accuracy against a setting of the training: step sizes of Figure 6, mixtures of Figure 7."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from statistics import mean
from typing import Any, NamedTuple

from nbsrc.audits.spectral_training.parts import Judgement, Parts, near, over

__all__ = ["Series", "interpolates", "judge_series", "levels_off", "series_of", "spoiled"]


class Series(NamedTuple):
    """Accuracies against a setting.

    Attributes:
        settings: The settings in order.
        clean: Clean accuracy for each, mean over the seeds.
        robust: Accuracy under attack for each, mean over the seeds.
        by_seed: Accuracy under attack for each, by seed.
    """

    settings: list[float]
    clean: list[float]
    robust: list[float]
    by_seed: list[list[float]]


def series_of(runs: Iterable[Mapping[str, Any]], prefix: str, place: int) -> Series:
    """Read the runs whose labels are a word and a setting.

    Args:
        runs: Runs of a collected file, the same seeds for each setting.
        prefix: The word, such as ``"step"``.
        place: Place of the radius in the measure ``curve``.

    Returns:
        The series.
    """
    found: dict[float, list[Any]] = {}
    for run in sorted(runs, key=lambda run: int(run["seed"])):
        if run["label"].startswith(f"{prefix} ") and run["status"] == "finished":
            found.setdefault(float(run["label"].split()[-1]), []).append(run["measures"])
    settings = sorted(found)
    robust = [[float(m["curve"]["mean"][place]) for m in found[s]] for s in settings]
    clean = [mean(float(m["accuracy"]["test_accuracy"]) for m in found[s]) for s in settings]
    return Series(settings, clean, [mean(values) for values in robust], robust)


def levels_off(series: Series, usual: float, *, rise: float = 0.1, flat: float = 0.05) -> Parts:
    """Figure 6: robustness rises with the step size, then stays.

    Args:
        series: The step sizes and accuracies.
        usual: The usual step size, from which on it should stay.
        rise: The least rise from the smallest to the usual one.
        flat: The largest range from the usual one on.

    Returns:
        The parts.
    """
    robust = series.robust
    late = [v for step, v in zip(series.settings, robust, strict=True) if step >= usual]
    return {
        "rises": over("rise", [late[0] - robust[0] - rise], [late[0] - robust[0]]),
        "stays": near([max(late)], [min(late)], flat),
    }


def interpolates(series: Series, *, jump: float = 0.1, same: float = 0.05) -> Parts:
    """Figure 7: a continuous trade-off between two ends that are equivalent.

    Args:
        series: The mixtures and accuracies.
        jump: The largest difference of neighbours in either accuracy.
        same: The largest difference of the ends' robust accuracies, for every seed.

    Returns:
        The parts.
    """
    both = (series.clean, series.robust)
    largest = max((b - a for values in both for a, b in pairwise(values)), key=abs)
    return {
        "continuous": over("largest jump", [jump - abs(largest)], [largest]),
        "equivalent ends": near(series.by_seed[0], series.by_seed[-1], same),
    }


def judge_series(rule: Callable[[Series], Parts], series: Mapping[str, Series]) -> Judgement:
    """Test a rule on series, and every part against a spoiled series, in which none may hold.

    Args:
        rule: :func:`levels_off` with its usual step, or :func:`interpolates`.
        series: The series by experiment.

    Returns:
        The judgement.
    """
    parts = {name: rule(entry) for name, entry in series.items()}
    unbroken = [
        f"{name}: {part}"
        for name, entry in series.items()
        for part, finding in rule(spoiled(entry)).items()
        if finding.holds
    ]
    return Judgement(parts, tuple(unbroken))


def spoiled(series: Series) -> Series:
    """Return a series of which no sentence about Figures 6 and 7 is true: a control.

    Args:
        series: At least three settings.

    Returns:
        The robust accuracy is level, but six points lower at the last setting; the clean accuracy
        jumps by eleven points after the first.
    """
    level = series.robust[0]
    robust = [level] * (len(series.robust) - 1) + [level - 0.06]
    clean = [series.clean[0], series.clean[0] - 0.11, *series.clean[2:]]
    return Series(series.settings, clean, robust, [[value] for value in robust])
