"""Argument checks of the constructions: one private function per rule."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

ORDERS = (1.0, 2.0, math.inf)
DTYPES = (torch.float32, torch.float64)


def as_order(value: object) -> float:
    """Return the norm's order as 1.0, 2.0 or ``math.inf``.

    Raises:
        ValueError: If ``value`` is not one of them.
    """
    if isinstance(value, int | float) and not isinstance(value, bool) and value in ORDERS:
        return float(value)
    raise ValueError(f"ord must be 1, 2 or math.inf, got {value!r}")


def order_name(order: float) -> str:
    """Return ``l1``, ``l2`` or ``linf``."""
    return "linf" if order == math.inf else f"l{order:g}"


def as_number(name: str, value: object, *, minimum: float, strict: bool = False) -> float:
    """Return ``value`` as a finite float that is at least (or, if strict, above) ``minimum``.

    Args:
        name: The argument's name, for the message.
        value: The number to check.
        minimum: The lower limit.
        strict: Whether the limit itself is excluded.

    Returns:
        The number as a plain float.

    Raises:
        TypeError: If ``value`` is not a real number.
        ValueError: If ``value`` is NaN, infinite or too small.
    """
    allowed = f"a finite number {'>' if strict else '>='} {minimum:g}"
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be {allowed}, got {value!r}")
    number = float(value)
    if not math.isfinite(number) or number < minimum or (strict and number == minimum):
        raise ValueError(f"{name} must be {allowed}, got {value!r}")
    return number


def as_count(name: str, value: object) -> int:
    """Return ``value`` as a positive integer.

    Raises:
        TypeError: If ``value`` is not an integer.
        ValueError: If ``value`` is below 1.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an integer >= 1, got {value!r}")
    if value < 1:
        raise ValueError(f"{name} must be an integer >= 1, got {value}")
    return value


@dataclass(frozen=True)
class Data:
    """A labelled data set without repetitions, in float64.

    Attributes:
        points: ``[m, n]`` distinct rows.
        labels: ``[m]``, int64.
        rows: ``[m]``, the first row of the caller's tensor that holds each point.
        dtype: The dtype that a network for these points has.
    """

    points: Tensor
    labels: Tensor
    rows: Tensor
    dtype: torch.dtype


def check_data(points: object, labels: object) -> Data:
    """Check a labelled data set, and drop repeated points of one class.

    Args:
        points: ``[m, n]``, float32, float64 or integer.
        labels: ``[m]``, integer.

    Returns:
        The distinct labelled points, in the order of their first appearance.

    Raises:
        TypeError: If an argument is not a tensor, or has another dtype.
        ValueError: If shapes disagree, the set is empty, or an entry is NaN or infinite.
    """
    if not isinstance(points, Tensor) or not isinstance(labels, Tensor):
        wrong = "points" if not isinstance(points, Tensor) else "labels"
        kind = type(points if wrong == "points" else labels).__name__
        raise TypeError(f"{wrong} must be a torch.Tensor, got {kind}")
    dtype = _network_dtype(points)
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise TypeError(f"labels must be integers, got dtype {labels.dtype}")
    if points.ndim != 2 or 0 in points.shape:
        raise ValueError(f"points must have shape [m, n], not empty, got {tuple(points.shape)}")
    if labels.shape != points.shape[:1]:
        raise ValueError(
            f"labels must have shape {tuple(points.shape[:1])}, one per point, "
            f"got {tuple(labels.shape)}"
        )
    exact, codes = points.detach().double(), labels.detach().long()
    bad = (~torch.isfinite(exact)).nonzero()
    if len(bad):
        row, column = (int(i) for i in bad[0])
        raise ValueError(
            f"points must be finite, got {float(exact[row, column])} at row {row}, column {column}"
        )
    _check_codes(codes, dtype)
    rows = _first_appearances(exact, codes)
    return Data(exact[rows], codes[rows], rows, dtype)


def _network_dtype(points: Tensor) -> torch.dtype:
    """Return the dtype of a network for these points: theirs, or float64 for integers."""
    if points.dtype in DTYPES:
        return points.dtype
    if points.is_floating_point() or points.is_complex() or points.dtype == torch.bool:
        raise TypeError(f"points must be float32, float64 or integers, got dtype {points.dtype}")
    return torch.float64


def _check_codes(codes: Tensor, dtype: torch.dtype) -> None:
    """Refuse labels whose sum is not exact in the network's dtype."""
    limit = round(1 / torch.finfo(dtype).eps)
    total = sum(abs(code) for code in codes.unique().tolist())
    if total > limit:
        raise ValueError(
            f"labels must be small enough for exact sums in {dtype}: the distinct labels' "
            f"absolute values must add up to at most {limit}, got {total}"
        )


def _first_appearances(points: Tensor, labels: Tensor) -> Tensor:
    """Return the sorted first rows of the distinct (point, label) pairs."""
    table = torch.cat([points + 0.0, labels.double()[:, None]], dim=1)  # + 0.0: -0.0 is 0.0
    _, group = torch.unique(table, dim=0, return_inverse=True)
    first = torch.full((int(group.max()) + 1,), len(points), dtype=torch.int64)
    first.scatter_reduce_(0, group, torch.arange(len(points)), reduce="amin")
    return first.sort().values
