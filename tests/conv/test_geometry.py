"""Geometry and tap classes against torch's own modules and loops over pixels."""

from __future__ import annotations

import time
from itertools import product
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nbsrc.conv import Geometry, tap_classes
from nbsrc.conv.geometry import check_padding_mode, geometry_tap_classes, padding_pairs
from tests.conv.strategies import CONV, THOROUGH, TRANSPOSED, Case, conv_cases, transposed_cases

Taps = frozenset[tuple[int, int]]


def taps_per_pixel(case: Case) -> list[Taps]:
    """Return, by loops over outputs and taps, which taps touch each pixel."""
    (h, w), kernel = case.size, case.weight.shape[2:]
    strides, pads, dilations = (case.options[n] for n in ("stride", "padding", "dilation"))
    outputs = [
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, k, s, p, d in zip(case.size, kernel, strides, pads, dilations, strict=True)
    ]
    found: dict[tuple[int, int], set[tuple[int, int]]] = {
        p: set() for p in product(range(h), range(w))
    }
    for out in product(*map(range, outputs)):
        for tap in product(*map(range, kernel)):
            pixel = tuple(
                o * s + t * d - p
                for o, t, s, p, d in zip(out, tap, strides, pads, dilations, strict=True)
            )
            if pixel in found:
                found[pixel].add(tap)
    return [frozenset(taps) for taps in found.values()]


def spatial(case: Case) -> dict[str, Any]:
    return {name: value for name, value in case.options.items() if name != "groups"}


@THOROUGH
@given(conv_cases(largest=6, max_groups=1))
def test_tap_classes_are_the_maximal_sets_of_taps_at_a_pixel(case: Case) -> None:
    sets = set(taps_per_pixel(case))
    true = {a for a in sets if not any(a < b for b in sets)}
    found = tap_classes(case.size, tuple(case.weight.shape[2:]), **spatial(case))
    assert len(found) == len(true)
    assert {frozenset(taps) for taps in found} == true
    assert all(list(taps) == sorted(taps) for taps in found)
    assert all(type(n) is int for taps in found for tap in taps for n in tap)


def test_classes_of_figure_3() -> None:
    classes = tap_classes(7, 5, stride=2, padding=1)
    odd, even = (0, 2, 4), (1, 3)
    products = [tuple(product(a, b)) for a in (odd, even) for b in (odd, even)]
    assert set(classes) == set(products)


def test_no_tap_touches_any_pixel() -> None:
    assert tap_classes(1, 1, stride=2, padding=1) == ((),)
    assert tap_classes((1, 5), (1, 3), stride=(2, 1), padding=(1, 0)) == ((),)


def test_same_with_an_even_kernel_pads_the_end() -> None:
    """Of two taps the second meets the last pixel's padding only: pixel 0 sees one tap alone."""
    assert padding_pairs("same", (2, 4), (1, 1), (1, 3)) == ((0, 1), (4, 5))
    assert Geometry.for_conv(3, 2, padding="same").output_size == (3, 3)
    assert padding_pairs("valid", (2, 4), (2, 1), (1, 3)) == ((0, 0), (0, 0))


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_sizes_agree_with_torch(ndim: int) -> None:
    @THOROUGH
    @given(conv_cases(ndim=ndim, largest=5))
    def check(case: Case) -> None:
        geometry = Geometry.for_conv(
            case.size, tuple(case.weight.shape[2:]), ndim=ndim, **spatial(case)
        )
        channels = case.weight.shape[1] * case.options["groups"]
        module = CONV[ndim](channels, len(case.weight), case.weight.shape[2:], **case.options)
        assert geometry.output_size == module(torch.zeros(1, channels, *case.size)).shape[2:]
        assert geometry.input_size == case.size
        assert geometry.kernel_size == case.weight.shape[2:]

    check()


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_transposed_sizes_agree_with_torch(ndim: int) -> None:
    """The convolution's input is the transposed layer's output, and the other way round."""

    @THOROUGH
    @given(transposed_cases(ndim=ndim))
    def check(case: Case) -> None:
        geometry = Geometry.for_conv_transpose(
            case.size, tuple(case.weight.shape[2:]), ndim=ndim, **spatial(case)
        )
        rows, columns = case.weight.shape[:2]
        module = TRANSPOSED[ndim](
            rows, columns * case.options["groups"], case.weight.shape[2:], **case.options
        )
        assert geometry.input_size == module(torch.zeros(1, rows, *case.size)).shape[2:]
        assert geometry.output_size == case.size

    check()


def test_integers_are_repeated_for_every_axis() -> None:
    one = Geometry.for_conv(9, 3, stride=2, padding=1, dilation=2, ndim=3)
    other = Geometry.for_conv(
        (9,) * 3, [3] * 3, stride=(2,) * 3, padding=[1] * 3, dilation=(2,) * 3, ndim=3
    )
    assert one == other
    assert hash(one) == hash(other)
    assert one is not Geometry.for_conv(9, 3, stride=2, padding=1, dilation=2, ndim=2)


def test_classes_are_cached_per_geometry() -> None:
    options = {"stride": 3, "padding": 5, "dilation": 2}
    geometry = Geometry.for_conv(61, 11, **options)
    assert geometry is Geometry.for_conv(61, 11, **options)
    assert geometry_tap_classes(geometry) is geometry_tap_classes(geometry)
    before = geometry_tap_classes.cache_info().misses
    tap_classes(61, 11, **options)
    assert geometry_tap_classes.cache_info().misses == before


def test_large_images_are_quick() -> None:
    start = time.perf_counter()
    assert len(tap_classes(1024, 7, stride=3, padding=2)) == 9
    assert time.perf_counter() - start < 5


def test_circular_without_padding_is_zero_padding() -> None:
    """Then no window leaves the image, even where the kernel would wrap."""
    assert Geometry.for_conv(5, 3, padding_mode="circular") == Geometry.for_conv(5, 3)


@pytest.mark.parametrize("mode", ["zeros", "circular"])
def test_padding_modes_that_are_exact(mode: str) -> None:
    check_padding_mode(mode)


@given(st.sampled_from(["Same", "SAME", "full", "", "same "]))
def test_padding_names_are_torchs(name: str) -> None:
    with pytest.raises(ValueError, match="padding must be integers >= 0, 'same' or 'valid'"):
        padding_pairs(name, (3, 3), (1, 1), (1, 1))
