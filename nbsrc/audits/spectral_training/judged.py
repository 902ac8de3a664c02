"""What paper B says of its figures, as rules on groups of runs with bars that are stated here.

The bars were set after pilot runs on digits without batch norm and on 4,000 images of CIFAR-10, and
before any record on CIFAR-10, and any run on digits with batch norm, was read.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean

from nbsrc.audits.spectral_training.parts import Parts, errors, more, near, over, ratio
from nbsrc.audits.spectral_training.records import Group, at, curve

__all__ = [
    "CLOSE_ALIGNMENT", "DAMPED", "GAIN", "HARDLY", "aligned", "attacks", "damped",
    "equal_curves", "falling", "mode_decides", "robust",
]  # fmt: skip

DAMPED = 0.7  # "significantly dampen": the first singular value, or a deviation, over the plain one
HARDLY = 0.1  # "hardly changes": relative change
GAIN = 0.2  # "far more robust": accuracy over the plain network's at the training radius
CLOSE_ALIGNMENT = 0.05  # "similar": difference of mean cosines


def attacks(group: Group) -> Parts:
    """Section 7.10: almost all images of the plain network are wrong; 40 iterations say the same.

    Args:
        group: The runs.

    Returns:
        The parts, at the training radii; almost all means at least four fifths.
    """
    parts: Parts = {}
    for norm, measure in (("l2", "curve"), ("linf", "linf curve")):
        rest = at(group, "standard", None, measure, "mean")
        parts[f"{norm}: almost all wrong"] = over("left", [0.2 - r for r in rest], rest)
    if all("longer" in group[m][0] for m in ("standard", "AT", "d.d. SNR")):
        path = ("longer", "mean")
        plain = at(group, "standard", 0, *path)
        after = {m: at(group, m, 0, *path) for m in ("AT", "d.d. SNR")}
        for method, values in after.items():
            parts[f"{method} far more robust after 40"] = more(values, plain, GAIN)
        both = errors(*(at(group, m, 0, "longer", "se") for m in after))
        parts["equally robust after 40"] = near(after["AT"], after["d.d. SNR"], both)
    return parts


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
        ratios = [a / b for a, b in zip(at(group, "global SNR", 0, *path), plain, strict=False)]
        change = [value - 1.0 for value in ratios]
        parts["global SNR hardly changes"] = over(
            "relative change", [HARDLY - abs(value) for value in change], change
        )
    return parts


def aligned(group: Group, methods: Sequence[str]) -> Parts:
    """Figure 2, right: alignment strong at rank 1 and falling with rank, but not with random ones.

    Strong: at least twice that with a network of random weights. Falling: from the ranks 1-3 to
    4-10 to 11-40, each at most 0.8 times the one before.

    Args:
        group: The runs.
        methods: The methods; those that are there.

    Returns:
        The parts; the random networks' must not fall as theirs does.
    """
    parts: Parts = {}
    for method in (m for m in methods if m in group):
        own, other = (curve(group, method, "spectrum", k, "mean") for k in ("alignment", "random"))
        parts[f"{method} strong"] = ratio([c[0] for c in other], [c[0] for c in own], 0.5)
        steps = _rank_steps(own)
        parts[f"{method} falls"] = over("ratio", [0.8 - s for s in steps], steps)
    steps = _rank_steps(curve(group, "standard", "spectrum", "random", "mean"))
    parts["random network does not fall"] = over("ratio", [s - 0.8 for s in steps], steps)
    return parts


def _rank_steps(curves: Sequence[Sequence[float]]) -> list[float]:
    """Return the largest ratio of neighbours of the three bands of ranks, by seed."""
    worst = []
    for values in curves:
        first, second, third = mean(values[:3]), mean(values[3:10]), mean(values[10:40] or [0.0])
        worst.append(max(second / first, third / second))
    return worst


def robust(
    group: Group, methods: tuple[str, str], measure: str = "curve", weak: str | None = "global SNR"
) -> Parts:
    """Figures 3, 13, 14: two methods equally and far more robust, global SNR hardly.

    Args:
        group: The runs.
        methods: Adversarial training and its rival.
        measure: The curve.
        weak: The method that hardly helps, None without one.

    Returns:
        The parts, at the training radius. Equal means within two standard errors over test images.
    """
    path = (measure, "mean")
    plain = at(group, "standard", None, *path)
    found = {m: at(group, m, None, *path) for m in methods}
    parts = {f"{m} far more robust": more(found[m], plain, GAIN) for m in methods}
    both = errors(*(at(group, m, None, measure, "se") for m in methods))
    parts["equally robust"] = near(found[methods[0]], found[methods[1]], both)
    if weak is not None and weak in group:
        gains = [a - b for a, b in zip(at(group, weak, None, *path), plain, strict=False)]
        parts[f"{weak} barely helps"] = over("difference", [GAIN / 4 - g for g in gains], gains)
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
        drops = [c[0] - c[-1] for c in curve(group, method, *path)]
        parts[f"{method} falls"] = over("drop", [d - 0.02 for d in drops], drops)
    first = {m: at(group, m, 0, *path) for m in (*methods, *weak)}
    parts["similar"] = near(first[methods[0]], first[methods[1]], CLOSE_ALIGNMENT)
    for method in methods:
        for other in weak:
            parts[f"{method} above {other}"] = more(first[method], first[other], 0.02)
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
            for c, d in zip(curve(group, one, *path), curve(group, two, *path), strict=False)
        ]
        parts[" ".join(path[:-1])] = over("difference", [most - v for v in values], values)
    return parts


def mode_decides(group: Group) -> Parts:
    """Ours: with batch norm, the statistics that d.d. SNR's penalty sees decide what it gains.

    Args:
        group: Runs with batch norm.

    Returns:
        The parts, at the training radius: far more robust than plain training with the batch's
        statistics, barely with running ones (evaluation mode) at the same strength.
    """
    path = ("curve", "mean")
    plain = at(group, "standard", None, *path)
    parts = {"batch statistics gain": more(at(group, "d.d. SNR", None, *path), plain, GAIN)}
    gains = [a - b for a, b in zip(at(group, "d.d. SNR, eval", None, *path), plain, strict=False)]
    parts["d.d. SNR, eval: no gain"] = over("difference", [GAIN / 4 - g for g in gains], gains)
    return parts
