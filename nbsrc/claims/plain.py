"""Turning results into plain JSON values, without importing numpy or torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

__all__ = ["plain", "plain_number"]


def plain(value: Any, name: str) -> Any:
    """Convert a value to what JSON can hold.

    Scalars and arrays of numpy and torch become numbers and lists. An infinity becomes the text
    ``"inf"`` or ``"-inf"``.

    Args:
        value: ``None``, a bool, number, text, mapping, sequence or set, or an array of numbers.
        name: What the value is, for the error message.

    Returns:
        The plain value.

    Raises:
        TypeError: If the value is of no such kind.
        ValueError: If a number is not a number (NaN).
    """
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return _plain_float(float(value), name)
    if isinstance(value, Mapping):
        return {str(key): plain(part, f"{name}.{key}") for key, part in value.items()}
    if isinstance(value, (list, tuple, range)):
        return [plain(part, f"{name}[{index}]") for index, part in enumerate(value)]
    if isinstance(value, (set, frozenset)):
        return plain(sorted(value), name)
    if callable(getattr(value, "tolist", None)):  # arrays and scalars of numpy and torch
        return plain(value.tolist(), name)
    raise TypeError(
        f"{name} must be None, a bool, a number, text, a mapping, a list or an array, "
        f"got {type(value).__name__}"
    )


def plain_number(value: Any, name: str) -> float:
    """Convert a real number that must be finite.

    Args:
        value: A number of Python, numpy or torch.
        name: What it is, for the error message.

    Returns:
        The number.

    Raises:
        TypeError: If it is not a real number.
        ValueError: If it is NaN or infinite.
    """
    number = plain(value, name)
    if isinstance(number, str) and number in ("inf", "-inf"):
        raise ValueError(f"{name} must be finite, got {number}")
    if isinstance(number, bool) or not isinstance(number, (int, float)):
        raise TypeError(f"{name} must be a real number, got {value!r}")
    return float(number)


def _plain_float(value: float, name: str) -> float | str:
    if math.isnan(value):
        raise ValueError(f"{name} is not a number (NaN)")
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return value
