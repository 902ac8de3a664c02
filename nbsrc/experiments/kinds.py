"""Regularisers, schedules and augmentations by the names of their classes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import nn

from nbsrc import regularizers
from nbsrc.experiments.schema import choice, parsed_value, table
from nbsrc.regularizers import Regularizer, Threat, batch_norm_names, compose, weight_layers
from nbsrc.training import Augmentation, CropAndFlip, InverseDecay, Schedule, StepDecay

__all__ = [
    "AUGMENTATIONS",
    "SCHEDULES",
    "build_described",
    "build_regularizer",
    "check_described",
    "check_regularizers",
]

Spec = Mapping[str, Any]
_REGULARIZERS: dict[str, Any] = {
    name: kind
    for name, kind in vars(regularizers).items()
    if inspect.isclass(kind) and issubclass(kind, Regularizer) and is_dataclass(kind)
}
#: The schedules that an experiment file can name.
SCHEDULES: dict[str, Callable[..., Schedule]] = {
    "StepDecay": StepDecay,
    "InverseDecay": InverseDecay,
}
#: The augmentations that an experiment file can name.
AUGMENTATIONS: dict[str, Callable[..., Augmentation]] = {"CropAndFlip": CropAndFlip}
_ALL = ["*"]
_PATTERNS = ("layers", "names")


def check_described(
    where: str, spec: object, kinds: Mapping[str, Callable[..., Any]]
) -> Spec | None:
    """Check the description of something that needs no network, by building it.

    Args:
        where: Name of the place in the file.
        spec: ``{kind: CropAndFlip, padding: 4}`` or so, or None.
        kinds: The classes that may be named, ``SCHEDULES`` or ``AUGMENTATIONS``.

    Returns:
        The description.

    Raises:
        ValueError: If it describes none; the message names the argument.
    """
    if spec is None:
        return None
    entry = table(where, spec, None, ("kind",))
    kind = kinds[choice(f"{where}.kind", entry["kind"], tuple(kinds))]
    allowed, needed = _arguments(kind)
    table(where, entry, ("kind", *allowed), needed)
    try:
        build_described(entry, kinds)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{where}: {error}") from error
    return entry


def check_regularizers(where: str, spec: object) -> tuple[Spec, ...]:
    """Check the description of regularisers by building them for a tiny network.

    Args:
        where: Name of the place in the file.
        spec: ``{kind: NormDecay, order: inf, beta: 0.01}`` or so, a list of such, or None.

    Returns:
        The descriptions.

    Raises:
        ValueError: If one describes none; the message names the argument.
    """
    entries = [] if spec is None else spec if isinstance(spec, list) else [spec]
    checked = tuple(table(where, entry, None, ("kind",)) for entry in entries)
    tiny = nn.Sequential(nn.Flatten(), nn.Linear(4, 2), nn.BatchNorm1d(2))
    for entry in checked:
        kind = _REGULARIZERS[choice(f"{where}.kind", entry["kind"], tuple(_REGULARIZERS))]
        allowed, needed = _arguments(kind)
        table(where, entry, ("kind", *allowed), needed)
        if "threat" in entry:
            table(f"{where}.threat", entry["threat"], *_arguments(Threat))
        every = {key: _ALL for key in _PATTERNS if key in entry}
        for key in every:
            if not isinstance(entry[key], list):
                raise ValueError(f"{where}.{key} must be a list of patterns, got {entry[key]!r}")
        try:
            _regularizer(dict(entry) | every, tiny, (2, 1, 2, 2), 0)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{where}: {error}") from error
    return checked


def build_described(spec: Spec | None, kinds: Mapping[str, Callable[..., Any]]) -> Any:
    """Build what a description stands for.

    Args:
        spec: A checked description.
        kinds: The classes, ``SCHEDULES`` or ``AUGMENTATIONS``.

    Returns:
        The object, None for None.
    """
    if spec is None:
        return None
    given = {key: parsed_value(value) for key, value in spec.items() if key != "kind"}
    return kinds[spec["kind"]](**given)


def build_regularizer(
    specs: Sequence[Spec], model: nn.Module, shape: tuple[int, ...], seed: int
) -> Regularizer | None:
    """Build the regularisers of a run.

    Args:
        specs: Checked descriptions. ``layers`` holds shell patterns for names of weight layers,
            all without it; ``names`` such for batch norms (of ``BatchNormProjection``) or
            parameters.
        model: The network.
        shape: Shape of a batch of one image.
        seed: Seed of the run; every part gets a generator of its own.

    Returns:
        One regulariser, None if there are no descriptions.
    """
    if not specs:
        return None
    parts = [
        _regularizer(spec, model, shape, 1_000_003 * (number + 1) + seed)
        for number, spec in enumerate(specs)
    ]
    return parts[0] if len(parts) == 1 else compose(*parts)


def _regularizer(spec: Spec, model: nn.Module, shape: tuple[int, ...], seed: int) -> Regularizer:
    """Return one regulariser."""
    kind = _REGULARIZERS[spec["kind"]]
    names = {field.name for field in fields(kind) if field.init}
    given = {key: parsed_value(value) for key, value in spec.items() if key != "kind"}
    if "layers" in names:
        chosen = given.get("layers", _ALL)
        layers = [layer.name for layer in weight_layers(model, shape)]
        given["layers"] = weight_layers(model, shape, _fitting(layers, chosen))
    if "names" in names:
        every = (
            batch_norm_names(model)
            if kind is regularizers.BatchNormProjection
            else [name for name, _ in model.named_parameters()]
        )
        given["names"] = _fitting(every, given.get("names", _ALL))
    if "generator" in names:
        given["generator"] = torch.Generator().manual_seed(seed)
    if "threat" in given:
        given["threat"] = Threat(**given["threat"])
    built: Regularizer = kind(**given)
    return built


def _fitting(names: Sequence[str], patterns: Sequence[str]) -> list[str]:
    """Return the names that fit a pattern.

    Raises:
        ValueError: If a pattern fits none.
    """
    for pattern in patterns:
        if names and not any(fnmatchcase(name, pattern) for name in names):
            raise ValueError(f"the pattern {pattern!r} fits none of {list(names)}")
    return [name for name in names if any(fnmatchcase(name, p) for p in patterns)]


def _arguments(kind: Any) -> tuple[tuple[str, ...], list[str]]:
    """Return the arguments that a file may give, and those of them that it must give."""
    given = [field for field in fields(kind) if field.init and field.name != "generator"]
    needed = [
        field.name
        for field in given
        if field.default is MISSING
        and field.default_factory is MISSING
        and field.name not in _PATTERNS
    ]
    return tuple(field.name for field in given), needed
