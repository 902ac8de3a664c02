"""The plan of an experiment: one YAML file, checked before anything runs."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import yaml

from nbsrc.data import DATA_NAMES
from nbsrc.models import MODEL_NAMES
from nbsrc.training import TrainingSettings

__all__ = ["TIERS", "ExperimentPlan", "Sizes", "read_plan"]

TIERS = ("smoke", "book", "paper")
_KEYS = ("name", "description", "data", "model", "training", "record", "runs", "tiers")
_SETTINGS = {field.name: field.type for field in fields(TrainingSettings) if field.name != "epochs"}
_NORMS: dict[object, float | str] = {1: 1, 2: 2, "inf": math.inf, math.inf: math.inf, "fro": "fro"}


@dataclass(frozen=True)
class Sizes:
    """What a tier may change: sizes, and nothing else.

    Attributes:
        epochs: Epochs of every run.
        seeds: Number of seeds; the seeds are 0, 1, ...
        train_images: Training images used, None for all.
        test_images: Test images used, None for all.
    """

    epochs: int
    seeds: int = 1
    train_images: int | None = None
    test_images: int | None = None


@dataclass(frozen=True)
class ExperimentPlan:
    """A checked experiment file.

    Attributes:
        name: The file's name without its ending.
        description: What the experiment asks, in words.
        data: Name of the data set.
        model: Name of the network.
        norms: The layer norms to record before training and after every epoch.
        end_norms: Further norms, slow ones, recorded before training and after the last epoch.
        runs: Training settings by the label of the run, without the tier's epochs.
        tiers: Sizes by tier.
        digest: SHA-256 of the file's text, line endings normalised.
    """

    name: str
    description: str
    data: str
    model: str
    norms: tuple[float | str, ...]
    end_norms: tuple[float | str, ...]
    runs: Mapping[str, TrainingSettings]
    tiers: Mapping[str, Sizes]
    digest: str

    def settings(self, label: str, tier: str) -> TrainingSettings:
        """Return the settings of one run at one tier.

        Args:
            label: The run's label.
            tier: The tier.

        Returns:
            The settings with the tier's number of epochs.
        """
        return replace(self.runs[label], epochs=self.tiers[tier].epochs)


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
    text = path.read_text(encoding="utf-8")
    try:
        return _plan(yaml.safe_load(text), path.stem, _digest(text))
    except (ValueError, yaml.YAMLError) as error:
        raise ValueError(f"{path.name}: {error}") from error


def _digest(text: str) -> str:
    """Return the SHA-256 of a text; `read_text` has made the line endings one."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def _plan(content: object, stem: str, digest: str) -> ExperimentPlan:
    """Return the plan that a file's content describes.

    Raises:
        ValueError: If the content breaks the schema.
    """
    table = _table("the file", content, _KEYS, _KEYS)
    if table["name"] != stem:
        raise ValueError(f"name must be that of the file, {stem!r}, got {table['name']!r}")
    if not isinstance(table["description"], str) or not table["description"].strip():
        raise ValueError(f"description must be a text, got {table['description']!r}")
    data = _table("data", table["data"], ("name",), ("name",))
    model = _table("model", table["model"], ("name",), ("name",))
    record = _table("record", table["record"], ("norms", "end_norms"), ("norms",))
    common = _table("training", table["training"], tuple(_SETTINGS), ())
    runs = _table("runs", table["runs"], None, ())
    tiers = _table("tiers", table["tiers"], TIERS, TIERS)
    return ExperimentPlan(
        name=stem,
        description=table["description"].strip(),
        data=_choice("data.name", data["name"], DATA_NAMES),
        model=_choice("model.name", model["name"], MODEL_NAMES),
        norms=_norms("record.norms", record["norms"]),
        end_norms=_norms("record.end_norms", record.get("end_norms", [])),
        runs={label: _settings(label, common, own) for label, own in runs.items()},
        tiers={tier: _sizes(f"tiers.{tier}", tiers[tier]) for tier in TIERS},
        digest=digest,
    )


def _table(
    where: str, value: object, allowed: tuple[str, ...] | None, required: tuple[str, ...]
) -> dict[str, Any]:
    """Return a mapping with allowed keys.

    Raises:
        ValueError: If it is empty or none, or a key is unknown or missing.
    """
    if not isinstance(value, dict) or (not value and allowed is None):
        raise ValueError(f"{where} must be a mapping, got {value!r}")
    for key in value:
        if not isinstance(key, str) or (allowed is not None and key not in allowed):
            raise ValueError(f"{where} has the unknown key {key!r}; allowed: {allowed or 'texts'}")
    missing = [key for key in required if key not in value]
    if missing:
        raise ValueError(f"{where} lacks the keys {missing}")
    return value


def _choice(where: str, value: object, allowed: tuple[str, ...]) -> str:
    """Return one of the allowed texts.

    Raises:
        ValueError: If it is another.
    """
    if value not in allowed:
        raise ValueError(f"{where} must be one of {allowed}, got {value!r}")
    return str(value)


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


def _settings(label: str, common: dict[str, Any], own: object) -> TrainingSettings:
    """Return the settings of a run: the common ones, then its own.

    Raises:
        ValueError: If a value has the wrong type or is out of range.
    """
    merged = common | _table(f"runs.{label}", own, tuple(_SETTINGS), ())
    for key, value in merged.items():
        whole = _SETTINGS[key] == "int"
        _number(f"runs.{label}: {key}", value, whole=whole)
    try:
        return TrainingSettings(epochs=0, **merged)
    except ValueError as error:
        raise ValueError(f"runs.{label}: {error}") from error


def _sizes(where: str, value: object) -> Sizes:
    """Return the sizes of a tier.

    Raises:
        ValueError: If a size is not a positive integer (or "all").
    """
    names = tuple(field.name for field in fields(Sizes))
    table = _table(where, value, names, ("epochs",))
    sizes: dict[str, Any] = {}
    for key, size in table.items():
        if size == "all" and key.endswith("_images"):
            continue
        _number(f"{where}.{key}", size, whole=True)
        if size < 1:
            raise ValueError(f"{where}.{key} must be at least 1, got {size}")
        sizes[key] = size
    return Sizes(**sizes)


def _number(where: str, value: object, *, whole: bool) -> None:
    """Check a number; ``5e-4`` without a point is a text in YAML.

    Raises:
        ValueError: If it is none.
    """
    allowed = int if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, allowed):
        kind = "an integer" if whole else "a number (in YAML 5.0e-4, not 5e-4)"
        raise ValueError(f"{where} must be {kind}, got {value!r}")
