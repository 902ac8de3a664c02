"""The Fourier method is right on circular layers, and its family is what it promises."""

from __future__ import annotations

import pytest

from nbsrc.audits.fourier import circular_matrix_of, fourier_norm, same_size_layers
from nbsrc.audits.norms import audit_norm, matrix_norm
from tests.conv.strategies import conv_oracle


def test_exact_with_circular_padding() -> None:
    for layer in same_size_layers(25, 0):
        matrix = conv_oracle(
            layer.weight, layer.shape.input_size, padding_mode="circular", **layer.options
        )
        assert circular_matrix_of(layer).equal(matrix)
        assert fourier_norm(layer) == pytest.approx(matrix_norm(matrix, 2), rel=1e-10)


def test_wrong_with_zero_padding_and_with_strides() -> None:
    found = audit_norm(same_size_layers(25, 0), fourier_norm, 2, 1e-6)
    assert not found.holds
    assert found.counterexample["input"] == "3x1"
    assert not audit_norm(same_size_layers(25, 0, stride=2), fourier_norm, 2, 1e-6).holds


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_family(stride: int) -> None:
    layers = list(same_size_layers(20, 1, stride=stride))
    assert len(layers) == 20
    for layer in layers:
        s = layer.shape
        assert all(k % 2 == 1 for k in s.kernel_size)
        assert s.padding == tuple(k // 2 for k in s.kernel_size)
        assert all(n >= k for n, k in zip(s.input_size, s.kernel_size, strict=True))
        assert s.stride == (stride, stride)
        assert all(n % stride == 0 for n in s.input_size)
