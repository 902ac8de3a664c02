"""Where the printed formulas are exact: an exhaustive map over one axis (h, k, s, p).

Tap sets factorise over the axes, so eqs. (1) and (2) are exact for every kernel if and only if they
are so on each axis. A grid of axes therefore settles the question for all layers it spans.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch

from nbsrc.audits.finding import Case, collect
from nbsrc.claims import Finding
from nbsrc.conv import conv_matrix, lemma1_tap_classes, theorem1_norms

__all__ = ["AxisVerdict", "audit_axes", "audit_flags_by_norms", "axis_grid", "judge_axis"]


@dataclass(frozen=True)
class AxisVerdict:
    """What holds on one axis.

    Attributes:
        size: Input size h in pixels.
        kernel: Kernel size k in taps.
        stride: Stride s in pixels.
        padding: Padding p in pixels.
        assumption: Assumption 1 as printed (least positive c).
        assumption_nonnegative: Assumption 1 with the least non-negative c.
        covered: Some window lies on the image, without padding.
        l1_exact: Eq. (1) is exact for every kernel.
        linf_exact: Eq. (2) is exact for every kernel.
        touched: Some tap touches some pixel.
    """

    size: int
    kernel: int
    stride: int
    padding: int
    assumption: bool
    assumption_nonnegative: bool
    covered: bool
    l1_exact: bool
    linf_exact: bool
    touched: bool


def judge_axis(size: int, kernel: int, stride: int, padding: int) -> AxisVerdict:
    """Judge one axis from the definition, without the formulas of :mod:`nbsrc.conv`.

    Args:
        size: Input size h in pixels.
        kernel: Kernel size k in taps, at most ``size + 2 * padding``.
        stride: Stride s in pixels.
        padding: Padding p in pixels.

    Returns:
        The verdict.

    Example:
        >>> judge_axis(2, 3, 1, 1).l1_exact, judge_axis(2, 3, 1, 1).linf_exact
        (True, False)
    """
    shift = size + 2 * padding - kernel
    starts = np.arange(0, shift + 1, stride) - padding
    where = starts[:, None] + np.arange(kernel)
    windows = [frozenset(np.nonzero((row >= 0) & (row < size))[0].tolist()) for row in where]
    pixels = [
        frozenset(t for o, t in zip(*np.nonzero(where == y), strict=True)) for y in range(size)
    ]
    printed = [
        frozenset(c for c in range(a, kernel, stride) if c - a <= shift) for a in range(kernel)
    ]
    least = -(-padding // stride)
    return AxisVerdict(
        size, kernel, stride, padding,
        assumption=kernel + max(1, least) * stride - padding <= size,
        assumption_nonnegative=kernel + least * stride - padding <= size,
        covered=any(start >= 0 and start + kernel <= size for start in starts.tolist()),
        l1_exact=_maximal(printed) == _maximal(pixels),
        linf_exact=_maximal(windows) == {frozenset(range(kernel))},
        touched=any(pixels),
    )  # fmt: skip


def _maximal(sets: list[frozenset[int]]) -> set[frozenset[int]]:
    return {a for a in sets if not any(a < b for b in sets)}


def axis_grid(
    sizes: range = range(1, 13),
    kernels: range = range(1, 9),
    strides: range = range(1, 9),
    paddings: range = range(10),
) -> list[AxisVerdict]:
    """Judge every axis of a grid whose kernel fits the padded input.

    Args:
        sizes: Input sizes.
        kernels: Kernel sizes.
        strides: Strides.
        paddings: Paddings.

    Returns:
        The verdicts.
    """
    return [
        judge_axis(h, k, s, p)
        for h, k, s, p in product(sizes, kernels, strides, paddings)
        if k <= h + 2 * p
    ]


def audit_axes(
    grid: list[AxisVerdict],
    claim: Callable[[AxisVerdict], bool],
    family: str = "all axes of the grid (h, k, s, p)",
) -> Finding:
    """Test a yes/no statement about axes over a grid.

    Args:
        grid: Verdicts from :func:`axis_grid`.
        claim: The statement.
        family: The grid in words.

    Returns:
        The finding; the counterexample has the smallest sum of h, k, s and p.
    """

    def cases() -> Iterator[Case]:
        for axis in grid:
            numbers = (axis.size, axis.kernel, axis.stride, axis.padding)
            example = dict(zip(("h", "k", "s", "p"), numbers, strict=True))
            yield 0.0 if claim(axis) else -1.0, (sum(numbers), *numbers), example

    return collect(cases(), tolerance=0, family=family)


def audit_flags_by_norms(grid: list[AxisVerdict]) -> Finding:
    """Test both flags of the map against norms of dense matrices.

    A formula is exact for every kernel if and only if it is so for the kernels that are 1 on one
    set and 0 elsewhere: the sets of S for (1), all taps for (2).

    Args:
        grid: Verdicts from :func:`axis_grid`.

    Returns:
        The finding.
    """

    def exact(axis: AxisVerdict, taps: Sequence[int]) -> tuple[bool, bool]:
        weight = torch.zeros(1, 1, axis.kernel, 1, dtype=torch.float64)
        weight[0, 0, list(taps)] = 1
        size, options = (axis.size, 1), {"stride": (axis.stride, 1), "padding": (axis.padding, 0)}
        matrix = conv_matrix(weight, size, stride=(axis.stride, 1), padding=(axis.padding, 0))
        printed = theorem1_norms(weight, size, **options)
        return (
            float(printed.l1) == float(matrix.abs().sum(0).max()),
            float(printed.linf) == float(matrix.abs().sum(1).max()),
        )

    def agrees(axis: AxisVerdict) -> bool:
        size, kernel = (axis.size, 1), (axis.kernel, 1)
        options = {"stride": (axis.stride, 1), "padding": (axis.padding, 0)}
        sets = lemma1_tap_classes(size, kernel, **options)
        l1_exact = all(exact(axis, [k for k, _ in taps])[0] for taps in sets)
        linf_exact = exact(axis, range(axis.kernel))[1]
        return (l1_exact, linf_exact) == (axis.l1_exact, axis.linf_exact)

    return audit_axes(grid, agrees, "axes of the grid, dense matrices of indicator kernels")
