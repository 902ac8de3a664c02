"""Paper D on CIFAR-10: what penalties and larger strengths gain, and where training ends in NaN.

The rules were written before the record was there, but for one: the first networks that collapsed
to a single class showed that robustness counts only where clean accuracy is left.
"""

from __future__ import annotations

import math
from typing import Any

from nbsrc.audits.regularisers_in_practice.records import (
    ATTACKS,
    PENALTIES,
    Cell,
    Record,
    cell,
    keeps,
    nets_of,
    runs_of,
)

__all__ = ["LEAST_CLEAN", "clean_by_seed", "diverged", "gained", "helped", "in_words", "modes"]

Lost = dict[str, dict[float, tuple[int, int]]]


#: The least clean accuracy, with two classes, at which robustness counts.
LEAST_CLEAN = 0.75


def helped(record: Record, strength: float, *, turned: bool = False) -> dict[str, Any]:
    """Count the settings (network, penalty, attack) in which a penalty makes networks more robust.

    It does if the mean over the initialisations exceeds that of the references by more than the
    larger of the two standard deviations, and by a point (0.01; of sizes a hundredth), and the
    mean clean accuracy is at least ``LEAST_CLEAN``.

    Args:
        record: The experiment.
        strength: The strength of every penalty.
        turned: Ask the same of the references against the tuned networks, for a control.

    Returns:
        ``settings``, ``helped``, ``almost_all`` (at least 95 %), ``exceptions`` in words.
    """
    settings, exceptions = 0, []
    for net in nets_of(record):
        for penalty in PENALTIES:
            runs = runs_of(record, net, penalty, strength)
            for attack, entry in ATTACKS.items():
                before, after = (cell(r, attack, entry) for r in (runs_of(record, net), runs))
                if not (before.values and after.values):
                    continue
                low, high = (after, before) if turned else (before, after)
                settings += 1
                scale = 1.0 if entry == "value" else before.mean
                place = f"{net}, {penalty}, {attack}"
                if not keeps(runs, LEAST_CLEAN):
                    exceptions.append(f"{place}: collapsed")
                elif not _beyond(low, high, scale):
                    exceptions.append(f"{place}: {before.mean:.3g} to {after.mean:.3g}")
    good = settings - len(exceptions)
    return {
        "settings": settings,
        "helped": good,
        "almost_all": settings > 0 and good >= 0.95 * settings,
        "exceptions": exceptions,
    }


def gained(record: Record, net: str, low: float, high: float, attack: str) -> dict[str, Any]:
    """Compare a penalty at two strengths.

    Args:
        record: The experiment.
        net: Name of the network.
        low: A strength.
        high: A larger one.
        attack: Name of the attack.

    Returns:
        By penalty, for those that have both: the two means, and whether the second one is larger
        and enough clean accuracy is left, as in `helped`.
    """
    found: dict[str, Any] = {}
    for penalty in PENALTIES:
        weak, strong = (
            cell(runs_of(record, net, penalty, strength), attack, ATTACKS[attack])
            for strength in (low, high)
        )
        if weak.values and strong.values:
            scale = 1.0 if ATTACKS[attack] == "value" else weak.mean
            found[penalty] = {
                "low": round(weak.mean, 4),
                "high": round(strong.mean, 4),
                "gains": _beyond(weak, strong, scale)
                and keeps(runs_of(record, net, penalty, high), LEAST_CLEAN),
            }
    return found


def diverged(record: Record, net: str) -> Lost:
    """Return how many runs ended in NaN or infinity.

    Args:
        record: The experiment.
        net: Name of the network.

    Returns:
        By penalty and strength, how many and of how many.
    """
    found: Lost = {}
    for penalty in PENALTIES:
        runs = [run for run in runs_of(record, net, penalty) if run["start"] is not None]
        for strength in sorted({run["axes"]["strength"] for run in runs}):
            same = [run for run in runs if math.isclose(run["axes"]["strength"], strength)]
            lost = sum(run["status"] == "diverged" for run in same)
            found.setdefault(penalty, {})[strength] = (lost, len(same))
    return found


def modes(record: Record, net: str) -> dict[str, dict[str, float]]:
    """Compare tuning with the batch's statistics and in evaluation mode.

    Args:
        record: The experiment with both.
        net: Name of the network with batch norm.

    Returns:
        By penalty and strength, the means of clean accuracy and accuracy under PGD: ``batch``,
        ``evaluation``, ``batch PGD``, ``evaluation PGD``.
    """
    found: dict[str, dict[str, float]] = {}
    for penalty in PENALTIES:
        runs = runs_of(record, net, penalty, mode="evaluation mode")
        for strength in sorted({run["axes"]["strength"] for run in runs}):
            pair = {
                "batch": runs_of(record, net, penalty, strength),
                "evaluation": runs_of(record, net, penalty, strength, "evaluation mode"),
            }
            for name, chosen in pair.items():
                row = found.setdefault(f"{penalty} {strength:g}", {})
                row[name] = round(cell(chosen, "gaps", "test_accuracy").mean, 4)
                row[f"{name} PGD"] = round(cell(chosen, "PGD", "value").mean, 4)
    return found


def clean_by_seed(record: Record, net: str, number: int) -> dict[str, float]:
    """Return the clean accuracies of one initialisation, tuned with the batch's statistics.

    Args:
        record: The experiment.
        net: Name of the network.
        number: Which of its seeds, from the lowest on.

    Returns:
        By penalty and strength, where there is such a run.
    """
    found = {}
    for penalty in PENALTIES:
        runs = runs_of(record, net, penalty)
        seeds = sorted({run["seed"] for run in runs})
        for strength in sorted({run["axes"]["strength"] for run in runs}):
            same = runs_of(record, net, penalty, strength)
            known = cell([run for run in same if run["seed"] == seeds[number]],
                         "gaps", "test_accuracy")  # fmt: skip
            if known.values:
                found[f"{penalty} {strength:g}"] = known.mean
    return found


def in_words(lost: Lost) -> dict[str, str]:
    """Put what `diverged` found into words.

    Args:
        lost: By penalty and strength, how many runs and of how many.

    Returns:
        By penalty, a list of strengths.

    Example:
        >>> in_words({"Curvature": {0.1: (0, 2), 1.0: (2, 2)}})
        {'Curvature': '0 of 2 at 0.1, 2 of 2 at 1'}
    """
    return {
        penalty: ", ".join(f"{n} of {runs} at {strength:g}" for strength, (n, runs) in at.items())
        for penalty, at in lost.items()
    }


def _beyond(low: Cell, high: Cell, scale: float) -> bool:
    """Return whether a mean exceeds another by more than both spreads and a hundredth."""
    return high.mean - low.mean > max(low.spread, high.spread, 0.01 * scale)
