"""l1, linf and Frobenius norms against dense matrices of torch's own modules."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from nbsrc.conv import Geometry, conv_norm, conv_transpose_norm, geometry_norms
from nbsrc.conv import norms as norms_module
from tests.conv.strategies import (
    ORDERS,
    QUICK,
    THOROUGH,
    Case,
    conv_cases,
    conv_oracle,
    dense_norm,
    transposed_cases,
    transposed_oracle,
)


def agree(found: Tensor, true: float, rtol: float = 1e-12) -> None:
    """Equality to a relative tolerance alone: zero means zero."""
    assert found.ndim == 0
    assert abs(float(found) - true) <= rtol * true, (float(found), true)


@THOROUGH
@given(conv_cases())
def test_every_geometry(case: Case) -> None:
    matrix = conv_oracle(case.weight, case.size, **case.options)
    for order in ORDERS:
        agree(
            conv_norm(case.weight, case.size, ord=order, **case.options), dense_norm(matrix, order)
        )


@THOROUGH
@given(transposed_cases())
def test_every_transposed_geometry(case: Case) -> None:
    matrix = transposed_oracle(case.weight, case.size, **case.options)
    for order in ORDERS:
        found = conv_transpose_norm(case.weight, case.size, ord=order, **case.options)
        agree(found, dense_norm(matrix, order))


@pytest.mark.parametrize("ndim", [1, 3])
@pytest.mark.parametrize("transposed", [False, True])
def test_one_and_three_dimensions(ndim: int, transposed: bool) -> None:
    cases = transposed_cases(ndim=ndim) if transposed else conv_cases(ndim=ndim, largest=4)
    oracle = transposed_oracle if transposed else conv_oracle
    build = Geometry.for_conv_transpose if transposed else Geometry.for_conv

    @QUICK
    @given(cases)
    def check(case: Case) -> None:
        matrix = oracle(case.weight, case.size, **case.options)
        if matrix.numel() > 2**18:
            return
        options = {name: value for name, value in case.options.items() if name != "groups"}
        geometry = build(case.size, tuple(case.weight.shape[2:]), ndim=ndim, **options)
        found = geometry_norms(
            case.weight, geometry, ORDERS, groups=case.options["groups"], transposed=transposed
        )
        assert list(found) == list(ORDERS)
        for order in ORDERS:
            agree(found[order], dense_norm(matrix, order))

    check()


EDGES: list[tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = [
    ((1, 1, 1, 1), (1, 1), {"stride": 2, "padding": 1}),  # no tap touches the pixel
    ((2, 3, 3, 3), (1, 1), {"padding": 1}),  # only the middle tap does
    ((2, 3, 3, 3), (1, 1), {"padding": 3, "stride": 2}),
    ((2, 1, 2, 3), (5, 4), {"stride": (4, 5)}),  # stride > kernel: pixels that nothing touches
    ((1, 2, 2, 2), (2, 3), {"padding": (5, 7)}),  # padding > kernel
    ((6, 1, 3, 2), (4, 6), {"groups": 3, "stride": (2, 1), "padding": (0, 2)}),
    ((4, 1, 1, 5), (1, 7), {"groups": 4, "dilation": (7, 2), "padding": (0, 4)}),
    ((5, 1, 4, 4), (3, 5), {"padding": 1, "stride": 3}),  # rows left over at the end
    ((1, 5, 2, 2), (6, 6), {"dilation": 4, "padding": 2}),  # no window lies on the image
    ((3, 2, 7, 1), (3, 2), {"padding": (2, 0)}),  # kernel larger than the image
]


@pytest.mark.parametrize(("shape", "size", "options"), EDGES)
@pytest.mark.parametrize("order", ORDERS)
def test_edges(shape: tuple[int, ...], size: tuple[int, ...], options: Any, order: Any) -> None:
    weight = torch.randn(shape, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
    matrix = conv_oracle(weight, size, **options)
    agree(conv_norm(weight, size, ord=order, **options), dense_norm(matrix, order))


@pytest.mark.parametrize("order", ORDERS)
def test_a_layer_that_touches_no_pixel_is_zero(order: Any) -> None:
    weight = torch.ones(1, 1, 1, 1, requires_grad=True)
    norm = conv_norm(weight, 1, ord=order, stride=2, padding=1)
    norm.backward()
    assert float(norm.detach()) == 0
    assert float(weight.grad) == 0


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("kernel", [(2, 2), (4, 3), (3, 5), (1, 6)])
@pytest.mark.parametrize("dilation", [1, (2, 1), (1, 3)])
def test_named_padding(padding: str, kernel: tuple[int, int], dilation: Any) -> None:
    weight = torch.randn(2, 3, *kernel, generator=torch.Generator().manual_seed(1)).double()
    size = (9, 17)
    options = {"padding": padding, "dilation": dilation}
    matrix = conv_oracle(weight, size, **options)
    for order in ORDERS:
        agree(conv_norm(weight, size, ord=order, **options), dense_norm(matrix, order))


CIRCULAR: list[tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = [
    ((2, 2, 3, 3), (5, 4), {"padding": 1}),
    ((2, 1, 3, 3), (5, 4), {"padding": 1, "groups": 2, "stride": (2, 1)}),
    ((2, 2, 2, 4), (3, 4), {"padding": "same"}),
    ((1, 2, 3, 1), (3, 2), {"padding": (3, 2)}),  # outputs see a pixel through one tap repeatedly
    ((2, 2, 2, 3), (7, 8), {"padding": (2, 4), "dilation": (3, 2), "stride": 2}),
    ((2, 2, 3, 2), (6, 5), {"padding": (0, 2)}),  # wraps on one axis only
]


@pytest.mark.parametrize(("shape", "size", "options"), CIRCULAR)
@pytest.mark.parametrize("order", ORDERS)
def test_circular_padding(shape: Any, size: Any, options: Any, order: Any) -> None:
    weight = torch.randn(shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    matrix = conv_oracle(weight, size, padding_mode="circular", **options)
    found = conv_norm(weight, size, ord=order, padding_mode="circular", **options)
    agree(found, dense_norm(matrix, order))


@pytest.mark.parametrize("scale", [5e-324, 1e-310, 1e-200, 1e-160, 1e150, 1e200, 1e306])
@pytest.mark.parametrize("order", ORDERS)
def test_scales(scale: float, order: Any) -> None:
    """Neither squares nor sums lose anything, down to subnormal weights."""
    generator = torch.Generator().manual_seed(2)
    weight = torch.randint(1, 5, (2, 3, 3, 2), generator=generator).double() * scale
    matrix = conv_oracle(weight, (4, 5), padding=1)
    found = conv_norm(weight, (4, 5), ord=order, padding=1)
    tolerance = max(1e-12, 5e-324 / dense_norm(matrix, order) * 2)
    agree(found, dense_norm(matrix, order), tolerance)


@pytest.mark.parametrize("order", ORDERS)
def test_a_tiny_tap_beside_a_large_one_that_touches_nothing(order: Any) -> None:
    weight = torch.tensor([[[[1e150, 1e-200]]]], dtype=torch.float64)
    matrix = conv_oracle(weight, (1, 1), stride=2, padding=(0, 1))
    agree(conv_norm(weight, (1, 1), ord=order, stride=2, padding=(0, 1)), dense_norm(matrix, order))
    other = weight.flip(3)
    matrix = conv_oracle(other, (1, 1), stride=2, padding=(0, 1))
    agree(conv_norm(other, (1, 1), ord=order, stride=2, padding=(0, 1)), dense_norm(matrix, order))


@pytest.mark.parametrize(
    ("dtype", "out", "rtol"),
    [
        (torch.float64, torch.float64, 1e-12),
        (torch.float32, torch.float32, 2e-6),
        (torch.float16, torch.float32, 2e-6),
        (torch.bfloat16, torch.float32, 2e-6),
    ],
)
@pytest.mark.parametrize("order", ORDERS)
def test_dtypes(dtype: torch.dtype, out: torch.dtype, rtol: float, order: Any) -> None:
    """The result is that of the weight's own values, and half precision does not overflow."""
    weight = torch.randn(64, 8, 5, 5, generator=torch.Generator().manual_seed(5)) * 100
    weight = weight.to(dtype)
    matrix = conv_oracle(weight, (7, 6), stride=2, padding=2)
    found = conv_norm(weight, (7, 6), ord=order, stride=2, padding=2)
    assert found.dtype == out
    agree(found, dense_norm(matrix, order), rtol)


@pytest.mark.parametrize("order", ORDERS)
def test_non_contiguous_weights(order: Any) -> None:
    base = torch.randn(3, 2, 5, 8, generator=torch.Generator().manual_seed(6), dtype=torch.float64)
    for weight in (
        base.permute(1, 0, 3, 2)[:, :, ::2],
        base[:, :, 1:4, ::3],
        base.flip(2),
        base[:1, :1].expand(4, 2, 5, 8),
        base.to(memory_format=torch.channels_last),
    ):
        options = {"padding": 2, "stride": (2, 1)}
        matrix = conv_oracle(weight, (6, 9), **options)
        agree(conv_norm(weight, (6, 9), ord=order, **options), dense_norm(matrix, order))
        if weight.shape[0] % 2 == 0:
            options["groups"] = 2
            matrix = conv_oracle(weight, (6, 9), **options)
            agree(conv_norm(weight, (6, 9), ord=order, **options), dense_norm(matrix, order))


def test_parameters_and_modules() -> None:
    layer = nn.Conv2d(4, 6, (3, 2), stride=2, padding=1, groups=2, dtype=torch.float64)
    matrix = conv_oracle(layer.weight, (5, 5), stride=2, padding=1, groups=2)
    norm = conv_norm(layer.weight, 5, ord=1, stride=2, padding=1, groups=2)
    assert norm.requires_grad
    agree(norm.detach(), dense_norm(matrix, 1))


@pytest.mark.parametrize("default", [torch.float64, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("order", ORDERS)
def test_the_default_dtype_does_not_matter(default: torch.dtype, order: Any) -> None:
    norms_module._table.cache_clear()
    weight = torch.randn(
        2, 2, 3, 3, generator=torch.Generator().manual_seed(8), dtype=torch.float64
    )
    single = weight.float()
    expected = [
        float(conv_norm(w, (6, 5), ord=order, stride=2, padding=2)) for w in (weight, single)
    ]
    norms_module._table.cache_clear()
    before = torch.get_default_dtype()
    torch.set_default_dtype(default)
    try:
        found = [conv_norm(w, (6, 5), ord=order, stride=2, padding=2) for w in (weight, single)]
    finally:
        torch.set_default_dtype(before)
    assert [v.dtype for v in found] == [torch.float64, torch.float32]
    assert [float(v) for v in found] == expected


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("mode", [torch.inference_mode, torch.no_grad])
def test_backward_after_a_first_call_in_inference_mode(mode: Any, order: Any) -> None:
    """The tables that the first call leaves in the cache must not be inference tensors."""
    norms_module._table.cache_clear()
    weight = torch.randn(2, 2, 3, 3, dtype=torch.float64, requires_grad=True)
    options = {"stride": 2, "padding": 1}
    with mode():
        first = conv_norm(weight, (3, 4), ord=order, **options)
        inside = torch.randn(2, 2, 3, 3, dtype=torch.float64)
        conv_norm(inside, (3, 4), ord=order, **options)
    second = conv_norm(weight, (3, 4), ord=order, **options)
    second.backward()
    assert float(first) == float(second.detach())
    assert torch.isfinite(weight.grad).all()


def gradient(weight: Tensor, size: Any, order: Any, **options: Any) -> Tensor:
    leaf = weight.clone().requires_grad_()
    conv_norm(leaf, size, ord=order, **options).backward()
    return leaf.grad


@QUICK
@given(conv_cases(largest=5))
def test_gradients_of_sums_are_signs(case: Case) -> None:
    """Entries in {-1, 0, 1}, ties included, and the norm is recovered as <gradient, weight>."""
    for order in (1, math.inf):
        slope = gradient(case.weight, case.size, order, **case.options)
        assert set(slope.unique().tolist()) <= {-1.0, 0.0, 1.0}
        norm = float(conv_norm(case.weight, case.size, ord=order, **case.options))
        assert float((slope * case.weight).sum()) == pytest.approx(norm, rel=1e-12, abs=1e-300)


@QUICK
@given(conv_cases(largest=5), st.integers(0, 1000))
def test_gradients_equal_finite_differences(case: Case, seed: int) -> None:
    """Gaussian kernels have no ties; the difference is taken on the dense matrix's norm."""
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(case.weight.shape, generator=generator, dtype=torch.float64)
    step = torch.randn(case.weight.shape, generator=generator, dtype=torch.float64) * 1e-7
    for order in ORDERS:
        slope = gradient(weight, case.size, order, **case.options)
        ends = [
            dense_norm(conv_oracle(weight + s * step, case.size, **case.options), order)
            for s in (1, -1)
        ]
        assert float((slope * step).sum()) == pytest.approx((ends[0] - ends[1]) / 2, abs=1e-12)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("transposed", [False, True])
def test_gradcheck(order: Any, transposed: bool) -> None:
    weight = torch.randn(
        4, 2, 3, 2, generator=torch.Generator().manual_seed(9), dtype=torch.float64
    )
    weight.requires_grad_()
    if transposed:
        options = {"stride": 2, "padding": 1, "output_padding": 1, "dilation": (1, 2), "groups": 2}
        assert torch.autograd.gradcheck(
            lambda w: conv_transpose_norm(w, (3, 4), ord=order, **options), weight
        )
    else:
        options = {"stride": 2, "padding": 1, "dilation": (1, 2), "groups": 2}
        assert torch.autograd.gradcheck(
            lambda w: conv_norm(w, (3, 4), ord=order, **options), weight
        )


def test_gradients_at_the_zero_kernel() -> None:
    for order in ORDERS:
        slope = gradient(torch.zeros(2, 2, 3, 3), 5, order, padding=1)
        assert slope.tolist() == torch.zeros(2, 2, 3, 3).tolist()


def test_gradient_at_a_tie_is_that_of_the_first_maximiser() -> None:
    weight = torch.ones(2, 3, 1, 1)
    assert gradient(weight, 4, 1)[:, :, 0, 0].tolist() == [[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]]
    assert gradient(weight, 4, math.inf)[:, :, 0, 0].tolist() == [[1.0] * 3, [0.0] * 3]


@pytest.mark.parametrize("scale", [1e-310, 1e-200, 1e160, 1e200])
def test_frobenius_gradient_at_extreme_scales(scale: float) -> None:
    weight = torch.randn(
        2, 2, 3, 3, generator=torch.Generator().manual_seed(4), dtype=torch.float64
    )
    slope = gradient(weight, 5, "fro", padding=1)
    assert torch.allclose(gradient(weight * scale, 5, "fro", padding=1), slope, rtol=1e-10)


@QUICK
@given(conv_cases(largest=5))
def test_transposed_flag_is_the_transposed_matrix(case: Case) -> None:
    options = {name: value for name, value in case.options.items() if name != "groups"}
    geometry = Geometry.for_conv(case.size, tuple(case.weight.shape[2:]), **options)
    groups = case.options["groups"]
    one = geometry_norms(case.weight, geometry, ORDERS, groups=groups)
    other = geometry_norms(case.weight, geometry, ORDERS, groups=groups, transposed=True)
    assert float(one[1]) == float(other[math.inf])
    assert float(one[math.inf]) == float(other[1])
    assert float(one["fro"]) == float(other["fro"])


def test_geometry_norms_refuses_another_kernel_size() -> None:
    geometry = Geometry.for_conv(8, 3)
    with pytest.raises(
        ValueError, match=r"geometry's kernel size \(3, 3\), got shape \(1, 1, 3, 2\)"
    ):
        geometry_norms(torch.ones(1, 1, 3, 2), geometry, (1,))
    with pytest.raises(ValueError, match="weight must have 4 dimensions"):
        geometry_norms(torch.ones(1, 1, 3), geometry, (1,))
    assert geometry_norms(torch.ones(1, 1, 3, 3), geometry, ()) == {}


def test_orders_may_be_given_as_floats() -> None:
    geometry = Geometry.for_conv(8, 3)
    found = geometry_norms(torch.ones(1, 1, 3, 3), geometry, (1.0, float("inf")))
    assert {1: 9.0, math.inf: 9.0} == {k: float(v) for k, v in found.items()}


def test_gradient_counts_repeated_meetings_on_a_circle() -> None:
    """Three pixels padded by three on both sides: the tap meets each pixel three times."""
    weight = torch.ones(1, 1, 1, 1, requires_grad=True)
    norm = conv_norm(weight, (3, 1), ord=1, padding=(3, 0), padding_mode="circular")
    norm.backward()
    assert float(norm.detach()) == float(weight.grad) == 3
