"""Operator norms against brute force over corners, duality, and certified bounds."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import product
from operator import mul

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nbsrc.operator_norm import (
    bounds,
    enumeration,
    exact_operator_norm,
    holder_conjugate,
    operator_norm,
)
from tests.operator_norm.norm_oracles import HARD, PAIRS, brute_force_norm, gaussian, integers

SHAPES = [(1, 4), (4, 1), (2, 6), (6, 2), (3, 5), (5, 3), (4, 4)]


@pytest.mark.parametrize(("p", "q"), PAIRS)
@pytest.mark.parametrize("shape", SHAPES)
def test_all_nine_against_brute_force(p: float, q: float, shape: tuple[int, int]) -> None:
    for seed in range(4):
        J = gaussian(*shape, seed=seed) if seed < 2 else integers(*shape, seed=seed)
        expected = brute_force_norm(J, p, q)
        found = operator_norm(J, p, q)
        assert found.value == pytest.approx(expected, rel=1e-12, abs=1e-12)
        assert found.lower <= expected <= found.upper
        assert found.converged
        assert found.iterations == 0
        assert float(exact_operator_norm(J, p, q)) == pytest.approx(expected, rel=1e-12, abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(
    entries=st.lists(st.integers(-2, 2), min_size=6, max_size=6),
    pair=st.sampled_from(PAIRS),
    wide=st.booleans(),
)
def test_small_integers(entries: list[int], pair: tuple[float, float], wide: bool) -> None:
    J = torch.tensor(entries, dtype=torch.float64).reshape((2, 3) if wide else (3, 2))
    p, q = pair
    expected = brute_force_norm(J, p, q)
    assert operator_norm(J, p, q).value == pytest.approx(expected, rel=1e-12, abs=1e-14)
    dual = operator_norm(J.T, holder_conjugate(q), holder_conjugate(p))
    assert dual.value == pytest.approx(expected, rel=1e-12, abs=1e-14)


@pytest.mark.parametrize(("p", "q"), HARD)
@pytest.mark.parametrize("shape", [(2, 3), (3, 4), (6, 9), (9, 6), (3, 12), (12, 3)])
def test_the_bounds_hold_the_norm(p: float, q: float, shape: tuple[int, int]) -> None:
    worst = 1.7822 if (p, q) == (math.inf, 1) else math.sqrt(math.pi / 2)
    for seed in range(5):
        J = gaussian(*shape, seed=seed) if seed < 3 else integers(*shape, seed=seed)
        exact = float(exact_operator_norm(J, p, q))
        found = operator_norm(J, p, q, "bracket")
        assert found.lower <= exact * (1 + 1e-13)
        assert exact * (1 - 1e-13) <= found.upper <= worst * exact * (1 + 1e-6)
        assert found.value >= 0.9 * exact  # the power iteration finds good vertices here


def test_a_bound_with_too_large_a_gain_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted bug: weights used without their total."""
    J = gaussian(4, 6, seed=1)
    exact = float(exact_operator_norm(J, math.inf, 1))
    monkeypatch.setattr(bounds, "_largest_singular_value", lambda J: 0.5)
    assert bounds.upper_bound(J, math.inf, 1, 50) < exact


def test_a_missing_half_of_the_signs_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    J = torch.tensor([[1.0, 1.0, 1.0], [1.0, -1.0, 1.0], [0.0, -1.0, 3.0]])
    right = float(exact_operator_norm(J, math.inf, 2))
    assert right == pytest.approx(brute_force_norm(J.double(), math.inf, 2))
    whole = enumeration.sign_vectors

    def half(first: int, last: int, length: int, like: torch.Tensor) -> torch.Tensor:
        return whole(first, max(first + 1, last // 2), length, like)

    monkeypatch.setattr(enumeration, "sign_vectors", half)
    assert float(exact_operator_norm(J, math.inf, 2)) < right


@pytest.mark.parametrize(("p", "q"), HARD)
def test_chunks_do_not_matter(p: float, q: float, monkeypatch: pytest.MonkeyPatch) -> None:
    J = gaussian(3, 7, 7, seed=2)
    whole = exact_operator_norm(J, p, q)
    monkeypatch.setattr(enumeration, "_CHUNK", 64)
    assert exact_operator_norm(J, p, q) == pytest.approx(whole, rel=1e-15)
    single = [exact_operator_norm(matrix, p, q) for matrix in J]
    assert whole == pytest.approx(torch.stack(single), rel=1e-14)


@pytest.mark.parametrize(("p", "q"), PAIRS)
def test_gradients_are_those_of_finite_differences(p: float, q: float) -> None:
    J = gaussian(3, 4, seed=3).requires_grad_()
    assert torch.autograd.gradcheck(lambda A: exact_operator_norm(A, p, q), J)


@pytest.mark.parametrize(("p", "q"), [(1, 1.5), (1, 3), (3, math.inf), (1.5, math.inf)])
def test_other_orders_with_a_closed_form(p: float, q: float) -> None:
    J = gaussian(3, 4, seed=4)
    norm = operator_norm(J, p, q)
    v = gaussian(3000, 4, seed=5)
    v = v / torch.linalg.vector_norm(v, p, dim=1, keepdim=True)
    gains = torch.linalg.vector_norm(v @ J.T, q, dim=1)
    assert 0.9 * norm.value < float(gains.max()) <= norm.value


def test_the_ends_hold_the_exact_rational_value() -> None:
    """The (inf, 1), (1, 1) and (inf, inf) norms in rational arithmetic, with cancellation."""
    for seed in range(5):
        J = gaussian(3, 5, seed=seed)
        J[:, 1] = -J[:, 0] * (1 + 1e-13)
        rows = [[Fraction(entry) for entry in row] for row in J.tolist()]
        columns = list(zip(*rows, strict=True))

        def gain(signs: tuple[int, ...], columns: list[tuple[Fraction, ...]] = columns) -> Fraction:
            sums = [sum(map(mul, signs, column)) for column in columns]
            return Fraction(sum(map(abs, sums)))

        exact = {
            (math.inf, 1): max(gain(signs) for signs in product((1, -1), repeat=3)),
            (1, 1): max(sum(map(abs, column)) for column in columns),
            (math.inf, math.inf): max(sum(map(abs, row)) for row in rows),
        }
        for (p, q), value in exact.items():
            found = operator_norm(J, p, q)
            assert Fraction(found.lower) <= value <= Fraction(found.upper)
            assert found.relative_width < 1e-12


@pytest.mark.parametrize(("p", "q"), PAIRS)
@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_scaling_neither_overflows_nor_underflows(p: float, q: float, scale: float) -> None:
    J = gaussian(3, 4, seed=6)
    exact = float(exact_operator_norm(J, p, q))
    assert float(exact_operator_norm(J * scale, p, q)) == pytest.approx(exact * scale, rel=1e-12)
    assert operator_norm(J * scale, p, q).value == pytest.approx(
        operator_norm(J, p, q).value * scale, rel=1e-12
    )


@pytest.mark.parametrize(("p", "q"), PAIRS)
def test_zero_and_float32(p: float, q: float) -> None:
    assert operator_norm(torch.zeros(2, 3), p, q).upper == 0.0
    J = integers(3, 3, seed=7).float()
    assert operator_norm(J, p, q) == operator_norm(J.double(), p, q)
    assert exact_operator_norm(J, p, q).dtype == torch.float32


def test_zero_rows_and_columns_in_the_bounds() -> None:
    J = torch.zeros(4, 5)
    J[1, 2], J[1, 3] = 3.0, -4.0
    assert operator_norm(J, math.inf, 1, "bracket").value == pytest.approx(7)
    assert operator_norm(J, math.inf, 2, "bracket").upper == pytest.approx(7, rel=1e-6)
    assert operator_norm(J, 2, 1, "bracket").upper == pytest.approx(5, rel=1e-6)


def test_long_sides_give_a_bracket_and_exact_insists() -> None:
    J = gaussian(20, 24, seed=8)
    found = operator_norm(J, math.inf, 1)
    assert not found.converged
    assert found.lower < found.upper <= 1.2 * found.lower
    with pytest.raises(NotImplementedError, match="sign vectors of length 20, max_signs allows 16"):
        operator_norm(J, math.inf, 1, "exact")
    with pytest.raises(NotImplementedError, match="max_signs allows 16"):
        exact_operator_norm(J, 2, 1)


def test_two_outputs_with_many_inputs_are_exact() -> None:
    J = gaussian(2, 5000, seed=9)
    angle = torch.linspace(0, math.pi, 4001, dtype=torch.float64)
    circle = torch.stack([angle.cos(), angle.sin()], dim=1)
    dense = float((circle @ J).abs().sum(1).max())
    norm = operator_norm(J, math.inf, 2)
    assert norm.converged
    assert dense <= norm.value <= dense * (1 + 1e-6)


def test_bad_arguments_are_named() -> None:
    J = torch.ones(2, 3)
    with pytest.raises(ValueError, match=r"p must be at least 1, got 0\.5"):
        operator_norm(J, 0.5, 1)
    with pytest.raises(ValueError, match="q must be at least 1, got nan"):
        operator_norm(J, 1, math.nan)
    with pytest.raises(NotImplementedError, match=r"\(p, q\) = \(3, 2\) is not implemented"):
        operator_norm(J, 3, 2)
    with pytest.raises(NotImplementedError, match=r"no exact formula for \(p, q\) = \(3, 2\)"):
        exact_operator_norm(J, 3, 2)
    with pytest.raises(ValueError, match="method must be one of"):
        operator_norm(J, 1, 1, "svd")
    with pytest.raises(NotImplementedError, match="bounds are for pairs without closed form"):
        operator_norm(J, 2, 2, "bracket")
    with pytest.raises(ValueError, match="J must be finite"):
        operator_norm(J * math.nan, 1, 1)
    with pytest.raises(ValueError, match=r"J must be one matrix \[d, n\]"):
        operator_norm(torch.ones(2, 2, 2), 1, 1)
    with pytest.raises(ValueError, match="steps must be a positive integer, got 0"):
        operator_norm(torch.eye(3), math.inf, 2, "bracket", steps=0)
    with pytest.raises(ValueError, match=r"J must have shape \[\.\.\., d, n\] and not be empty"):
        operator_norm(torch.ones(0, 2), 1, 1)
