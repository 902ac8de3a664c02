"""What paper B says of networks around a point: linearity, singular values and activations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import mean, variance

from nbsrc.audits.spectral_training.judged import DAMPED, aligned, damped
from nbsrc.audits.spectral_training.parts import Parts, errors, over, ratio
from nbsrc.audits.spectral_training.records import Group, at, curve, training_place

__all__ = ["FLAT", "contributions", "linear", "more_shared", "sigma_on_rays", "unshared"]

FLAT = 0.25  # "a good approximation": deviation from linearity over the norm of Jz
_ROBUST = ("AT", "d.d. SNR")


def linear(
    group: Group, measure: str = "linearity", directions: Sequence[str] = ("adversarial", "random")
) -> Parts:
    """Figures 4 and 12, left: robust methods are more linear, and flat up to the training radius.

    Args:
        group: The runs.
        measure: The measure.
        directions: Directions of the rays.

    Returns:
        The parts, at the training radius.
    """
    parts: Parts = {}
    for method in _ROBUST:
        for way in directions:
            name = method if way == "adversarial" else f"{method}, {way}:"
            for key in ("deviation", "relative"):
                path = (measure, way, key, "mean")
                own, plain = (at(group, m, None, *path) for m in (method, "standard"))
                parts[f"{name} {key} smaller"] = ratio(own, plain, DAMPED)
            own = at(group, method, None, measure, way, "relative", "mean")
            parts[f"{name} flat"] = ratio(own, [1.0] * len(own), FLAT)
    return parts


def sigma_on_rays(
    group: Group, measure: str = "linearity", directions: Sequence[str] = ("adversarial", "random")
) -> Parts:
    """Figures 4 and 12, right: the plain network develops large singular values, others stay low.

    Args:
        group: The runs.
        measure: The measure.
        directions: Directions of the rays.

    Returns:
        The parts: the plain one grows by a fifth from the first radius up to the training radius;
        the others stay at 0.7 times its value there.
    """
    parts: Parts = {}
    place = training_place(group, measure)
    for way in directions:
        ending = "" if way == "adversarial" else f", {way}"
        path = (measure, way, "sigma", "mean")
        plain = curve(group, "standard", *path)
        grown = [max(c[: place + 1]) / c[0] for c in plain]
        parts[f"standard develops{ending}"] = over("growth", [g - 1.2 for g in grown], grown)
        for method in _ROBUST:
            own = [max(c[: place + 1]) for c in curve(group, method, *path)]
            parts[f"{method} stays low{ending}"] = ratio(own, [c[place] for c in plain], DAMPED)
    return parts


def more_shared(group: Group, where: str) -> Parts:
    """Figures 5, left, and 9: robust methods keep more activations, beyond two standard errors.

    Args:
        group: The runs.
        where: ``"data"``, ``"uniform"`` or ``"adversarial"``.

    Returns:
        The parts, at the training radius: for every seed beyond the error over images, and their
        mean beyond that over seeds and images.
    """
    parts: Parts = {}
    for method, own, plain, both in _shared(group, where):
        gains = [a - b for a, b in zip(own, plain, strict=False)]
        limit = _limit(own, plain, both)
        slacks = [min(g - e, mean(gains) - limit) for g, e in zip(gains, both, strict=False)]
        parts[f"{method} keeps more"] = over("difference", slacks, gains)
    return parts


def contributions(group: Group) -> Parts:
    """The list of contributions: alignment, smaller singular values, smaller deviations.

    Args:
        group: The runs.

    Returns:
        The parts of Figures 2 and 4 that it speaks of.
    """
    found = aligned(group, _ROBUST) | damped(group) | linear(group)
    return {k: v for k, v in found.items() if k.endswith(("strong", "damps", "smaller"))}


def unshared(group: Group, where: str = "uniform") -> Parts:
    """Figure 5, right: no effect away from the data, and little of that around them.

    Args:
        group: The runs.
        where: Base points.

    Returns:
        The parts, at the training radius, of means over the seeds: the difference within two
        standard errors over seeds and images, which must be smaller than the difference around the
        data, or nothing could be seen; its size less than half of that.
    """
    parts: Parts = {}
    around = {name: (own, plain) for name, own, plain, _ in _shared(group, "data")}
    for method, own, plain, both in _shared(group, where):
        effect, near = mean(own) - mean(plain), mean(around[method][0]) - mean(around[method][1])
        limit = _limit(own, plain, both)
        slack = min(limit - abs(effect), abs(near) - limit)
        parts[f"{method} changes nothing"] = over("effect", [slack], [effect])
        share = abs(effect) / max(abs(near), 1e-12)
        parts[f"{method}: less than half"] = over("share", [0.5 - share], [share])
    return parts


def _limit(own: Sequence[float], plain: Sequence[float], both: Sequence[float]) -> float:
    """Return two standard errors of a difference of means, over seeds and images."""
    seeds = sum(variance(values) / len(values) for values in (own, plain) if len(values) > 1)
    return math.sqrt(4 * seeds + mean(e * e for e in both))


def _shared(group: Group, where: str) -> list[tuple[str, list[float], list[float], list[float]]]:
    """Return by method its shares, the plain network's, and two standard errors."""
    plain, error = (at(group, "standard", None, "patterns", where, k) for k in ("mean", "se"))
    found = []
    for method in _ROBUST:
        own, se = (at(group, method, None, "patterns", where, k) for k in ("mean", "se"))
        found.append((method, own, plain, errors(se, error)))
    return found
