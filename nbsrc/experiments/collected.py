"""The runs of an experiment in one file: what notebooks read and what is recorded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from nbsrc.experiments.campaign import Campaign

__all__ = ["collect", "mismatches", "recorded_text"]

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
        "data": {"name": plan.data, "classes": None if plan.classes is None else [*plan.classes]},
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
    """Write collected results with a line per run.

    Args:
        results: What :func:`collect` returned.
        digits: Significant digits of the runs' numbers, None for all; what is committed needs few.

    Returns:
        JSON.
    """
    lines = [_line(run, digits) for run in results["runs"]]
    head = {key: value for key, value in results.items() if key != "runs"}
    start = json.dumps(head, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return start[: -len("\n}")] + ',\n "runs": [\n' + ",\n".join(lines) + "\n ]\n}\n"


def _line(run: Mapping[str, Any], digits: int | None) -> str:
    """Return a run as one line of JSON."""
    kept = run if digits is None else _rounded(run, digits)
    return json.dumps(kept, sort_keys=True, ensure_ascii=False, allow_nan=False)


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
