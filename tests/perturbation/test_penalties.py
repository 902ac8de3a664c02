"""Closed forms of the penalties against their definitions."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given

from nbsrc.perturbation.bounds import cross_lipschitz_squared
from nbsrc.perturbation.penalties import (
    binary_penalties,
    cross_lipschitz_penalty,
    jacobian_penalty,
    penalty_values,
)
from tests.perturbation.affine_pieces import (
    THOROUGH,
    Piece,
    dense_gradient,
    dense_hessian,
    pieces,
)

f64 = torch.float64


@given(pieces())
@THOROUGH
def test_definitions(piece: Piece) -> None:
    found = penalty_values(piece.p, piece.V, piece.y)
    V, K = piece.V, piece.K
    scale = float(V.abs().max()) ** 2 * len(V) * K
    pairs = sum(float(((V[:, i] - V[:, j]) ** 2).sum()) for i in range(K) for j in range(i)) / K
    g, H = dense_gradient(piece.p, V, piece.y), dense_hessian(piece.p, V)
    assert float(found.jacobian) == pytest.approx(float((V**2).sum()), rel=1e-13, abs=0)
    assert float(found.cross_lipschitz) == pytest.approx(pairs, rel=1e-12, abs=1e-14 * scale)
    assert float(found.input_gradient) == pytest.approx(float(g @ g), rel=1e-12, abs=1e-15 * scale)
    h = float(torch.linalg.matrix_norm(H, 2))
    assert float(found.curvature) == pytest.approx(h, rel=1e-12, abs=1e-300)
    ordered = cross_lipschitz_squared(V)
    assert float(found.cross_lipschitz) == pytest.approx(float(ordered) * K / 2, rel=1e-14, abs=0)


@given(pieces(classes=(2, 2)))
@THOROUGH
def test_equation_11_is_the_two_class_case(piece: Piece) -> None:
    if float(piece.p[piece.y]) == 1:
        return
    found = vars(penalty_values(piece.p, piece.V, piece.y))
    printed = vars(binary_penalties(piece.p[piece.y], piece.V))
    room = 1e-15 * float(piece.V.abs().max()) ** 2 * len(piece.V)
    q = float(piece.p[1 - piece.y])
    tolerance = 1e-12 + 4e-16 / q  # 1 - p_y loses digits of q
    for name in found:
        assert float(found[name]) == pytest.approx(float(printed[name]), rel=tolerance, abs=room)


def test_scaling() -> None:
    """The input-gradient penalty is written squared, the curvature one is not: both are of
    degree 2 in V at fixed p."""
    V = torch.randn(3, 4, generator=torch.Generator().manual_seed(0), dtype=f64)
    p = torch.tensor([0.4, 0.3, 0.2, 0.1], dtype=f64)
    once, thrice = vars(penalty_values(p, V, 0)), vars(penalty_values(p, 3 * V, 0))
    for name in once:
        assert float(thrice[name]) == pytest.approx(9 * float(once[name]), rel=1e-13, abs=0)


def test_bad_input_is_named() -> None:
    V = torch.ones(2, 3, dtype=f64)
    with pytest.raises(ValueError, match="V must have K = 2 columns"):
        binary_penalties(0.5, V)
    with pytest.raises(ValueError, match="p_y must be strictly between 0 and 1, got 1"):
        binary_penalties(1.0, V[:, :2])
    with pytest.raises(ValueError, match="K >= 2"):
        jacobian_penalty(V[:, :1])
    with pytest.raises(TypeError, match=r"V must be a torch.Tensor"):
        cross_lipschitz_penalty([[1.0]])  # type: ignore[arg-type]
