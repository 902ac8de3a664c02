"""A row of Table 1: all methods timed, each with the norm it is known for."""

from __future__ import annotations

import math

import pytest
import torch

from nbsrc import table1
from nbsrc.conv import conv_matrix
from nbsrc.table1 import METHODS, TABLE1_KERNELS, table1_row, table1_weight

SMALL = (3, 3, 2, 4)


def test_a_row_holds_the_norms_of_the_dense_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table1, "IMAGE_SIZE", 8)
    row = table1_row(SMALL, repeats=2, iterations=200)
    matrix = conv_matrix(table1_weight(SMALL).double(), 8, padding=1)
    values = row["values"]
    assert values["l1"] == pytest.approx(float(matrix.abs().sum(0).max()), rel=1e-5)
    assert values["linf"] == pytest.approx(float(matrix.abs().sum(1).max()), rel=1e-5)
    assert values["fro"] == pytest.approx(float(matrix.square().sum().sqrt()), rel=1e-5)
    spectral = float(torch.linalg.matrix_norm(matrix, 2))
    assert values["power_iteration"] == pytest.approx(spectral, rel=1e-2)
    assert abs(values["fft_svd"] / spectral - 1) < 0.3  # another map, of similar size
    assert set(row["timings"]) == set(METHODS)
    assert row["megabytes"] == 0.0
    for name, ratio in row["ratios"].items():
        above, below = name.split("_to_")
        medians = [row["timings"][key]["median"] for key in (above, below)]
        assert ratio == pytest.approx(medians[0] / medians[1], rel=2e-2)
    assert len(row["ratios"]) == 7


def test_methods_can_be_chosen() -> None:
    row = table1_row(SMALL, methods=("l1", "limit"), repeats=1)
    assert set(row["timings"]) == {"limit", "l1"}
    assert set(row["ratios"]) == {"l1_to_limit"}
    with pytest.raises(ValueError, match=r"methods must be among .* got \['l2'\]"):
        table1_row(SMALL, methods=("l2",))


def test_the_kernels_are_the_papers_in_torchs_layout() -> None:
    assert table1_weight((5, 3, 2, 4)).shape == (4, 2, 5, 3)
    assert len(TABLE1_KERNELS) == 6
    assert math.prod(TABLE1_KERNELS[-1]) * 4 == 13_107_200
