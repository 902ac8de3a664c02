"""Records as they would be: points not found counted, penalties under other names."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from nbsrc.audits.regularisers_in_practice.records import ATTACKS, NETS, Record

__all__ = ["bounded", "renamed", "unfound"]

_SIZES = tuple(attack for attack, entry in ATTACKS.items() if entry == "mean")


def unfound(record: Record) -> int:
    """Count runs in which DeepFool or C&W moved fewer points than were classified correctly.

    Args:
        record: The experiment.

    Returns:
        The number of runs.
    """
    return sum(
        any(run["measures"][a]["found"] < run["measures"][a]["clean_correct"] for a in _SIZES)
        for run in record["runs"]
        if run["measures"]
    )


def bounded(record: Record) -> dict[str, Any]:
    """Return the record with means over all correctly classified points.

    Points for which an attack found nothing, left out before, count with the largest distance
    that it found in any run of this network: less than their true distance if the search was long
    enough, but no longer nothing.

    Args:
        record: The experiment.

    Returns:
        A changed copy.
    """
    changed: dict[str, Any] = copy.deepcopy(dict(record))
    for net in NETS:
        runs = [r for r in changed["runs"] if r["axes"]["net"] == net and r["measures"]]
        for attack in _SIZES:
            ends = [r["measures"][attack]["quantiles"] for r in runs]
            largest = max((q["1"] for q in ends if q), default=0.0)
            for run in runs:
                sizes = run["measures"][attack]
                found, correct = sizes["found"], sizes["clean_correct"]
                if correct:
                    total = found * (sizes["mean"] or 0.0) + (correct - found) * largest
                    sizes["mean"] = total / correct
    return changed


def renamed(record: Record, names: Mapping[str, str]) -> dict[str, Any]:
    """Return the record with penalties under other names, for controls.

    Args:
        record: The experiment.
        names: New names by old ones.

    Returns:
        A changed copy.
    """
    changed: dict[str, Any] = copy.deepcopy(dict(record))
    for run in changed["runs"]:
        old = run["axes"].get("penalty")
        if old in names:
            run["axes"]["penalty"] = names[old]
    return changed
