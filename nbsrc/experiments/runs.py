"""One run of an experiment, as its file describes it, and with the sizes of a tier."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from dataclasses import fields as dataclass_fields
from typing import Any

from nbsrc.experiments.grid import Cell
from nbsrc.experiments.kinds import AUGMENTATIONS, SCHEDULES, check_described, check_regularizers
from nbsrc.experiments.measures import check_measures
from nbsrc.experiments.schema import choice, number, table
from nbsrc.experiments.sizes import Sizes
from nbsrc.models import MODEL_NAMES
from nbsrc.training import TrainingSettings

__all__ = ["RunSpec", "read_run"]

_PARTS = ("model", "start", "training", "schedule", "augmentation", "regularizer", "measures")
_SETTINGS = {
    field.name: str(field.type)
    for field in dataclass_fields(TrainingSettings)
    if field.name != "epochs"
}


@dataclass(frozen=True)
class RunSpec:
    """One run, the same for every seed.

    Attributes:
        label: Its name.
        template: Its name in the file, with axes.
        axes: The axes' values.
        model: Name of the network.
        width: Factor of its width.
        settings: The numbers of the training; the epochs are those of a tier.
        start: Label of the run whose final weights it starts from, at the same seed.
        schedule: The schedule of the learning rate, as in the file.
        augmentation: The augmentation, as in the file.
        regularizer: The regularisers, as in the file.
        measures: What to compute at the end, by name.
        seeds: Number of seeds.
    """

    label: str
    template: str
    axes: Mapping[str, Any]
    model: str
    width: float
    settings: TrainingSettings
    start: str | None
    schedule: Mapping[str, Any] | None
    augmentation: Mapping[str, Any] | None
    regularizer: tuple[Mapping[str, Any], ...]
    measures: Mapping[str, Mapping[str, Any]]
    seeds: int = 1

    @property
    def slug(self) -> str:
        """The label as part of a file name."""
        return re.sub(r"[^a-z0-9.]+", "-", self.label.lower()).strip("-")

    def at(self, sizes: Sizes, paper: Sizes) -> RunSpec:
        """Return the run with the sizes of a tier.

        The milestones of a schedule in epochs are those of the paper tier, and are scaled.

        Args:
            sizes: The tier's sizes.
            paper: The paper tier's sizes.

        Returns:
            The run.
        """
        tuning = self.start is not None
        epochs = sizes.epochs_of(self.label, tuning=tuning)
        whole = paper.epochs_of(self.label, tuning=tuning) if paper.takes(self.label) else epochs
        return replace(
            self,
            width=self.width * sizes.width,
            settings=replace(self.settings, epochs=epochs),
            schedule=_scaled(self.schedule, epochs, whole),
            measures={
                name: dict(own) | dict(sizes.measures.get(name, {}))
                for name, own in self.measures.items()
            },
            seeds=sizes.seeds_of(self.label),
        )

    def as_dict(self) -> dict[str, Any]:
        """Return everything but the seeds as JSON values.

        Returns:
            The attributes.
        """
        content = asdict(self)
        del content["seeds"]
        return content | {"regularizer": [dict(part) for part in self.regularizer]}

    def identity(self, seed: int, context: Mapping[str, Any]) -> str:
        """Return a digest of all that decides the run's numbers, code and versions apart.

        Args:
            seed: The seed.
            context: What the run shares with others: data, sizes, the identity of its start.

        Returns:
            SHA-256 of the JSON of everything.
        """
        # Settings at their defaults do not count, so that a new option leaves old records valid.
        defaults = asdict(TrainingSettings(self.settings.epochs))
        own = {k: v for k, v in asdict(self.settings).items() if v != defaults[k] or k == "epochs"}
        run = self.as_dict() | {"settings": own}
        whole = {"run": run, "seed": seed, "context": dict(context)}
        return hashlib.sha256(json.dumps(whole, sort_keys=True, default=str).encode()).hexdigest()


def read_run(cell: Cell, common: Mapping[str, Any]) -> RunSpec:
    """Read and check one run.

    Args:
        cell: The run's own entry.
        common: What the file says for all runs; the entry's values go before.

    Returns:
        The run, without the sizes of a tier.

    Raises:
        ValueError: If a key or value is not allowed; the message names it.
    """
    where = f"runs.{cell.label}"
    own = table(where, dict(cell.content), _PARTS)
    parts = {key: _joined(key, common.get(key), own.get(key)) for key in _PARTS}
    model = table(f"{where}.model", parts["model"], ("name", "width"), ("name",))
    width = float(number(f"{where}.model.width", model.get("width", 1.0), whole=False))
    if not 0 < width < math.inf:
        raise ValueError(f"{where}.model.width must be positive, got {width}")
    return RunSpec(
        label=cell.label,
        template=cell.template,
        axes=cell.axes,
        model=choice(f"{where}.model.name", model["name"], MODEL_NAMES),
        width=width,
        settings=_settings(where, parts["training"] or {}),
        start=None if own.get("start") is None else str(own["start"]),
        schedule=check_described(f"{where}.schedule", parts["schedule"], SCHEDULES),
        augmentation=check_described(f"{where}.augmentation", parts["augmentation"], AUGMENTATIONS),
        regularizer=check_regularizers(f"{where}.regularizer", parts["regularizer"]),
        measures=check_measures(f"{where}.measures", parts["measures"]),
    )


def _joined(key: str, common: Any, own: Any) -> Any:
    """Return a part of a run: its own, over the common one where both are tables."""
    mergeable = key in {"training", "measures", "model"}
    if mergeable and isinstance(common, dict) and isinstance(own, dict):
        return common | own
    return common if own is None else own


def _settings(where: str, values: object) -> TrainingSettings:
    """Return the settings of a training, without epochs.

    Raises:
        ValueError: If a value has the wrong type or is out of range.
    """
    given = table(f"{where}.training", values, tuple(_SETTINGS))
    for key, value in given.items():
        if _SETTINGS[key] in {"int", "float"}:
            number(f"{where}: {key}", value, whole=_SETTINGS[key] == "int")
    try:
        return TrainingSettings(epochs=0, **given)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{where}: {error}") from error


def _scaled(
    schedule: Mapping[str, Any] | None, epochs: int, whole: int
) -> Mapping[str, Any] | None:
    """Return a schedule with its milestones in epochs scaled from one length to another."""
    if schedule is None or "milestones" not in schedule or schedule.get("unit") == "steps":
        return schedule
    scaled = sorted({max(1, round(m * epochs / whole)) for m in schedule["milestones"]})
    return {**schedule, "milestones": scaled}
