"""The runs of an experiment in one file: what notebooks read and what is recorded."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from nbsrc.experiments.campaign import Campaign

__all__ = ["collect", "mismatches", "read_recorded", "recorded_text"]

_ABSENT = "absent"  # in a recorded run: it has no such number
_PER_RUN = ("label", "template", "axes", "seed", "identity", "status", "message", "seconds",
            "measure_seconds", "measures")  # fmt: skip


def collect(campaign: Campaign) -> dict[str, Any]:
    """Put the finished runs of an experiment together.

    Args:
        campaign: The experiment, its tier and its folder.

    Returns:
        JSON values: ``experiment``, ``description``, ``data``, ``tier``, ``of``, ``reductions``,
        ``sizes``, ``seconds`` (of all runs, on the machines that did them), ``provenance`` (the
        different ones), ``missing`` (label and seed of runs not done) and ``runs``: label,
        template, axes, seed, ``model``, ``settings``, ``regularizer``, ``start``, status,
        seconds, history, measures, and ``provenance``, an index.
    """
    plan, sizes = campaign.plan, campaign.plan.sizes(campaign.tier)
    runs, missing, sources = [], [], []
    for run, seed in campaign.jobs():
        record = campaign.finished(run, seed)
        if record is None:
            missing.append({"label": run.label, "seed": seed})
            continue
        source = {
            key: value for key, value in record["provenance"].items() if key != "recorded"
        } | {"code": record["code"]}
        if source not in sources:
            sources.append(source)
        runs.append(_run(record, plan.history) | {"provenance": sources.index(source)})
    data = campaign.data
    return {
        "experiment": plan.name,
        "description": plan.description,
        "data": {"name": plan.data, "classes": None if plan.classes is None else [*plan.classes]}
        | ({"standardised": True} if plan.standardise else {}),
        "tier": campaign.tier,
        "of": sizes.of,
        "reductions": sizes.reductions,
        "sizes": sizes.as_dict()
        | {"train_images": len(data.train_images), "test_images": len(data.test_images)},
        "seconds": round(sum(run["seconds"] + run["measure_seconds"] for run in runs), 3),
        "provenance": sources,
        "missing": missing,
        "runs": runs,
    }


def _run(record: Mapping[str, Any], history: str) -> dict[str, Any]:
    """Return what a collected file holds of a run."""
    spec, epochs = record["spec"], record["history"]
    kept = epochs if history == "all" else [epochs[0], epochs[-1]] if len(epochs) > 1 else epochs
    parts = ("settings", "start", "schedule", "augmentation", "regularizer")
    return (
        {key: record[key] for key in _PER_RUN}
        | {key: spec[key] for key in parts}
        | {"model": {"name": spec["model"], "width": spec["width"]}, "history": kept}
    )


def recorded_text(results: Mapping[str, Any], digits: int | None = None) -> str:
    """Write collected results with a line per run; :func:`read_recorded` is the way back.

    Args:
        results: What :func:`collect` returned.
        digits: Significant digits of the runs' numbers, None for all. With few digits, as for
            what is committed, the names of the measured numbers are written once for all runs.

    Returns:
        JSON.
    """
    head = {key: value for key, value in results.items() if key != "runs"}
    runs = results["runs"]
    if digits is not None:
        leaves = [dict(_leaves(run["measures"])) for run in runs]
        paths = list(dict.fromkeys(path for found in leaves for path in found))
        head["measured"] = json.dumps(paths)
        runs = [
            _rounded(run, digits)
            | {"measures": [_rounded(found.get(path, _ABSENT), digits) for path in paths]}
            for run, found in zip(runs, leaves, strict=True)
        ]
    lines = [json.dumps(run, sort_keys=True, ensure_ascii=False, allow_nan=False) for run in runs]
    start = json.dumps(head, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return start[: -len("\n}")] + ',\n "runs": [\n' + ",\n".join(lines) + "\n ]\n}\n"


def read_recorded(text: str) -> dict[str, Any]:
    """Read what :func:`recorded_text` wrote.

    Args:
        text: JSON.

    Returns:
        Results as :func:`collect` returns them.
    """
    results: dict[str, Any] = json.loads(text)
    if "measured" in results:
        paths = json.loads(results.pop("measured"))
        for run in results["runs"]:
            values = zip(paths, run["measures"], strict=True)
            run["measures"] = {}
            for path, value in values:
                if value != _ABSENT:
                    place = run["measures"]
                    for key in path[:-1]:
                        place = place.setdefault(key, {})
                    place[path[-1]] = value
    return results


def _leaves(value: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[Any]:
    """Yield every entry that is no table, or an empty one, with the keys that lead to it."""
    for key, entry in value.items():
        if isinstance(entry, dict) and entry:
            yield from _leaves(entry, (*path, key))
        else:
            yield (*path, key), entry


def _rounded(value: Any, digits: int) -> Any:
    """Return JSON values with floats of few significant digits."""
    if isinstance(value, dict):
        return {key: _rounded(entry, digits) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(entry, digits) for entry in value]
    return float(f"{value:.{digits}g}") if isinstance(value, float) else value


def mismatches(campaign: Campaign, collected: Mapping[str, Any]) -> list[str]:
    """Compare a collected file with the experiment file that it should be of.

    Args:
        campaign: The experiment and tier.
        collected: The file's content.

    Returns:
        What differs, in words; empty if every run and size is that of the experiment file.
    """
    found = []
    plan, sizes = campaign.plan, campaign.plan.sizes(campaign.tier)
    expected = {(run.label, seed): campaign.identity(run, seed) for run, seed in campaign.jobs()}
    for key, value in (
        ("experiment", plan.name),
        ("tier", campaign.tier),
        ("description", plan.description),
        ("reductions", sizes.reductions),
    ):
        if collected.get(key) != value:
            found.append(f"{key} is {collected.get(key)!r} and not {value!r}")
    for run in collected["runs"]:
        identity = expected.pop((run["label"], run["seed"]), None)
        if identity is None:
            found.append(f"{run['label']!r}, seed {run['seed']}, is no run of this tier")
        elif identity != run["identity"]:
            found.append(f"{run['label']!r}, seed {run['seed']}, has other settings")
    told = {(entry["label"], entry["seed"]) for entry in collected["missing"]}
    found += [
        f"{label!r}, seed {seed}, is missing untold" for label, seed in expected.keys() - told
    ]
    json.dumps(collected, allow_nan=False)
    return found
