"""Checks that the parts of an experiment file share; every message names place, value and limit."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

__all__ = ["choice", "first_match", "number", "parsed_value", "table", "text"]

_FRACTION = re.compile(r"\d+(\.\d+)?/\d+(\.\d+)?")
_EXPONENT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)[eE][+-]?\d+")  # YAML wants point and sign: 5.0e-4


def table(
    where: str, value: object, allowed: Sequence[str] | None, required: Sequence[str] = ()
) -> dict[str, Any]:
    """Return a mapping with allowed keys.

    Args:
        where: Name of the place in the file.
        value: What stands there.
        allowed: The keys that may occur; None for any texts, at least one.
        required: The keys that must occur.

    Returns:
        The mapping.

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


def text(where: str, value: object) -> str:
    """Return a text that is not empty, without surrounding space.

    Args:
        where: Name of the place in the file.
        value: What stands there.

    Returns:
        The text.

    Raises:
        ValueError: If it is none.
    """
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{where} must be a text, got {value!r}")
    return value.strip()


def choice(where: str, value: object, allowed: Sequence[str]) -> str:
    """Return one of the allowed texts.

    Args:
        where: Name of the place in the file.
        value: What stands there.
        allowed: The texts.

    Returns:
        The text.

    Raises:
        ValueError: If it is another.
    """
    if value not in allowed:
        raise ValueError(f"{where} must be one of {tuple(allowed)}, got {value!r}")
    return str(value)


def number(where: str, value: object, *, whole: bool, minimum: float | None = None) -> Any:
    """Return a number; ``5e-4`` without a point is a text in YAML.

    Args:
        where: Name of the place in the file.
        value: What stands there.
        whole: Whether it must be an integer.
        minimum: The smallest allowed value.

    Returns:
        The number.

    Raises:
        ValueError: If it is none, or too small.
    """
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
        kind = "an integer" if whole else "a number (in YAML 5.0e-4, not 5e-4)"
        raise ValueError(f"{where} must be {kind}, got {value!r}")
    if minimum is not None and value < minimum:
        raise ValueError(f"{where} must be at least {minimum:g}, got {value}")
    return value


def parsed_value(value: Any) -> Any:
    """Read an argument of a regulariser or a measure: fractions and infinity as numbers.

    Args:
        value: What stands in the file, lists and mappings included.

    Returns:
        ``"8/255"`` and ``"inf"`` as floats, lists as tuples, everything else as it is.

    Raises:
        ValueError: If a text looks like a number that YAML does not read as one.

    Example:
        >>> parsed_value(["1/4", "inf", "ball"])
        (0.25, inf, 'ball')
    """
    if isinstance(value, list):
        return tuple(parsed_value(entry) for entry in value)
    if isinstance(value, dict):
        return {key: parsed_value(entry) for key, entry in value.items()}
    if isinstance(value, str):
        if value == "inf":
            return math.inf
        if _FRACTION.fullmatch(value):
            over, under = value.split("/")
            return float(over) / float(under)
        if _EXPONENT.fullmatch(value):
            raise ValueError(f"{value!r} is a text in YAML; a number is 5.0e-4, not 5e-4")
    return value


def first_match(where: str, value: object, name: str) -> Any:
    """Return the size for a name: the value itself, or that of the first pattern that fits.

    Args:
        where: Name of the place in the file.
        value: A size, or a mapping from shell patterns to sizes.
        name: The name that a pattern must fit.

    Returns:
        The size.

    Raises:
        ValueError: If no pattern fits.

    Example:
        >>> first_match("epochs", {"lenet5*": 4, "*": 9}, "lenet5 reference")
        4
    """
    if not isinstance(value, dict):
        return value
    for pattern, size in value.items():
        if fnmatchcase(name, str(pattern)):
            return size
    raise ValueError(f"{where} has no pattern that fits {name!r}: {list(value)}")
