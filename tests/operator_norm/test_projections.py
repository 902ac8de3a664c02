"""Projections against a general solver, optimality conditions and a search of the sphere."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nbsrc.operator_norm import project_ball, project_sphere, projections, uniform_in_ball
from tests.operator_norm.norm_oracles import (
    ORDERS,
    gaussian,
    generator,
    integers,
    numerical_projection,
)


def feasible_points(p: float, n: int, seed: int) -> Tensor:
    """Points of the unit ball, its corners among them."""
    inner = uniform_in_ball(torch.zeros(300, n, dtype=torch.float64), 1.0, p, generator(seed))
    eye = torch.eye(n, dtype=torch.float64)
    outer = inner / torch.linalg.vector_norm(inner, p, dim=1, keepdim=True)
    signs = torch.where(inner < 0, -1.0, 1.0).double()
    points: Tensor = torch.cat([inner, outer, eye, -eye, signs if p == math.inf else inner])
    return points


def worst_angle(x: Tensor, y: Tensor, center: Tensor, eps: float, p: float) -> float:
    """The projection y is the one point with (x - y).(w - y) <= 0 for all w of the ball."""
    w = center + eps * feasible_points(p, x.shape[-1], 7)
    return float(((x - y) * (w - y)).sum(-1).max())


@pytest.mark.parametrize("p", ORDERS)
def test_against_a_general_solver(p: float) -> None:
    for seed in range(8):
        x = 2 * gaussian(4, seed=seed) if seed % 2 else integers(4, seed=seed, most=3)
        found = project_ball(x, torch.zeros_like(x), 1.5, p)
        assert found == pytest.approx(numerical_projection(x, 1.5, p), abs=2e-6)


@pytest.mark.parametrize("p", ORDERS)
@pytest.mark.parametrize("eps", [0.0, 0.3, 4.0])
def test_the_variational_inequality(p: float, eps: float) -> None:
    points = torch.cat([3 * gaussian(20, 5, seed=1), integers(20, 5, seed=2, most=3)])
    center = gaussian(5, seed=3)
    for x in points:
        y = project_ball(x, center, eps, p)
        assert float(torch.linalg.vector_norm(y - center, p)) <= eps + 1e-14
        assert worst_angle(x, y, center, eps, p) <= 1e-12


def test_a_planted_bug_breaks_the_inequality(monkeypatch: pytest.MonkeyPatch) -> None:
    def radial(offset: Tensor, radius: Tensor, order: float) -> Tensor:
        scaled: Tensor = offset / torch.linalg.vector_norm(offset, order, dim=-1, keepdim=True)
        return radius * scaled

    x, center = 3 * gaussian(5, seed=1), torch.zeros(5, dtype=torch.float64)
    assert worst_angle(x, project_ball(x, center, 1.0, 1), center, 1.0, 1) <= 1e-12
    monkeypatch.setattr(projections, "_onto_boundary", radial)
    assert worst_angle(x, project_ball(x, center, 1.0, 1), center, 1.0, 1) > 1e-3


@pytest.mark.parametrize("p", ORDERS)
def test_points_inside_come_back_unchanged(p: float) -> None:
    center = gaussian(9, 4, seed=1)
    x = uniform_in_ball(center, 0.999, p, generator(2))
    assert torch.equal(project_ball(x, center, 1.0, p), x)


@pytest.mark.parametrize("p", ORDERS)
def test_batches_and_radii_per_point(p: float) -> None:
    x, center, eps = gaussian(7, 4, seed=1), gaussian(7, 4, seed=2), torch.rand(7).double() + 0.1
    both = project_ball(x, center, eps, p)
    one = torch.stack([project_ball(*row, p) for row in zip(x, center, eps, strict=True)])
    assert torch.equal(both, one)
    sphere = project_sphere(x, center, eps, p)
    assert torch.linalg.vector_norm(sphere - center, p, dim=1) == pytest.approx(eps, abs=1e-14)


@settings(max_examples=30, deadline=None)
@given(
    x=st.lists(st.integers(-4, 4), min_size=2, max_size=2).filter(any),
    p=st.sampled_from(ORDERS),
)
def test_the_sphere_has_no_nearer_point(x: list[int], p: float) -> None:
    point = torch.tensor(x, dtype=torch.float64) / 4
    found = project_sphere(point, torch.zeros(2, dtype=torch.float64), 0.8, p)
    assert float(torch.linalg.vector_norm(found, p)) == pytest.approx(0.8, abs=1e-14)
    angle = torch.linspace(0, 2 * math.pi, 20_001, dtype=torch.float64)
    circle = torch.stack([angle.cos(), angle.sin()], dim=1)
    sphere = 0.8 * circle / torch.linalg.vector_norm(circle, p, dim=1, keepdim=True)
    nearest = torch.linalg.vector_norm(sphere - point, dim=1).min()
    assert float(torch.linalg.vector_norm(found - point)) <= float(nearest) + 1e-12


@pytest.mark.parametrize("p", ORDERS)
def test_outside_the_ball_both_projections_agree(p: float) -> None:
    x = 5 * gaussian(50, 6, seed=1)
    center = torch.zeros_like(x)
    assert torch.equal(project_sphere(x, center, 1.0, p), project_ball(x, center, 1.0, p))


def test_ties_inside_the_sphere_as_documented() -> None:
    zero = torch.zeros(2)
    assert project_sphere(torch.tensor([0.5, -0.5]), zero, 1, math.inf).tolist() == [1.0, -0.5]
    assert project_sphere(torch.tensor([0.5, 0.0]), zero, 1, 1).tolist() == [0.75, 0.25]


def test_large_offsets_cost_no_digits() -> None:
    x = torch.tensor([1e9 + 0.25, 1e9, 0.0], dtype=torch.float64)
    assert project_ball(x, torch.zeros_like(x), 1.0, 1).tolist() == [0.625, 0.375, 0.0]
    huge = torch.tensor([3e300, 4e300], dtype=torch.float64)
    assert project_ball(huge, torch.zeros_like(huge), 1.0, 2).tolist() == [0.6, 0.8]


def test_float32() -> None:
    x = gaussian(20, 6, seed=1, dtype=torch.float32)
    for p in ORDERS:
        found = project_ball(x, torch.zeros_like(x), 0.5, p)
        assert found.dtype == torch.float32
        exact = project_ball(x.double(), torch.zeros_like(x).double(), 0.5, p)
        assert found.double() == pytest.approx(exact, abs=1e-6)


def radius_law_distance(points: Tensor, p: float) -> float:
    """Kolmogorov-Smirnov statistic of the radii against their distribution function r^n."""
    count, n = points.shape
    radii = torch.linalg.vector_norm(points, p, dim=1).sort().values
    return float((radii**n - (torch.arange(count) + 0.5) / count).abs().max()) * math.sqrt(count)


@pytest.mark.parametrize("p", ORDERS)
def test_uniform_points_have_the_radii_of_the_uniform_law(p: float) -> None:
    center = torch.ones(100_000, 3, dtype=torch.float64)
    points = (uniform_in_ball(center, 0.5, p, generator(0)) - 1) / 0.5
    assert radius_law_distance(points, p) < 1.63  # 1 per cent
    assert radius_law_distance(points * 0.99, p) > 1.63
    assert float(points.mean(0).abs().max()) < 5 / math.sqrt(100_000)
    before = torch.get_rng_state()
    uniform_in_ball(center[:2], 0.5, p, generator(1))
    assert torch.equal(torch.get_rng_state(), before)


def test_bad_arguments_are_named() -> None:
    x = torch.ones(2)
    with pytest.raises(NotImplementedError, match="ball is implemented for p in"):
        project_ball(x, x, 1.0, 3)
    with pytest.raises(ValueError, match=r"p must be at least 1, got 0\.5"):
        project_sphere(x, x, 1.0, 0.5)
    with pytest.raises(ValueError, match="eps must be finite and at least 0, got -1"):
        project_ball(x, x, -1.0, 2)
    with pytest.raises(ValueError, match="eps must be positive, got 0"):
        project_sphere(x, torch.zeros(2), 0.0, 2)
    with pytest.raises(ValueError, match="x must not be the centre"):
        project_sphere(x, x, 1.0, 1)
    with pytest.raises(ValueError, match="x must be finite"):
        project_ball(torch.tensor([math.nan]), torch.zeros(1), 1.0, 2)
    with pytest.raises(ValueError, match="center must have the length 2 of x, got 3"):
        project_ball(x, torch.ones(3), 1.0, 2)
    with pytest.raises(ValueError, match=r"eps must be a number or have the batch shape \(\)"):
        project_ball(x, x, torch.ones(3), 2)
    with pytest.raises(TypeError, match="eps must be a number or a tensor"):
        project_ball(x, x, "1", 2)  # type: ignore[arg-type]
