"""Statistics of singular values against numpy and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from nbsrc.layer_spectra import spectrum


def test_statistics_by_hand() -> None:
    found = spectrum(torch.tensor([[3.0, 0.0, 0.0], [0.0, -1.0, 0.0]]))
    assert found.values.tolist() == [3.0, 1.0]
    assert (found.mean, found.std, found.maximum, found.minimum) == (2.0, 1.0, 3.0, 1.0)
    assert (found.rank, found.condition, found.relative_std) == (2, 3.0, 0.5)
    assert found.per_direction.tolist() == [3.0, 1.0, 0.0]
    assert (found.smallest_gain, found.smallest_positive) == (0.0, 1.0)


@pytest.mark.parametrize("shape", [(1, 1), (5, 3), (3, 5), (4, 4)])
def test_against_numpy(shape: tuple[int, int]) -> None:
    g = torch.Generator().manual_seed(sum(shape))
    matrix = torch.randn(*shape, generator=g)
    found = spectrum(matrix)
    truth = np.linalg.svd(matrix.double().numpy(), compute_uv=False)
    assert found.values.dtype == torch.float64
    np.testing.assert_allclose(found.values.numpy(), truth, rtol=1e-13)
    assert found.std == pytest.approx(truth.std())
    assert found.rank == min(shape)


def test_rank_deficient_and_zero() -> None:
    found = spectrum(torch.ones(3, 2))
    assert found.rank == 1
    assert found.condition == math.inf
    assert found.smallest_positive == pytest.approx(math.sqrt(6))
    zero = spectrum(torch.zeros(2, 2))
    assert zero.rank == 0
    assert math.isnan(zero.relative_std)
    assert math.isnan(zero.smallest_positive)


def test_tall_matrix_has_one_value_per_direction() -> None:
    found = spectrum(torch.tensor([[1.0], [1.0]]))
    assert found.per_direction.tolist() == found.values.tolist()
    assert found.smallest_gain == pytest.approx(math.sqrt(2))


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="must have rows and columns, got shape"):
        spectrum(torch.zeros(0, 3))
    with pytest.raises(ValueError, match="must have rows and columns, got shape"):
        spectrum(torch.zeros(3))
    with pytest.raises(ValueError, match="finite"):
        spectrum(torch.tensor([[math.nan]]))
    with pytest.raises(TypeError, match="real tensor"):
        spectrum(torch.zeros(2, 2, dtype=torch.complex64))
    with pytest.raises(TypeError, match="real tensor"):
        spectrum([[1.0]])  # type: ignore[arg-type]
