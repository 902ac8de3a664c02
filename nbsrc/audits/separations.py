"""What the recorded separations of image sets say about Assumption 2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nbsrc.audits.finding import Case, collect
from nbsrc.claims import Finding

__all__ = ["audit_quoted", "audit_separable", "rests_on_copies"]


def audit_separable(
    entries: Mapping[str, Mapping[str, Any]], eps: float, *, factor: float = 1.0
) -> Finding:
    """Test that sets are 2 eps separable, with eps a multiple of an attack size.

    Args:
        entries: Recorded separations by name, each with ``distance`` and ``pair``.
        eps: The attack size.
        factor: The multiple of it for which the sets are to be separable.

    Returns:
        A finding over the sets; slack is the distance minus 2 eps. Equality is a violation, since
        Assumption 2 is strict.
    """
    cases = []
    for number, (name, entry) in enumerate(entries.items()):
        gap = entry["distance"] - 2 * factor * eps
        text = f"{name}: distance {entry['distance']:.4f} of images {entry['pair']}"
        cases.append((gap if gap != 0 else -5e-324, (number,), text))
    return collect(cases, tolerance=0, family=f"{len(cases)} comparisons of sets")


def audit_quoted(
    sets: Mapping[str, Any], quoted: Mapping[str, Mapping[str, float]], *, digits: int = 3
) -> Finding:
    """Test that quoted linf separations are the computed ones, rounded.

    Args:
        sets: ``sets`` of results/A_separation.json.
        quoted: Quoted values by set and part.
        digits: Digits after the decimal point of the quoted values.

    Returns:
        A finding over the quoted values; slack is half a unit of the last digit minus the error.
    """
    cases: list[Case] = []
    for name, parts in quoted.items():
        for part, value in parts.items():
            ours = sets[name][part]["linf"]["distance"]
            slack = 0.5 * 10**-digits - abs(ours - value)
            text = f"{name} {part.replace('_', '-')}: quoted {value}, computed {ours:.6f}"
            cases.append((slack, (len(cases),), text))
    return collect(cases, tolerance=0, family=f"{len(cases)} quoted linf separations")


def rests_on_copies(parts: Mapping[str, Any]) -> list[str]:
    """Return the norms in which an inexact image is as close to another class as the closest pair.

    Args:
        parts: Recorded separations of one set by part and norm, with the part ``copies``.

    Returns:
        Those recorded norms in which the smallest distance of a copy does not exceed that of any
        of the other parts.
    """
    exact = [part for name, part in parts.items() if name not in {"copies", "divisor"}]
    return [
        norm
        for norm, copies in parts["copies"].items()
        if any(copies["distance"] <= part[norm]["distance"] for part in exact if norm in part)
    ]
