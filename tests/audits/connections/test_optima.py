"""The exact Taylor optima, against a general solver and against brute force."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from nbsrc.audits.connections.optima import (
    linf_optimum,
    lower_bound,
    quadratic_optimum,
    taylor_optimum,
)
from nbsrc.audits.connections.point_families import random_points
from nbsrc.audits.connections.points import Point, point


def reaches(x: Point, r: np.ndarray) -> float:
    g, H = x.gradient.numpy(), x.hessian.numpy()
    return float(g @ r + r @ H @ r / 2 - x.xi)


def by_slsqp(x: Point) -> float:
    generator = np.random.default_rng(0)
    best = math.inf
    for _ in range(6):
        found = minimize(
            lambda r: r @ r, generator.normal(size=x.V.shape[0]), method="SLSQP",
            constraints={"type": "ineq", "fun": lambda r: reaches(x, r)},
            options={"maxiter": 300, "ftol": 1e-14},
        )  # fmt: skip
        if reaches(x, found.x) > -1e-9:
            best = min(best, float(np.linalg.norm(found.x)))
    return best


def test_l2_optimum_against_a_general_solver() -> None:
    for x in list(random_points(60, 1, classes=(2, 3, 5), inputs=3))[::4]:
        if x.rest > 1e-3 and x.V.norm() < 20:
            assert taylor_optimum(x) == pytest.approx(by_slsqp(x), rel=1e-5)


def test_l2_optimum_is_feasible_and_stationary() -> None:
    for x in random_points(60, 2):
        r = quadratic_optimum(x.gradient, x.hessian, x.xi)
        assert reaches(x, r.numpy()) == pytest.approx(0, abs=1e-9)
        push = x.gradient + x.hessian @ r
        assert float(push @ r) == pytest.approx(float(push.norm() * r.norm()), rel=1e-6)


def test_hard_case() -> None:
    """The gradient has no part in the leading eigenspace: r is filled up along it."""
    g, H = torch.tensor([1.0, 0.0]).double(), torch.diag(torch.tensor([1.0, 4.0])).double()
    r = quadratic_optimum(g, H, 10.0)
    assert float(r[0]) == pytest.approx(1 / 3)
    assert float(g @ r + (H @ r) @ r / 2) == pytest.approx(10.0)
    angles = torch.linspace(0, 2 * math.pi, 4001).double()
    rays = torch.stack([angles.cos(), angles.sin()], 1)
    first, second = rays @ g, ((rays @ H) * rays).sum(1)
    assert float(r.norm()) == pytest.approx(
        float((20 / (first + (first**2 + 20 * second).sqrt())).min()), rel=1e-6
    )


def test_edges() -> None:
    g, H = torch.zeros(2).double(), torch.zeros(2, 2).double()
    assert quadratic_optimum(g, H, 0.0).tolist() == [0, 0]
    assert quadratic_optimum(g, H, 1.0).norm() == math.inf
    assert lower_bound(0.0, 0.0, 1.0) == math.inf
    assert lower_bound(1.0, 1.0, 0.0) == 0.0
    equal = point([[1, 1]], [3, 1])
    assert taylor_optimum(equal) == linf_optimum(equal) == math.inf


def test_linf_optimum_against_a_grid() -> None:
    x = point([[1, 0, -1], [0, 2, 1]], [4, 2, 1])
    size = linf_optimum(x)
    side = torch.linspace(-1, 1, 201).double()
    box = size * torch.cartesian_prod(side, side)
    values = box @ x.gradient + ((box @ x.hessian) * box).sum(1) / 2
    assert float(values.max()) == pytest.approx(x.xi)
    with pytest.raises(NotImplementedError, match="got 11"):
        linf_optimum(Point(torch.ones(11, 2).double(), torch.tensor([2.0, 1.0]).double()))
    assert linf_optimum(point([[1, 0]], [1, 2])) == 0.0
