"""Distances of an affine piece against convex programs, grids and the class just beyond."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog

from nbsrc.perturbation.exact import (
    exact_perturbation_norm,
    exact_worst_loss,
    steepest_direction,
)
from nbsrc.perturbation.taylor import taylor_norm_from_margin, taylor_worst_loss
from tests.perturbation.affine_pieces import QUICK, THOROUGH, Piece, pieces

f64 = torch.float64
ORDERS = [1, 2, math.inf]


@given(pieces(), st.sampled_from(ORDERS))
@THOROUGH
def test_a_tie_is_reached_and_nothing_nearer_changes_the_class(piece: Piece, ord: float) -> None:
    found = exact_perturbation_norm(piece.z, piece.V, piece.y, ord)
    norm = float(found.norm)
    assert norm == pytest.approx(float(found.distances.min()))
    scale = float(piece.z.abs().max()) + float(piece.V.abs().max()) * max(1, min(norm, 1e300))
    if math.isfinite(norm):
        assert float(torch.linalg.vector_norm(found.perturbation, ord)) == pytest.approx(norm)
        logits = piece.z + found.perturbation @ piece.V
        assert int(found.target) != piece.y
        gap = float(logits[int(found.target)] - logits[piece.y])
        assert abs(gap) <= 1e-12 * scale
        assert float((logits - logits[piece.y]).max()) <= 1e-12 * scale
        if norm > 0:  # a little further along the same line the other class wins
            beyond = piece.z + 1.01 * found.perturbation @ piece.V
            assert int(beyond.argmax()) != piece.y
    else:
        assert bool(torch.isnan(found.perturbation).all())
    draw = torch.Generator().manual_seed(0)
    tries = torch.randn(200, len(piece.V), generator=draw, dtype=f64)
    tries = tries / torch.linalg.vector_norm(tries, ord, dim=-1, keepdim=True)
    inside = piece.z + 0.999 * min(norm, 1e6) * tries @ piece.V
    own = inside[:, piece.y]
    assert bool((own >= inside.amax(-1) - 1e-12 * scale).all())


@given(pieces(kinds=("generic", "shifted", "rank one"), classes=(2, 5)))
@QUICK
def test_linf_against_linear_programs(piece: Piece) -> None:
    """min t with |r_i| <= t and each rival in turn at least as large as the label."""
    n = len(piece.V)
    best = math.inf
    for k in range(piece.K):
        if k == piece.y:
            continue
        d = (piece.V[:, k] - piece.V[:, piece.y]).numpy()
        margin = float(piece.z[piece.y] - piece.z[k])
        box = np.block([[np.eye(n), -np.ones((n, 1))], [-np.eye(n), -np.ones((n, 1))]])
        run = linprog(
            np.r_[np.zeros(n), 1],
            A_ub=np.vstack([np.r_[-d, 0], box]),
            b_ub=np.r_[-margin, np.zeros(2 * n)],
            bounds=[(None, None)] * n + [(0, None)],
        )
        best = min(best, run.fun) if run.status == 0 else best
    found = exact_perturbation_norm(piece.z, piece.V, piece.y, math.inf)
    assert float(found.norm) == pytest.approx(best, rel=1e-7, abs=1e-9)


def test_on_a_grid_in_the_plane() -> None:
    z = torch.tensor([0.6, 0.0, -0.3, 0.1], dtype=f64)
    V = torch.tensor([[1.0, -0.5, 2.0, 0.0], [0.0, 1.0, 1.0, -1.5]], dtype=f64)
    axis = torch.linspace(-1, 1, 801, dtype=f64)
    grid = torch.cartesian_prod(axis, axis)
    changed = grid[(z + grid @ V).argmax(-1) != 0]
    for ord in ORDERS:
        nearest = float(torch.linalg.vector_norm(changed, ord, dim=-1).min())
        found = float(exact_perturbation_norm(z, V, 0, ord).norm)
        assert found <= nearest <= found + 0.006


def test_batches_and_shared_maps_agree_with_single_points() -> None:
    draw = torch.Generator().manual_seed(1)
    z = torch.randn(3, 5, generator=draw, dtype=f64)
    V = torch.randn(4, 5, generator=draw, dtype=f64)
    y = z.argmax(-1)
    together = exact_perturbation_norm(z, V, y)
    for i in range(3):
        alone = exact_perturbation_norm(z[i], V, int(y[i]))
        assert torch.equal(alone.norm, together.norm[i])
        assert torch.equal(alone.perturbation, together.perturbation[i])
        assert torch.equal(alone.target, together.target[i])
    many = V * torch.arange(1, 4, dtype=f64).reshape(3, 1, 1)
    scaled = exact_perturbation_norm(z[0], many, int(y[0])).norm
    assert torch.allclose(scaled, together.norm[0] / torch.arange(1, 4, dtype=f64), rtol=1e-14)


def test_certificate() -> None:
    z, V = torch.tensor([2.0, 0.0], dtype=f64), torch.tensor([[1.0, -1.0]], dtype=f64)
    for radius, certified, own in ((0.5, 0.5, False), (1.0, 1.0, True), (3.0, 1.0, True)):
        found = exact_perturbation_norm(z, V, 0, region_radius=radius)
        assert found.certified is not None
        assert found.is_network is not None
        assert (float(found.certified), bool(found.is_network)) == (certified, own)
    assert exact_perturbation_norm(z, V, 0).certified is None


def test_ties_and_points_out_of_reach() -> None:
    equal = torch.ones(3, 2, dtype=f64)
    tie = exact_perturbation_norm(torch.zeros(2, dtype=f64), equal, 0)
    assert float(tie.norm) == 0
    assert tie.perturbation.tolist() == [0, 0, 0]
    assert math.isinf(exact_perturbation_norm(torch.tensor([1.0, 0], dtype=f64), equal, 0).norm)


@given(st.one_of(st.just(0.0), st.floats(1e-300, 1000)), st.sampled_from([0.3, 1.0, 40.0]))
@THOROUGH
def test_taylor_distance_is_never_below_the_exact_one(t: float, nu: float) -> None:
    """So the Taylor distance is no guarantee: a class change lies inside its ball."""
    z = torch.tensor([t, 0.0], dtype=f64)
    V = torch.tensor([[nu, 0.0]], dtype=f64)
    exact = float(exact_perturbation_norm(z, V, 0).norm)
    taylor = float(taylor_norm_from_margin(t, nu))
    assert taylor >= exact * (1 - 1e-14)
    if t > 0.01:
        assert taylor > exact * (1 + 1e-8)


def test_worst_loss_of_the_piece() -> None:
    V = torch.tensor([[1.0, -2.0], [0.5, 0.0], [-1.0, 3.0]], dtype=f64)
    z = torch.tensor([0.7, 0.0], dtype=f64)
    corners = torch.cartesian_prod(*[torch.tensor([-0.2, 0.2], dtype=f64)] * 3)
    losses = -torch.log_softmax(z + corners @ V, -1)[:, 0]
    nu = float((V[:, 0] - V[:, 1]).abs().sum())
    found = float(exact_worst_loss(0.7, nu, 0.2))
    assert found == pytest.approx(float(losses.max()), rel=1e-14, abs=0)
    for margin in (-1000.0, -800.0):
        assert float(exact_worst_loss(margin, 1.0, 1.0)) == 1.0 - margin
    tiny = float(exact_worst_loss(700.0, 1.0, 0.0))
    assert tiny == pytest.approx(math.exp(-700), rel=1e-12, abs=0)
    # Below the boundary the Taylor maximum is too small; far beyond it, too large.
    p = 1 / (1 + math.exp(-0.7))
    assert float(taylor_worst_loss(p, 1.0, 0.7)) < float(exact_worst_loss(0.7, 1.0, 0.7))
    assert float(taylor_worst_loss(p, 1.0, 9.0)) > float(exact_worst_loss(0.7, 1.0, 9.0))


@pytest.mark.parametrize("ord", ORDERS)
def test_steepest_direction(ord: float) -> None:
    a = torch.tensor([[0.5, -2.0, 0.0], [0.0, 0.0, 0.0]], dtype=f64)
    d = steepest_direction(a, ord)
    dual = {1: math.inf, 2: 2, math.inf: 1}[ord]
    assert float(d[0] @ a[0]) == pytest.approx(float(torch.linalg.vector_norm(a[0], dual)))
    assert float(torch.linalg.vector_norm(d[0], ord)) == pytest.approx(1)
    assert d[1].tolist() == [0, 0, 0]


def test_bad_input_is_named() -> None:
    z, V = torch.tensor([0.0, 1.0], dtype=f64), torch.ones(3, 2, dtype=f64)
    with pytest.raises(ValueError, match="correctly classified, got a margin of -1"):
        exact_perturbation_norm(z, V, 0)
    with pytest.raises(ValueError, match=r"same K, got logits \(2,\) and V \(3, 4\)"):
        exact_perturbation_norm(z, torch.ones(3, 4, dtype=f64), 1)
    with pytest.raises(ValueError, match="K >= 2"):
        exact_perturbation_norm(z[:1], V[:, :1], 0)
    with pytest.raises(ValueError, match="batch dimensions must broadcast"):
        exact_perturbation_norm(z.expand(2, 2), V.expand(3, 3, 2), 1)
    with pytest.raises(ValueError, match="region_radius must be at least 0"):
        exact_perturbation_norm(z, V, 1, region_radius=-1.0)
    with pytest.raises(ValueError, match="ord must be 1, 2 or inf, got 4"):
        exact_perturbation_norm(z, V, 1, 4)
    with pytest.raises(ValueError, match="V must be finite, got nan"):
        exact_perturbation_norm(z, V * math.nan, 1)
    with pytest.raises(ValueError, match=r"V must have n >= 1 rows"):
        exact_perturbation_norm(z, V[:0], 1)
