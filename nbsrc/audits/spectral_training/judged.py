"""What paper B says of its figures, as rules on groups of runs with bars that are stated here.

The bars were set after pilot runs on digits, and before any record on CIFAR-10 was read.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import mean

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.spectral_training.records import Group, curve
from nbsrc.claims import Finding

__all__ = [
    "CLOSE_ALIGNMENT", "DAMPED", "FLAT", "GAIN", "HARDLY", "aligned", "all_hold", "damped",
    "equal_curves", "falling", "linear", "more_shared", "robust", "sigma_on_rays", "unshared", "word",
]  # fmt: skip

Parts = dict[str, Finding]
DAMPED = 0.7  # "significantly dampen": the first singular value, or a deviation, over the plain one
HARDLY = 0.1  # "hardly changes": relative change
GAIN = 0.2  # "far more robust": accuracy over the plain network's at the training radius
FLAT = 0.25  # "good approximation": deviation from linearity over the norm of Jz
CLOSE_ALIGNMENT = 0.05  # "similar": difference of mean cosines


def _over(name: str, slacks: Sequence[float], shown: Sequence[float]) -> Finding:
    cases: list[Case] = [
        (slack, (seed,), {"seed": seed, name: round(value, 4)})
        for seed, (slack, value) in enumerate(zip(slacks, shown, strict=True))
    ]
    return collect(cases, tolerance=0, family=f"{name}, {len(cases)} seeds")


def _ratio(one: Sequence[float], two: Sequence[float], most: float) -> Finding:
    values = [a / b for a, b in zip(one, two, strict=True)]
    return _over("ratio", [most - value for value in values], values)


def _more(one: Sequence[float], two: Sequence[float], least: float) -> Finding:
    values = [a - b for a, b in zip(one, two, strict=True)]
    return _over("difference", [value - least for value in values], values)


def _near(one: Sequence[float], two: Sequence[float], most: Sequence[float] | float) -> Finding:
    limits = [most] * len(one) if isinstance(most, float | int) else list(most)
    values = [abs(a - b) for a, b in zip(one, two, strict=True)]
    return _over("difference", [m - v for m, v in zip(limits, values, strict=True)], values)


def _at(group: Group, method: str, place: int, *path: str) -> list[float]:
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
    plain = _at(group, "standard", 0, *path)
    parts = {f"{m} damps": _ratio(_at(group, m, 0, *path), plain, DAMPED) for m in methods}
    if "global SNR" in group:
        ratios = [a / b for a, b in zip(_at(group, "global SNR", 0, *path), plain, strict=True)]
        parts["global SNR hardly changes"] = _near(ratios, [1.0] * len(ratios), HARDLY)
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
        parts[f"{method} strong"] = _ratio([c[0] for c in other], [c[0] for c in own], 0.5)
        parts[f"{method} falls"] = _falls_by_rank(own)
    falls = [
        _falls_by_rank([c]).holds for c in curve(group, "standard", "spectrum", "random", "mean")
    ]
    parts["random network does not fall"] = _over(
        "falls", [-1.0 if f else 1.0 for f in falls], [float(f) for f in falls]
    )
    return parts


def _falls_by_rank(curves: Sequence[Sequence[float]]) -> Finding:
    worst = []
    for values in curves:
        first, second, third = mean(values[:3]), mean(values[3:10]), mean(values[10:40] or [0.0])
        worst.append(max(second / first, third / second))
    return _over("largest ratio of neighbours", [0.8 - value for value in worst], worst)


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
    plain = _at(group, "standard", place, measure, "mean")
    found = {m: _at(group, m, place, measure, "mean") for m in methods}
    parts = {f"{m} far more robust": _more(found[m], plain, GAIN) for m in methods}
    errors = [
        2 * math.hypot(a, b)
        for a, b in zip(*(_at(group, m, place, measure, "se") for m in methods), strict=True)
    ]
    parts["equally robust"] = _near(found[methods[0]], found[methods[1]], errors)
    if weak is not None and weak in group:
        parts[f"{weak} barely helps"] = _more(
            [p + GAIN / 4 for p in plain], _at(group, weak, place, measure, "mean"), 0.0
        )
    return parts


def linear(group: Group, place: int, measure: str = "linearity") -> Parts:
    """Figures 4 and 12, left: robust methods are more linear, and flat up to the training radius.

    Args:
        group: The runs.
        place: Place of the training radius.
        measure: The measure.

    Returns:
        The parts, in the adversarial direction.
    """
    parts: Parts = {}
    for method in ("AT", "d.d. SNR"):
        for key, most in (("deviation", DAMPED), ("relative", DAMPED)):
            path = (measure, "adversarial", key, "mean")
            own, plain = (_at(group, m, place, *path) for m in (method, "standard"))
            parts[f"{method} {key} smaller"] = _ratio(own, plain, most)
        own = _at(group, method, place, measure, "adversarial", "relative", "mean")
        parts[f"{method} flat"] = _ratio(own, [1.0] * len(own), FLAT)
    return parts


def sigma_on_rays(group: Group, place: int, measure: str = "linearity") -> Parts:
    """Figures 4 and 12, right: the plain network develops large singular values, others stay low.

    Args:
        group: The runs.
        place: Place of the training radius.
        measure: The measure.

    Returns:
        The parts: the plain one grows by a fifth up to the radius; the others stay at 0.7 times
        its value there.
    """
    path = (measure, "adversarial", "sigma", "mean")
    plain = curve(group, "standard", *path)
    grown = [max(c[: place + 1]) / c[0] for c in plain]
    parts = {"standard develops": _over("growth", [g - 1.2 for g in grown], grown)}
    for method in ("AT", "d.d. SNR"):
        own = [max(c[: place + 1]) for c in curve(group, method, *path)]
        parts[f"{method} stays low"] = _ratio(own, [c[place] for c in plain], DAMPED)
    return parts


def more_shared(group: Group, place: int, where: str) -> Parts:
    """Figures 5, left, and 9: robust methods keep more activations, beyond two standard errors.

    Args:
        group: The runs.
        place: Place of the training radius.
        where: ``"data"``, ``"uniform"`` or ``"adversarial"``.

    Returns:
        The parts.
    """
    return _shared(group, place, where, lambda own, plain, se: _over(
        "difference", [a - b - s for a, b, s in zip(own, plain, se, strict=True)],
        [a - b for a, b in zip(own, plain, strict=True)]), "keeps more")  # fmt: skip


def unshared(group: Group, place: int, where: str = "uniform") -> Parts:
    """Figure 5, right: no effect away from the data, within two standard errors.

    Args:
        group: The runs.
        place: Place of the training radius.
        where: Base points.

    Returns:
        The parts.
    """
    return _shared(group, place, where, _near, "changes nothing")


def _shared(
    group: Group, place: int, where: str,
    test: Callable[[Sequence[float], Sequence[float], Sequence[float]], Finding], words: str,
) -> Parts:  # fmt: skip
    parts: Parts = {}
    plain, error = (_at(group, "standard", place, "patterns", where, k) for k in ("mean", "se"))
    for method in ("AT", "d.d. SNR"):
        own, se = (_at(group, method, place, "patterns", where, k) for k in ("mean", "se"))
        both = [2 * math.hypot(a, b) for a, b in zip(se, error, strict=True)]
        parts[f"{method} {words}"] = test(own, plain, both)
    return parts


def falling(group: Group, methods: tuple[str, str], weak: Sequence[str], measure: str) -> Parts:
    """Figures 8, 13, 14: alignment falls with the radius; two methods similar, above the others.

    Args:
        group: The runs.
        methods: Adversarial training and its rival.
        weak: The others.
        measure: The measure.

    Returns:
        The parts, the comparisons at the smallest radius.
    """
    path = (measure, "adversarial", "mean")
    parts: Parts = {}
    for method in (*methods, *weak):
        curves = curve(group, method, *path)
        drops = [c[0] - c[-1] for c in curves]
        parts[f"{method} falls"] = _over("drop", [d - 0.02 for d in drops], drops)
    first = {m: _at(group, m, 0, *path) for m in (*methods, *weak)}
    parts["similar"] = _near(first[methods[0]], first[methods[1]], CLOSE_ALIGNMENT)
    for method in methods:
        for other in weak:
            parts[f"{method} above {other}"] = _more(first[method], first[other], 0.0)
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
            max(abs(a - b) for a, b in zip(c, d, strict=True)) / max(max(c), 1e-30)
            for c, d in zip(curve(group, one, *path), curve(group, two, *path), strict=True)
        ]
        parts[" ".join(path)] = _over("difference", [most - v for v in values], values)
    return parts
