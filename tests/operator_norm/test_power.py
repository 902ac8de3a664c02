"""The power method against dense algebra, convexity, ties and zeros."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from nbsrc.operator_norm import (
    LinearMap,
    exact_operator_norm,
    limit_projection,
    matrix_map,
    norm_gradient,
    power_method,
    project_sphere,
)
from tests.operator_norm.norm_oracles import PAIRS, gaussian, integers


def unit(v: torch.Tensor, p: float) -> torch.Tensor:
    scaled: torch.Tensor = v / torch.linalg.vector_norm(v, p, dim=-1, keepdim=True)
    return scaled


def test_the_spectral_norm_and_its_vectors() -> None:
    J = gaussian(5, 8, seed=1)
    found = power_method(J, 2, 2, unit(gaussian(8, seed=2), 2), steps=300)
    left, values, right = np.linalg.svd(J.numpy())
    assert float(found.value) == pytest.approx(values[0], rel=1e-12)
    assert abs(float(found.v @ torch.from_numpy(right[0].copy()))) == pytest.approx(1, abs=1e-12)
    assert abs(float(found.u @ torch.from_numpy(left[:, 0].copy()))) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize(("p", "q"), PAIRS)
def test_the_iterates_are_equation_9_with_autograd(p: float, q: float) -> None:
    """The gradient of ||Jv||_q by autograd, then the projection; finite and large steps."""
    J, v0 = gaussian(4, 6, seed=3), unit(gaussian(6, seed=4), p)
    for alpha in (0.1, 1.0, 1e9):
        found = power_method(J, p, q, v0, 6, alpha, keep_iterates=True)
        assert found.vs is not None
        v = v0
        for iterate in found.vs[1:]:
            point = v.clone().requires_grad_()
            gain = torch.linalg.vector_norm(J @ point, q)
            (slope,) = torch.autograd.grad(gain, point)
            v = project_sphere(v + alpha * slope, torch.zeros_like(v), 1.0, p)
            assert iterate == pytest.approx(v, abs=1e-7 if alpha > 1e6 else 1e-12)
            v = iterate


@pytest.mark.parametrize(("p", "q"), PAIRS)
@pytest.mark.parametrize(
    ("alpha", "limit"),
    [(math.inf, "printed"), (math.inf, "projection"), (0.1, "printed"), (1.0, "printed")],
)
def test_the_gains_never_fall_and_bound_the_norm(
    p: float, q: float, alpha: float, limit: str
) -> None:
    J = torch.cat([gaussian(15, 1, 3, 4, seed=5), integers(15, 1, 3, 4, seed=6)])
    J = J[(J != 0).flatten(1).any(1)]
    v0 = unit(gaussian(len(J), 20, 4, seed=7), p)
    found = power_method(J, p, q, v0, 40, alpha, limit=limit, on_zero="keep")
    scale = exact_operator_norm(J[:, 0], p, q).unsqueeze(-1)
    assert bool((found.gains.diff(dim=0) >= -1e-13 * scale).all())
    assert bool((found.value <= scale * (1 + 1e-13)).all())
    assert torch.equal(found.value, found.gains[-1])


@pytest.mark.parametrize(("p", "q"), [(3, 2), (1.5, 4), (2, 3), (7, 1)])
def test_general_orders_in_the_limit(p: float, q: float) -> None:
    J, v0 = gaussian(3, 4, seed=8), unit(gaussian(30, 4, seed=9), p)
    found = power_method(J, p, q, v0, 300)
    rivals = unit(gaussian(20_000, 4, seed=10), p)
    best = float(torch.linalg.vector_norm(rivals @ J.T, q, dim=1).max())
    assert best <= float(found.value.max()) <= best * 1.05
    assert bool((found.gains.diff(dim=0) >= -1e-12).all())


@pytest.mark.parametrize(
    ("p", "q", "J", "v0", "stays", "norm"),
    [
        (1, 2, [[1, 0], [0, 1]], [0.5, 0.5], math.sqrt(0.5), 1.0),
        (2, 1, [[1, 0], [0, 1]], [1.0, 0.0], 1.0, math.sqrt(2)),
        (math.inf, 1, [[1, 0], [0, 1]], [1.0, 0.0], 1.0, 2.0),
        (math.inf, 2, [[1, 0], [0, 1]], [1.0, 0.0], 1.0, math.sqrt(2)),
        (1, 1, [[1, 0], [0, 2]], [1.0, 0.0], 1.0, 2.0),
        (2, 2, [[1, 0], [0, 2]], [1.0, 0.0], 1.0, 2.0),
        (math.inf, math.inf, [[1, 0], [0, 2]], [1.0, 0.0], 1.0, 2.0),
    ],
)
def test_fixed_points_below_the_norm(
    p: float, q: float, J: list[list[int]], v0: list[float], stays: float, norm: float
) -> None:
    matrix, start = torch.tensor(J).double(), torch.tensor(v0).double()
    assert float(power_method(matrix, p, q, start, 50).value) == pytest.approx(stays)
    assert float(exact_operator_norm(matrix, p, q)) == pytest.approx(norm)


@settings(max_examples=40, deadline=None)
@given(
    entries=st.lists(st.integers(-2, 2), min_size=6, max_size=6),
    start=st.lists(st.integers(-2, 2), min_size=3, max_size=3).filter(any),
    pair=st.sampled_from(PAIRS),
)
@example(entries=[2, -2, 1, 0, 2, 1], start=[-2, -2, -2], pair=(1, 2))
def test_with_ties_the_projection_limit_is_the_limit_of_steps(
    entries: list[int], start: list[int], pair: tuple[float, float]
) -> None:
    p, q = pair
    J = torch.tensor(entries).double().reshape(2, 3)
    v0 = unit(torch.tensor(start).double(), p)
    direction = matrix_map(J).backward(norm_gradient(J @ v0, q)) if (J @ v0).any() else J[0] * 0
    # ties are exact ties: one that rounding has broken is none, and no finite step sees that
    sizes = torch.cat([direction.abs(), torch.zeros(1).double()])
    gaps = (sizes[:, None] - sizes).abs()
    assume(bool(((gaps == 0) | (gaps > 1e-6)).all()))
    options = {"steps": 1, "on_zero": "keep"}
    limit = power_method(J, p, q, v0, limit="projection", **options)  # type: ignore[arg-type]
    near = power_method(J, p, q, v0, alpha=2.0**24, **options)  # type: ignore[arg-type]
    assert near.v == pytest.approx(limit.v, abs=1e-6)
    if direction.any():
        assert torch.equal(limit.v, limit_projection(v0, direction, p))


def test_zero_directions() -> None:
    J = torch.tensor([[1.0, 0.0], [0.0, 0.0]])
    dead = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    with pytest.raises(ValueError, match=r"direction of iteration 1 \(J v or J\^T u\) must not be"):
        power_method(J, 2, 2, dead, 3)
    kept = power_method(J, 2, 2, dead, 3, on_zero="keep")
    assert kept.v.tolist() == dead.tolist()
    assert kept.value.tolist() == [0.0, 1.0]
    down = torch.tensor([0.0, -1.0])
    assert power_method(J, 2, 2, down, 3, 1.0, on_zero="keep").v.tolist() == [0.0, -1.0]
    ones = -torch.ones(1)
    assert power_method(torch.zeros(1, 1), 2, 2, ones, 3, 1.0, on_zero="keep").v.tolist() == [-1.0]


def test_shapes_broadcast_and_iterates_are_kept_on_request() -> None:
    J, v0 = gaussian(5, 1, 3, 4, seed=1), gaussian(7, 4, seed=2)
    found = power_method(J, 1, 1, v0, 6, keep_iterates=True)
    assert found.vs is not None
    assert found.us is not None
    assert found.vs.shape == (7, 5, 7, 4)
    assert found.us.shape == (6, 5, 7, 3)
    assert found.gains.shape == (7, 5, 7)
    single = power_method(J[3, 0], 1, 1, v0[2], 6)
    assert single.v == pytest.approx(found.v[3, 2], abs=1e-14)
    assert power_method(J, 1, 1, v0, 6).vs is None


def test_products_are_enough_and_are_counted() -> None:
    J, v0 = gaussian(3, 4, seed=3, dtype=torch.float32), gaussian(4, seed=4, dtype=torch.float32)
    calls = {"forward": 0, "backward": 0}
    dense = matrix_map(J)

    def forward(v: torch.Tensor) -> torch.Tensor:
        calls["forward"] += 1
        return dense.forward(v)

    def backward(u: torch.Tensor) -> torch.Tensor:
        calls["backward"] += 1
        return dense.backward(u)

    found = power_method(LinearMap(forward, backward), math.inf, 1, v0, 5)
    assert calls == {"forward": 6, "backward": 5}
    assert found.v.dtype == torch.float32
    assert torch.equal(found.v, power_method(J, math.inf, 1, v0, 5).v)


def test_bad_arguments_are_named() -> None:
    J, v = torch.eye(2), torch.ones(2)
    with pytest.raises(NotImplementedError, match="a finite step is implemented for p in"):
        power_method(J, 3, 2, v, 2, 1.0)
    with pytest.raises(ValueError, match="steps must be a positive integer, got 0"):
        power_method(J, 2, 2, v, 0)
    with pytest.raises(ValueError, match=r"alpha must be a positive number, got 0\.0"):
        power_method(J, 2, 2, v, 2, 0.0)
    with pytest.raises(ValueError, match="limit must be one of"):
        power_method(J, 2, 2, v, 2, limit="true")
    with pytest.raises(ValueError, match="on_zero must be one of"):
        power_method(J, 2, 2, v, 2, on_zero="skip")
    with pytest.raises(ValueError, match="v0 must have 2 entries, one per column, got 3"):
        power_method(J, 2, 2, torch.ones(3), 2)
    with pytest.raises(TypeError, match="v0 must have the dtype"):
        power_method(J, 2, 2, v.double(), 2)
    with pytest.raises(ValueError, match="v0 must be finite"):
        power_method(J, 2, 2, v * math.nan, 2)
    with pytest.raises(ValueError, match=r"p must be at least 1, got 0\.9"):
        power_method(J, 0.9, 2, v, 2)
