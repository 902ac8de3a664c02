"""Argument checks of the convolution functions: one private function per rule."""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import index
from typing import Any, TypeAlias

import torch
from torch import Tensor

IntOrSeq: TypeAlias = int | Sequence[int]
Padding: TypeAlias = int | Sequence[int] | str
Order: TypeAlias = float | str

NORM_ORDERS: tuple[Order, ...] = (1, math.inf, "fro")


def as_ints(name: str, value: Any, length: int, minimum: int) -> tuple[int, ...]:
    """Return ``value`` as ``length`` integers that are at least ``minimum``.

    Args:
        name: The argument's name, for the message.
        value: An integer (repeated for every axis) or a sequence of ``length`` integers.
        length: The number of spatial axes.
        minimum: The smallest allowed integer.

    Returns:
        A tuple of ``length`` plain integers.

    Raises:
        TypeError: If ``value`` is neither an integer nor a sequence of integers.
        ValueError: If the sequence has another length or an entry is below ``minimum``.
    """
    allowed = f"an integer >= {minimum} or a sequence of {length} of them"
    several = isinstance(value, Sequence) and not isinstance(value, str | bytes)
    entries = list(value) if several else None
    if entries is not None and len(entries) != length:
        raise ValueError(f"{name} must be {allowed}, got {value!r} with {len(entries)} entries")
    numbers = []
    for entry in [value] * length if entries is None else entries:
        if isinstance(entry, bool):
            raise TypeError(f"{name} must be {allowed}, got {value!r}")
        try:
            numbers.append(index(entry))
        except TypeError as error:  # arrays have __index__ too, for a single integer
            raise TypeError(f"{name} must be {allowed}, got {value!r}") from error
    if min(numbers) < minimum:
        raise ValueError(f"{name} must be {allowed}, got {value!r}")
    return tuple(numbers)


def as_order(value: object) -> Order:
    """Return the norm's order as 1, ``math.inf`` or ``"fro"``.

    Raises:
        ValueError: If ``value`` is not one of them.
    """
    if isinstance(value, str) and value == "fro":
        return "fro"
    if isinstance(value, int | float) and not isinstance(value, bool):
        if value == 1:
            return 1
        if value == math.inf:
            return math.inf
        if value == 2:
            raise ValueError(
                "ord must be 1, inf or 'fro', got 2: the l2 norm has no closed form, "
                "conv_spectral_norm brackets it"
            )
    raise ValueError(f"ord must be 1, inf or 'fro', got {value!r}")


def check_weight(weight: object, spatial: tuple[int, ...], groups: object) -> tuple[Tensor, int]:
    """Check a convolution weight ``[d_out, d_in/groups, *kernel]`` and its group count.

    Args:
        weight: The tensor to check.
        spatial: The allowed numbers of spatial axes.
        groups: The number of groups to check.

    Returns:
        The weight and the number of groups.

    Raises:
        TypeError: If ``weight`` is no floating-point tensor or ``groups`` no integer.
        ValueError: If the rank, a size or the divisibility by ``groups`` is wrong.
    """
    if not isinstance(weight, Tensor):
        raise TypeError(f"weight must be a torch.Tensor, got {type(weight).__name__}")
    if not weight.is_floating_point():
        raise TypeError(f"weight must be a floating-point tensor, got dtype {weight.dtype}")
    ranks = [n + 2 for n in spatial]
    if weight.ndim not in ranks:
        raise ValueError(
            f"weight must have {' or '.join(map(str, ranks))} dimensions "
            f"[d_out, d_in/groups, *kernel_size], got shape {tuple(weight.shape)}"
        )
    if weight.numel() == 0:
        raise ValueError(f"weight must not be empty, got shape {tuple(weight.shape)}")
    (number,) = as_ints("groups", groups, 1, 1)
    if weight.shape[0] % number:
        raise ValueError(
            f"groups must divide the weight's first dimension {weight.shape[0]}, got {number}"
        )
    return weight, number


def check_finite(weight: Tensor, evidence: Tensor) -> None:
    """Refuse NaN and infinite weights, at the price of looking at ``evidence`` only.

    Args:
        weight: The weight that the caller passed.
        evidence: A small reduction of the weight that is finite only if the weight is.

    Raises:
        ValueError: If an entry of ``weight`` is NaN or infinite.
    """
    if bool(torch.isfinite(evidence).all()):
        return
    bad = (~torch.isfinite(weight)).nonzero()
    if len(bad):  # else: finite entries whose sum overflows, and inf is the honest answer
        where = tuple(int(i) for i in bad[0])
        raise ValueError(f"weight must be finite, got {weight[where].item()} at index {where}")


def check_padding_mode(padding_mode: object) -> None:
    """Refuse padding modes for which the norms here are not exact.

    Args:
        padding_mode: The mode to check.

    Raises:
        NotImplementedError: If the mode is ``"reflect"`` or ``"replicate"``.
        ValueError: If the mode is none of torch's.
    """
    if padding_mode in ("reflect", "replicate"):
        raise NotImplementedError(
            f"padding_mode {padding_mode!r} makes several taps of one output meet the same pixel, "
            "so they add up before the absolute value is taken; supported are 'zeros' and "
            "'circular'; use the matrix norm of conv_matrix"
        )
    if padding_mode not in ("zeros", "circular"):
        raise ValueError(f"padding_mode must be 'zeros' or 'circular', got {padding_mode!r}")


def padding_pairs(
    padding: Padding, kernels: tuple[int, ...], strides: tuple[int, ...], dilations: tuple[int, ...]
) -> tuple[tuple[int, int], ...]:
    """Return the padding before and after each axis, torch's ``"same"`` included.

    Args:
        padding: Pixels of padding, ``"same"`` or ``"valid"``.
        kernels: Kernel size per axis.
        strides: Stride per axis.
        dilations: Dilation per axis.

    Returns:
        The two paddings of every axis.

    Raises:
        TypeError: If ``padding`` holds something else than integers.
        ValueError: If ``padding`` is another word, out of range, or ``"same"`` with a stride.
    """
    if not isinstance(padding, str):
        return tuple((p, p) for p in as_ints("padding", padding, len(kernels), 0))
    if padding == "valid":
        return ((0, 0),) * len(kernels)
    if padding != "same":
        raise ValueError(f"padding must be integers >= 0, 'same' or 'valid', got {padding!r}")
    if max(strides) > 1:
        raise ValueError(f"padding 'same' needs stride 1, as in torch, got stride {strides}")
    totals = [d * (k - 1) for k, d in zip(kernels, dilations, strict=True)]
    return tuple((total // 2, total - total // 2) for total in totals)
