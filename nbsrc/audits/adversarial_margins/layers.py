"""Statements about most layers: singular values, and what perturbations do to activations."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from statistics import mean

from nbsrc.audits.adversarial_margins.records import Groups, Run, layer_values
from nbsrc.audits.finding import Case, collect
from nbsrc.claims import Finding

__all__ = [
    "audit_bounded", "audit_most_layers", "change_values", "end_pairs", "mean_log_ratio",
    "most_word", "seed_pairs", "share_below"
]  # fmt: skip

#: "Most": two thirds of the layers.
MOST = 2 / 3
Pair = tuple[Run, Run]


def end_pairs(groups: Groups) -> list[Pair]:
    """Return the strongest and the weakest run of every seed.

    Args:
        groups: Runs by strength.

    Returns:
        The pairs, strongest first; none with a single strength.
    """
    if len(groups) < 2:
        return []
    return list(zip(groups[max(groups)], groups[min(groups)], strict=False))


def seed_pairs(groups: Groups) -> list[Pair]:
    """Return pairs of runs of one strength and two seeds, later seed first: what chance gives.

    Args:
        groups: Runs by strength.

    Returns:
        The pairs.
    """
    return [
        (one, two)
        for runs in groups.values()
        for one in runs
        for two in runs
        if one["seed"] > two["seed"]
    ]


def change_values(run: Run, perturbation: str, what: str) -> dict[str, float]:
    """Return a statistic of every layer's change under a perturbation.

    Args:
        run: A run with the measure ``layer changes``.
        perturbation: ``"random"`` or ``"pgd"``.
        what: ``"gain_mean"``, ``"gain_std"``, ``"change_mean"`` or ``"change_std"``.

    Returns:
        The values by layer.
    """
    found = run["measures"]["layer changes"]
    values = zip(found["layers"], found[perturbation][what], strict=True)
    return {name: float(value) for name, value in values if value is not None}


def _of(run: Run, column: str) -> dict[str, float]:
    """Return values by layer: a column of the spectra, or ``perturbation/statistic``."""
    perturbation, slash, what = column.partition("/")
    return change_values(run, perturbation, what) if slash else layer_values(run, column)


def share_below(one: Run, two: Run, column: str) -> float:
    """Return the share of layers whose value is smaller in one run than in another.

    Args:
        one: The run.
        two: The other run.
        column: A column of the spectra such as ``"std"``, or one of the changes as
            ``"random/gain_std"``.

    Returns:
        The share.
    """
    first, second = _of(one, column), _of(two, column)
    return mean(float(first[name] < second[name]) for name in first if name in second)


def mean_log_ratio(one: Run, two: Run, column: str) -> float:
    """Return the mean over layers of the logarithm of the ratio of their values.

    Args:
        one: The run.
        two: The other run.
        column: As in :func:`share_below`.

    Returns:
        The mean.
    """
    first, second = _of(one, column), _of(two, column)
    both = [name for name in first if first[name] > 0 and second.get(name, 0) > 0]
    return mean(math.log(first[name] / second[name]) for name in both)


def audit_most_layers(pairs: Sequence[Pair], column: str, *, least: float = MOST) -> Finding:
    """Test that a value is smaller in the first run of a pair for most layers.

    Args:
        pairs: The pairs of runs.
        column: As in :func:`share_below`.
        least: What share is most.

    Returns:
        The finding over the pairs.
    """

    def cases() -> Iterable[Case]:
        for number, (one, two) in enumerate(pairs):
            share = share_below(one, two, column)
            shown = {"run": one["label"], "against": two["label"], "seed": one["seed"],
                     "share of layers": share}  # fmt: skip
            yield share - least, (number,), shown

    return collect(cases(), tolerance=1e-9, family=f"{column} of layers, {len(pairs)} pairs")


def most_word(sets: Sequence[Sequence[Pair]], columns: Sequence[str]) -> str:
    """Return the verdict on values that should be smaller in most layers.

    Args:
        sets: Pairs of each data set.
        columns: The columns, as in :func:`share_below`.

    Returns:
        ``"reproduced"`` if every column is smaller in most layers in every pair of all data sets;
        ``"partly-reproduced"`` if that is so for at least half of the columns and data sets; else
        ``"not-reproduced"``.
    """
    held = [audit_most_layers(pairs, column).holds for pairs in sets for column in columns]
    if held and all(held):
        return "reproduced"
    return "partly-reproduced" if 2 * sum(held) >= len(held) > 0 else "not-reproduced"


def audit_bounded(runs: Iterable[Run], bound: float) -> Finding:
    """Test that no layer's largest singular value exceeds a bound.

    Args:
        runs: Runs with spectra.
        bound: The bound.

    Returns:
        The finding over layers; the slack is relative.
    """
    cases: list[Case] = [
        (1 - value / bound, (n,), {"run": run["label"], "layer": name, "norm": value})
        for n, run in enumerate(runs)
        for name, value in layer_values(run, "maximum").items()
    ]
    return collect(cases, tolerance=1e-3, family=f"largest singular values, bound {bound:g}")
