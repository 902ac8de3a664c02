"""Appendix G: slopes against differences and autograd, critical products against brute force."""

from __future__ import annotations

import math

import mpmath
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nbsrc.perturbation import coupling
from nbsrc.perturbation.spectrum import loss_gradient, loss_hessian_spectrum
from tests.perturbation.affine_pieces import THOROUGH

f64 = torch.float64
WIDTHS = st.floats(1e-3, 50)
DISTANCES = st.floats(-10, 10)


@given(WIDTHS, DISTANCES)
@THOROUGH
def test_values_and_slopes(nu: float, gamma: float) -> None:
    with mpmath.workdps(50):

        def gradient(x: mpmath.mpf) -> mpmath.mpf:
            return x**2 / (1 + mpmath.exp(x * gamma)) ** 2

        def curvature(x: mpmath.mpf) -> mpmath.mpf:
            return x**2 * mpmath.exp(x * gamma) / (1 + mpmath.exp(x * gamma)) ** 2

        expected = [
            gradient(mpmath.mpf(nu)), mpmath.diff(gradient, nu),
            curvature(mpmath.mpf(nu)), mpmath.diff(curvature, nu),
        ]  # fmt: skip
    found = [
        coupling.gradient_penalty(nu, gamma),
        coupling.gradient_slope(nu, gamma),
        coupling.curvature_penalty(nu, gamma),
        coupling.curvature_slope(nu, gamma),
    ]
    t = nu * gamma
    weight = 1 / (1 + math.exp(t)) if t < 700 else 0.0
    room = 1e-13 * (1 + nu) * nu * (1 + abs(t)) * weight  # a slope may cancel to 0
    for value, reference in zip(found, expected, strict=True):
        assert float(value) == pytest.approx(float(reference), rel=1e-12, abs=room)


@given(WIDTHS, st.floats(0, 4))
@THOROUGH
def test_the_printed_slopes_agree_for_correct_points(nu: float, gamma: float) -> None:
    first, second = coupling.printed_slopes(nu, gamma)
    scale = nu * math.exp(-nu * gamma) * (1 + nu * gamma)
    stable = coupling.gradient_slope(nu, gamma), coupling.curvature_slope(nu, gamma)
    assert float(first) == pytest.approx(float(stable[0]), abs=1e-13 * scale)
    assert float(second) == pytest.approx(float(stable[1]), abs=1e-13 * scale)


def test_large_products_do_not_overflow() -> None:
    assert float(coupling.gradient_slope(1.0, 800.0)) == 0
    assert math.isnan(coupling.printed_slopes(1.0, 800.0)[0])
    assert float(coupling.curvature_slope(1.0, -800.0)) == 0


def test_critical_products() -> None:
    found = coupling.critical_products()
    assert round(found.gradient, 2) == 1.28
    assert round(found.curvature, 2) == 2.40
    with mpmath.workdps(30):
        first = mpmath.findroot(lambda t: (t - 1) * mpmath.exp(t) - 1, 1.3)
        second = mpmath.findroot(lambda t: 2 + t - (t - 2) * mpmath.exp(t), 2.4)
    assert found.gradient == pytest.approx(float(first), rel=1e-15, abs=0)
    assert found.curvature == pytest.approx(float(second), rel=1e-15, abs=0)
    grid = torch.linspace(0.01, 10, 100_001, dtype=f64)
    step = float(grid[1] - grid[0])
    one = torch.ones(1, dtype=f64)
    for product, penalty in (
        (found.gradient, coupling.gradient_penalty(grid, one)),
        (found.curvature, coupling.curvature_penalty(grid, one)),
    ):
        assert float(grid[penalty.argmax()]) == pytest.approx(product, abs=step)


def test_misclassified_points_have_no_critical_product() -> None:
    """With the sign of gamma, the gradient penalty grows in nu everywhere; (44) has a zero."""
    nu = torch.linspace(0.01, 20, 2001, dtype=f64)
    assert bool((coupling.gradient_slope(nu, -1.0) > 0).all())
    assert bool((coupling.gradient_slope(nu, 1.0) < 0).any())


def test_the_penalties_are_those_of_a_bias_free_piece() -> None:
    draw = torch.Generator().manual_seed(0)
    V, x = torch.randn(4, 2, generator=draw, dtype=f64), torch.randn(4, generator=draw, dtype=f64)
    p = torch.softmax(x @ V, -1)
    a = V[:, 0] - V[:, 1]
    nu = torch.linalg.vector_norm(a)
    gamma = (a @ x) / nu
    g = loss_gradient(p, V, 0)
    assert float(coupling.gradient_penalty(nu, gamma)) == pytest.approx(
        float(g @ g), rel=1e-13, abs=0
    )
    h = float(loss_hessian_spectrum(p, V).spectral_norm)
    assert float(coupling.curvature_penalty(nu, gamma)) == pytest.approx(h, rel=1e-13, abs=0)


def test_taylor_over_exact() -> None:
    t = torch.tensor([0.0, 1e-3, 0.1, 1.0, 5.0, 50.0], dtype=f64)
    found = coupling.taylor_over_exact(t)
    assert float(found[0]) == 1
    assert float(found[1]) - 1 == pytest.approx(1e-9 / 32, rel=1e-4, abs=0)
    assert float(found[2]) - 1 == pytest.approx(1e-3 / 32 - 1e-5 / 144, rel=1e-3, abs=0)
    assert bool((found.diff() > 0).all())
    rate = math.sqrt(2 * math.log(2)) * math.exp(25) / 50
    assert float(found[5]) == pytest.approx(rate, rel=1e-9, abs=0)


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match="nu must be at least 0"):
        coupling.gradient_slope(-1.0, 1.0)
    with pytest.raises(ValueError, match="t must be at least 0"):
        coupling.taylor_over_exact(-1.0)
    with pytest.raises(ValueError, match="gamma must be a number, got nan"):
        coupling.curvature_penalty(1.0, math.nan)
