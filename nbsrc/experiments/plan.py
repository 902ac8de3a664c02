"""The plan of an experiment: one YAML file, checked before anything runs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import yaml

from nbsrc.data import DATA_NAMES
from nbsrc.experiments.grid import expand
from nbsrc.experiments.runs import RunSpec, read_run
from nbsrc.experiments.schema import choice, number, table, text
from nbsrc.experiments.sizes import TIERS, Sizes, read_sizes

__all__ = ["TIERS", "ExperimentPlan", "read_plan"]

_KEYS = ("name", "description", "data", "runs", "tiers")
_COMMON = ("model", "training", "schedule", "augmentation", "regularizer", "measures")
_NORMS: dict[object, float | str] = {1: 1, 2: 2, "inf": math.inf, math.inf: math.inf, "fro": "fro"}
_HISTORIES = ("all", "ends")


@dataclass(frozen=True)
class ExperimentPlan:
    """A checked experiment file.

    Attributes:
        name: The file's name without its ending.
        description: What the experiment asks, in words.
        data: Name of the data set.
        classes: The labels that are kept, renumbered in this order; None for all.
        norms: The layer norms to record before training and after every epoch.
        end_norms: Further norms, slow ones, recorded before training and after the last epoch.
        history: What a collected file keeps of each run, ``"all"`` epochs or both ``"ends"``.
        runs: The runs in order of value.
        tiers: Sizes by tier.
        standardise: Whether every image is given mean 0 and variance 1 before anything else.
    """

    name: str
    description: str
    data: str
    classes: tuple[int, ...] | None
    norms: tuple[float | str, ...]
    end_norms: tuple[float | str, ...]
    history: str
    runs: tuple[RunSpec, ...]
    tiers: Mapping[str, Sizes]
    standardise: bool = False

    def sizes(self, tier: str) -> Sizes:
        """Return the sizes of a tier.

        Args:
            tier: One of the file's tiers.

        Returns:
            Its sizes.

        Raises:
            ValueError: If the file has no such tier.
        """
        if tier not in self.tiers:
            raise ValueError(f"tier must be one of {tuple(self.tiers)}, got {tier!r}")
        return self.tiers[tier]

    def runs_of(self, tier: str) -> tuple[RunSpec, ...]:
        """Return the runs of a tier, with its sizes.

        Args:
            tier: One of the file's tiers.

        Returns:
            The runs in order of value.

        Raises:
            ValueError: If the file has no such tier.
        """
        sizes, paper = self.sizes(tier), self.tiers["paper"]
        return tuple(run.at(sizes, paper) for run in self.runs if sizes.takes(run.label))


def read_plan(path: Path) -> ExperimentPlan:
    """Read and check an experiment file.

    Args:
        path: The YAML file.

    Returns:
        The plan.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file breaks the schema; the message names file, key, value and what is
            allowed.
    """
    content = path.read_text(encoding="utf-8")
    try:
        return _plan(yaml.safe_load(content), path.stem)
    except (ValueError, TypeError, NotImplementedError, yaml.YAMLError) as error:
        raise ValueError(f"{path.name}: {error}") from error


def _plan(content: object, stem: str) -> ExperimentPlan:
    """Return the plan that a file's content describes.

    Raises:
        ValueError: If the content breaks the schema.
    """
    whole = table("the file", content, (*_KEYS, *_COMMON, "record"), _KEYS)
    if whole["name"] != stem:
        raise ValueError(f"name must be that of the file, {stem!r}, got {whole['name']!r}")
    data = table("data", whole["data"], ("name", "classes", "standardise"), ("name",))
    record = table("record", whole.get("record", {}), ("norms", "end_norms", "history"))
    common = {key: whole[key] for key in _COMMON if key in whole}
    cells = [
        cell
        for template, entry in table("runs", whole["runs"], None).items()
        for cell in expand(template, entry)
    ]
    runs = tuple(read_run(cell, common) for cell in cells)
    tiers = table("tiers", whole["tiers"], None, TIERS)
    plan = ExperimentPlan(
        name=stem,
        description=text("description", whole["description"]),
        data=choice("data.name", data["name"], DATA_NAMES),
        classes=_classes(data.get("classes")),
        norms=_norms("record.norms", record.get("norms", [])),
        end_norms=_norms("record.end_norms", record.get("end_norms", [])),
        history=choice("record.history", record.get("history", "all"), _HISTORIES),
        runs=runs,
        tiers={tier: read_sizes(tier, sizes) for tier, sizes in tiers.items()},
        standardise=_switch("data.standardise", data.get("standardise", False)),
    )
    _check_runs(plan)
    return plan


def _check_runs(plan: ExperimentPlan) -> None:
    """Check what concerns several runs.

    Raises:
        ValueError: If two runs have one label or file name, a run starts from one that does not
            stand before it, or a tier names a run or measure that it has not, or leaves out the
            start of a run or its seeds.
    """
    seen: dict[str, str] = {}
    for run in plan.runs:
        if run.slug in seen:
            raise ValueError(f"the runs {seen[run.slug]!r} and {run.label!r} share a name of file")
        if run.start is not None and run.start not in seen.values():
            raise ValueError(f"runs.{run.label}: start must be a run before it, got {run.start!r}")
        seen[run.slug] = run.label
    for tier in plan.tiers:
        chosen = plan.runs_of(tier)
        labels = {run.label: run.seeds for run in chosen}
        for pattern in plan.tiers[tier].runs:
            if not any(fnmatchcase(label, pattern) for label in seen.values()):
                raise ValueError(
                    f"tiers.{tier}.runs: {pattern!r} fits no run; there are {list(seen.values())}"
                )
        known = sorted({name for run in chosen for name in run.measures})
        for name in plan.tiers[tier].measures:
            choice(f"a key of tiers.{tier}.measures", name, known)
        for run in chosen:
            if run.start is not None and run.start not in labels:
                raise ValueError(f"tiers.{tier}.runs leave out {run.start!r}, start of {run.label}")
            if run.start is not None and labels[run.start] < run.seeds:
                raise ValueError(f"tiers.{tier}.seeds: {run.start!r} has fewer than {run.label!r}")


def _switch(where: str, value: object) -> bool:
    """Return true or false.

    Raises:
        ValueError: If it is neither.
    """
    if not isinstance(value, bool):
        raise ValueError(f"{where} must be true or false, got {value!r}")
    return value


def _classes(value: object) -> tuple[int, ...] | None:
    """Return the labels to keep.

    Raises:
        ValueError: If they are no list of different labels.
    """
    if value is None:
        return None
    if not isinstance(value, list) or len(value) < 2:
        raise ValueError(f"data.classes must be a list of two labels or more, got {value!r}")
    labels = tuple(number("data.classes", entry, whole=True, minimum=0) for entry in value)
    if len(set(labels)) < len(labels):
        raise ValueError(f"data.classes must differ, got {value!r}")
    return labels


def _norms(where: str, value: object) -> tuple[float | str, ...]:
    """Return the orders of the norms to record.

    Raises:
        ValueError: If the value is no list of orders.
    """
    known = isinstance(value, list) and all(
        not isinstance(v, bool) and isinstance(v, int | float | str) and v in _NORMS for v in value
    )
    if not isinstance(value, list) or not known:
        raise ValueError(f"{where} must be a list of 1, 2, inf and fro, got {value!r}")
    return tuple(_NORMS[entry] for entry in value)
