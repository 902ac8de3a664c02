"""The baselines against dense matrices, where they are exact and where they are not."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from nbsrc.conv import conv_matrix
from nbsrc.conv_baselines import circulant_spectral_norm, power_iteration_autograd


def kernel(*shape: int, seed: int = 0) -> Tensor:
    g = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=torch.float64, generator=g)


@pytest.mark.parametrize(
    ("shape", "size", "options"),
    [
        ((3, 2, 3, 3), (5, 6), {"padding": 1}),
        ((2, 3, 3, 2), (6, 5), {"stride": (2, 1), "padding": (0, 1)}),
        ((4, 1, 2, 3), 5, {"groups": 2, "dilation": 2, "padding": 2}),
    ],
)
def test_power_iteration_converges_from_below_to_the_dense_norm(
    shape: tuple[int, ...], size: Any, options: dict[str, Any]
) -> None:
    weight = kernel(*shape)
    true = float(torch.linalg.matrix_norm(conv_matrix(weight, size, **options), 2))
    few = float(power_iteration_autograd(weight, size, iterations=2, **options))
    many = float(power_iteration_autograd(weight, size, iterations=600, **options))
    assert few <= many * (1 + 1e-12)
    assert few < true * (1 - 1e-6)
    assert many == pytest.approx(true, rel=1e-7)


def test_power_iteration_leaves_global_state_and_weight_alone() -> None:
    weight = kernel(2, 2, 3, 3).requires_grad_()
    state = torch.random.get_rng_state()
    with torch.no_grad():
        first = power_iteration_autograd(weight, 5, iterations=3)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert weight.grad is None
    other = torch.Generator().manual_seed(5)
    assert first != power_iteration_autograd(weight, 5, iterations=3, generator=other)


def test_power_iteration_of_zero_is_zero() -> None:
    assert float(power_iteration_autograd(torch.zeros(2, 2, 3, 3), 5)) == 0.0


def circulant_matrix(weight: Tensor, size: tuple[int, int]) -> Tensor:
    """The wrapped convolution's matrix, tap by tap."""
    d_out, d_in, k1, k2 = weight.shape
    h, w = size
    matrix = torch.zeros(d_out, h, w, d_in, h, w, dtype=weight.dtype)
    for y in range(h):
        for x in range(w):
            for a in range(k1):
                for b in range(k2):
                    matrix[:, y, x, :, (y + a) % h, (x + b) % w] += weight[:, :, a, b]
    return matrix.reshape(d_out * h * w, d_in * h * w)


@pytest.mark.parametrize(
    ("shape", "size"), [((3, 2, 3, 3), (5, 6)), ((2, 4, 2, 5), (4, 5)), ((1, 1, 1, 1), (3, 2))]
)
def test_the_circulant_norm_is_that_of_the_wrapped_matrix(
    shape: tuple[int, ...], size: tuple[int, int]
) -> None:
    weight = kernel(*shape)
    true = float(torch.linalg.matrix_norm(circulant_matrix(weight, size), 2))
    assert float(circulant_spectral_norm(weight, size)) == pytest.approx(true, rel=1e-12)


def test_the_circulant_norm_is_not_that_of_zero_padding_nor_of_a_stride() -> None:
    weight = kernel(3, 2, 3, 3)
    wrapped = float(circulant_spectral_norm(weight, 5))
    padded = float(torch.linalg.matrix_norm(conv_matrix(weight, 5, padding=1), 2))
    strided = float(torch.linalg.matrix_norm(conv_matrix(weight, 5, padding=1, stride=2), 2))
    assert abs(wrapped / padded - 1) > 1e-3
    assert wrapped > 1.05 * strided
    # Neither of the two bounds the other.
    signs = set()
    for seed in range(20):
        weight = kernel(1, 1, 3, 3, seed=seed)
        wrapped = float(circulant_spectral_norm(weight, 5))
        padded = float(torch.linalg.matrix_norm(conv_matrix(weight, 5, padding=1), 2))
        signs.add(wrapped > padded)
    assert signs == {True, False}
    # The zero-padded map is a part of the wrapped one on an image larger by the padding.
    assert float(circulant_spectral_norm(weight, 7)) >= padded


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: circulant_spectral_norm(kernel(1, 1, 3, 3), 2), "input_size must be at least"),
        (lambda: circulant_spectral_norm(kernel(1, 3, 3), 4), "weight must have 4 dimensions"),
        (
            lambda: power_iteration_autograd(kernel(1, 1, 3, 3), 4, iterations=0),
            "iterations must be an integer >= 1",
        ),
        (lambda: power_iteration_autograd(kernel(1, 1, 3, 3), 4, stride=0), "stride must be"),
    ],
)
def test_bad_arguments_are_named(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
