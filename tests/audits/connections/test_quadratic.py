"""The shortest step against brute force and another solver."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from nbsrc.audits.connections import lemma31
from nbsrc.audits.connections.quadratic import (
    Quadratic,
    largest_in_box,
    shortest_in_box_norm,
    shortest_step,
)
from nbsrc.perturbation import minimal_quadratic


def by_rays(problem: Quadratic, rays: int = 20000) -> float:
    """The shortest step among many directions of the plane: the first root along each."""
    angle = 2 * math.pi * torch.arange(rays, dtype=torch.float64) / rays
    d = torch.stack([angle.cos(), angle.sin()], 1)
    slope, bend = d @ problem.g, ((d @ problem.H) * d).sum(1)
    inside = slope**2 + 2 * bend * problem.xi
    below = slope + inside.clamp_min(0).sqrt()
    length = torch.where((inside >= 0) & (below > 0), 2 * problem.xi / below, math.inf)
    return float(length.min())


def test_shortest_step_against_rays() -> None:
    g = torch.Generator().manual_seed(0)
    for _ in range(40):
        slope = torch.randn(2, generator=g, dtype=torch.float64)
        H = torch.randn(2, 2, generator=g, dtype=torch.float64)
        problem = Quadratic(slope, H + H.T, float(torch.rand((), generator=g)) + 0.1)
        exact, brute = shortest_step(problem), by_rays(problem)
        assert exact <= brute * (1 + 1e-12)
        assert exact == pytest.approx(brute, rel=1e-6)


def test_shortest_step_against_slsqp_and_the_library() -> None:
    for problem in list(lemma31.random_quadratics(12, 3))[:12]:
        exact = shortest_step(problem)
        library = minimal_quadratic(problem.g, problem.H, problem.xi).norm
        assert float(library) == pytest.approx(exact, rel=1e-9)
        best = math.inf
        for start in np.random.default_rng(0).normal(size=(12, len(problem.g))):
            found = minimize(
                lambda r: float(r @ r), start, method="SLSQP", jac=lambda r: 2 * r,
                constraints={"type": "ineq", "fun": lambda r, q=problem: float(
                    q.value(torch.as_tensor(r))) - q.xi},
                options={"ftol": 1e-14, "maxiter": 300},
            )  # fmt: skip
            if found.success:
                best = min(best, math.sqrt(found.fun))
        assert best >= exact * (1 - 1e-6)
        assert best == pytest.approx(exact, rel=1e-4)


@pytest.mark.parametrize(
    ("g", "H", "xi", "length"),
    [
        ([1.0], [[-1.0]], 0.375, 0.5),  # t - t^2/2 = 3/8
        ([1.0], [[-1.0]], 0.5, 1.0),  # just reachable
        ([1.0], [[-1.0]], 1.0, math.inf),
        ([0.0], [[2.0]], 1.0, 1.0),  # no gradient
        ([2.0], [[0.0]], 1.0, 0.5),  # no curvature
        ([0.0], [[0.0]], 1.0, math.inf),
        ([1.0], [[1.0]], 0.0, 0.0),
        ([1.0, 0.0], [[0.0, 0.0], [0.0, 2.0]], 1.0, math.sqrt(0.75)),  # gradient orthogonal to u
    ],
)
def test_edges_by_hand(g: list[float], H: list[list[float]], xi: float, length: float) -> None:
    problem = Quadratic(torch.tensor(g).double(), torch.tensor(H).double(), xi)
    assert shortest_step(problem) == pytest.approx(length, rel=1e-6)


def test_box_norm_by_hand() -> None:
    """In the box the slope adds up over the entries: (1, 1) . r = 2 t."""
    problem = Quadratic(torch.ones(2).double(), torch.zeros(2, 2).double(), 1.0)
    assert largest_in_box(problem, 3.0) == 6.0
    assert shortest_in_box_norm(problem) == pytest.approx(0.5)
    flat = Quadratic(torch.zeros(2).double(), torch.zeros(2, 2).double(), 1.0)
    assert shortest_in_box_norm(flat) == math.inf
    none = Quadratic(torch.ones(2).double(), torch.zeros(2, 2).double(), 0.0)
    assert shortest_in_box_norm(none) == 0.0


def test_bounds_hold_without_negative_eigenvalues() -> None:
    problems = [*lemma31.small_quadratics(0), *lemma31.random_quadratics(40, 0)]
    assert lemma31.audit_bounds(problems, lemma31.limit_bounds).holds
    defined = [q for q in problems if all(map(math.isfinite, lemma31.printed_bounds(q)))]
    assert 0 < len(defined) < len(problems)
    assert lemma31.audit_bounds(defined, lemma31.printed_bounds).holds

    def swapped(problem: Quadratic) -> tuple[float, float]:
        lower, upper = lemma31.limit_bounds(problem)
        return upper, lower

    assert not lemma31.audit_bounds(problems, swapped).holds


@pytest.mark.parametrize(
    ("g", "diagonal", "undefined"),
    [
        ((0.0, -0.5), (0.5, 0.25), [False, True]),  # the gradient is orthogonal to u
        ((0.0, 0.0), (0.5, 0.25), [True, True]),
        ((1.0, 0.0), (0.0, 0.0), [True, True]),
        ((1.0, 1.0), (0.5, 0.25), [False, False]),
    ],
)
def test_where_the_printed_bounds_are_not_defined(
    g: tuple[float, ...], diagonal: tuple[float, ...], undefined: list[bool]
) -> None:
    slope, H = torch.tensor(g).double(), torch.diag(torch.tensor(diagonal).double())
    problem = Quadratic(slope, H, 1.0)
    printed, limits = lemma31.printed_bounds(problem), lemma31.limit_bounds(problem)
    assert [math.isnan(bound) for bound in printed] == undefined
    for bound, limit in zip(printed, limits, strict=True):
        assert math.isnan(bound) or bound == pytest.approx(limit, rel=1e-12)
    assert lemma31.audit_bounds([problem], lemma31.limit_bounds).holds or max(diagonal) == 0
    found = lemma31.audit_bounds([problem], lemma31.printed_bounds)
    assert found.holds != any(undefined)
    assert not any(undefined) or found.counterexample["upper"] == "not defined: 0/0"


def test_printed_bounds_fail_for_a_negative_eigenvalue() -> None:
    problems = [*lemma31.small_quadratics(-2), *lemma31.random_quadratics(40, 1, definite=False)]
    found = lemma31.audit_bounds(problems, lemma31.limit_bounds)
    assert not found.holds
    example = found.counterexample
    assert (example["gradient"], example["H"], example["xi"]) == ([1.0], [[-1.0]], 1.0)
    assert example["shortest"] == "none: no step reaches the level"
    repaired = [q for q in problems if float(torch.linalg.eigvalsh(q.H)[-1]) >= 0]
    assert lemma31.audit_bounds(repaired, lemma31.bounds_by_top_eigenvalue).holds
    assert not lemma31.audit_bounds(repaired, lemma31.limit_bounds).holds


def test_gap() -> None:
    one = Quadratic(torch.ones(1).double(), torch.ones(1, 1).double(), 1.0)
    assert lemma31.audit_gap([one]).holds
    two = Quadratic(
        torch.tensor([1.0, 1.0]).double(), torch.diag(torch.tensor([2.0, 1.0])).double(), 1.0
    )
    assert not lemma31.audit_gap([two]).holds
