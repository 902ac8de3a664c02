"""Argument checks of the regularisers: one private function per rule."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn


def check_number(
    name: str, value: Any, *, minimum: float = 0.0, below: float = math.inf, strict: bool = False
) -> float:
    """Return a number in [minimum, below), or in (minimum, below).

    Raises:
        TypeError: If it is no number.
        ValueError: If it is out of range.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be a number, got {type(value).__name__}")
    inside = minimum < value < below if strict else minimum <= value < below
    if not inside:
        left = "(" if strict else "["
        raise ValueError(f"{name} must be in {left}{minimum:g}, {below:g}), got {value!r}")
    return float(value)


def check_count(name: str, value: Any, *, zero: bool = False) -> int:
    """Return a positive integer, or 0 where that is allowed.

    Raises:
        ValueError: If it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < (0 if zero else 1):
        allowed = "0 or a positive integer" if zero else "a positive integer"
        raise ValueError(f"{name} must be {allowed}, got {value!r}")
    return value


def check_word(name: str, value: Any, allowed: tuple[Any, ...]) -> None:
    """Refuse what is not among the allowed values.

    Raises:
        ValueError: If it is another one.
    """
    if isinstance(value, bool) or value not in allowed:
        raise ValueError(f"{name} must be one of {allowed}, got {value!r}")


def check_generator(name: str, value: Any) -> torch.Generator:
    """Return a generator.

    Raises:
        TypeError: If it is none.
    """
    if not isinstance(value, torch.Generator):
        raise TypeError(f"{name} must be a torch.Generator, got {type(value).__name__}")
    return value


def submodule(model: nn.Module, name: str) -> nn.Module:
    """Return the module of this name.

    Raises:
        ValueError: If the model has none.
    """
    try:
        return model.get_submodule(name)
    except AttributeError as error:
        raise ValueError(f"the model has no layer {name!r}") from error


def add_to_gradient(name: str, parameter: nn.Parameter, direction: Tensor, factor: float) -> None:
    """Add a multiple of a direction to a gradient, which may be missing.

    Raises:
        ValueError: If the parameter is frozen.
    """
    if not parameter.requires_grad:
        raise ValueError(f"{name} is frozen (requires_grad is False), it cannot be regularised")
    if parameter.grad is None:
        parameter.grad = torch.zeros_like(parameter)
    parameter.grad.add_(direction.to(parameter.grad.dtype), alpha=factor)
