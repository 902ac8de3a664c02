"""The limit of projected steps: true limit, printed limit, and where steps become exact."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nbsrc.operator_norm import (
    dual_vector,
    exact_step,
    limit_projection,
    project_ball,
    project_sphere,
    uniform_in_ball,
)
from tests.operator_norm.norm_oracles import ORDERS, gaussian, generator, integers

VECTOR = st.lists(st.integers(-2, 2), min_size=3, max_size=3)


@settings(max_examples=60, deadline=None)
@given(v=VECTOR, g=VECTOR.filter(any), p=st.sampled_from(ORDERS))
def test_the_projection_tends_to_the_projection_on_the_face(
    v: list[int], g: list[int], p: float
) -> None:
    start, direction = (torch.tensor(w, dtype=torch.float64) for w in (v, g))
    limit = limit_projection(start, direction, p)
    zero = torch.zeros_like(start)
    for project in (project_ball, project_sphere):
        errors = [
            float((project(start + 2.0**k * direction, zero, 1.0, p) - limit).abs().max())
            for k in (10, 20)
        ]
        if p == 2:  # the distance falls like 1 / alpha
            assert errors[0] < 8 / 2**10
            assert errors[1] < 8 / 2**20
        else:
            assert max(errors) <= 1e-9


@pytest.mark.parametrize(
    ("p", "v", "g", "printed", "true"),
    [
        (1, [1.0, 0.0], [1.0, 1.0], [0.5, 0.5], [1.0, 0.0]),
        (math.inf, [0.0, 1.0], [1.0, 0.0], [1.0, 0.0], [1.0, 1.0]),
    ],
)
def test_lemma_2_fails_as_printed_with_ties_or_zeros(
    p: float, v: list[float], g: list[float], printed: list[float], true: list[float]
) -> None:
    start, direction = torch.tensor(v), torch.tensor(g)
    far = project_sphere(start + 2.0**10 * direction, torch.zeros(2), 1.0, p)
    assert far.tolist() == true
    assert limit_projection(start, direction, p).tolist() == true
    assert dual_vector(direction, p).tolist() == printed


@pytest.mark.parametrize("p", [1, math.inf])
def test_from_the_exact_step_on_the_limit_is_reached(p: float) -> None:
    g = torch.cat([gaussian(40, 5, seed=1), integers(200, 5, seed=2)])
    g = g[(g != 0).any(1)]
    v = uniform_in_ball(torch.zeros_like(g), 1.0, p, generator(3))
    zero = torch.zeros_like(g)
    alpha = exact_step(g, p).unsqueeze(-1)
    limit = limit_projection(v, g, p)
    for factor in (1.0, 1.5):
        assert project_sphere(v + factor * alpha * g, zero, 1.0, p) == pytest.approx(
            limit, abs=1e-12
        )


def test_no_smaller_step_serves_all_starts() -> None:
    g = torch.tensor([4.0, -3.0, 1.0], dtype=torch.float64)
    zero = torch.zeros_like(g)
    corner = torch.tensor([-1.0, 0.0, 0.0], dtype=torch.float64)
    for p, v in ((1, corner), (math.inf, -g.sign())):
        for factor, reached in ((1.0, True), (0.99, False)):
            step = factor * exact_step(g, p)
            error = (project_sphere(v + step * g, zero, 1.0, p) - dual_vector(g, p)).abs().max()
            assert (float(error) < 1e-12) == reached
    assert exact_step(g, 2) == math.inf


@pytest.mark.parametrize("p", [1, 1.5, 2, 3, math.inf])
def test_without_ties_the_printed_limit_is_the_true_one(p: float) -> None:
    v, g = gaussian(20, 4, seed=4), gaussian(20, 4, seed=5)
    assert torch.equal(limit_projection(v, g, p), dual_vector(g, p))


def test_bad_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="z must not be zero"):
        limit_projection(torch.ones(2), torch.zeros(2), 1)
    with pytest.raises(NotImplementedError, match="the exact step is implemented for p in"):
        exact_step(torch.ones(2), 3)
    with pytest.raises(ValueError, match="g must not be zero"):
        exact_step(torch.zeros(2), 1)
