"""The dense matrix against torch's modules, and against loops over outputs, taps and pixels."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
import torch
from hypothesis import given
from torch import Tensor
from torch.nn import functional

from nbsrc.conv import conv_matrix, conv_transpose_matrix
from tests.conv.strategies import (
    QUICK,
    Case,
    conv_cases,
    conv_oracle,
    transposed_cases,
    transposed_oracle,
)


def loop_matrix(case: Case) -> Tensor:
    """Return the matrix by the definition of a convolution, one entry at a time."""
    d_out, per_group, *kernel = case.weight.shape
    groups, (h, w) = case.options["groups"], case.size
    strides, pads, dilations = (case.options[n] for n in ("stride", "padding", "dilation"))
    out_h, out_w = (
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, k, s, p, d in zip(case.size, kernel, strides, pads, dilations, strict=True)
    )
    matrix = torch.zeros(d_out, out_h, out_w, per_group * groups, h, w, dtype=torch.float64)
    for i, j, (a, k), (b, t) in product(
        range(d_out), range(per_group),
        product(range(out_h), range(kernel[0])), product(range(out_w), range(kernel[1])),
    ):  # fmt: skip
        y = a * strides[0] + k * dilations[0] - pads[0]
        x = b * strides[1] + t * dilations[1] - pads[1]
        if 0 <= y < h and 0 <= x < w:
            channel = i // (d_out // groups) * per_group + j
            matrix[i, a, b, channel, y, x] += case.weight[i, j, k, t]
    return matrix.reshape(d_out * out_h * out_w, -1)


@QUICK
@given(conv_cases(largest=4))
def test_definition(case: Case) -> None:
    assert torch.equal(conv_matrix(case.weight, case.size, **case.options), loop_matrix(case))


@QUICK
@given(conv_cases())
def test_module(case: Case) -> None:
    found = conv_matrix(case.weight, case.size, **case.options)
    assert torch.equal(found, conv_oracle(case.weight, case.size, **case.options))


@QUICK
@given(transposed_cases())
def test_transposed_module(case: Case) -> None:
    found = conv_transpose_matrix(case.weight, case.size, **case.options)
    assert torch.equal(found, transposed_oracle(case.weight, case.size, **case.options))


@QUICK
@given(conv_cases(largest=5))
def test_the_matrix_of_the_gradient_is_the_transpose(case: Case) -> None:
    """Back-propagation through the layer multiplies by M^T."""
    matrix = conv_matrix(case.weight, case.size, **case.options)
    channels = case.weight.shape[1] * case.options["groups"]
    image = torch.randn(1, channels, *case.size, dtype=torch.float64, requires_grad=True)
    out = functional.conv2d(image, case.weight, None, **case.options)
    other = torch.randn_like(out)
    (back,) = torch.autograd.grad(out, image, other)
    assert torch.allclose(matrix.T @ other.flatten(), back.flatten(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("mode", ["zeros", "circular", "reflect", "replicate"])
@pytest.mark.parametrize("padding", [0, 1, (2, 1), "same", "valid"])
@pytest.mark.parametrize("kernel", [(3, 3), (2, 4)])
def test_padding_modes(mode: str, padding: Any, kernel: tuple[int, int]) -> None:
    weight = torch.randn(2, 3, *kernel, dtype=torch.float64)
    options = {"padding": padding, "padding_mode": mode, "dilation": (1, 2)}
    found = conv_matrix(weight, (5, 8), **options)
    assert torch.equal(found, conv_oracle(weight, (5, 8), **options))


@pytest.mark.parametrize(("mode", "most"), [("reflect", 3), ("circular", 4)])
def test_padding_that_torch_refuses(mode: str, most: int) -> None:
    weight = torch.ones(1, 1, 3, 3)
    conv_matrix(weight, 4, padding=most, padding_mode=mode)
    with pytest.raises(ValueError, match=f"'{mode}' must be at most {most} .*got {most + 1}"):
        conv_matrix(weight, 4, padding=most + 1, padding_mode=mode)
    conv_matrix(weight, 4, padding=9, padding_mode="replicate")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_dtype_and_gradient_are_the_weights(dtype: torch.dtype) -> None:
    weight = torch.randn(2, 2, 3, 3).to(dtype).requires_grad_()
    matrix = conv_matrix(weight, 4, padding=1)
    assert matrix.dtype == dtype
    assert torch.equal(matrix.double(), conv_oracle(weight, (4, 4), padding=1))
    matrix.float().sum().backward()
    assert weight.grad[0, 0, 1, 1] == 16
    assert weight.grad[0, 0, 0, 0] == 9
