"""Hölder conjugates, dual vectors and faces against brute force, with ties and zeros."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nbsrc.operator_norm import dual_face, dual_vector, holder_conjugate, norm_gradient
from tests.operator_norm.norm_oracles import ORDERS, corners, gaussian, integers

ALL_ORDERS = (1, 1.01, 1.5, 2, 3, 7, 50, math.inf)


@pytest.mark.parametrize("p", ALL_ORDERS)
def test_conjugates_are_conjugate(p: float) -> None:
    q = holder_conjugate(p)
    assert 1 / p + 1 / q == pytest.approx(1, abs=1e-15)
    assert holder_conjugate(q) == pytest.approx(p, rel=1e-12)


@pytest.mark.parametrize("p", ALL_ORDERS)
def test_the_dual_vector_is_feasible_and_attains_the_dual_norm(p: float) -> None:
    z = torch.cat([gaussian(30, 6, seed=1), integers(60, 6, seed=2)])
    z = z[(z != 0).any(1)]
    v = dual_vector(z, p)
    assert torch.linalg.vector_norm(v, p, dim=1) == pytest.approx(torch.ones(len(z)), abs=1e-12)
    dual = torch.linalg.vector_norm(z, holder_conjugate(p), dim=1)
    assert (v * z).sum(1) == pytest.approx(dual, rel=1e-12)
    rivals = gaussian(200, 1, 6, seed=3)
    rivals = rivals / torch.linalg.vector_norm(rivals, p, dim=-1, keepdim=True)
    assert bool(((rivals * z).sum(-1) <= dual + 1e-12).all())


@settings(max_examples=40, deadline=None)
@given(z=st.lists(st.integers(-2, 2), min_size=1, max_size=4).filter(any))
def test_the_face_holds_exactly_the_maximising_corners(z: list[int]) -> None:
    vector = torch.tensor(z, dtype=torch.float64)
    for p in (1, math.inf):
        eye = torch.eye(len(z), dtype=torch.float64)
        every = torch.cat([eye, -eye]) if p == 1 else corners(len(z))
        values = every @ vector
        best = {tuple(row) for row in every[values == values.max()].tolist()}
        face = dual_face(vector, p)
        assert {tuple(row) for row in face.vertices().tolist()} == best
        inside = face.contains(every, 1e-12)
        assert {tuple(row) for row in every[inside].tolist()} == best
        assert bool(face.contains(dual_vector(vector, p), 1e-12))
        assert int(face.dimension) == (len(best) - 1 if p == 1 else int(math.log2(len(best))))


def test_ties_and_zeros_as_documented() -> None:
    z = torch.tensor([2.0, -2.0, 0.0], dtype=torch.float64)
    assert dual_vector(z, 1).tolist() == [0.5, -0.5, 0.0]
    assert dual_vector(z, math.inf).tolist() == [1.0, -1.0, 0.0]
    assert dual_face(z, 2).vertices().shape == (1, 3)
    assert dual_face(z, 3).dimension.item() == 0


@pytest.mark.parametrize("q", [1, 1.5, 2, 3, 30, math.inf])
def test_the_gradient_of_a_norm_is_that_of_autograd(q: float) -> None:
    u = gaussian(20, 5, seed=4).requires_grad_()
    (expected,) = torch.autograd.grad(torch.linalg.vector_norm(u, q, dim=1).sum(), u)
    assert norm_gradient(u.detach(), q) == pytest.approx(expected, abs=1e-11)


def test_the_limit_of_large_orders_is_the_tie_rule() -> None:
    u = torch.tensor([3.0, -3.0, 1.0], dtype=torch.float64)
    for q in (1e3, 1e6, 1e300):
        assert norm_gradient(u, q) == pytest.approx(norm_gradient(u, math.inf), abs=2 / q + 1e-15)


@pytest.mark.parametrize("p", ORDERS)
@pytest.mark.parametrize("scale", [1e-300, 1e300])
def test_no_overflow(p: float, scale: float) -> None:
    z = gaussian(4, seed=5)
    assert dual_vector(z * scale, p) == pytest.approx(dual_vector(z, p), rel=1e-12)


@pytest.mark.parametrize("p", ORDERS)
def test_the_dual_vector_of_a_dual_vector_is_itself(p: float) -> None:
    z = torch.cat([gaussian(20, 4, seed=6), integers(60, 4, seed=7)])
    v = dual_vector(z[(z != 0).any(1)], p)
    assert dual_vector(v, p) == pytest.approx(v, abs=1e-15)


@pytest.mark.parametrize("p", [1.5, 3, 4])
def test_for_other_orders_twice_is_the_order_1_plus_p_minus_1_squared(p: float) -> None:
    z = gaussian(20, 4, seed=8)
    once, twice = dual_vector(z, p), dual_vector(dual_vector(z, p), p)
    assert float((twice - once).abs().max()) > 0.05
    other = dual_vector(z, 1 + (p - 1) ** 2)
    other = other / torch.linalg.vector_norm(other, p, dim=1, keepdim=True)
    assert twice == pytest.approx(other, abs=1e-12)


def test_float32_stays_float32() -> None:
    z = gaussian(3, seed=6, dtype=torch.float32)
    assert dual_vector(z, 1.5).dtype == torch.float32
    assert dual_face(z, 1).project(z).dtype == torch.float32


def test_bad_arguments_are_named() -> None:
    z = torch.ones(2)
    with pytest.raises(ValueError, match=r"p must be at least 1, got 0\.5"):
        dual_vector(z, 0.5)
    with pytest.raises(ValueError, match="p must be at least 1, got nan"):
        holder_conjugate(math.nan)
    with pytest.raises(TypeError, match="p must be a number, got str"):
        holder_conjugate("2")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="z must be finite"):
        dual_vector(torch.tensor([1.0, math.nan]), 2)
    with pytest.raises(ValueError, match="z must not be zero, which has no direction; 1 of 2 are"):
        dual_face(torch.tensor([[1.0, 0.0], [0.0, 0.0]]), 1)
    with pytest.raises(ValueError, match="u must not be zero"):
        norm_gradient(torch.zeros(2), 2)
    with pytest.raises(TypeError, match="z must be float32 or float64"):
        dual_vector(torch.ones(2, dtype=torch.long), 2)
    with pytest.raises(ValueError, match="vertices needs one face, got a batch"):
        dual_face(torch.ones(2, 2), 1).vertices()
    with pytest.raises(NotImplementedError, match="4096 corners is listed, this has 2"):
        dual_face(torch.tensor([1.0, *[0.0] * 13]), math.inf).vertices()
    with pytest.raises(TypeError, match="v must have the dtype"):
        dual_face(z, 1).project(torch.ones(2, dtype=torch.float64))
