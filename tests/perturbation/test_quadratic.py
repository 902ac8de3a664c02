"""The quadratic problem against grids, optimisation and its own optimality conditions."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from nbsrc.perturbation.lemma31 import lemma31_bounds
from nbsrc.perturbation.quadratic import LARGEST_BOX, minimal_quadratic
from tests.perturbation.affine_pieces import QUICK, THOROUGH

f64 = torch.float64
ORDERS = [1, 2, math.inf]


def value(g: torch.Tensor, H: torch.Tensor, r: torch.Tensor) -> torch.Tensor:
    return r @ g + ((r @ H) * r).sum(-1) / 2


def model(seed: int, n: int, spectrum: str) -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    Q, _ = torch.linalg.qr(torch.randn(n, n, generator=draw, dtype=f64))
    lam = torch.randn(n, generator=draw, dtype=f64)
    if spectrum == "positive":
        lam = lam.abs()
    if spectrum == "saddle":
        lam = lam.abs()
        lam[1:] *= -1
    if spectrum == "negative":
        lam = -lam.abs()
    if spectrum == "multiple":
        lam = lam.abs()
        lam[: n // 2 + 1] = 2.0
    if spectrum == "rank one":
        lam = torch.zeros(n, dtype=f64)
        lam[0] = 1.5
    if spectrum == "zero":
        lam = torch.zeros(n, dtype=f64)
    H = (Q * lam) @ Q.T
    return torch.randn(n, generator=draw, dtype=f64), (H + H.T) / 2


SPECTRA = ["positive", "indefinite", "negative", "multiple", "rank one", "zero"]


@given(
    st.integers(0, 10**6),
    st.integers(1, 6),
    st.sampled_from(SPECTRA),
    st.sampled_from([0.0, 1e-9, 0.1, 1.0, 50.0]),
)
@THOROUGH
def test_l2_solution_satisfies_the_global_optimality_conditions(
    seed: int, n: int, spectrum: str, xi: float
) -> None:
    """Feasible, stationary with multiplier s, and I - s H positive semidefinite: a certificate."""
    g, H = model(seed, n, spectrum)
    found = minimal_quadratic(g, H, xi)
    lam = torch.linalg.eigvalsh(H)
    if math.isinf(found.norm):
        assert float(lam[-1]) < 1e-12
        reachable = -torch.linalg.pinv(H) @ g  # the maximiser of a concave model
        flat = float((H @ reachable + g).abs().max())
        assert flat < 1e-8
        assert float(value(g, H, reachable)) < xi
        assert bool(torch.isnan(found.perturbation).all())
        return
    r = found.perturbation
    assert float(torch.linalg.vector_norm(r)) == pytest.approx(float(found.norm), rel=1e-13, abs=0)
    assert float(value(g, H, r)) == pytest.approx(xi, rel=1e-10, abs=1e-300)
    if xi == 0:
        assert float(found.norm) == 0
        return
    slope = g + H @ r
    s = float(r @ slope) / float(slope @ slope)
    assert float((r - s * slope).abs().max()) <= 1e-7 * float(found.norm)
    assert s >= 0
    assert 1 - s * float(lam[-1]) >= -1e-7
    if float(lam[0]) >= 0:
        u = torch.linalg.eigh(H)[1][:, -1]
        G, a, h = torch.linalg.vector_norm(g), (g @ u).abs(), lam[-1]
        lower, upper = lemma31_bounds(G, a, h, xi)
        assert float(lower) <= float(found.norm) * (1 + 1e-12)
        assert float(found.norm) <= float(upper) * (1 + 1e-12)


@pytest.mark.parametrize("ord", ORDERS)
@pytest.mark.parametrize("seed", range(4))
def test_on_a_grid_in_the_plane(seed: int, ord: float) -> None:
    g, H = model(seed, 2, "positive" if ord != 2 else "saddle")
    xi = 0.5
    found = float(minimal_quadratic(g, H, xi, ord).norm)
    axis = torch.linspace(-1, 1, 1201, dtype=f64) * 1.3 * found
    grid = torch.cartesian_prod(axis, axis)
    feasible = grid[value(g, H, grid) >= xi]
    nearest = float(torch.linalg.vector_norm(feasible, ord, dim=-1).min())
    assert found <= nearest + 1e-12
    assert nearest <= found * 1.01


@pytest.mark.parametrize("seed", range(6))
def test_l2_against_constrained_optimisation(seed: int) -> None:
    g, H = (part.numpy() for part in model(seed, 4, "saddle"))
    constraint = {
        "type": "ineq",
        "fun": lambda r: g @ r + r @ H @ r / 2 - 0.7,
        "jac": lambda r: g + H @ r,
    }
    starts = np.random.default_rng(seed).normal(size=(8, 4))
    runs = [
        minimize(lambda r: r @ r, s, jac=lambda r: 2 * r, constraints=constraint,
                 method="SLSQP", options={"ftol": 1e-14, "maxiter": 300})
        for s in starts
    ]  # fmt: skip
    best = min(math.sqrt(run.fun) for run in runs if run.success)
    found = minimal_quadratic(torch.from_numpy(g), torch.from_numpy(H), 0.7)
    assert float(found.norm) == pytest.approx(best, rel=1e-8, abs=0)


@given(st.integers(0, 10**6), st.sampled_from([1, math.inf]))
@QUICK
def test_l1_and_linf_against_points_of_the_sphere(seed: int, ord: float) -> None:
    g, H = model(seed, 4, "positive")
    found = minimal_quadratic(g, H, 0.3, ord)
    r = found.perturbation
    assert float(value(g, H, r)) == pytest.approx(0.3, rel=1e-11, abs=0)
    assert float(torch.linalg.vector_norm(r, ord)) == pytest.approx(
        float(found.norm), rel=1e-14, abs=0
    )
    draw = torch.Generator().manual_seed(seed)
    tries = torch.randn(500, 4, generator=draw, dtype=f64)
    tries = tries / torch.linalg.vector_norm(tries, ord, dim=-1, keepdim=True)
    assert float(value(g, H, tries * found.norm).max()) <= 0.3 * (1 + 1e-12)


def test_hard_case_worked_out_by_hand() -> None:
    """H = diag(2, 1), g = (0, 1/2): (mu - H)^-1 g at mu = 2 lifts by 3/8, the rest along u."""
    g, H = torch.tensor([0.0, 0.5], dtype=f64), torch.diag(torch.tensor([2.0, 1.0], dtype=f64))
    found = minimal_quadratic(g, H, 1.0)
    assert bool(found.hard_case)
    assert found.perturbation.abs().tolist() == pytest.approx([math.sqrt(5 / 8), 0.5])
    assert float(found.norm) == pytest.approx(math.sqrt(7 / 8), rel=1e-14, abs=0)
    easy = minimal_quadratic(g, H, 0.375 * 0.99)
    assert not bool(easy.hard_case)
    assert float(easy.perturbation[0]) == 0
    near = minimal_quadratic(torch.tensor([1e-13, 0.5], dtype=f64), H, 1.0)
    assert float(near.norm) == pytest.approx(math.sqrt(7 / 8), rel=1e-12, abs=0)


def test_no_gradient_no_curvature_and_concave_models() -> None:
    zero, eye = torch.zeros(2, dtype=f64), torch.eye(2, dtype=f64)
    assert math.isinf(minimal_quadratic(zero, 0 * eye, 1.0).norm)
    assert float(minimal_quadratic(zero, eye, 2.0).norm) == pytest.approx(2)
    linear = minimal_quadratic(torch.tensor([3.0, 4.0], dtype=f64), 0 * eye, 1.0)
    assert float(linear.norm) == pytest.approx(0.2, rel=1e-14, abs=0)
    g = torch.tensor([1.0, 0.0], dtype=f64)  # the concave model r - r^2/2 reaches 1/2, not more
    assert float(minimal_quadratic(g, -eye, 0.375).norm) == pytest.approx(0.5, rel=1e-12, abs=0)
    assert math.isinf(minimal_quadratic(g, -eye, 0.51).norm)
    for ord in (1, math.inf):
        assert math.isinf(minimal_quadratic(zero, 0 * eye, 1.0, ord).norm)
        assert float(minimal_quadratic(g, eye, 0.0, ord).norm) == 0


def test_batches() -> None:
    models = [model(seed, 3, "positive") for seed in range(4)]
    g, H = torch.stack([m[0] for m in models]), torch.stack([m[1] for m in models])
    xi = torch.tensor([0.1, 0.0, 2.0, 1.0], dtype=f64)
    for ord in ORDERS:
        together = minimal_quadratic(g, H, xi, ord)
        for i in range(4):
            alone = minimal_quadratic(g[i], H[i], float(xi[i]), ord)
            assert float(alone.norm) == pytest.approx(float(together.norm[i]), rel=1e-13, abs=0)
            assert torch.allclose(alone.perturbation, together.perturbation[i], atol=1e-12)


def test_bad_input_is_named() -> None:
    g, H = torch.ones(2, dtype=f64), torch.eye(2, dtype=f64)
    with pytest.raises(ValueError, match="xi must be at least 0, got -1"):
        minimal_quadratic(g, H, -1.0)
    with pytest.raises(ValueError, match="hessian must be symmetric"):
        minimal_quadratic(g, torch.tensor([[0.0, 1.0], [0.0, 0.0]], dtype=f64), 1.0)
    with pytest.raises(ValueError, match=r"got shapes \(3,\) and \(2, 2\)"):
        minimal_quadratic(torch.ones(3, dtype=f64), H, 1.0)
    with pytest.raises(ValueError, match="ord must be 1, 2 or inf, got 3"):
        minimal_quadratic(g, H, 1.0, 3)
    with pytest.raises(ValueError, match="hessian must be finite"):
        minimal_quadratic(g, H * math.nan, 1.0)
    with pytest.raises(TypeError, match=r"gradient must be a torch.Tensor"):
        minimal_quadratic([1.0], H, 1.0)  # type: ignore[arg-type]
    with pytest.raises(NotImplementedError, match="needs a positive semidefinite Hessian"):
        minimal_quadratic(g, -H, 1.0, 1)
    n = LARGEST_BOX + 1
    with pytest.raises(NotImplementedError, match=f"limited to n <= {LARGEST_BOX}, got n = {n}"):
        minimal_quadratic(torch.ones(n, dtype=f64), torch.eye(n, dtype=f64), 1.0, math.inf)
