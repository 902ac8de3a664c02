"""The projection for every order: against closed forms, optimality and a grid."""

from __future__ import annotations

import math

import pytest
import torch

from nbsrc.audits.projection_lemma import cases
from nbsrc.audits.projection_lemma.solver import optimality_gap, project_outside
from nbsrc.operator_norm import project_ball


def outside(count: int, n: int, p: float) -> torch.Tensor:
    g = torch.Generator().manual_seed(n)
    w = 3 * torch.randn(count, n, generator=g, dtype=torch.float64)
    w[::3, 0] = 0
    return w[torch.linalg.vector_norm(w, p, dim=1) > 1]


def test_order_two_is_scaling() -> None:
    w = outside(40, 4, 2)
    assert torch.allclose(project_outside(w, 2.0), w / w.norm(dim=1, keepdim=True), atol=1e-13)


@pytest.mark.parametrize("p", [1.2, 1.5, 3.0, 4.0, 10.0])
def test_optimality_conditions(p: float) -> None:
    """Norm 1, and the step is a multiple of the normal of the sphere."""
    w = torch.cat([outside(60, 3, p), 1e6 * outside(20, 3, p)])
    y = project_outside(w, p)
    norms = torch.linalg.vector_norm(y, p, dim=1)
    assert torch.allclose(norms, torch.ones_like(norms), rtol=0, atol=1e-12)
    normal, step = y.sign() * y.abs() ** (p - 1), w - y
    product = (normal * step).sum(1)
    assert torch.allclose(product, normal.norm(dim=1) * step.norm(dim=1), rtol=1e-10)
    assert bool((y * w >= 0).all())


@pytest.mark.parametrize("p", [1.2, 1.5, 3.0, 10.0])
def test_no_point_of_a_fine_grid_is_nearer(p: float) -> None:
    t = torch.arange(20_000).double() * (2 * math.pi / 20_000)
    circle = torch.stack([t.cos(), t.sin()], 1)
    circle = circle / torch.linalg.vector_norm(circle, p, dim=1, keepdim=True)
    w = outside(20, 2, p)
    y = project_outside(w, p)
    best = (w.unsqueeze(1) - circle).norm(dim=-1).amin(1)
    assert bool(((w - y).norm(dim=1) <= best + 1e-12).all())
    assert bool(((w - y).norm(dim=1) >= best - 1e-5).all())


def test_between_the_closed_forms() -> None:
    w = outside(40, 3, 1)
    zero = torch.zeros_like(w)
    near_one = project_outside(w, 1.0005)
    assert torch.allclose(near_one, project_ball(w, zero, 1.0, 1), atol=5e-3)
    w = outside(40, 3, math.inf)
    assert torch.allclose(
        project_outside(w, 2000.0), project_ball(w, torch.zeros_like(w), 1.0, math.inf), atol=5e-3
    )


def test_optimality_gap() -> None:
    w = outside(60, 3, math.inf)
    corners = cases.whole_vectors(3, 1)
    y = w.clamp(-1, 1)
    assert float(optimality_gap(y, w, corners).max()) < 1e-12
    scaled = w / w.abs().amax(1, keepdim=True)
    assert float(optimality_gap(scaled, w, corners).max()) > 0.1


@pytest.mark.parametrize("p", [1.0, math.inf, 0.5])
def test_order_out_of_range(p: float) -> None:
    with pytest.raises(ValueError, match="p must be above 1 and finite"):
        project_outside(torch.ones(1, 2).double(), p)


def test_points_inside_are_refused() -> None:
    with pytest.raises(ValueError, match="w must be outside the ball"):
        project_outside(torch.tensor([[0.1, 0.1]]).double(), 3.0)


def test_far_projection_and_families() -> None:
    batches = cases.starts_and_directions(5, 0)
    assert {b.p for b in batches} == set(cases.ORDERS)
    for b in batches:
        assert bool((b.g != 0).any(1).all())
        assert torch.allclose(torch.linalg.vector_norm(b.limit, b.p, dim=1), b.limit.new_ones(()))
    assert any(bool((b.v == 0).all(1).any()) for b in batches)
    assert any(not bool(b.unique.all()) for b in batches)
    alone = cases.unique_only(batches)
    assert sum(len(b.v) for b in alone) == sum(int(b.unique.sum()) for b in batches)
    assert all(len(b.v) for b in alone)


def test_smallest_case_comes_first() -> None:
    found = cases.audit_error(
        cases.directions_only(3, 0, (2.0,)), lambda b: b.g[:, 0].abs(), tolerance=1.5, family="x",
        show=lambda b: {"twice": 2 * b.g},
    )  # fmt: skip
    assert found.counterexample == {"p": 2.0, "v": [0.0], "g": [2.0], "twice": [4.0]}
