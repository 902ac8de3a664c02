"""Argument checks of the operator-norm functions: one private function per rule."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import torch
from torch import Tensor

Size: TypeAlias = float | Tensor

TRACTABLE = (1.0, 2.0, math.inf)


def check_order(name: str, order: Any) -> float:
    """Return the order of a norm, a number from 1 to infinity.

    Raises:
        TypeError: If it is no number.
        ValueError: If it is NaN or less than 1.
    """
    if isinstance(order, bool) or not isinstance(order, int | float):
        raise TypeError(f"{name} must be a number, got {type(order).__name__}")
    if not order >= 1:
        raise ValueError(f"{name} must be at least 1, got {order}")
    return float(order)


def check_tractable(name: str, order: Any, what: str) -> float:
    """Return an order for which projections and samples have a closed form.

    Raises:
        NotImplementedError: If it is an order other than 1, 2 and infinity.
    """
    value = check_order(name, order)
    if value not in TRACTABLE:
        raise NotImplementedError(f"{what} is implemented for {name} in {{1, 2, inf}}, got {order}")
    return value


def check_array(name: str, array: Any, dimensions: int) -> Tensor:
    """Return a finite floating-point tensor with at least so many dimensions, none of them 0.

    Raises:
        TypeError: If it is no floating-point tensor.
        ValueError: If it has too few dimensions, no entries, or an entry that is not finite.
    """
    shape = {1: "[..., n]", 2: "[..., d, n]"}[dimensions]
    if not isinstance(array, Tensor):
        raise TypeError(f"{name} must be a torch.Tensor, got {type(array).__name__}")
    if array.dtype not in {torch.float32, torch.float64}:
        raise TypeError(f"{name} must be float32 or float64, got {array.dtype}")
    if array.ndim < dimensions or array.numel() == 0:
        raise ValueError(
            f"{name} must have shape {shape} and not be empty, got shape {tuple(array.shape)}"
        )
    if not bool(torch.isfinite(array).all()):
        raise ValueError(f"{name} must be finite, got NaN or infinite entries")
    return array


def check_like(name: str, array: Any, other_name: str, other: Tensor) -> Tensor:
    """Return vectors ``[..., n]`` of the dtype and the length of others.

    Raises:
        TypeError: If the dtypes differ.
        ValueError: If the lengths differ.
    """
    vectors = check_array(name, array, 1)
    if vectors.dtype != other.dtype:
        raise TypeError(
            f"{name} must have the dtype {other.dtype} of {other_name}, got {vectors.dtype}"
        )
    if vectors.shape[-1] != other.shape[-1]:
        raise ValueError(
            f"{name} must have the length {other.shape[-1]} of {other_name}, "
            f"got {vectors.shape[-1]}"
        )
    return vectors


def check_size(name: str, value: Any, like: Tensor, *, infinite: bool = False) -> Tensor:
    """Return a radius or step as a tensor that broadcasts against vectors ``[..., n]``.

    Args:
        name: The argument's name, for the messages.
        value: A number, or a tensor of the batch shape ``[...]``.
        like: The vectors.
        infinite: Whether infinity is allowed.

    Returns:
        The sizes, ``[..., 1]``.

    Raises:
        TypeError: If it is no number or floating-point tensor.
        ValueError: If an entry is NaN, negative, or infinite without being allowed to be, or the
            shape is another one.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | Tensor):
        raise TypeError(f"{name} must be a number or a tensor, got {type(value).__name__}")
    size = torch.as_tensor(value, dtype=like.dtype, device=like.device)
    if size.ndim and size.shape != like.shape[:-1]:
        raise ValueError(
            f"{name} must be a number or have the batch shape {tuple(like.shape[:-1])}, "
            f"got shape {tuple(size.shape)}"
        )
    bad = ~(size >= 0) | (torch.isinf(size) & (not infinite))
    if bool(bad.any()):
        allowed = "at least 0" if infinite else "finite and at least 0"
        raise ValueError(f"{name} must be {allowed}, got {size[bad].flatten()[0].item()}")
    return size.unsqueeze(-1) if size.ndim else size


def check_choice(name: str, value: Any, allowed: tuple[str, ...]) -> None:
    """Refuse a word that is not among the allowed ones.

    Raises:
        ValueError: If it is another one.
    """
    if value not in allowed:
        raise ValueError(f"{name} must be one of {allowed}, got {value!r}")


def check_steps(steps: Any) -> int:
    """Return a number of iterations.

    Raises:
        ValueError: If it is no positive integer.
    """
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
        raise ValueError(f"steps must be a positive integer, got {steps!r}")
    return steps
