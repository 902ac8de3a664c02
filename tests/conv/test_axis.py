"""The tables of one axis against loops over outputs, taps and pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbsrc.conv.axis import Axis, largest_coverage, pixel_profiles, tap_counts, window_profiles
from tests.conv.strategies import THOROUGH


@st.composite
def axes(draw: Any) -> Axis:
    """Any axis, the number of outputs included (a transposed layer may have fewer)."""
    return Axis(
        draw(st.integers(1, 8)), draw(st.integers(1, 5)), draw(st.integers(1, 6)),
        draw(st.integers(0, 7)), draw(st.integers(1, 3)), draw(st.integers(1, 8)),
    )  # fmt: skip


def meetings(axis: Axis) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
    """Return per pixel how often it meets each tap, and per output which taps meet the image."""
    pixels = [[0] * axis.kernel for _ in range(axis.size)]
    windows = [[0] * axis.kernel for _ in range(axis.outputs)]
    for output in range(axis.outputs):
        for tap in range(axis.kernel):
            where = output * axis.stride + tap * axis.dilation - axis.pad
            if axis.circular:
                where %= axis.size
            if 0 <= where < axis.size:
                pixels[where][tap] += 1
                windows[output][tap] = 1
    return [tuple(row) for row in pixels], [tuple(row) for row in windows]


def maximal(rows: list[tuple[int, ...]]) -> set[tuple[int, ...]]:
    def below(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
        return one != other and all(a <= b for a, b in zip(one, other, strict=True))

    return {row for row in rows if not any(below(row, other) for other in rows)}


def rows_of(table: np.ndarray) -> list[tuple[int, ...]]:
    return [tuple(row) for row in table.tolist()]


def check(axis: Axis) -> None:
    pixels, windows = meetings(axis)
    assert len(pixel_profiles(axis)) == len(maximal(pixels))  # no row twice
    assert set(rows_of(pixel_profiles(axis))) == maximal(pixels)
    assert len(window_profiles(axis)) == len(maximal(windows))
    assert set(rows_of(window_profiles(axis))) == maximal(windows)
    assert tap_counts(axis).tolist() == [sum(column) for column in zip(*pixels, strict=True)]
    assert largest_coverage(axis) == max(map(sum, pixels))


@THOROUGH
@given(axes())
def test_zero_padding(axis: Axis) -> None:
    check(axis)


@THOROUGH
@given(st.integers(1, 8), st.integers(1, 5), st.integers(1, 4), st.integers(1, 3), st.data())
def test_circular_padding(size: int, kernel: int, stride: int, dilation: int, data: Any) -> None:
    """Also where one tap meets a pixel from several outputs; taps that coincide are refused."""
    pad = data.draw(st.integers(0, size))
    room = size + 2 * pad - dilation * (kernel - 1) - 1
    if room < 0:
        return
    axis = Axis(size, kernel, stride, pad, dilation, room // stride + 1, circular=True)
    coincide = len({tap * dilation % size for tap in range(kernel)}) < kernel
    if coincide:
        with pytest.raises(NotImplementedError, match="wraps onto itself"):
            pixel_profiles(axis)
    else:
        check(axis)


def test_no_tap_touches_any_pixel() -> None:
    """One pixel in the middle of two paddings, skipped by the stride: the matrix is zero."""
    axis = Axis(1, 1, 2, 1, 1, 2)
    assert pixel_profiles(axis).tolist() == [[0]]
    assert window_profiles(axis).tolist() == [[0]]
    assert tap_counts(axis).tolist() == [0]
    assert largest_coverage(axis) == 0


def test_coverage_counts_repetitions_on_a_circle() -> None:
    """Three pixels padded by three on both sides: a single tap meets each pixel three times."""
    axis = Axis(3, 1, 1, 3, 1, 9, circular=True)
    assert largest_coverage(axis) == 3
    assert tap_counts(axis).tolist() == [9]
