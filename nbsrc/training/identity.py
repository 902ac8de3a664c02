"""What a training run is, in plain values: two runs of equal identity have equal numbers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, is_dataclass
from typing import Any

import torch
from torch import Tensor, nn

from nbsrc.data import ImageData
from nbsrc.regularizers import Regularizer
from nbsrc.training.augmentation import Augmentation
from nbsrc.training.schedules import Schedule
from nbsrc.training.settings import TrainingSettings

__all__ = ["difference", "run_identity"]


def run_identity(
    model: nn.Module,
    data: ImageData,
    settings: TrainingSettings,
    generators: Sequence[torch.Generator],
    regularizer: Regularizer | None,
    schedule: Schedule | None,
    augmentation: Augmentation | None,
) -> dict[str, Any]:
    """Describe a run before its first step.

    Args:
        model: The network with its initial weights.
        data: Training and test images.
        settings: Epochs, batch size and optimiser.
        generators: Sources of the order of the images.
        regularizer: The regulariser, None for none.
        schedule: The schedule, None for none.
        augmentation: The augmentation, None for none.

    Returns:
        Plain values: the settings, descriptions of the objects by class and plain attributes (of
        functions by name), SHA-256 digests of weights and generators, and the data's checksum.
    """
    return {
        "settings": asdict(settings),
        "regularizer": _described(regularizer),
        "schedule": _described(schedule),
        "augmentation": _described(augmentation),
        "initial weights": _digest(model.state_dict().values()),
        "generator": _digest(generator.get_state() for generator in generators),
        "data": data.checksum(),
    }


def difference(here: Any, there: Any, where: str = "") -> str | None:
    """Say where two descriptions differ first.

    Args:
        here: Plain values of this run.
        there: Those of another one.
        where: Where in the description they are.

    Returns:
        Words, or None if they are equal.
    """
    if isinstance(here, dict) and isinstance(there, dict) and list(here) == list(there):
        pairs = [(f"{where}.{key}".lstrip("."), here[key], there[key]) for key in here]
    elif isinstance(here, list) and isinstance(there, list) and len(here) == len(there):
        pairs = [(f"{where}[{i}]", a, b) for i, (a, b) in enumerate(zip(here, there, strict=True))]
    else:
        return (
            None if here == there else f"{where} is {_short(there)} there and {_short(here)} here"
        )
    return next((found for name, a, b in pairs if (found := difference(a, b, name))), None)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:97]}..."


def _described(value: Any) -> Any:
    """Return plain values as they are, other objects as class and public plain attributes."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [_described(entry) for entry in value]
    if not hasattr(value, "__dict__") or hasattr(value, "__qualname__"):  # a function, for one
        return getattr(value, "__qualname__", type(value).__qualname__)
    attributes = {
        key: _described(entry)
        for key, entry in vars(value).items()
        if not key.startswith("_") and _is_describable(entry)
    }
    return {"class": type(value).__qualname__} | attributes


def _is_describable(value: Any) -> bool:
    """Return whether a value is plain, a data class, a regulariser, or a sequence of such."""
    if isinstance(value, list | tuple):
        return all(_is_describable(entry) for entry in value)
    plain = value is None or isinstance(value, bool | int | float | str | Regularizer)
    return plain or (is_dataclass(value) and not isinstance(value, type))


def _digest(tensors: Iterable[Tensor]) -> str:
    """Return the SHA-256 of types, shapes and bytes of tensors."""
    sha = hashlib.sha256()
    for tensor in tensors:
        sha.update(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
        sha.update(
            tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        )
    return sha.hexdigest()
