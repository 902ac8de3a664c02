"""Going on where a recorded result ends: its runs become finished runs again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nbsrc.experiments.campaign import Campaign, file_name
from nbsrc.experiments.collected import read_recorded

__all__ = ["restore"]

_SAME = ("label", "template", "axes", "seed", "identity", "status", "message", "seconds",
         "measure_seconds", "history", "measures")  # fmt: skip


def restore(campaign: Campaign, path: Path) -> int:
    """Store the runs of a collected file that are not stored yet.

    Numbers keep the digits of the file, and the provenance that it tells. A file has no weights: a
    run from which a missing one starts is trained again when that one's turn comes, and its record
    is then the new one.

    Args:
        campaign: The experiment, its tier and the folder of its runs.
        path: The file, as ``--output`` wrote it.

    Returns:
        The number of runs that were stored.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is of another experiment or tier, or no run of it has the settings of the
            experiment file.
    """
    results = read_recorded(path.read_text(encoding="utf-8"))
    for key, value in (("experiment", campaign.plan.name), ("tier", campaign.tier)):
        if results.get(key) != value:
            raise ValueError(f"{path}: {key} must be {value!r}, got {results.get(key)!r}")
    found = {(run["label"], run["seed"]): run for run in results["runs"]}
    stored = fitting = 0
    for run, seed in campaign.jobs():
        entry = found.get((run.label, seed))
        if entry is None or entry["identity"] != campaign.identity(run, seed):
            continue
        fitting += 1
        name = file_name(run, seed)
        with campaign.store.claimed(name, wait=True):
            if campaign.finished(run, seed) is None:
                # The settings as they were written, without options that came later.
                spec = run.as_dict() | {"settings": entry["settings"]}
                campaign.store.keep(name, _record(entry, results["provenance"], spec), None)
                stored += 1
    if not fitting:
        raise ValueError(f"{path}: no run has the settings of {campaign.plan.name} at this tier")
    return stored


def _record(
    entry: Mapping[str, Any], sources: list[dict[str, Any]], spec: Mapping[str, Any]
) -> dict[str, Any]:
    """Return a run's record from what a collected file holds of it."""
    source = dict(sources[entry["provenance"]])
    code = source.pop("code")
    return {key: entry[key] for key in _SAME} | {
        "spec": dict(spec), "code": code, "provenance": source,
    }  # fmt: skip
