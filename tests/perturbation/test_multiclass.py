"""The K-class Taylor minimiser against the dense problem, two classes, and scipy."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nbsrc.perturbation.multiclass import (
    taylor_perturbation_from_logits,
    taylor_perturbation_multiclass,
)
from nbsrc.perturbation.quadratic import minimal_quadratic
from nbsrc.perturbation.softmax import loss_slack
from nbsrc.perturbation.taylor import taylor_norm_from_margin
from tests.perturbation.affine_pieces import (
    QUICK,
    THOROUGH,
    Piece,
    dense_gradient,
    dense_hessian,
    matrix,
    pieces,
)

f64 = torch.float64
MODERATE = ("generic", "rank one", "two columns")


@given(pieces(kinds=(*MODERATE, "zero", "equal columns")), st.sampled_from([1, 2, math.inf]))
@THOROUGH
def test_it_solves_the_dense_problem(piece: Piece, ord: float) -> None:
    xi = loss_slack(piece.z, piece.y)
    found = taylor_perturbation_from_logits(piece.z, piece.V, piece.y, ord=ord)
    if float(xi) == 0:
        assert float(found.norm) == 0
        return
    H = dense_hessian(piece.p, piece.V)
    if piece.kind in {"zero", "equal columns"}:
        assert math.isinf(found.norm)
        return
    # The dense route is only as good as its gradient: use the sum that does not cancel.
    D = piece.V - piece.V[:, piece.y : piece.y + 1]
    g = D @ piece.p
    reference = minimal_quadratic(g, (H + H.T) / 2, xi, ord)
    assert float(found.norm) == pytest.approx(float(reference.norm), rel=1e-6, abs=0)
    r = found.perturbation
    assert float(torch.linalg.vector_norm(r, ord)) == pytest.approx(
        float(found.norm), rel=1e-12, abs=0
    )
    assert float(g @ r + r @ H @ r / 2) == pytest.approx(float(xi), rel=1e-10, abs=0)


@given(pieces(kinds=MODERATE, classes=(2, 6)))
@QUICK
def test_probabilities_and_logits_agree(piece: Piece) -> None:
    a = taylor_perturbation_multiclass(piece.p, piece.V, piece.y, xi=0.3)
    slack = float(loss_slack(piece.z, piece.y))
    b = taylor_perturbation_from_logits(
        piece.z, piece.V, piece.y, threshold=0.3 + math.log(piece.K) - slack
    )
    assert float(a.norm) == pytest.approx(float(b.norm), rel=1e-9, abs=0)


@given(st.floats(1e-9, 1300), st.integers(0, 10**6), st.sampled_from([1, 2, math.inf]))
@THOROUGH
def test_two_classes_are_propositions_31_and_32(t: float, seed: int, ord: float) -> None:
    V = matrix("generic", 5, 2, seed)
    z = torch.tensor([0.0, t], dtype=f64)
    a = V[:, 0] - V[:, 1]
    nu = torch.linalg.vector_norm(a, {1: math.inf, 2: 2, math.inf: 1}[ord])
    found = taylor_perturbation_from_logits(z, V, 1, ord=ord)
    assert float(found.norm) == pytest.approx(
        float(taylor_norm_from_margin(t, nu)), rel=1e-12, abs=0
    )


def test_a_common_shift_of_the_columns_changes_nothing() -> None:
    V = matrix("generic", 4, 5, 0)
    p = torch.tensor([0.6, 0.1, 0.1, 0.1, 0.1], dtype=f64)
    shifted = taylor_perturbation_multiclass(p, V + 3.0, 0)
    assert float(shifted.norm) == pytest.approx(
        float(taylor_perturbation_multiclass(p, V, 0).norm), rel=1e-13
    )


def test_hard_case_by_symmetry() -> None:
    """Rivals at (1, +-h), equally probable: the gradient is along x, the curvature along y."""
    h = 5.0
    V = torch.tensor([[0.0, 1.0, 1.0], [0.0, h, -h]], dtype=f64)
    p = torch.tensor([0.5, 0.25, 0.25], dtype=f64)
    found = taylor_perturbation_multiclass(p, V, 0)
    assert bool(found.hard_case)
    g, H = dense_gradient(p, V, 0), dense_hessian(p, V)
    top, low = float(H[1, 1]), float(H[0, 0])
    assert float(H[0, 1]) == 0
    x = float(g[0]) / (top - low)
    y2 = 2 * (math.log(1.5) - float(g[0]) * x - low * x**2 / 2) / top
    assert float(found.norm) == pytest.approx(math.sqrt(x**2 + y2), rel=1e-13, abs=0)
    assert found.perturbation.abs().tolist() == pytest.approx([x, math.sqrt(y2)], rel=1e-12, abs=0)


def test_multiple_leading_eigenvalue() -> None:
    """Columns at the corners of a regular simplex, uniform rivals."""
    K = 5
    V = torch.eye(K, dtype=f64)
    p = torch.tensor([0.6, *[0.1] * 4], dtype=f64)
    found = taylor_perturbation_multiclass(p, V, 0)
    H = dense_hessian(p, V)
    reference = minimal_quadratic(dense_gradient(p, V, 0), H, math.log(3.0))
    assert float(found.norm) == pytest.approx(float(reference.norm), rel=1e-12, abs=0)


def test_uniform_probabilities_need_no_perturbation() -> None:
    V = matrix("generic", 3, 4, 0)
    found = taylor_perturbation_from_logits(torch.zeros(4, dtype=f64), V, 2)
    assert float(found.norm) == 0
    assert found.perturbation.tolist() == [0, 0, 0]


def test_batches_with_a_shared_map() -> None:
    draw = torch.Generator().manual_seed(0)
    z = 2 * torch.randn(6, 4, generator=draw, dtype=f64)
    V, y = matrix("generic", 3, 4, 1), z.argmax(-1)
    together = taylor_perturbation_from_logits(z, V, y)
    assert tuple(together.perturbation.shape) == (6, 3)
    for i in range(6):
        alone = taylor_perturbation_from_logits(z[i], V, int(y[i]))
        assert float(alone.norm) == pytest.approx(float(together.norm[i]), rel=1e-13, abs=0)


def test_bad_input_is_named() -> None:
    V = torch.ones(3, 3, dtype=f64)
    p = torch.tensor([0.2, 0.3, 0.5], dtype=f64)
    with pytest.raises(ValueError, match="the loss must be at most the threshold"):
        taylor_perturbation_multiclass(p, V, 0)
    with pytest.raises(ValueError, match="the label's probability must be above 0"):
        taylor_perturbation_multiclass(torch.tensor([0.0, 0.5, 0.5], dtype=f64), V, 0)
    with pytest.raises(ValueError, match="must be below 1, got 1 after rounding"):
        taylor_perturbation_multiclass(torch.tensor([0.0, 0.0, 1.0], dtype=f64), V, 2)
    with pytest.raises(ValueError, match=r"loss above it by 0\.5108"):
        taylor_perturbation_from_logits(p.log(), V, 0)
    with pytest.raises(ValueError, match="K >= 2"):
        taylor_perturbation_multiclass(p[:1] * 5, V[:, :1], 0)
    with pytest.raises(ValueError, match="same K"):
        taylor_perturbation_multiclass(p, V[:, :2], 2)
    with pytest.raises(NotImplementedError, match="limited to n <="):
        taylor_perturbation_multiclass(p, V.repeat(10, 1), 2, ord=math.inf)
