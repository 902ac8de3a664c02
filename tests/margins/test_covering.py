"""Covers: exact numbers by a second search, greedy covers, cells."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from nbsrc.margins import (
    circle_covering_number,
    covering_number,
    first_ball_cells,
    greedy_cover,
    is_cover,
)


@pytest.mark.parametrize("seed", range(8))
def test_exact_and_greedy(seed: int) -> None:
    g = torch.Generator().manual_seed(seed)
    points = torch.randint(0, 4, (7, 2), generator=g).double()
    exact = min(
        bin(mask).count("1")
        for mask in range(1, 1 << 7)
        if is_cover(points, [i for i in range(7) if mask >> i & 1], 1.0)
    )
    assert covering_number(points, 1.0) == exact
    centres = greedy_cover(points, 1.0)
    assert is_cover(points, centres, 1.0)
    assert len(centres) >= exact
    cells = first_ball_cells(points, points[centres], 1.0)
    for i, c in enumerate(cells.tolist()):
        assert float((points[i] - points[centres[c]]).norm()) <= 1 + 1e-9
        assert all(float((points[i] - points[centres[e]]).norm()) > 1 for e in range(c))


def test_circle_against_polygons() -> None:
    for n in (4, 6, 8, 12):
        angles = torch.arange(n).double() * 2 * math.pi / n
        polygon = torch.stack([angles.cos(), angles.sin()], 1)
        for reach in range(1, n // 2 + 1):
            eps = 2 * math.sin(math.pi * reach / n)
            assert covering_number(polygon, eps) == math.ceil(n / (2 * reach + 1))
            assert circle_covering_number(eps) == math.ceil(n / (2 * reach))


def test_norms_and_empty() -> None:
    corners = torch.tensor(list(itertools.product((0.0, 1.0), repeat=2)))
    assert covering_number(corners, 1.0, math.inf) == 1
    assert covering_number(corners, 1.0, 1.0) == 2
    assert covering_number(torch.zeros(0, 2), 1.0) == 0
    assert is_cover(torch.zeros(0, 2), [], 1.0)
    assert not is_cover(corners, [], 1.0)


def test_errors() -> None:
    points = torch.zeros(3, 2)
    with pytest.raises(ValueError, match="matrix"):
        greedy_cover(torch.zeros(3), 1.0)
    with pytest.raises(ValueError, match="must not be negative"):
        greedy_cover(points, -1.0)
    with pytest.raises(ValueError, match="at most 2 points"):
        covering_number(points, 1.0, most=2)
    with pytest.raises(ValueError, match="between 0 and 2"):
        is_cover(points, [3], 1.0)
    with pytest.raises(ValueError, match="point 1 lies in no ball"):
        first_ball_cells(torch.tensor([[0.0], [5.0]]), torch.zeros(1, 1), 1.0)
    with pytest.raises(ValueError, match="positive"):
        circle_covering_number(0.0)
