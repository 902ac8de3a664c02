"""Every rule on arguments: the error names the argument, its value and what is allowed."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from nbsrc.conv import (
    conv_l2_bounds,
    conv_matrix,
    conv_norm,
    conv_spectral_norm,
    conv_transpose_matrix,
    conv_transpose_norm,
    tap_classes,
    theorem1_norms,
)
from nbsrc.conv._arguments import as_ints, as_order, check_finite, check_weight

W = torch.ones(4, 2, 3, 3, dtype=torch.float64)

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "conv_norm": lambda w, h, **o: conv_norm(w, h, ord=1, **o),
    "conv_l2_bounds": conv_l2_bounds,
    "conv_spectral_norm": conv_spectral_norm,
    "conv_matrix": conv_matrix,
    "conv_transpose_norm": lambda w, h, **o: conv_transpose_norm(w, h, ord=1, **o),
    "conv_transpose_matrix": conv_transpose_matrix,
    "theorem1_norms": theorem1_norms,
}
everywhere = pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
of_groups = pytest.mark.parametrize(
    "function", [f for n, f in FUNCTIONS.items() if n != "theorem1_norms"]
)
values_checked = pytest.mark.parametrize(
    "function", [f for n, f in FUNCTIONS.items() if not n.endswith("matrix")]
)


@everywhere
@pytest.mark.parametrize("shape", [(), (4,), (4, 2), (4, 2, 3), (4, 2, 3, 3, 3)])
def test_wrong_rank(function: Callable[..., Any], shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"weight must have 4 dimensions .*got shape \("):
        function(torch.ones(shape), 8)


@everywhere
@pytest.mark.parametrize("weight", [None, 1.0, [[[[1.0]]]], np.ones((1, 1, 3, 3))])
def test_non_tensor(function: Callable[..., Any], weight: object) -> None:
    with pytest.raises(TypeError, match=r"weight must be a torch.Tensor, got \w+"):
        function(weight, 8)


@everywhere
@pytest.mark.parametrize("dtype", [torch.int64, torch.uint8, torch.bool, torch.complex64])
def test_dtype(function: Callable[..., Any], dtype: torch.dtype) -> None:
    with pytest.raises(TypeError, match=f"floating-point tensor, got dtype {dtype}"):
        function(torch.ones(1, 1, 3, 3, dtype=dtype), 8)


@everywhere
@pytest.mark.parametrize("shape", [(0, 1, 3, 3), (1, 0, 3, 3), (1, 1, 0, 3), (1, 1, 3, 0)])
def test_empty(function: Callable[..., Any], shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"weight must not be empty, got shape \("):
        function(torch.ones(shape), 8)


@of_groups
def test_groups_that_do_not_divide(function: Callable[..., Any]) -> None:
    with pytest.raises(
        ValueError, match="groups must divide the weight's first dimension 4, got 3"
    ):
        function(W, 8, groups=3)


@of_groups
@pytest.mark.parametrize("groups", [0, -1])
def test_groups_below_one(function: Callable[..., Any], groups: int) -> None:
    with pytest.raises(ValueError, match=f"groups must be an integer >= 1 .*got {groups}"):
        function(W, 8, groups=groups)


@of_groups
@pytest.mark.parametrize("groups", [True, 1.0, "2", None])
def test_groups_of_a_wrong_type(function: Callable[..., Any], groups: object) -> None:
    with pytest.raises(TypeError, match="groups must be an integer >= 1"):
        function(W, 8, groups=groups)


@pytest.mark.parametrize("name", [n for n in FUNCTIONS if "transpose" not in n])
def test_kernel_larger_than_the_padded_input(name: str) -> None:
    with pytest.raises(ValueError, match=r"kernel_size \(3, 3\) .*must fit the padded input"):
        FUNCTIONS[name](W, (2, 8))
    with pytest.raises(ValueError, match=r"spans 3 pixels, input_size \(1, 1\)"):
        FUNCTIONS[name](W, 1)
    assert FUNCTIONS[name](W, 1, padding=1) is not None


@pytest.mark.parametrize("dilation", [3, (1, 3)])
def test_dilated_kernel_larger_than_the_padded_input(dilation: Any) -> None:
    with pytest.raises(ValueError, match=r"spans 7 pixels, .*has 6"):
        conv_norm(W, 6, ord=1, dilation=dilation)


@everywhere
@pytest.mark.parametrize("name", ["stride", "padding"])
@pytest.mark.parametrize("value", [(1,), (1, 1, 1), [], (2, 2, 2, 2)])
def test_tuples_of_a_wrong_length(function: Callable[..., Any], name: str, value: Any) -> None:
    with pytest.raises(
        ValueError, match=rf"{name} must be .* of 2 of them, got .*{len(value)} ent"
    ):
        function(W, 8, **{name: value})


@everywhere
@pytest.mark.parametrize("stride", [0, -1, (1, 0)])
def test_stride_below_one(function: Callable[..., Any], stride: Any) -> None:
    with pytest.raises(ValueError, match="stride must be an integer >= 1"):
        function(W, 8, stride=stride)


@everywhere
@pytest.mark.parametrize("padding", [-1, (0, -2)])
def test_negative_padding(function: Callable[..., Any], padding: Any) -> None:
    with pytest.raises(ValueError, match="padding must be an integer >= 0"):
        function(W, 8, padding=padding)


@of_groups
@pytest.mark.parametrize("dilation", [0, -3, (1, 0)])
def test_dilation_below_one(function: Callable[..., Any], dilation: Any) -> None:
    with pytest.raises(ValueError, match="dilation must be an integer >= 1"):
        function(W, 8, dilation=dilation)


@everywhere
@pytest.mark.parametrize("size", [0, (8, 0), (-8, 8)])
def test_input_size_below_one(function: Callable[..., Any], size: Any) -> None:
    with pytest.raises(ValueError, match="input_size must be an integer >= 1"):
        function(W, size)


@everywhere
@pytest.mark.parametrize("size", [(8,), (8, 8, 8), (1, 2, 8, 8)])
def test_input_size_of_a_wrong_length(function: Callable[..., Any], size: Any) -> None:
    with pytest.raises(ValueError, match=r"input_size must be .* of 2 of them"):
        function(W, size)


WRONG = [
    True, 1.0, None, "1", b"ab", (1, 1.0), (True, 1), (1, "1"), {1, 2}, np.array([1, 1]),
    np.ones(2), torch.tensor([1, 1]), torch.tensor(1.0), math.nan,
]  # fmt: skip


@pytest.mark.parametrize("name", ["stride", "dilation", "input_size", "kernel_size"])
@pytest.mark.parametrize("value", WRONG, ids=repr)
def test_numbers_of_a_wrong_type(name: str, value: object) -> None:
    arguments: dict[str, Any] = {"input_size": 8, "kernel_size": 3, name: value}
    with pytest.raises(TypeError, match=f"{name} must be an integer >= 1 or a sequence of 2"):
        tap_classes(**arguments)


@pytest.mark.parametrize("value", [v for v in WRONG if not isinstance(v, str)], ids=repr)
def test_padding_of_a_wrong_type(value: Any) -> None:
    with pytest.raises(TypeError, match="padding must be an integer >= 0 or a sequence of 2"):
        conv_norm(W, 8, ord=1, padding=value)


def test_padding_of_an_unknown_name() -> None:
    with pytest.raises(ValueError, match="'same' or 'valid', got 'full'"):
        conv_norm(W, 8, ord=1, padding="full")


@pytest.mark.parametrize("value", [np.int64(2), torch.tensor(2), torch.Size((2, 2)), range(2, 4)])
def test_integers_of_other_libraries_are_integers(value: Any) -> None:
    found = as_ints("stride", value, 2, 1)
    assert found in {(2, 2), (2, 3)}
    assert all(type(n) is int for n in found)


@values_checked
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_non_finite_weights(function: Callable[..., Any], bad: float, dtype: torch.dtype) -> None:
    weight = W.to(dtype).clone()
    weight[2, 1, 0, 2] = bad
    with pytest.raises(
        ValueError, match=rf"weight must be finite, got {bad} at index \(2, 1, 0, 2\)"
    ):
        function(weight, 8)


@pytest.mark.parametrize("order", [1, math.inf, "fro"])
@pytest.mark.parametrize("transposed", [False, True])
def test_non_finite_weights_of_every_norm(order: Any, transposed: bool) -> None:
    function = conv_transpose_norm if transposed else conv_norm
    weight = W.clone()
    weight[3, 0, 2, 2] = math.nan
    with pytest.raises(ValueError, match=r"got nan at index \(3, 0, 2, 2\)"):
        function(weight, 8, ord=order)


@pytest.mark.parametrize("order", [1, math.inf, "fro"])
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_non_finite_weight_under_a_tap_that_touches_nothing(order: Any, bad: float) -> None:
    weight = torch.ones(1, 1, 3, 3)
    weight[0, 0, 0, 0] = bad  # only the middle tap meets the only pixel
    with pytest.raises(ValueError, match=f"got {bad}"):
        conv_norm(weight, 1, ord=order, padding=1)
    with pytest.raises(ValueError, match=f"got {bad}"):
        conv_spectral_norm(weight, 1, padding=1)


def test_opposite_infinities_do_not_hide() -> None:
    weight = torch.ones(1, 1, 1, 2)
    weight[0, 0, 0] = torch.tensor([math.inf, -math.inf])
    for function in (conv_spectral_norm, conv_l2_bounds):
        with pytest.raises(ValueError, match="must be finite"):
            function(weight, 4)


def test_a_sum_that_overflows_is_infinity_not_an_error() -> None:
    weight = torch.full((1, 1, 2, 2), 3e38)
    assert float(conv_norm(weight, 4, ord=1)) == math.inf


UNKNOWN = [0, -1, 3, 1.5, math.nan, -math.inf, "1", "inf", "nuc", "FRO", None, True, [1]]


@pytest.mark.parametrize("order", UNKNOWN, ids=repr)
def test_unknown_order(order: Any) -> None:
    for function in (conv_norm, conv_transpose_norm):
        with pytest.raises(ValueError, match="ord must be 1, inf or 'fro', got "):
            function(W, 8, ord=order)


@pytest.mark.parametrize("order", [2, 2.0, np.float64(2)])
def test_order_two_points_to_the_bracket(order: float) -> None:
    with pytest.raises(ValueError, match=r"got 2: .*conv_spectral_norm"):
        conv_norm(W, 8, ord=order)


def test_orders_are_canonical() -> None:
    assert as_order(1.0) == 1
    assert type(as_order(1.0)) is int
    assert as_order(np.float64("inf")) == math.inf
    assert as_order(float("inf")) is math.inf


@pytest.mark.parametrize("mode", ["reflect", "replicate"])
def test_padding_modes_without_exact_norms(mode: str) -> None:
    with pytest.raises(NotImplementedError, match=f"padding_mode '{mode}' .*conv_matrix"):
        conv_norm(W, 8, ord=1, padding=1, padding_mode=mode)


@pytest.mark.parametrize("mode", ["constant", "Zeros", "", None, 0])
def test_unknown_padding_mode(mode: Any) -> None:
    with pytest.raises(ValueError, match="padding_mode must be"):
        conv_norm(W, 8, ord=1, padding_mode=mode)
    with pytest.raises(ValueError, match="padding_mode must be"):
        conv_matrix(W, 8, padding_mode=mode)


@pytest.mark.parametrize("order", [1, math.inf, "fro"])
def test_circular_kernel_that_wraps_onto_itself(order: Any) -> None:
    with pytest.raises(
        NotImplementedError, match=r"wraps onto itself .*input size 2, kernel size 3"
    ):
        conv_norm(W, (8, 2), ord=order, padding=1, padding_mode="circular")


def test_circular_dilated_kernel_that_wraps_onto_itself() -> None:
    with pytest.raises(NotImplementedError, match="dilation 4"):
        conv_norm(W, 8, ord=1, padding=4, dilation=4, padding_mode="circular")


def test_circular_padding_larger_than_the_input() -> None:
    with pytest.raises(ValueError, match="circular padding must not exceed the input size 3"):
        conv_norm(W, 3, ord=1, padding=4, padding_mode="circular")


def test_same_with_a_stride() -> None:
    with pytest.raises(ValueError, match=r"padding 'same' needs stride 1, .*got stride \(1, 2\)"):
        conv_norm(W, 8, ord=1, padding="same", stride=(1, 2))
    with pytest.raises(ValueError, match="padding 'same' needs stride 1"):
        conv_matrix(W, 8, padding="same", stride=2)


@pytest.mark.parametrize("function", [conv_transpose_norm, conv_transpose_matrix])
def test_output_padding_too_large(function: Callable[..., Any]) -> None:
    order = {"ord": 1} if function is conv_transpose_norm else {}
    with pytest.raises(ValueError, match=r"output_padding must be smaller .*got 2"):
        function(W, 4, stride=2, output_padding=2, **order)
    with pytest.raises(ValueError, match=r"output_padding must be smaller .*\(0, 3\)"):
        function(W, 4, stride=(4, 2), dilation=(1, 3), output_padding=(0, 3), **order)
    function(W, 4, stride=2, dilation=(1, 3), output_padding=(1, 2), **order)
    with pytest.raises(ValueError, match="output_padding must be an integer >= 0"):
        function(W, 4, output_padding=-1, **order)


@pytest.mark.parametrize("function", [conv_transpose_norm, conv_transpose_matrix])
def test_transposed_layer_without_an_output(function: Callable[..., Any]) -> None:
    order = {"ord": 1} if function is conv_transpose_norm else {}
    with pytest.raises(ValueError, match="padding 2 must leave an output, got output size -1"):
        function(W, 1, padding=2, **order)


@pytest.mark.parametrize("rtol", [0, 1, -1e-6, 2.0, math.nan, math.inf])
def test_rtol_out_of_range(rtol: float) -> None:
    with pytest.raises(ValueError, match="rtol must be between 0 and 1, got"):
        conv_spectral_norm(W, 8, rtol=rtol)


@pytest.mark.parametrize("max_work", [-1, math.nan, -math.inf])
def test_max_work_out_of_range(max_work: float) -> None:
    with pytest.raises(ValueError, match="max_work must be at least 0, got"):
        conv_spectral_norm(W, 8, max_work=max_work)


@pytest.mark.parametrize("name", ["rtol", "max_work"])
@pytest.mark.parametrize("value", ["1e-6", None, True, [1e-6]])
def test_numbers_of_the_bracket_of_a_wrong_type(name: str, value: Any) -> None:
    with pytest.raises(TypeError, match=f"{name} must be a number, got"):
        conv_spectral_norm(W, 8, **{name: value})


def test_check_weight_returns_what_it_checked() -> None:
    weight, groups = check_weight(W, (2,), np.int64(2))
    assert weight is W
    assert groups == 2
    assert type(groups) is int


def test_check_finite_looks_at_the_weight_only_on_evidence() -> None:
    """Finite evidence passes; the error quotes the first bad entry in order."""
    bad = torch.tensor([1.0, math.inf, math.nan])
    check_finite(bad, torch.zeros(()))
    with pytest.raises(ValueError, match=r"got inf at index \(1,\)"):
        check_finite(bad, bad.sum())
    finite = torch.tensor([3e38, 3e38])
    check_finite(finite, finite.sum())


def test_weights_are_left_alone() -> None:
    def snapshot(weight: Tensor) -> tuple[Any, ...]:
        return weight.clone(), weight._version, weight.requires_grad

    weight = torch.randn(4, 2, 3, 3, dtype=torch.float64)
    before = snapshot(weight)
    for function in FUNCTIONS.values():
        function(weight, 8)
    assert torch.equal(before[0], weight)
    assert before[1:] == snapshot(weight)[1:]
