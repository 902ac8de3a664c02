"""Lemma 4.1 and its small eigenproblem against autograd and dense matrices."""

from __future__ import annotations

import mpmath
import pytest
import torch
from hypothesis import given

from nbsrc.perturbation.spectrum import (
    curvature_factor,
    loss_gradient,
    loss_hessian,
    loss_hessian_eigenvectors,
    loss_hessian_spectrum,
)
from tests.perturbation.affine_pieces import (
    THOROUGH,
    Piece,
    dense_gradient,
    dense_hessian,
    pieces,
)

f64 = torch.float64


def size(piece: Piece) -> float:
    """The scale of rounding in H: curvature is at most half of it."""
    return float((piece.V - piece.V[:, :1]).abs().max()) ** 2 * len(piece.V) * piece.K


@given(pieces())
@THOROUGH
def test_gradient_and_hessian_are_those_of_autograd(piece: Piece) -> None:
    def loss(r: torch.Tensor) -> torch.Tensor:
        return -torch.log_softmax(piece.z + r @ piece.V, -1)[piece.y]

    r = torch.zeros(len(piece.V), dtype=f64)
    g, H = torch.func.grad(loss)(r), torch.func.hessian(loss)(r)
    scale = float(piece.V.abs().max()) + 1e-300  # autograd multiplies by V itself
    assert float((loss_gradient(piece.p, piece.V, piece.y) - g).abs().max()) <= 1e-14 * scale * 40
    assert float((loss_hessian(piece.p, piece.V) - H).abs().max()) <= 1e-14 * scale**2 * 40


@given(pieces())
@THOROUGH
def test_spectrum_is_that_of_the_dense_matrix(piece: Piece) -> None:
    H = dense_hessian(piece.p, piece.V)
    reference = torch.linalg.eigvalsh(H).flip(-1)
    found = loss_hessian_spectrum(piece.p, piece.V)
    top = float(reference[0])
    assert float((found.full() - reference).abs().max()) <= 1e-12 * top + 1e-300
    assert float(found.spectral_norm) == pytest.approx(float(torch.linalg.matrix_norm(H, 2)))
    assert float(found.frobenius_norm) == pytest.approx(float(torch.linalg.matrix_norm(H)))
    assert float(found.trace) == pytest.approx(float(H.trace()), rel=1e-12, abs=0)
    values, U = loss_hessian_eigenvectors(piece.p, piece.V)
    assert float((values - found.eigenvalues).abs().max()) <= 1e-12 * top + 1e-300
    assert float((H @ U - U * values).abs().max()) <= 1e-12 * top + 1e-300
    eye = torch.eye(U.shape[-1], dtype=f64)
    assert float((U.T @ U - eye).abs().max()) < 1e-12


@given(pieces())
@THOROUGH
def test_printed_forms(piece: Piece) -> None:
    g = dense_gradient(piece.p, piece.V, piece.y)
    scale = float(piece.V.abs().max()) * piece.K
    found = loss_gradient(piece.p, piece.V, piece.y)
    assert float((found - g).abs().max()) <= 1e-15 * scale * 4
    outer = torch.diag(piece.p) - torch.outer(piece.p, piece.p)
    H = piece.V @ outer @ piece.V.T
    assert float((loss_hessian(piece.p, piece.V) - H).abs().max()) <= 1e-14 * scale**2


def test_the_printed_scalar_product_is_not_the_hessian() -> None:
    """diag(p) - p^T p, with the number p^T p taken off every entry, is another matrix."""
    p = torch.tensor([0.5, 0.3, 0.2], dtype=f64)
    V = torch.eye(3, dtype=f64)
    literal = V @ (torch.diag(p) - p @ p) @ V.T
    assert float((loss_hessian(p, V) - literal).abs().max()) > 0.1


@pytest.mark.parametrize("digits", [3, 8, 12, 100, 290])
def test_relative_precision_of_confident_points(digits: int) -> None:
    """H is about 10^-digits; the plain formula in float64 loses it entirely."""
    z = torch.tensor([digits * 2.302585092994046, 0.0, -1.0, 0.7], dtype=f64)
    V = torch.randn(5, 4, generator=torch.Generator().manual_seed(3), dtype=f64) + 10
    with mpmath.workdps(700):
        e = [mpmath.exp(mpmath.mpf(float(value))) for value in z]
        p = [value / mpmath.fsum(e) for value in e]
        W = mpmath.matrix(V.tolist())
        C = mpmath.diag(p) - mpmath.matrix(p) * mpmath.matrix(p).T
        H = W * C * W.T
        with mpmath.workdps(330):
            reference = mpmath.mp.eigsy(H, eigvals_only=True)
        g = W * (mpmath.matrix(p) - mpmath.matrix([1, 0, 0, 0]))
    P = torch.softmax(z, -1)
    found = loss_hessian_spectrum(P, V)
    top = float(reference[4])
    assert float(found.spectral_norm) == pytest.approx(top, rel=1e-12, abs=0)
    expected = [float(reference[4 - i]) for i in range(3)]
    assert found.eigenvalues.tolist() == pytest.approx(expected, rel=1e-9, abs=1e-13 * top)
    gradient = loss_gradient(P, V, 0)
    assert gradient.tolist() == pytest.approx([float(v) for v in g], rel=1e-12, abs=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_probabilities_that_round_to_one(dtype: torch.dtype) -> None:
    """The curvature is 0 and its derivatives are finite, in training precision too."""
    z = torch.tensor([1000.0, 0.0, -1000.0], dtype=dtype, requires_grad=True)
    V = torch.randn(4, 3, generator=torch.Generator().manual_seed(0), dtype=dtype)
    V.requires_grad_()
    found = loss_hessian_spectrum(torch.softmax(z, -1), V)
    assert found.full().tolist() == [0, 0, 0, 0]
    for slope in torch.autograd.grad(found.spectral_norm, (V, z)):
        assert bool(torch.isfinite(slope).all())


def test_factor() -> None:
    p = torch.tensor([0.2, 0.5, 0.3], dtype=f64)
    V = torch.randn(6, 3, generator=torch.Generator().manual_seed(0), dtype=f64)
    q, B = curvature_factor(p, V)
    assert tuple(B.shape) == (6, 2)
    assert float(q) == 0.5
    assert float((q * B @ B.T - dense_hessian(p, V)).abs().max()) < 1e-14


def test_curvature_is_differentiable() -> None:
    draw = torch.Generator().manual_seed(0)
    V = torch.randn(2, 3, 4, generator=draw, dtype=f64, requires_grad=True)
    z = torch.randn(2, 4, generator=draw, dtype=f64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda a, b: loss_hessian_spectrum(torch.softmax(a, -1), b).spectral_norm, (z, V)
    )


def test_batches() -> None:
    draw = torch.Generator().manual_seed(0)
    p = torch.softmax(torch.randn(3, 2, 5, generator=draw, dtype=f64), -1)
    V = torch.randn(2, 4, 5, generator=draw, dtype=f64)
    found = loss_hessian_spectrum(p, V)
    y = torch.arange(6).reshape(3, 2) % 5
    g = loss_gradient(p, V, y)
    for i in range(3):
        for j in range(2):
            alone = loss_hessian_spectrum(p[i, j], V[j]).eigenvalues
            assert torch.allclose(found.eigenvalues[i, j], alone, rtol=1e-12, atol=1e-14)
            expected = dense_gradient(p[i, j], V[j], int(y[i, j]))
            assert torch.allclose(g[i, j], expected, atol=1e-14)


def test_bad_input_is_named() -> None:
    V = torch.ones(3, 2, dtype=f64)
    with pytest.raises(ValueError, match="p must sum to 1"):
        loss_hessian_spectrum(torch.tensor([0.5, 0.6], dtype=f64), V)
    with pytest.raises(ValueError, match=r"p must hold probabilities in \[0, 1\], got -0.5"):
        loss_gradient(torch.tensor([1.0, -0.5], dtype=f64), V, 0)
    with pytest.raises(ValueError, match="same K"):
        loss_hessian(torch.tensor([0.5, 0.25, 0.25], dtype=f64), V)
    with pytest.raises(ValueError, match="K >= 2"):
        loss_hessian_spectrum(torch.ones(1, dtype=f64), V[:, :1])
    with pytest.raises(ValueError, match=r"V must have shape \[..., n, K\]"):
        loss_gradient(torch.tensor([0.5, 0.5], dtype=f64), V[0], 0)
