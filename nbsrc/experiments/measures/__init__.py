"""What a run computes of its trained network: attacks, norms, margins, slopes.

A measure is called as ``measure(model, data, images, seed, **arguments)``, where ``images`` is the
number of images to take, None for all; it leaves the network as it was and returns JSON values.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from nbsrc.data import ImageData
from nbsrc.experiments.measures.attacked import ATTACKING
from nbsrc.experiments.measures.changes import CHANGES
from nbsrc.experiments.measures.networks import NETWORKS
from nbsrc.experiments.measures.predictions import PREDICTIONS
from nbsrc.experiments.measures.sensitivity import SENSITIVITY
from nbsrc.experiments.schema import choice, number, parsed_value, table
from nbsrc.experiments.slopes import slopes

__all__ = ["ATTACKS", "MEASURES", "check_measures", "compute"]

Measure = Callable[..., dict[str, Any]]
#: The measures that an experiment file can name.
MEASURES: dict[str, Measure] = {
    **ATTACKING,
    **CHANGES,
    **NETWORKS,
    **PREDICTIONS,
    **SENSITIVITY,
    "slopes": slopes,
}
#: The measures that attack test images: a tier's ``attacked`` says how many.
ATTACKS: tuple[str, ...] = (*ATTACKING, *CHANGES, *SENSITIVITY)
_COMMON = 4  # arguments that every measure has: model, data, images, seed


def check_measures(where: str, specs: object) -> dict[str, dict[str, Any]]:
    """Check the descriptions of measures.

    Args:
        where: Name of the place in the file.
        specs: A mapping from names to ``{kind: pgd, eps: 0.1}`` or so, or None.

    Returns:
        The descriptions by name.

    Raises:
        ValueError: If a kind or an argument is unknown, one is missing, or a number is none.
    """
    if specs is None or specs == {}:
        return {}
    checked = {}
    for name, spec in table(where, specs, None).items():
        place = f"{where}.{name}"
        entry = table(place, spec, None, ("kind",))
        measure = MEASURES[choice(f"{place}.kind", entry["kind"], tuple(MEASURES))]
        arguments = list(inspect.signature(measure).parameters.values())[_COMMON:]
        needed = tuple(a.name for a in arguments if a.default is a.empty)
        table(place, entry, ("kind", "images", *(a.name for a in arguments)), needed)
        given = parsed_value(entry)
        for argument in arguments:
            if argument.name in given and argument.annotation in {"int", "float"}:
                whole = argument.annotation == "int"
                number(f"{place}.{argument.name}", given[argument.name], whole=whole)
        checked[name] = entry
    return checked


def compute(
    spec: Mapping[str, Any], model: nn.Module, data: ImageData, attacked: int | None, seed: int
) -> dict[str, Any]:
    """Compute a measure of a trained network, which stays as it was.

    Args:
        spec: A checked description; its ``images`` go before ``attacked``.
        model: The network.
        data: The data of the run.
        attacked: Number of test images to attack, None for all or where nothing is attacked.
        seed: The run's seed.

    Returns:
        JSON values, the numbers finite or None.
    """
    given = parsed_value({key: value for key, value in spec.items() if key != "kind"})
    images = given.pop("images", attacked)
    found = MEASURES[spec["kind"]](model, data, images, seed, **given)
    return {key: _finite(value) for key, value in found.items()}


def _finite(value: Any) -> Any:
    """Return JSON values with None for numbers that are not finite."""
    if isinstance(value, dict):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
