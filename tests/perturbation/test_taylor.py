"""Propositions 3.1 to 3.3 against high precision, optimisation and enumeration."""

from __future__ import annotations

import itertools
import math

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from nbsrc.perturbation import taylor
from nbsrc.perturbation.spectrum import loss_gradient, loss_hessian
from tests.perturbation.affine_pieces import QUICK, THOROUGH

PROBABILITIES = st.one_of(
    st.floats(0.5, 1 - 1e-12, exclude_max=False),
    st.sampled_from([0.5, 0.5 + 1e-12, 0.5 + 1e-6, 0.75, 1 - 1e-6, 1 - 1e-9, 1 - 1e-12]),
)
f64 = torch.float64


def printed(p: float, nu: float) -> mpmath.mpf:
    """Equation (8) with the radical of the proof, in 60 digits."""
    with mpmath.workdps(60):
        p = mpmath.mpf(p)
        return (mpmath.sqrt(1 + 2 * p * mpmath.log(2 * p) / (1 - p)) - 1) / (p * nu)


@given(PROBABILITIES, st.sampled_from([1e-8, 0.5, 1.0, 3e5]))
@THOROUGH
def test_the_printed_formula_to_full_precision(p: float, nu: float) -> None:
    found = float(taylor.taylor_perturbation_norm(p, nu))
    assert found == pytest.approx(float(printed(p, nu)), rel=1e-14, abs=0)


@given(st.one_of(st.floats(1e-12, 700), st.sampled_from([1e-14, 1e-6, 1.0, 36.0, 709.0])))
@THOROUGH
def test_the_formula_in_the_margin(t: float) -> None:
    with mpmath.workdps(700):
        p = 1 / (1 + mpmath.exp(-mpmath.mpf(t)))
        reference = (mpmath.sqrt(1 + 2 * p * mpmath.log(2 * p) / (1 - p)) - 1) / p
    assert float(taylor.taylor_norm_from_margin(t, 1.0)) == pytest.approx(
        float(reference), rel=1e-13, abs=0
    )


def test_extreme_margins_stay_finite() -> None:
    found = taylor.taylor_norm_from_margin(torch.tensor([0.0, 1000.0, 1400.0], dtype=f64), 2.0)
    assert float(found[0]) == 0
    growth = [math.log(2 * float(value)) for value in found[1:]]
    limit = math.log(math.sqrt(2 * math.log(2)))
    assert growth == pytest.approx([500 + limit, 700 + limit], rel=1e-14, abs=0)


def test_no_slope_means_no_perturbation() -> None:
    assert math.isinf(taylor.taylor_perturbation_norm(0.7, 0.0))
    assert float(taylor.taylor_perturbation_norm(0.5, 0.0)) == 0
    assert math.isinf(taylor.taylor_norm_from_margin(1.0, 0.0))


def test_the_typeset_radical_is_another_number() -> None:
    found = float(taylor.taylor_norm_typeset(0.75, 1.0))
    assert found == pytest.approx(math.sqrt(6 * math.log(1.5)) / 0.75, rel=1e-15, abs=0)
    assert found > 1.2 * float(taylor.taylor_perturbation_norm(0.75, 1.0))


@given(st.integers(0, 10**6), st.sampled_from([1, 2, math.inf]), st.sampled_from([0.1, 1.0, 9.0]))
@QUICK
def test_the_minimiser_is_feasible_and_has_the_norm(seed: int, ord: float, t: float) -> None:
    draw = torch.Generator().manual_seed(seed)
    V = torch.randn(4, 2, generator=draw, dtype=f64)
    y = seed % 2
    z = torch.zeros(2, dtype=f64)
    z[y] = t
    p = torch.softmax(z, -1)
    r = taylor.taylor_perturbation(z, V, y, ord)
    a = V[:, 0] - V[:, 1]
    dual = {1: math.inf, 2: 2, math.inf: 1}[ord]
    norm = float(taylor.taylor_perturbation_norm(p[y], torch.linalg.vector_norm(a, dual)))
    assert float(torch.linalg.vector_norm(r, ord)) == pytest.approx(norm, rel=1e-12, abs=0)
    g, H = loss_gradient(p, V, y), loss_hessian(p, V)
    assert float(g @ r + r @ H @ r / 2) == pytest.approx(
        math.log(2 * float(p[y])), rel=1e-11, abs=0
    )


@pytest.mark.parametrize("seed", range(8))
def test_against_constrained_optimisation(seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    V = torch.randn(3, 2, generator=draw, dtype=f64)
    p_y = 0.5 + 0.49 * float(torch.rand(1, generator=draw))
    p = torch.tensor([p_y, 1 - p_y], dtype=f64)
    g, H = loss_gradient(p, V, 0).numpy(), loss_hessian(p, V).numpy()
    xi = math.log(2 * p_y)
    constraint = {
        "type": "ineq",
        "fun": lambda r: g @ r + r @ H @ r / 2 - xi,
        "jac": lambda r: g + H @ r,
    }
    starts = np.random.default_rng(seed).normal(size=(6, 3))
    runs = [
        minimize(lambda r: r @ r, s, jac=lambda r: 2 * r, constraints=constraint,
                 method="SLSQP", options={"ftol": 1e-14, "maxiter": 300})
        for s in starts
    ]  # fmt: skip
    best = min(math.sqrt(run.fun) for run in runs if run.success)
    nu = float(torch.linalg.vector_norm(V[:, 0] - V[:, 1]))
    assert float(taylor.taylor_perturbation_norm(p_y, nu)) == pytest.approx(best, rel=1e-8, abs=0)


@given(st.integers(0, 10**6), st.floats(1e-6, 1 - 1e-6), st.sampled_from([0.0, 0.1, 2.0]))
@QUICK
def test_worst_taylor_loss_is_the_best_vertex(seed: int, p_y: float, epsilon: float) -> None:
    V = torch.randn(4, 2, generator=torch.Generator().manual_seed(seed), dtype=f64)
    p = torch.tensor([p_y, 1 - p_y], dtype=f64)
    g, H = loss_gradient(p, V, 0), loss_hessian(p, V)
    corners = torch.tensor(list(itertools.product([-epsilon, epsilon], repeat=4)), dtype=f64)
    values = corners @ g + ((corners @ H) * corners).sum(-1) / 2 - math.log(p_y)
    nu = torch.linalg.vector_norm(V[:, 0] - V[:, 1], 1)
    found = float(taylor.taylor_worst_loss(p_y, nu, epsilon))
    assert found == pytest.approx(float(values.max()), rel=1e-12, abs=0)


def test_bad_input_is_named() -> None:
    for bad in (0.0, 1.0, 1.2, -0.1, math.nan):
        with pytest.raises(ValueError, match="p_y must be"):
            taylor.taylor_perturbation_norm(bad, 1.0)
        with pytest.raises(ValueError, match="p_y must be"):
            taylor.taylor_worst_loss(bad, 1.0, 0.1)
    with pytest.raises(ValueError, match="at least 1/2, a correctly classified point"):
        taylor.taylor_perturbation_norm(0.4, 1.0)
    with pytest.raises(ValueError, match="nu must be at least 0, got -1"):
        taylor.taylor_perturbation_norm(0.7, -1.0)
    with pytest.raises(ValueError, match="epsilon must be at least 0"):
        taylor.taylor_worst_loss(0.7, 1.0, -0.1)
    with pytest.raises(TypeError, match="p_y must be a number or a tensor, got str"):
        taylor.taylor_perturbation_norm("0.7", 1.0)  # type: ignore[arg-type]
    z, V = torch.tensor([0.0, 1.0], dtype=f64), torch.ones(3, 2, dtype=f64)
    with pytest.raises(ValueError, match="correctly classified, got a margin of -1"):
        taylor.taylor_perturbation(z, V, 0)
    with pytest.raises(ValueError, match="logits must have K = 2"):
        taylor.binary_margin(torch.zeros(3), 0)
    with pytest.raises(ValueError, match="must have the same K"):
        taylor.taylor_perturbation(z, torch.ones(3, 3, dtype=f64), 1)
    with pytest.raises(ValueError, match="ord must be 1, 2 or inf, got 3"):
        taylor.taylor_perturbation(z, V, 1, 3)
    with pytest.raises(TypeError, match=r"dtype torch.float64 of logits, got torch.float32"):
        taylor.taylor_perturbation(z, V.float(), 1)
