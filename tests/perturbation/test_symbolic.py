"""The derivations, turned into numbers, are the numerical code."""

from __future__ import annotations

import math

import numpy as np
import pytest
import sympy as sp
import torch

from nbsrc.perturbation import coupling, symbolic, taylor

f64 = torch.float64
GRID = np.concatenate([[0.5 + 1e-3], np.linspace(0.51, 0.999, 60)])


def test_the_root_is_the_numerical_distance() -> None:
    root = symbolic.lambdify(symbolic.taylor_distance(), symbolic.P, symbolic.XI)
    found = taylor.taylor_perturbation_norm(torch.from_numpy(GRID), 1.0).numpy()
    assert root(GRID, np.log(2 * GRID)) == pytest.approx(found, rel=1e-11, abs=0)
    residual = symbolic.lambdify(
        symbolic.quadratic_constraint(), symbolic.P, symbolic.S, symbolic.XI
    )
    assert np.abs(residual(GRID, found, np.log(2 * GRID))).max() < 1e-15


def test_the_printed_formula_is_the_root() -> None:
    p, xi = symbolic.P, symbolic.XI
    printed = (sp.sqrt(1 + 2 * p * xi / (1 - p)) - 1) / p
    difference = symbolic.taylor_distance() - printed
    for value in (sp.Rational(3, 5), sp.Rational(99, 100)):
        at = difference.subs({p: value, xi: sp.log(2 * value)})
        assert abs(sp.N(at, 40)) < 1e-35


def test_growth_in_p() -> None:
    above, below = symbolic.implicit_slope()
    p, s = symbolic.P, symbolic.S
    assert sp.expand(above - (1 / p + s + (2 * p - 1) * s**2 / 2)) == 0
    assert sp.expand(below - (1 - p) * (1 + p * s)) == 0
    slope = symbolic.lambdify(above / below, p, s)
    x = torch.from_numpy(GRID).requires_grad_()
    distance = taylor.taylor_perturbation_norm(x, 1.0)
    (reference,) = torch.autograd.grad(distance.sum(), x)
    assert slope(GRID, distance.detach().numpy()) == pytest.approx(
        reference.numpy(), rel=1e-11, abs=0
    )
    assert bool((reference > 0).all())


def test_the_distance_in_the_margin() -> None:
    t = np.linspace(0.05, 20, 50)
    found = symbolic.lambdify(symbolic.taylor_distance_in_margin(), symbolic.T)(t)
    reference = taylor.taylor_norm_from_margin(torch.from_numpy(t), 1.0).numpy()
    assert found == pytest.approx(reference, rel=1e-12, abs=0)


def test_series_at_one_half() -> None:
    t = symbolic.T
    assert symbolic.ratio_series(6) == 1 + t**3 / 32 - t**5 / 144
    assert symbolic.ratio_series(1) == 1
    small = np.array([1e-3, 1e-2])
    series = symbolic.lambdify(symbolic.ratio_series(8), t)(small)
    exact = coupling.taylor_over_exact(torch.from_numpy(small)).numpy()
    assert np.abs(series - exact).max() < 1e-14


def test_rate_at_one() -> None:
    assert symbolic.growth_limit() == sp.sqrt(2 * sp.log(2))
    q = 1e-12
    found = float(taylor.taylor_perturbation_norm(1 - q, 1.0)) * math.sqrt(q)
    assert found == pytest.approx(math.sqrt(2 * math.log(2)), rel=1e-4, abs=0)


def test_third_derivative() -> None:
    s = symbolic.S
    assert sp.expand(symbolic.third_derivative() - s * (1 - s) * (1 - 2 * s)) == 0


def test_appendix_g() -> None:
    assert symbolic.slope_residuals() == (0, 0)
    nu, gamma = np.linspace(0.1, 4, 9), np.linspace(0.3, 2, 9)
    numeric = (
        (symbolic.gradient_value(), coupling.gradient_penalty),
        (symbolic.curvature_value(), coupling.curvature_penalty),
        (symbolic.slopes()[0], coupling.gradient_slope),
        (symbolic.slopes()[1], coupling.curvature_slope),
    )
    for expression, function in numeric:
        found = symbolic.lambdify(expression, symbolic.NU, symbolic.GAMMA)(nu, gamma)
        reference = function(torch.from_numpy(nu), torch.from_numpy(gamma)).numpy()
        assert found == pytest.approx(reference, rel=1e-10, abs=1e-13)
    zeros = [sp.nsolve(e, symbolic.T, start) for e, start in
             zip(symbolic.critical_equations(), (1.2, 2.5), strict=True)]  # fmt: skip
    critical = coupling.critical_products()
    assert [float(z) for z in zeros] == pytest.approx([critical.gradient, critical.curvature])
    for derivative, zero in zip(symbolic.slopes(), zeros, strict=True):
        at = derivative.subs({symbolic.GAMMA: 1, symbolic.NU: zero})
        assert abs(float(at)) < 1e-12


def test_a_planted_error_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = symbolic.printed_slopes()
    monkeypatch.setattr(symbolic, "printed_slopes", lambda: (2 * first, second))
    assert symbolic.slope_residuals()[0] != 0


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match="order must be at least 1, got 0"):
        symbolic.ratio_series(0)
    with pytest.raises(ValueError, match="symbols must name all symbols"):
        symbolic.lambdify(symbolic.quadratic_constraint(), symbolic.P)
