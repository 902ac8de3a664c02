"""What paper B says of its figures, as rules on groups of runs with bars that are stated here.

The bars were set after pilot runs on digits, and before any record on CIFAR-10 was read.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import mean

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.spectral_training.records import Group, curve
from nbsrc.claims import Finding

__all__ = [
    "CLOSE_ALIGNMENT", "DAMPED", "GAIN", "HARDLY", "Parts", "aligned", "all_hold", "at", "damped",
    "equal_curves", "falling", "near", "over", "ratio", "robust", "word",
]  # fmt: skip

Parts = dict[str, Finding]
DAMPED = 0.7  # "significantly dampen": the first singular value, or a deviation, over the plain one
HARDLY = 0.1  # "hardly changes": relative change
GAIN = 0.2  # "far more robust": accuracy over the plain network's at the training radius
CLOSE_ALIGNMENT = 0.05  # "similar": difference of mean cosines


def over(name: str, slacks: Sequence[float], shown: Sequence[float]) -> Finding:
    """Collect one number per seed.

    Args:
        name: What the number is.
        slacks: Its slack by seed.
        shown: The number by seed.

    Returns:
        The finding.
    """
    cases: list[Case] = [
        (slack, (seed,), {"seed": seed, name: round(value, 4)})
        for seed, (slack, value) in enumerate(zip(slacks, shown, strict=True))
    ]
    return collect(cases, tolerance=1e-9, family=f"{name}, {len(cases)} seeds")


def ratio(one: Sequence[float], two: Sequence[float], most: float) -> Finding:
    """Test that quotients are at most a bound.

    Args:
        one: Numerators by seed.
        two: Denominators.
        most: The bound.

    Returns:
        The finding.
    """
    values = [a / b for a, b in zip(one, two, strict=True)]
    return over("ratio", [most - value for value in values], values)


def _more(one: Sequence[float], two: Sequence[float], least: float) -> Finding:
    values = [a - b for a, b in zip(one, two, strict=True)]
    return over("difference", [value - least for value in values], values)


def near(one: Sequence[float], two: Sequence[float], most: Sequence[float] | float) -> Finding:
    """Test that numbers differ by at most a bound.

    Args:
        one: Numbers by seed.
        two: Others.
        most: The bound, or one for each seed.

    Returns:
        The finding.
    """
    limits = [most] * len(one) if isinstance(most, float | int) else list(most)
    values = [abs(a - b) for a, b in zip(one, two, strict=True)]
    return over("difference", [m - v for m, v in zip(limits, values, strict=True)], values)


def at(group: Group, method: str, place: int, *path: str) -> list[float]:
    """Return one point of a curve for every seed.

    Args:
        group: The runs.
        method: The method.
        place: The place in the curve.
        *path: As in :func:`nbsrc.audits.spectral_training.records.curve`.

    Returns:
        The numbers.
    """
    return [values[place] for values in curve(group, method, *path)]


def all_hold(parts: Mapping[str, Finding]) -> bool:
    """Return whether all parts of a claim hold.

    Args:
        parts: Findings by name.

    Returns:
        Whether they do.
    """
    return all(part.holds for part in parts.values())


def word(*groups: Mapping[str, Finding]) -> str:
    """Return the verdict of a claim of several parts.

    Args:
        *groups: The parts, by experiment.

    Returns:
        ``"reproduced"`` if all hold, ``"not-reproduced"`` if none does, else in between.
    """
    flags = [part.holds for parts in groups for part in parts.values()]
    return "reproduced" if all(flags) else "partly-reproduced" if any(flags) else "not-reproduced"


def damped(group: Group, methods: Sequence[str] = ("AT", "d.d. SNR")) -> Parts:
    """Figure 2, left: robust methods damp the first singular value, global SNR hardly changes it.

    Args:
        group: The runs.
        methods: The robust methods.

    Returns:
        The parts.
    """
    path = ("spectrum", "features", "mean")
    plain = at(group, "standard", 0, *path)
    parts = {f"{m} damps": ratio(at(group, m, 0, *path), plain, DAMPED) for m in methods}
    if "global SNR" in group:
        ratios = [a / b for a, b in zip(at(group, "global SNR", 0, *path), plain, strict=True)]
        parts["global SNR hardly changes"] = near(ratios, [1.0] * len(ratios), HARDLY)
    return parts


def aligned(group: Group, methods: Sequence[str]) -> Parts:
    """Figure 2, right: alignment strong at rank 1 and falling with rank, but not with random ones.

    Strong: at least twice that with a network of random weights. Falling: from the ranks 1-3 to
    4-10 to 11-40, each at most 0.8 times the one before.

    Args:
        group: The runs.
        methods: The methods.

    Returns:
        The parts; the random networks' must not fall as theirs does.
    """
    parts: Parts = {}
    for method in methods:
        own, other = (curve(group, method, "spectrum", k, "mean") for k in ("alignment", "random"))
        parts[f"{method} strong"] = ratio([c[0] for c in other], [c[0] for c in own], 0.5)
        parts[f"{method} falls"] = _falls_by_rank(own)
    falls = [
        _falls_by_rank([c]).holds for c in curve(group, "standard", "spectrum", "random", "mean")
    ]
    parts["random network does not fall"] = over(
        "falls", [-1.0 if f else 1.0 for f in falls], [float(f) for f in falls]
    )
    return parts


def _falls_by_rank(curves: Sequence[Sequence[float]]) -> Finding:
    worst = []
    for values in curves:
        first, second, third = mean(values[:3]), mean(values[3:10]), mean(values[10:40] or [0.0])
        worst.append(max(second / first, third / second))
    return over("largest ratio of neighbours", [0.8 - value for value in worst], worst)


def robust(
    group: Group, methods: tuple[str, str], place: int, measure: str = "curve",
    weak: str | None = "global SNR",
) -> Parts:  # fmt: skip
    """Figures 3, 13, 14: two methods equally and far more robust, global SNR hardly.

    Args:
        group: The runs.
        methods: Adversarial training and its rival.
        place: Place of the training radius in the curve.
        measure: The curve.
        weak: The method that hardly helps, None without one.

    Returns:
        The parts. Equal means within two standard errors over test images.
    """
    plain = at(group, "standard", place, measure, "mean")
    found = {m: at(group, m, place, measure, "mean") for m in methods}
    parts = {f"{m} far more robust": _more(found[m], plain, GAIN) for m in methods}
    errors = [
        2 * math.hypot(a, b)
        for a, b in zip(*(at(group, m, place, measure, "se") for m in methods), strict=True)
    ]
    parts["equally robust"] = near(found[methods[0]], found[methods[1]], errors)
    if weak is not None and weak in group:
        parts[f"{weak} barely helps"] = _more(
            [p + GAIN / 4 for p in plain], at(group, weak, place, measure, "mean"), 0.0
        )
    return parts


def falling(group: Group, methods: tuple[str, str], weak: Sequence[str], measure: str) -> Parts:
    """Figures 8, 13, 14: alignment falls with the radius; two methods similar, above the others.

    Args:
        group: The runs.
        methods: Adversarial training and its rival.
        weak: The others.
        measure: The measure.

    Returns:
        The parts, the comparisons at the smallest radius; above means by 0.02.
    """
    path = (measure, "adversarial", "mean")
    parts: Parts = {}
    for method in (*methods, *weak):
        curves = curve(group, method, *path)
        drops = [c[0] - c[-1] for c in curves]
        parts[f"{method} falls"] = over("drop", [d - 0.02 for d in drops], drops)
    first = {m: at(group, m, 0, *path) for m in (*methods, *weak)}
    parts["similar"] = near(first[methods[0]], first[methods[1]], CLOSE_ALIGNMENT)
    for method in methods:
        for other in weak:
            parts[f"{method} above {other}"] = _more(first[method], first[other], 0.02)
    return parts


def equal_curves(
    group: Group, one: str, two: str, paths: Sequence[tuple[str, ...]], most: float
) -> Parts:
    """Figures 10 and 11: two methods have the same curves.

    Args:
        group: The runs.
        one: A method.
        two: Another.
        paths: The curves.
        most: The largest difference allowed, relative to the largest value of the curve.

    Returns:
        A part for each curve.
    """
    parts: Parts = {}
    for path in paths:
        values = [
            max(abs(a - b) for a, b in zip(c, d, strict=True)) / max(*c, 1e-30)
            for c, d in zip(curve(group, one, *path), curve(group, two, *path), strict=True)
        ]
        parts[" ".join(path)] = over("difference", [most - v for v in values], values)
    return parts
