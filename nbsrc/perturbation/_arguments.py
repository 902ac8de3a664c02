"""Argument checks of the perturbation functions: one private function per rule."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import torch
from torch import Tensor

Real: TypeAlias = float | Tensor
Labels: TypeAlias = int | Tensor

DUAL: dict[float, float] = {1: math.inf, 2: 2, math.inf: 1}


def as_real(name: str, value: Any, *, minimum: float = -math.inf) -> Tensor:
    """Return ``value`` as a floating-point tensor (float64 for numbers) without NaN.

    Raises:
        TypeError: If ``value`` is no real number or floating-point tensor.
        ValueError: If an entry is NaN or below ``minimum``.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | Tensor):
        raise TypeError(f"{name} must be a number or a tensor, got {type(value).__name__}")
    tensor = value if isinstance(value, Tensor) else torch.tensor(float(value), dtype=torch.float64)
    if not tensor.is_floating_point():
        raise TypeError(f"{name} must be a floating-point tensor, got dtype {tensor.dtype}")
    bad = ~(tensor >= minimum)
    if bool(bad.any()):
        allowed = "a number" if minimum == -math.inf else f"at least {minimum:g}"
        raise ValueError(f"{name} must be {allowed}, got {tensor[bad][0].item()}")
    return tensor


def as_probability(name: str, value: Any) -> Tensor:
    """Return ``value`` as a tensor of probabilities in the open interval (0, 1).

    Raises:
        TypeError: If ``value`` is no real number or floating-point tensor.
        ValueError: If an entry is not strictly between 0 and 1.
    """
    tensor = as_real(name, value)
    bad = ~((tensor > 0) & (tensor < 1))
    if bool(bad.any()):
        raise ValueError(
            f"{name} must be strictly between 0 and 1, got {tensor[bad][0].item()}; where a "
            "probability rounds to 0 or 1, use a function of the logits"
        )
    return tensor


def as_correct_probability(name: str, value: Any) -> Tensor:
    """Return ``value`` as probabilities in [1/2, 1): those of a correctly classified point.

    Raises:
        TypeError: If ``value`` is no real number or floating-point tensor.
        ValueError: If an entry is outside [1/2, 1).
    """
    tensor = as_probability(name, value)
    bad = tensor < 0.5
    if bool(bad.any()):
        raise ValueError(
            f"{name} must be at least 1/2, a correctly classified point of two classes, "
            f"got {tensor[bad][0].item()}"
        )
    return tensor


def check_classes(name: str, values: object, *, vector: bool = True) -> Tensor:
    """Return ``values`` if it is a finite tensor with one entry (or column) per class.

    Args:
        name: The argument's name, for the messages.
        values: ``[..., K]``, or ``[..., n, K]``.
        vector: Whether there is one entry per class, and not one column.

    Returns:
        The tensor.

    Raises:
        TypeError: If it is no floating-point tensor.
        ValueError: If it has too few dimensions, no entries, one class, or an entry that is not
            finite.
    """
    shape = "[..., K]" if vector else "[..., n, K]"
    if not isinstance(values, Tensor):
        raise TypeError(f"{name} must be a torch.Tensor, got {type(values).__name__}")
    if not values.is_floating_point():
        raise TypeError(f"{name} must be a floating-point tensor, got dtype {values.dtype}")
    if values.ndim < (1 if vector else 2):
        raise ValueError(f"{name} must have shape {shape}, got shape {tuple(values.shape)}")
    if values.shape[-1] < 2:
        raise ValueError(
            f"{name} must have K >= 2 classes in its last dimension, got shape "
            f"{tuple(values.shape)}"
        )
    if not vector and values.shape[-2] < 1:
        raise ValueError(f"{name} must have n >= 1 rows, got shape {tuple(values.shape)}")
    if not bool(torch.isfinite(values.sum())) and not bool(torch.isfinite(values).all()):
        raise ValueError(f"{name} must be finite, got {values[~torch.isfinite(values)][0].item()}")
    return values


def check_probabilities(values: object) -> Tensor:
    """Return ``values`` if they are class probabilities, ``[..., K]``, each row with sum 1.

    Raises:
        TypeError: If it is no floating-point tensor.
        ValueError: If an entry is outside [0, 1], or a row does not sum to 1.
    """
    p = check_classes("p", values)
    bad = ~((p >= 0) & (p <= 1))
    if bool(bad.any()):
        raise ValueError(f"p must hold probabilities in [0, 1], got {p[bad][0].item()}")
    error = (p.sum(-1) - 1).abs()
    if bool((error > 100 * torch.finfo(p.dtype).eps * p.shape[-1]).any()):
        raise ValueError(
            f"p must sum to 1 over the classes, got an error of {float(error.max()):.3g}"
        )
    return p


def check_shapes(name: str, values: Tensor, columns: object) -> Tensor:
    """Return V, ``columns``, if it is a local linear map ``[..., n, K]`` that fits ``values``.

    Raises:
        TypeError: If V is no floating-point tensor, or its dtype is another one.
        ValueError: If the numbers of classes differ or the batch dimensions do not broadcast.
    """
    V = check_classes("V", columns, vector=False)
    if V.dtype != values.dtype:
        raise TypeError(f"V must have the dtype {values.dtype} of {name}, got {V.dtype}")
    shapes = f"{name} {tuple(values.shape)} and V {tuple(V.shape)}"
    if V.shape[-1] != values.shape[-1]:
        raise ValueError(f"{name} [..., K] and V [..., n, K] must have the same K, got {shapes}")
    try:
        torch.broadcast_shapes(values.shape[:-1], V.shape[:-2])
    except RuntimeError as error:
        raise ValueError(f"the batch dimensions must broadcast, got {shapes}") from error
    return V


def check_labels(y: Any, values: Tensor) -> Tensor:
    """Return the labels as integers of the batch shape of ``values``, ``[..., K]``.

    Raises:
        TypeError: If ``y`` is no integer or integer tensor.
        ValueError: If a label is outside 0..K-1, or the shape does not fit.
    """
    if isinstance(y, bool) or not isinstance(y, int | Tensor):
        raise TypeError(f"y must be an integer or a tensor of them, got {type(y).__name__}")
    labels = torch.as_tensor(y, device=values.device)
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise TypeError(f"y must hold integers, got dtype {labels.dtype}")
    classes, batch = values.shape[-1], values.shape[:-1]
    if bool(((labels < 0) | (labels >= classes)).any()):
        raise ValueError(f"y must be between 0 and {classes - 1}, got {y}")
    try:
        return labels.long().expand(batch)
    except RuntimeError as error:
        raise ValueError(
            f"y must have the batch shape {tuple(batch)}, got {tuple(labels.shape)}"
        ) from error


def dual_order(ord: Any) -> float:
    """Return the order q of the dual norm, 1/ord + 1/q = 1.

    Raises:
        ValueError: If ``ord`` is not 1, 2 or infinity.
    """
    if isinstance(ord, int | float) and not isinstance(ord, bool) and ord in DUAL:
        return DUAL[ord]
    raise ValueError(f"ord must be 1, 2 or inf, got {ord!r}")
