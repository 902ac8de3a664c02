"""Proposition 4.1 in all versions against the exact minimiser; where the printed one breaks."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given

from nbsrc.perturbation.bounds import (
    centred,
    cross_lipschitz_squared,
    gradient_hessian_constant,
    prop41_bounds,
)
from nbsrc.perturbation.multiclass import (
    taylor_perturbation_from_logits,
    taylor_perturbation_multiclass,
)
from nbsrc.perturbation.softmax import loss_slack
from nbsrc.perturbation.taylor import taylor_perturbation_norm
from tests.perturbation.affine_pieces import (
    THOROUGH,
    Piece,
    dense_gradient,
    dense_hessian,
    matrix,
    pieces,
)

f64 = torch.float64
VALID = ("eq17", "repaired16", "sharpened", "low_confidence")
BENIGN = ("generic", "rank one", "shifted", "two columns", "graded")


def confident(K: int, q: float) -> torch.Tensor:
    """p = (1 - q, q, 0, ...): one rival."""
    p = torch.zeros(K, dtype=f64)
    p[0], p[1] = 1 - q, q
    return p


def opposite(K: int) -> torch.Tensor:
    """V = [1, -1, 0, ...] with one input."""
    V = torch.zeros(1, K, dtype=f64)
    V[0, 0], V[0, 1] = 1, -1
    return V


@given(pieces(kinds=BENIGN))
@THOROUGH
def test_the_valid_bounds_are_bounds(piece: Piece) -> None:
    xi = loss_slack(piece.z, piece.y)
    if float(xi) <= 0:
        return
    norm = float(taylor_perturbation_from_logits(piece.z, piece.V, piece.y).norm)
    p = piece.p
    if float(p[piece.y]) < float(p.max()):  # a tie that softmax rounds the wrong way
        return
    found = prop41_bounds(p, piece.V, piece.y, xi=xi)
    for name in VALID:
        assert float(getattr(found, name)) <= norm * (1 + 1e-9), name
    assert norm <= float(found.upper) * (1 + 1e-9)
    assert float(found.sharpened) >= float(found.eq17) * (1 - 1e-12)
    assert float(found.sharpened) >= float(found.repaired16) * (1 - 1e-12)
    assert float(found.low_confidence) >= float(found.sharpened) * (1 - 1e-12)
    if piece.K >= 3:
        assert float(found.eq16) <= norm * (1 + 1e-9)
    if piece.K >= 5:
        unordered = prop41_bounds(p, piece.V, piece.y, pairs="unordered", xi=xi)
        assert float(unordered.eq16) <= norm * (1 + 1e-9)


@pytest.mark.parametrize(("K", "pairs"), [(2, "ordered"), *((K, "unordered") for K in (2, 3, 4))])
def test_equation16_breaks_for_few_classes(K: int, pairs: str) -> None:
    p, V = confident(K, 1e-6), opposite(K)
    norm = float(taylor_perturbation_multiclass(p, V, 0).norm)
    assert float(prop41_bounds(p, V, 0, pairs=pairs).eq16) > 1.05 * norm


@pytest.mark.parametrize(("K", "pairs"), [(3, "ordered"), (5, "unordered")])
def test_equation16_is_tight_where_it_starts_to_hold(K: int, pairs: str) -> None:
    p, V = confident(K, 1e-10), opposite(K)
    norm = float(taylor_perturbation_multiclass(p, V, 0).norm)
    ratio = float(prop41_bounds(p, V, 0, pairs=pairs).eq16) / norm
    limit = {3: 1.0, 5: 1.0}[K]  # K(K-1) nu^2 / 2 is exactly 2 S in both
    assert ratio == pytest.approx(limit, abs=1e-4)
    assert ratio <= 1


def test_printed_formulas_letter_by_letter() -> None:
    p = torch.tensor([0.5, 0.3, 0.2], dtype=f64)
    V = matrix("generic", 4, 3, 0)
    K, xi, F = 3, math.log(1.5), float(torch.linalg.matrix_norm(V))
    ordered = sum(float(((V[:, i] - V[:, j]) ** 2).sum()) for i in range(3) for j in range(3)) / 9
    for pairs, nu2 in (("ordered", ordered), ("unordered", ordered / 2)):
        assert float(cross_lipschitz_squared(V, pairs)) == pytest.approx(nu2, rel=1e-13, abs=0)
        k = K * (K - 1) * 0.5 * nu2
        eq16 = 4 * F / k * (math.sqrt(1 + k * xi / (4 * 0.5 * F**2)) - 1)
        found = prop41_bounds(p, V, 0, pairs=pairs)
        assert float(found.eq16) == pytest.approx(eq16, rel=1e-12, abs=0)
    eq17 = (math.sqrt(1 + 0.5 * xi / 0.5) - 1) / (0.5 * F)
    assert float(found.eq17) == pytest.approx(eq17, rel=1e-13, abs=0)


@pytest.mark.parametrize("p_y", [0.5, 0.6, 0.99, 1 - 1e-9])
def test_two_classes_are_exact(p_y: float) -> None:
    V = matrix("shifted", 3, 2, 0)
    p = torch.tensor([p_y, 1 - p_y], dtype=f64)
    exact = float(taylor_perturbation_norm(p_y, torch.linalg.vector_norm(V[:, 0] - V[:, 1])))
    found = prop41_bounds(p, V, 0)
    for name in ("sharpened", "low_confidence", "upper"):
        assert float(getattr(found, name)) == pytest.approx(exact, rel=1e-11, abs=0), name


@given(pieces(kinds=BENIGN))
@THOROUGH
def test_curvature_dominates_the_squared_gradient(piece: Piece) -> None:
    """H - p/(1-p) grad grad^T is positive semidefinite."""
    p = piece.p
    V = piece.V - piece.V[:, :1]
    g, H = dense_gradient(p, V, piece.y), dense_hessian(p, V)
    p_y = p[piece.y]
    if float(1 - p_y) < 1e-6:
        return
    rest = H - gradient_hessian_constant(p_y) * torch.outer(g, g)
    assert float(torch.linalg.eigvalsh(rest)[0]) >= -1e-9 * float(H.trace())


@pytest.mark.parametrize(("p_y", "holds"), [(0.26, False), (0.3333, False), (0.3334, True)])
def test_the_constant_is_the_best_one(p_y: float, holds: bool) -> None:
    """All other columns equal: equality, so equation (42) holds exactly from p = 1/3 on."""
    p = torch.tensor([p_y, *[(1 - p_y) / 3] * 3], dtype=f64)
    V = torch.tensor([[1.0, 0.0, 0.0, 0.0]], dtype=f64)
    g, H = dense_gradient(p, V, 0), dense_hessian(p, V)
    c = float(gradient_hessian_constant(p[0]))
    assert float(H[0, 0]) == pytest.approx(c * float(g @ g), rel=1e-13, abs=0)
    assert (float(g @ g) / 2 <= float(H[0, 0])) == holds


def test_the_norm_of_the_covariance() -> None:
    """||diag p - p p^T|| <= p w, attained with one rival and with a tie of two."""
    draw = torch.Generator().manual_seed(0)
    for scale in (0.1, 1.0, 5.0):
        p = torch.softmax(scale * torch.randn(500, 6, generator=draw, dtype=f64), -1)
        C = torch.diag_embed(p) - p.unsqueeze(-1) * p.unsqueeze(-2)
        top = p.amax(-1)
        bound = top * (2 * (1 - top)).clamp_max(1)
        assert bool((torch.linalg.eigvalsh(C)[:, -1] <= bound * (1 + 1e-12)).all())
    for p in (confident(6, 0.2), torch.tensor([0.4, 0.4, 0.2], dtype=f64)):
        C = torch.diag(p) - torch.outer(p, p)
        bound = float(p[0]) * min(1, 2 * (1 - float(p[0])))
        assert float(torch.linalg.eigvalsh(C)[-1]) == pytest.approx(bound, rel=1e-13, abs=0)


def test_centred_columns_sum_to_zero() -> None:
    V = matrix("generic", 3, 5, 0)
    assert float(centred(V).sum(-1).abs().max()) < 1e-14
    assert torch.allclose(centred(V + 7.0), centred(V), atol=1e-13)


def test_equal_columns_need_infinite_perturbations() -> None:
    p = torch.tensor([0.6, 0.4], dtype=f64)
    found = prop41_bounds(p, torch.ones(3, 2, dtype=f64), 0)
    assert math.isinf(found.sharpened)
    assert math.isinf(found.upper)
    assert math.isfinite(found.eq17)  # the printed one sees the common part of the columns
    assert math.isinf(prop41_bounds(p, torch.zeros(3, 2, dtype=f64), 0).eq17)


def test_bad_input_is_named() -> None:
    p, V = torch.tensor([0.3, 0.7], dtype=f64), torch.ones(3, 2, dtype=f64)
    with pytest.raises(ValueError, match="must be an arg-max of p, got a misclassified point"):
        prop41_bounds(p, V, 0)
    with pytest.raises(ValueError, match="pairs must be 'ordered' or 'unordered', got 'all'"):
        prop41_bounds(p, V, 1, pairs="all")
    with pytest.raises(ValueError, match="same K"):
        prop41_bounds(p, torch.ones(3, 3, dtype=f64), 1)
    with pytest.raises(ValueError, match="y must be between 0 and 1, got 2"):
        prop41_bounds(p, V, 2)
