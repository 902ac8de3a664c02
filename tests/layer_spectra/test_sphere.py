"""Exact moments on the sphere against sums, quadrature and sampling."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import dblquad, quad
from torch import Tensor

from nbsrc.layer_spectra import Moments, norm_moments, relu_moments, square_moments

KINDS: dict[str, tuple[Callable[[Tensor], Moments], Callable[[Tensor], Tensor]]] = {
    "square": (square_moments, lambda z: (z**2).sum(-1)),
    "relu": (relu_moments, lambda z: (z.clamp(min=0) ** 2).sum(-1)),
    "norm": (norm_moments, lambda z: z.norm(dim=-1)),
}
MATRICES = [
    [[1, 0]], [[1, 0], [0, 1]], [[2, 0], [0, 1]], [[1, 2], [0, 0]], [[1, 1], [2, 2]],
    [[1, 1], [-1, -1]], [[1, 1], [-2, -2], [0, 1]], [[0, 0], [0, 0]],
]  # fmt: skip


def matrix(rows: list[list[int]]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rows", MATRICES)
def test_two_inputs_by_quadrature(kind: str, rows: list[list[int]]) -> None:
    """Zero rows, parallel rows and opposite rows are among the matrices."""
    moments, value = KINDS[kind]
    W = matrix(rows)

    def at(t: float) -> float:
        return float(value(W @ matrix([[math.cos(t)], [math.sin(t)]]).flatten()))

    kinks = sorted({math.atan2(-row[0], row[1]) % math.pi for row in rows if any(row)})
    ends = [0.0, *kinks, *(k + math.pi for k in kinks), 2 * math.pi]
    pairs = [(a, b) for a, b in itertools.pairwise(ends) if b > a]

    def mean(power: int) -> float:
        parts = [quad(lambda t: at(t) ** power, a, b, epsabs=1e-12)[0] for a, b in pairs]
        return sum(parts) / (2 * math.pi)

    found = moments(W)
    assert found.mean == pytest.approx(mean(1), abs=1e-9)
    assert found.variance == pytest.approx(mean(2) - mean(1) ** 2, abs=1e-8)


@pytest.mark.parametrize("kind", ["square", "norm"])
def test_three_inputs_by_quadrature(kind: str) -> None:
    moments, value = KINDS[kind]
    W = matrix([[2, 0, 0], [0, 1, 1]])

    def at(z: float, t: float) -> float:  # uniform on the sphere: z and the angle are uniform
        r = math.sqrt(max(0.0, 1 - z**2))
        return float(value(W @ torch.tensor([r * math.cos(t), r * math.sin(t), z]).double()))

    def mean(power: int) -> float:
        total = dblquad(lambda z, t: at(z, t) ** power, 0, math.pi, -1, 1, epsabs=1e-4)[0]
        return float(total) / (2 * math.pi)

    found = moments(W)
    assert found.mean == pytest.approx(mean(1), abs=1e-4)
    assert found.variance == pytest.approx(mean(2) - mean(1) ** 2, abs=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_one_input_has_two_directions(kind: str) -> None:
    moments, value = KINDS[kind]
    for rows in ([[1]], [[-2]], [[1], [-1]], [[1], [3]], [[0]], [[2], [-1], [0]]):
        W = matrix(rows)
        values = value(torch.stack([W[:, 0], -W[:, 0]]))
        found = moments(W)
        assert found.mean == pytest.approx(float(values.mean()), abs=1e-12)
        assert found.variance == pytest.approx(float(values.var(correction=0)), abs=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(4, 3), (3, 6), (20, 10)])
def test_against_sampling(kind: str, shape: tuple[int, int]) -> None:
    moments, value = KINDS[kind]
    g = torch.Generator().manual_seed(sum(shape))
    W = torch.randn(*shape, generator=g, dtype=torch.float64)
    d = torch.randn(100_000, shape[1], generator=g, dtype=torch.float64)
    values = value(1.5 * (d / d.norm(dim=1, keepdim=True)) @ W.T)
    found = moments(W, 1.5)  # type: ignore[call-arg]
    deviation = values - values.mean()
    error = float(deviation.std()) / math.sqrt(len(d))
    assert abs(found.mean - float(values.mean())) < 5 * error
    spread = deviation**2
    assert abs(found.variance - float(spread.mean())) < 5 * float(spread.std()) / math.sqrt(len(d))


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 4), st.integers(1, 4), st.integers(0, 10_000), st.floats(0.1, 10))
def test_identities(m: int, n: int, seed: int, c: float) -> None:
    g = torch.Generator().manual_seed(seed)
    W = torch.randn(m, n, generator=g, dtype=torch.float64)
    square, relu, norm = square_moments(W, c), relu_moments(W, c), norm_moments(W, c)
    gram = W.T @ W
    spread = float((gram @ gram).trace() - gram.trace() ** 2 / n)
    assert square.variance == pytest.approx(2 * c**4 * spread / (n * (n + 2)), abs=1e-9 * c**4)
    assert relu.mean == pytest.approx(square.mean / 2)
    assert relu.variance >= square.variance / 4 - 1e-10 * c**4
    assert norm.mean**2 + norm.variance == pytest.approx(square.mean)
    # Rows together with their opposites pass the square through the ReLU.
    both = relu_moments(torch.cat([W, -W]), c)
    assert both == pytest.approx(square, abs=1e-9 * c**4)


def test_isometries_and_radius() -> None:
    q = torch.linalg.qr(torch.randn(5, 5, generator=torch.Generator().manual_seed(0)).double())[0]
    assert square_moments(3 * q).variance < 1e-26
    assert norm_moments(3 * q).mean == pytest.approx(3)
    assert norm_moments(torch.eye(200)) == Moments(1.0, 0.0)
    assert square_moments(torch.eye(2), 0.0) == Moments(0.0, 0.0)


@pytest.mark.parametrize("exponent", [-700, -300, 300, 520, 900])
def test_extreme_scales_neither_overflow_nor_vanish_inside(exponent: int) -> None:
    W = matrix([[1, 0], [1, 2], [0, 0]])
    factor = 2.0**exponent
    for moments, degree in ((square_moments, 2), (relu_moments, 2), (norm_moments, 1)):
        one, huge = moments(W), moments(factor * W)
        back = moments(factor * W, 1 / factor)
        assert back == one
        assert huge.mean == math.prod([factor] * degree) * one.mean
        assert huge.variance == math.prod([factor] * 2 * degree) * one.variance
        assert moments(0 * W, factor) == Moments(0.0, 0.0)


@pytest.mark.parametrize("gap", [1e-3, 1e-6, 1e-8, 1e-12])
def test_nearly_parallel_and_nearly_opposite_rows(gap: float) -> None:
    """The kernel is flat at the ends: second-order distance from exactly parallel rows."""
    for sign in (1, -1):
        near = relu_moments(torch.tensor([[1.0, 0.0], [sign, gap]], dtype=torch.float64))
        limit = relu_moments(matrix([[1, 0], [sign, 0]]))
        assert abs(near.variance - limit.variance) <= gap**2 + 1e-14


def test_single_precision_input_is_computed_in_double() -> None:
    W = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    for moments in (square_moments, relu_moments, norm_moments):
        assert moments(W) == moments(W.double())
    assert square_moments(torch.tensor([[2, 0], [0, 1]])) == square_moments(
        matrix([[2, 0], [0, 1]])
    )


def test_norm_moments_with_far_apart_values() -> None:
    """Almost one direction: the mean of a cosine's size."""
    found = norm_moments(torch.diag(torch.tensor([1.0, 1e-9])).double())
    assert found.mean == pytest.approx(2 / math.pi, rel=1e-8)


def test_bad_input() -> None:
    for moments in (square_moments, relu_moments, norm_moments):
        for radius in (-1.0, math.inf, math.nan):
            with pytest.raises(ValueError, match="radius must be at least 0"):
                moments(torch.eye(2), radius)
        with pytest.raises(ValueError, match="must have rows"):
            moments(torch.ones(3))
        with pytest.raises(ValueError, match="finite"):
            moments(torch.tensor([[math.inf]]))
