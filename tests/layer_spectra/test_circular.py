"""The Fourier spectrum against dense circular convolutions, and against the zero-padded ones."""

from __future__ import annotations

import pytest
import torch

from nbsrc.conv.dense import conv_matrix
from nbsrc.layer_spectra import circular_singular_values, spectrum


@pytest.mark.parametrize(
    ("shape", "size", "groups"),
    [((3, 2, 3, 3), (5, 4), 1), ((4, 1, 3, 1), (4, 4), 2), ((1, 3, 1, 3), 3, 1)],
)
def test_against_the_dense_circular_matrix(
    shape: tuple[int, ...], size: tuple[int, int] | int, groups: int
) -> None:
    g = torch.Generator().manual_seed(1)
    weight = torch.randn(*shape, generator=g, dtype=torch.float64)
    padding = ((shape[2] - 1) // 2, (shape[3] - 1) // 2)
    dense = conv_matrix(weight, size, padding=padding, padding_mode="circular", groups=groups)
    truth = torch.linalg.svdvals(dense)
    torch.testing.assert_close(
        circular_singular_values(weight, size, groups=groups), truth, rtol=1e-10, atol=1e-10
    )


def test_a_kernel_larger_than_the_image_wraps_around() -> None:
    kernel = torch.tensor([[[[1.0, 1.0, 1.0]]]])
    assert circular_singular_values(kernel, (1, 1)).tolist() == [3.0]


def test_zero_padding_is_another_operator() -> None:
    """Neither spectrum bounds the other, at either end."""
    kernel = torch.tensor([[[[1.0, 0.0, -1.0]]]], dtype=torch.float64)
    assert circular_singular_values(kernel, (1, 2)).max() == 0
    true = spectrum(conv_matrix(kernel, (1, 2), padding=(0, 1)))
    assert (true.minimum, true.maximum) == (1.0, 1.0)
    ones = torch.ones(1, 1, 1, 3, dtype=torch.float64)
    assert spectrum(conv_matrix(ones, (1, 1), padding=(0, 1))).maximum == 1.0
    assert circular_singular_values(ones, (1, 1)).max() == 3.0


def test_the_large_torus_bounds_every_singular_value() -> None:
    """The zero-padded matrix is a part of the circulant on n + k - 1 pixels: interlacing."""
    g = torch.Generator().manual_seed(2)
    for _ in range(5):
        weight = torch.randn(2, 3, 3, 3, generator=g, dtype=torch.float64)
        true = spectrum(conv_matrix(weight, 4, padding=1)).values
        torus = circular_singular_values(weight, 6)
        assert (true <= torus[: len(true)] * (1 + 1e-12)).all()


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="four dimensions"):
        circular_singular_values(torch.ones(1, 1, 3), 4)
    with pytest.raises(ValueError, match="positive integers"):
        circular_singular_values(torch.ones(1, 1, 3, 3), (4, 0))
    with pytest.raises(ValueError, match="divide"):
        circular_singular_values(torch.ones(3, 1, 3, 3), 4, groups=2)
