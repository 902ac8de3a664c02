"""Sharper comparisons of penalties: paired over initialisations, and at equal clean accuracy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import mean, stdev
from typing import Any

from scipy import stats

from nbsrc.audits.regularisers_in_practice.records import (
    ATTACKS,
    NETS,
    Record,
    cell,
    nets_of,
    of_run,
    runs_of,
)

__all__ = [
    "at_equal_accuracy",
    "bracketed",
    "interval",
    "long_tuning",
    "paired",
]


def interval(values: Sequence[float], level: float = 0.95) -> tuple[float, float, float]:
    """Return mean and Student's confidence interval of a mean.

    Args:
        values: At least two numbers.
        level: The confidence.

    Returns:
        Mean, lower and upper end.

    Raises:
        ValueError: If there are fewer than two.
    """
    if len(values) < 2:
        raise ValueError(f"an interval needs at least two values, got {len(values)}")
    centre = mean(values)
    half = stats.t.ppf((1 + level) / 2, len(values) - 1) * stdev(values) / math.sqrt(len(values))
    return centre, centre - float(half), centre + float(half)


def paired(
    record: Record, first: str, second: str, *, widest: float = 1.6, factor: float = 1.0
) -> dict[str, Any]:
    """Compare two penalties by differences over the same initialisations.

    In a setting (network, attack, strength) the penalties are *equal* if the 95 % interval of the
    mean difference lies within a point (0.01; for sizes a hundredth of the first's mean), *apart*
    if it lies outside, and *open* otherwise.

    Args:
        record: The experiment.
        first: A penalty.
        second: Another one.
        widest: Largest strength of the first that counts.
        factor: The second's strength over the first's.

    Returns:
        ``settings``, ``equal``, ``apart``, ``open``, and ``largest``: the largest mean difference
        in units of what is allowed, with its place.
    """
    counts: dict[str, Any] = dict.fromkeys(("settings", "equal", "apart", "open"), 0)
    largest: tuple[float, str] = (0.0, "none")
    for net in nets_of(record):
        for strength in sorted({r["axes"]["strength"] for r in runs_of(record, net, first)}):
            if strength > widest:
                continue
            for attack, entry in ATTACKS.items():
                one = _by_seed(record, net, first, strength, attack, entry)
                other = _by_seed(record, net, second, factor * strength, attack, entry)
                seeds = sorted(set(one) & set(other))
                if len(seeds) < 2:
                    continue
                centre, low, high = interval([one[s] - other[s] for s in seeds])
                scale = 1.0 if entry == "value" else mean(one[s] for s in seeds)
                allowed = 0.01 * scale
                inside, outside = max(-low, high) <= allowed, min(-low, high) < -allowed
                word = "equal" if inside else "apart" if outside else "open"
                counts["settings"] += 1
                counts[word] += 1
                place = f"{net}, {attack}, strength {strength:g}: {centre:+.3g}"
                largest = max(largest, (abs(centre) / allowed, place))
    return counts | {"largest": f"{largest[1]} ({largest[0]:.2f} of what is allowed)"}


def _by_seed(
    record: Record, net: str, penalty: str, strength: float, *path: str
) -> dict[int, float]:
    """Return a quantity by initialisation."""
    runs = [
        r for r in runs_of(record, net, penalty) if math.isclose(r["axes"]["strength"], strength)
    ]
    found = cell(runs, *path)
    return dict(zip(found.seeds, found.values, strict=True))


def at_equal_accuracy(
    record: Record, first: str, second: str, losses: Sequence[float], *, widest: float = 1.6
) -> list[dict[str, Any]]:
    """Compare two penalties where both may cost the same clean accuracy.

    Of every initialisation and penalty the most robust network counts that loses at most so much
    accuracy on clean test images against its reference; strengths may differ. It is chosen by the
    attack that it is judged by, for both penalties.

    Args:
        record: The experiment.
        first: A penalty.
        second: Another one.
        losses: Accuracies that may be lost, such as 0.01.
        widest: Largest strength that counts.

    Returns:
        Per network, attack and loss: the mean difference first minus second over initialisations
        with its 95 % interval (NaN for a single one), and the number of initialisations.
    """
    rows: list[dict[str, Any]] = []
    for net in NETS:
        references = {r["seed"]: of_run(r, "gaps", "test_accuracy") for r in runs_of(record, net)}
        for attack, entry in ATTACKS.items():
            for loss in losses:
                best: dict[str, dict[int, float]] = {first: {}, second: {}}
                for penalty, found in best.items():
                    for run in runs_of(record, net, penalty):
                        clean = of_run(run, "gaps", "test_accuracy")
                        value = of_run(run, attack, entry)
                        before = references.get(run["seed"])
                        if clean is None or value is None or before is None:
                            continue
                        if run["axes"]["strength"] > widest:
                            continue
                        if clean >= before - loss:
                            found[run["seed"]] = max(value, found.get(run["seed"], value))
                seeds = sorted(set(best[first]) & set(best[second]))
                if not seeds:
                    continue
                gaps = [best[first][s] - best[second][s] for s in seeds]
                centre, low, high = (
                    interval(gaps) if len(gaps) > 1 else (gaps[0], math.nan, math.nan)
                )
                rows.append({
                    "network": net, "attack": attack, "loss": loss, "difference": centre,
                    "low": low, "high": high, "initialisations": len(seeds),
                })  # fmt: skip
    return rows


def bracketed(
    record: Record, first: str, second: str, factor: float, *, widest: float = 1.6
) -> dict[str, Any]:
    """Compare two penalties where the second's strength lies between two of the grid.

    The second is taken to lie between its means at the two neighbours; the penalties are *apart*
    in a setting if the first's mean lies outside by more than a standard deviation and a point.

    Args:
        record: The experiment.
        first: A penalty.
        second: Another one.
        factor: The second's strength over the first's.
        widest: Largest strength of the first that counts.

    Returns:
        ``settings``, ``apart``, and in words the setting farthest apart.
    """
    counts, farthest = {"settings": 0, "apart": 0}, (0.0, "none")
    for net in NETS:
        grid = sorted({r["axes"]["strength"] for r in runs_of(record, net, second)})
        for strength in sorted({r["axes"]["strength"] for r in runs_of(record, net, first)}):
            below = max((s for s in grid if s <= factor * strength), default=None)
            above = min((s for s in grid if s >= factor * strength), default=None)
            if below is None or above is None or strength > widest:
                continue
            for attack, entry in ATTACKS.items():
                one = cell(runs_of(record, net, first, strength), attack, entry)
                ends = [
                    cell(runs_of(record, net, second, s), attack, entry) for s in (below, above)
                ]
                scale = 1.0 if entry == "value" else one.mean
                allowed = max(one.spread, *(e.spread for e in ends), 0.01 * scale)
                low, high = sorted(e.mean for e in ends)
                gap = max(low - one.mean, one.mean - high) / allowed
                counts["settings"] += 1
                counts["apart"] += gap > 1
                place = (
                    f"{net}, {attack}, {strength:g}: {one.mean:.3f} against {low:.3f}-{high:.3f}"
                )
                farthest = max(farthest, (gap, place))
    return counts | {"farthest": farthest[1]}


def long_tuning(record: Record | None) -> dict[str, Any] | None:
    """Compare curvature with the Jacobian penalty where both were tuned for 50,000 steps.

    Args:
        record: D_mnist_long_tuning, None if it is not recorded.

    Returns:
        None without runs of both penalties; else the number of ``attacks``, in how many of them
        curvature is ``ahead`` (by the median over initialisations that both have), per attack the
        medians, the clean accuracies, and the ``initialisations``.
    """
    if record is None:
        return None
    seen: dict[str, dict[int, Any]] = {"Curvature": {}, "JacobianPenalty": {}}
    for run in record["runs"]:
        penalty = run["axes"].get("penalty")
        if penalty in seen and run["axes"].get("strength") == 0.8:
            seen[penalty][run["seed"]] = run
    seeds = sorted(set(seen["Curvature"]) & set(seen["JacobianPenalty"]))
    if not seeds:
        return None
    result: dict[str, Any] = {"initialisations": len(seeds), "attacks": 0, "ahead": 0}
    for attack, entry in ATTACKS.items():
        medians = [cell([runs[s] for s in seeds], attack, entry).median for runs in seen.values()]
        result["attacks"] += 1
        result["ahead"] += medians[0] > medians[1]
        result[attack] = {"curvature": medians[0], "Jacobian": medians[1]}
    accuracies = [
        cell([runs[s] for s in seeds], "gaps", "test_accuracy").median for runs in seen.values()
    ]
    result["clean"] = {"curvature": accuracies[0], "Jacobian": accuracies[1]}
    return result
