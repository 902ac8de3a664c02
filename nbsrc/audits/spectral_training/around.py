"""What paper B says of networks around a point: linearity, singular values and activations."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from nbsrc.audits.spectral_training.judged import DAMPED, Parts, at, near, over, ratio
from nbsrc.audits.spectral_training.records import Group, curve
from nbsrc.claims import Finding

__all__ = ["FLAT", "linear", "more_shared", "sigma_on_rays", "unshared"]

FLAT = 0.25  # "a good approximation": deviation from linearity over the norm of Jz


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
            own, plain = (at(group, m, place, *path) for m in (method, "standard"))
            parts[f"{method} {key} smaller"] = ratio(own, plain, most)
        own = at(group, method, place, measure, "adversarial", "relative", "mean")
        parts[f"{method} flat"] = ratio(own, [1.0] * len(own), FLAT)
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
    parts = {"standard develops": over("growth", [g - 1.2 for g in grown], grown)}
    for method in ("AT", "d.d. SNR"):
        own = [max(c[: place + 1]) for c in curve(group, method, *path)]
        parts[f"{method} stays low"] = ratio(own, [c[place] for c in plain], DAMPED)
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
    return _shared(group, place, where, lambda own, plain, se: over(
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
    return _shared(group, place, where, near, "changes nothing")


def _shared(
    group: Group, place: int, where: str,
    test: Callable[[Sequence[float], Sequence[float], Sequence[float]], Finding], words: str,
) -> Parts:  # fmt: skip
    parts: Parts = {}
    plain, error = (at(group, "standard", place, "patterns", where, k) for k in ("mean", "se"))
    for method in ("AT", "d.d. SNR"):
        own, se = (at(group, method, place, "patterns", where, k) for k in ("mean", "se"))
        both = [2 * math.hypot(a, b) for a, b in zip(se, error, strict=True)]
        parts[f"{method} {words}"] = test(own, plain, both)
    return parts
