"""What paper B says of networks around a point: linearity, singular values and activations."""

from __future__ import annotations

from nbsrc.audits.spectral_training.judged import DAMPED
from nbsrc.audits.spectral_training.parts import Parts, errors, near, over, ratio
from nbsrc.audits.spectral_training.records import Group, at, curve, training_place

__all__ = ["FLAT", "linear", "more_shared", "sigma_on_rays", "unshared"]

FLAT = 0.25  # "a good approximation": deviation from linearity over the norm of Jz
_ROBUST = ("AT", "d.d. SNR")


def linear(group: Group, measure: str = "linearity") -> Parts:
    """Figures 4 and 12, left: robust methods are more linear, and flat up to the training radius.

    Args:
        group: The runs.
        measure: The measure.

    Returns:
        The parts, in the adversarial direction at the training radius.
    """
    parts: Parts = {}
    for method in _ROBUST:
        for key in ("deviation", "relative"):
            path = (measure, "adversarial", key, "mean")
            own, plain = (at(group, m, None, *path) for m in (method, "standard"))
            parts[f"{method} {key} smaller"] = ratio(own, plain, DAMPED)
        own = at(group, method, None, measure, "adversarial", "relative", "mean")
        parts[f"{method} flat"] = ratio(own, [1.0] * len(own), FLAT)
    return parts


def sigma_on_rays(group: Group, measure: str = "linearity") -> Parts:
    """Figures 4 and 12, right: the plain network develops large singular values, others stay low.

    Args:
        group: The runs.
        measure: The measure.

    Returns:
        The parts: the plain one grows by a fifth up to the training radius; the others stay at 0.7
        times its value there.
    """
    place = training_place(group, measure)
    path = (measure, "adversarial", "sigma", "mean")
    plain = curve(group, "standard", *path)
    grown = [max(c[: place + 1]) / c[0] for c in plain]
    parts = {"standard develops": over("growth", [g - 1.2 for g in grown], grown)}
    for method in _ROBUST:
        own = [max(c[: place + 1]) for c in curve(group, method, *path)]
        parts[f"{method} stays low"] = ratio(own, [c[place] for c in plain], DAMPED)
    return parts


def more_shared(group: Group, where: str) -> Parts:
    """Figures 5, left, and 9: robust methods keep more activations, beyond two standard errors.

    Args:
        group: The runs.
        where: ``"data"``, ``"uniform"`` or ``"adversarial"``.

    Returns:
        The parts, at the training radius.
    """
    parts: Parts = {}
    for method, own, plain, both in _shared(group, where):
        gains = [a - b for a, b in zip(own, plain, strict=False)]
        slacks = [g - e for g, e in zip(gains, both, strict=False)]
        parts[f"{method} keeps more"] = over("difference", slacks, gains)
    return parts


def unshared(group: Group, where: str = "uniform") -> Parts:
    """Figure 5, right: no effect away from the data, within two standard errors.

    Args:
        group: The runs.
        where: Base points.

    Returns:
        The parts, at the training radius.
    """
    return {
        f"{method} changes nothing": near(own, plain, both)
        for method, own, plain, both in _shared(group, where)
    }


def _shared(group: Group, where: str) -> list[tuple[str, list[float], list[float], list[float]]]:
    """Return by method its shares, the plain network's, and two standard errors."""
    plain, error = (at(group, "standard", None, "patterns", where, k) for k in ("mean", "se"))
    found = []
    for method in _ROBUST:
        own, se = (at(group, method, None, "patterns", where, k) for k in ("mean", "se"))
        found.append((method, own, plain, errors(se, error)))
    return found
