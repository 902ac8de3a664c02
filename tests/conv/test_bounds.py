"""Closed-form bounds of the l2 norm: each on its side of the SVD, and each what its name says."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given

from nbsrc.conv import Geometry, L2Bounds, conv_l2_bounds
from nbsrc.conv.bounds import geometry_l2_bounds
from tests.conv.strategies import (
    QUICK,
    THOROUGH,
    Case,
    conv_cases,
    conv_oracle,
    dense_norm,
    transposed_cases,
    transposed_oracle,
)

LOWER = ("column", "row", "mean")


def check(bounds: L2Bounds, true: float) -> None:
    for name, value in bounds._asdict().items():
        if name in LOWER:
            assert value <= true * (1 + 1e-12), name
        else:
            assert value >= true * (1 - 1e-12), name
    assert bounds.lower == max(bounds.column, bounds.row, bounds.mean)
    assert bounds.upper == min(value for n, value in bounds._asdict().items() if n not in LOWER)


@THOROUGH
@given(conv_cases(largest=6))
def test_every_bound_is_on_its_side(case: Case) -> None:
    matrix = conv_oracle(case.weight, case.size, **case.options)
    bounds = conv_l2_bounds(case.weight, case.size, symbol=True, **case.options)
    check(bounds, dense_norm(matrix, 2))


@QUICK
@given(transposed_cases())
def test_bounds_of_transposed_geometries(case: Case) -> None:
    """More output padding than stride: the torus must reach beyond the last window."""
    matrix = transposed_oracle(case.weight, case.size, **case.options)
    options = {name: value for name, value in case.options.items() if name != "groups"}
    geometry = Geometry.for_conv_transpose(case.size, tuple(case.weight.shape[2:]), **options)
    groups = case.options["groups"]
    bounds = geometry_l2_bounds(case.weight, geometry, groups=groups, symbol=True)
    check(bounds, dense_norm(matrix, 2))


@QUICK
@given(conv_cases(largest=5))
def test_bounds_are_what_they_are_called(case: Case) -> None:
    matrix = conv_oracle(case.weight, case.size, **case.options)
    bounds = conv_l2_bounds(case.weight, case.size, **case.options)
    groups = case.options["groups"]
    near = {"rel": 1e-10, "abs": 1e-12}
    assert bounds.column == pytest.approx(float(matrix.norm(dim=0).max()), **near)
    assert bounds.row == pytest.approx(float(matrix.norm(dim=1).max()), **near)
    assert bounds.mean == pytest.approx(float(matrix.norm()) / math.sqrt(min(matrix.shape)), **near)
    product = math.sqrt(dense_norm(matrix, 1) * dense_norm(matrix, math.inf))
    assert bounds.product == pytest.approx(product, **near)
    assert bounds.frobenius == pytest.approx(float(matrix.norm()), **near)
    outputs = matrix.shape[0] // len(case.weight)
    printed = math.sqrt(outputs) * float(case.weight.norm())
    assert bounds.theorem1 == pytest.approx(printed, **near)
    assert bounds.symbol == math.inf
    ones = conv_oracle(torch.ones_like(case.weight[:1, :1]), case.size,
                       **{**case.options, "groups": 1})  # fmt: skip
    parts = case.weight.chunk(groups)
    reshaped = max(float(torch.linalg.svdvals(part.flatten(1)).max()) for part in parts)
    touched = float(ones.sum(0).max())
    assert bounds.reshaped == pytest.approx(math.sqrt(touched) * reshaped, rel=1e-7, abs=1e-7)
    turned = max(
        float(torch.linalg.svdvals(part.transpose(0, 1).flatten(1)).max()) for part in parts
    )
    seen = float(ones.sum(1).max())
    other = math.sqrt(seen) * turned
    assert bounds.reshaped_transposed == pytest.approx(other, rel=1e-7, abs=1e-7)


@pytest.mark.parametrize("stride", [1, 2, (1, 3)])
@pytest.mark.parametrize("kernel", [(3, 3), (1, 2), (4, 3)])
def test_symbol_is_the_norm_on_the_torus(stride: Any, kernel: tuple[int, int]) -> None:
    """On an image that fills the torus, the circular layer's own norm, from torch's module."""
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(2, 3, *kernel, generator=generator, dtype=torch.float64)
    strides = (stride, stride) if isinstance(stride, int) else stride
    size = tuple(3 * s * k for s, k in zip(strides, kernel, strict=True))
    bounds = conv_l2_bounds(weight, size, stride=stride, symbol=True)
    pads = [(k - 1, s - 1) for k, s in zip(kernel, strides, strict=True)]
    padded = torch.nn.functional.pad(
        torch.eye(3 * math.prod(size), dtype=torch.float64).reshape(-1, 3, *size),
        (0, pads[1][0], 0, pads[0][0]), mode="circular",
    )  # fmt: skip
    matrix = torch.nn.functional.conv2d(padded, weight, stride=stride).flatten(1).T
    assert bounds.symbol == pytest.approx(dense_norm(matrix, 2), rel=1e-12)


@pytest.mark.parametrize("scale", [1e-310, 1e-200, 1e-160, 1e160, 1e200])
def test_scales(scale: float) -> None:
    """The bounds are homogeneous, where squares of the weights under- or overflow too."""
    weight = torch.randn(2, 3, 3, 2, generator=torch.Generator().manual_seed(1)).double()
    one = conv_l2_bounds(weight, (5, 4), padding=1, symbol=True)
    other = conv_l2_bounds(weight * scale, (5, 4), padding=1, symbol=True)
    for first, second in zip(one, other, strict=True):
        assert second / scale == pytest.approx(first, rel=1e-10)


def test_a_tiny_tap_beside_a_large_one_that_touches_nothing() -> None:
    weight = torch.tensor([[[[1e-200, 1e150]]]], dtype=torch.float64)
    options = {"stride": 2, "padding": (0, 1)}
    for kernel in (weight, weight.flip(3)):
        true = dense_norm(conv_oracle(kernel, (1, 1), **options), 2)
        check(conv_l2_bounds(kernel, (1, 1), **options, symbol=True), true)


def test_float32_weights_are_taken_as_they_are() -> None:
    weight = torch.randn(2, 3, 3, 3, generator=torch.Generator().manual_seed(2))
    weight.requires_grad_()
    assert conv_l2_bounds(weight, 5, padding=1) == conv_l2_bounds(weight.double(), 5, padding=1)
    assert all(type(value) is float for value in conv_l2_bounds(weight, 5))


def test_zero_kernel() -> None:
    assert set(conv_l2_bounds(torch.zeros(1, 1, 3, 3), 5, symbol=True)) == {0.0}
