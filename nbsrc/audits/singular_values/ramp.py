"""The ramp loss of Definition 4, line by line, and the formula of the proof for it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence

import torch

from nbsrc.audits.finding import Case, collect
from nbsrc.claims import Finding
from nbsrc.margins import ramp_loss

__all__ = ["audit_library_ramp", "audit_ramp", "audit_ramp_identity", "ramp_values"]


def ramp_values(r: float, gamma: float) -> list[float]:
    """All values that Definition 4 gives, one for each line of it that applies.

    Args:
        r: Minus the margin.
        gamma: The parameter; NaN is returned for a division by 0.

    Returns:
        The different values; for ``gamma > 0`` exactly one.

    Example:
        >>> ramp_values(-0.5, 1.0), ramp_values(1.0, -2.0)
        ([0.5], [0.0, 1.0])
    """
    found = [0.0] if r < -gamma else []
    if -gamma <= r <= 0:
        found.append(1 + r / gamma if gamma else math.nan)
    if r > 0:
        found.append(1.0)
    return list(dict.fromkeys(found))


def audit_ramp(
    gammas: Iterable[float], grid: Sequence[float], values: Callable[..., list[float]] = ramp_values
) -> Finding:
    """Test that the ramp loss has one value in [0, 1], is continuous, and has slope 1/gamma inside.

    Args:
        gammas: Values of the parameter.
        grid: Values of r.
        values: The loss, as all the values that its definition gives.

    Returns:
        The finding; the slack is minus the largest error.
    """
    h = 1e-4

    def results() -> Iterator[Case]:
        for gamma in gammas:
            for r in grid:
                here = values(r, gamma)
                shown = {"gamma": gamma, "r": r, "values": ["undefined" if v != v else v
                                                            for v in here]}  # fmt: skip
                size = (int(gamma <= 0), int(abs(r)), int(gamma != round(gamma)))
                if len(here) != 1 or here[0] != here[0]:
                    yield -1.0, size, shown
                    continue
                error = max(0.0, -here[0], here[0] - 1)
                rise = values(r + h, gamma)[0] - here[0]
                if gamma > 0:
                    error = max(error, abs(rise) - h / gamma)
                    if -gamma <= r <= -h:
                        error = max(error, abs(rise / h - 1 / gamma))
                yield -error, size, shown

    return collect(results(), tolerance=1e-9, family="a grid of r for every gamma")


def audit_ramp_identity(
    margins: Iterable[float], gammas: Iterable[float], *, clipped: bool
) -> Finding:
    """Test that the ramp loss of minus a margin u is ``max(0, 1 - u / gamma)``.

    Args:
        margins: Margins u.
        gammas: Positive parameters.
        clipped: Cut the formula off at 1.

    Returns:
        The finding; the slack is minus the error.
    """
    known = list(margins)

    def results() -> Iterator[Case]:
        for gamma in gammas:
            for u in known:
                formula = max(0.0, 1 - u / gamma)
                if clipped:
                    formula = min(1.0, formula)
                truth = ramp_values(-u, gamma)[0]
                whole = u == round(u) and gamma == round(gamma)
                shown = {"gamma": gamma, "u": u, "formula": formula, "ramp": truth}
                yield -abs(formula - truth), (1 - whole, int(10 * (abs(u) + gamma))), shown

    return collect(results(), tolerance=1e-12, family="a grid of margins")


def audit_library_ramp(gammas: Iterable[float], grid: Sequence[float]) -> Finding:
    """Test the library's ramp loss against the lines of the definition.

    Args:
        gammas: Positive parameters.
        grid: Values of r.

    Returns:
        The finding; the slack is minus the error.
    """

    def results() -> Iterator[Case]:
        for gamma in gammas:
            for r in grid:
                found = float(ramp_loss(torch.tensor(r, dtype=torch.float64), gamma))
                shown = {"gamma": gamma, "r": r, "library": found}
                yield -abs(found - ramp_values(r, gamma)[0]), (int(abs(r)),), shown

    return collect(results(), tolerance=1e-12, family="a grid of r for every gamma")
