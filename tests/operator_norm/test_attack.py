"""Projected gradient ascent: Theorem 1 iterate by iterate, against autograd, and at its edges."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from nbsrc.linear_region import region_radius
from nbsrc.models import build_model
from nbsrc.operator_norm import (
    AttackLoss,
    CrossEntropy,
    LogitNorm,
    attack,
    dual_vector,
    network_map,
    operator_norm,
    pga,
    power_method,
    project_ball,
    uniform_in_ball,
)
from tests.operator_norm.norm_oracles import (
    ORDERS,
    PAIRS,
    gaussian,
    generator,
    integers,
    linear_net,
    mlp,
)


def starts(x: Tensor, eps: Tensor, p: float) -> list[Tensor]:
    """Inside the ball, on the sphere, and near the centre."""
    inside = uniform_in_ball(x, eps, p, generator(1))
    offset = inside - x
    length = torch.linalg.vector_norm(offset, p, dim=1, keepdim=True)
    return [inside, x + eps.unsqueeze(-1) * offset / length, x + 1e-3 * offset]


def deviation(net: nn.Module, p: float, q: float, factor: float, step: float) -> float:
    """Largest distance of (x_k - x) / eps from v_k of the power method, for k >= 1.

    In units of the rounding of f(x_0) - f(x) relative to its size, which grows as x_0 nears x.
    """
    x = gaussian(4, 6, seed=3)
    eps = factor * region_radius(net, x, p)
    worst = 0.0
    for x0 in starts(x, eps, p):
        alpha = math.inf if step == math.inf else step * eps
        ascent = pga(net, x, eps, p, LogitNorm(q), alpha, 6, x0, keep_iterates=True)
        v0 = (x0 - x) / eps.unsqueeze(-1)
        power = power_method(network_map(net, x), p, q, v0, 6, keep_iterates=True)
        assert ascent.xs is not None
        assert power.vs is not None
        gap = (ascent.xs - x) / eps.unsqueeze(-1) - power.vs
        rounding = torch.finfo(x.dtype).eps * net(x).detach().norm(dim=1) / power.gains[0] / eps
        worst = max(worst, float((gap[1:].abs().amax(-1).amax(0) / rounding).max()))
    return worst


@pytest.mark.parametrize(("p", "q"), PAIRS)
def test_theorem_1_iterate_by_iterate(p: float, q: float) -> None:
    for seed in range(4):
        net = mlp((6, 10, 10, 4), seed)
        assert deviation(net, p, q, 0.9, math.inf) < 1e3
        if p != 2:  # the limit is exact from twice the radius on
            assert deviation(net, p, q, 0.9, 2.0) < 1e3


@pytest.mark.parametrize("q", ORDERS)
def test_for_p_2_the_distance_to_the_limit_falls_like_one_over_the_step(q: float) -> None:
    net, x = mlp((6, 10, 10, 4), 1), gaussian(4, 6, seed=3)
    eps = 0.9 * region_radius(net, x, 2)
    x0 = uniform_in_ball(x, eps, 2, generator(1))
    limit = pga(net, x, eps, 2, LogitNorm(q), math.inf, 1, x0).x
    for step in (1e2, 1e4, 1e6):
        found = pga(net, x, eps, 2, LogitNorm(q), step * eps, 1, x0).x
        gap = torch.linalg.vector_norm(found - limit, dim=1) / eps
        assert float(gap.max()) <= 1.01 / step
        assert float(gap.max()) >= 0.01 / step


def test_outside_the_region_the_iterates_part() -> None:
    parted = [
        deviation(mlp((6, 10, 10, 4), seed), math.inf, 1, 30.0, math.inf) for seed in range(4)
    ]
    assert min(parted) > 1e9


def test_a_planted_bug_breaks_the_theorem(monkeypatch: pytest.MonkeyPatch) -> None:
    """The attack's direction without the conjugate order: sign for p = 1."""
    net = mlp((6, 10, 10, 4), 1)
    assert deviation(net, 1, 2, 0.9, math.inf) < 1e3
    monkeypatch.setattr(attack, "holder_conjugate", lambda p: p)
    assert deviation(net, 1, 2, 0.9, math.inf) > 1e9


@pytest.mark.parametrize("p", ORDERS)
@pytest.mark.parametrize("number", range(3))
def test_finite_steps_against_autograd(p: float, number: int) -> None:
    labels = torch.tensor([0, 1, 2])
    losses: list[AttackLoss] = [LogitNorm(2), CrossEntropy(labels)]
    losses.append(CrossEntropy(labels, targeted=True, beta=2.0))
    loss = losses[number]
    net, x = mlp((5, 12, 3), 7), gaussian(3, 5, seed=8)
    eps, alpha = torch.tensor([0.5, 1.0, 2.0]).double(), 0.2
    x0 = uniform_in_ball(x, eps, p, generator(9))
    found = pga(net, x, eps, p, loss, alpha, 8, x0, keep_iterates=True)
    assert found.xs is not None
    for now, then in zip(found.xs, found.xs[1:], strict=False):
        point = now.clone().requires_grad_()
        value = loss.value(net(x).detach(), net(point))
        (slope,) = torch.autograd.grad(value.sum(), point)
        assert then == pytest.approx(
            project_ball(now + alpha * dual_vector(slope, p), x, eps, p), abs=1e-11
        )
    offsets = torch.linalg.vector_norm((found.xs - x), p, dim=-1)
    assert bool((offsets <= eps + 1e-12).all())
    expected = loss.value(net(x).detach(), net(found.x).detach())
    assert found.losses[-1] == pytest.approx(expected.detach(), rel=1e-12)


def small_integer_attack(seed: int, p: float, alpha: float, limit: str) -> Tensor:
    """The iterates for f(x) = Jx with entries -1, 0 and 1."""
    net = linear_net(integers(2, 3, seed=seed, most=1))
    x = torch.zeros(1, 3, dtype=torch.float64)
    x0 = uniform_in_ball(x, 0.5, p, generator(seed))
    found = pga(
        net, x, 0.5, p, LogitNorm(1), alpha, 3, x0,
        limit=limit, on_zero="keep", keep_iterates=True,
    )  # fmt: skip
    assert found.xs is not None
    return found.xs


@pytest.mark.parametrize("p", [1, math.inf])
def test_ties_and_zeros_follow_the_projection_not_the_printed_limit(p: float) -> None:
    parted = 0
    for seed in range(30):
        near = small_integer_attack(seed, p, 1024.0, "printed")
        true = small_integer_attack(seed, p, math.inf, "projection")
        assert true == pytest.approx(near, abs=1e-12)
        printed = small_integer_attack(seed, p, math.inf, "printed")
        parted += not torch.allclose(printed, near, atol=1e-3)
    assert parted >= 10


def test_with_a_zero_the_attack_stays_far_below_the_power_method() -> None:
    """f(x) = Jx with J = [[1, 1], [1, 0]], and a start on the sphere."""
    J = torch.tensor([[1.0, 1.0], [1.0, 0.0]], dtype=torch.float64)
    x, x0 = torch.zeros(1, 2).double(), torch.tensor([[1.0, -1.0]], dtype=torch.float64)
    power = power_method(J, math.inf, 1, x0[0], 3)
    assert power.v.tolist() == [1.0, 1.0]
    assert float(power.value) == float(operator_norm(J, math.inf, 1).value) == 3.0
    for alpha in (2.0, 1e3, 1e6):
        found = pga(linear_net(J), x, 1.0, math.inf, LogitNorm(1), alpha, 3, x0)
        assert found.x.tolist() == x0.tolist()
        assert found.losses[-1].tolist() == [1.0]


def test_the_start_at_x_has_no_direction() -> None:
    net, x = linear_net(torch.eye(2).double()), torch.ones(1, 2).double()
    with pytest.raises(ValueError, match="the gradient of iteration 1 must not be zero"):
        pga(net, x, 0.5, 2, LogitNorm(2), math.inf, 3, x)
    kept = pga(net, x, 0.5, 2, LogitNorm(2), math.inf, 3, x, on_zero="keep")
    assert torch.equal(kept.x, x)
    assert kept.losses.abs().max().item() == 0.0
    moved = pga(net, x, 0.5, 2, CrossEntropy(torch.tensor([0])), math.inf, 3, x)
    assert moved.x == pytest.approx(
        x + torch.tensor([[-1.0, 1.0]]).double() / math.sqrt(8), abs=1e-14
    )


def test_cross_entropy_of_two_classes_follows_the_difference_of_rows() -> None:
    """One step finds the best point; the leading singular vector is orthogonal to it."""
    J = torch.tensor([[2.0, 1.0], [2.0, -1.0]], dtype=torch.float64)
    x, loss = torch.zeros(1, 2).double(), CrossEntropy(torch.tensor([0]))
    leading = torch.linalg.svd(J).Vh[0]
    for steps in (1, 5):
        found = pga(linear_net(J), x, 1.0, 2, loss, math.inf, steps, x)
        assert found.x[0] == pytest.approx(dual_vector(J[1] - J[0], 2), abs=1e-15)
        assert abs(float(found.x[0] @ leading)) < 1e-15


def test_radius_zero_stays_at_x() -> None:
    net, x = mlp((3, 5, 2), 1), gaussian(2, 3, seed=1)
    labels = torch.tensor([0, 1])
    for limit in ("printed", "projection"):
        found = pga(net, x, 0.0, 2, CrossEntropy(labels), math.inf, 2, x, limit=limit)
        assert torch.equal(found.x, x)


def test_a_resnet_in_float32_and_nothing_is_left_behind() -> None:
    net = build_model("resnet18", generator=generator(1), small_images=True).eval()
    x = gaussian(2, 3, 8, 8, seed=2, dtype=torch.float32)
    state = torch.get_rng_state()
    x0 = uniform_in_ball(x, 0.03, math.inf, generator(3))
    loss = CrossEntropy(net(x).argmax(1))
    found = pga(net, x, 0.03, math.inf, loss, 0.01, 5, x0)
    assert found.x.shape == x.shape
    assert bool((found.losses[-1] > found.losses[0]).all())
    assert torch.equal(torch.get_rng_state(), state)
    assert not found.x.requires_grad
    assert all(entry.grad is None and entry.requires_grad for entry in net.parameters())


def test_bad_arguments_are_named() -> None:
    net, x = linear_net(torch.eye(2)), torch.ones(1, 2)
    loss = LogitNorm(2)
    with pytest.raises(ValueError, match=r"x0 must lie in the ball, it is 0\.5 outside"):
        pga(net, x, 0.5, math.inf, loss, 1.0, 1, x + 1.0)
    with pytest.raises(ValueError, match="x0 must have the shape"):
        pga(net, x, 0.5, 2, loss, 1.0, 1, torch.ones(2, 2))
    with pytest.raises(NotImplementedError, match="projected gradient ascent is implemented for p"):
        pga(net, x, 0.5, 3, loss, 1.0, 1, x)
    with pytest.raises(ValueError, match="eps must be finite and at least 0, got inf"):
        pga(net, x, math.inf, 2, loss, 1.0, 1, x)
    with pytest.raises(ValueError, match="alpha must be at least 0, got nan"):
        pga(net, x, 1.0, 2, loss, math.nan, 1, x)
    with pytest.raises(ValueError, match="alpha must be infinite for all points or for none"):
        pga(net, x.repeat(2, 1), 1.0, 2, loss, torch.tensor([1.0, math.inf]), 1, x.repeat(2, 1))
    with pytest.raises(ValueError, match="steps must be a positive integer"):
        pga(net, x, 1.0, 2, loss, 1.0, True, x)
    with pytest.raises(ValueError, match="evaluation mode"):
        pga(nn.Sequential(nn.Dropout()), x, 1.0, 2, loss, 1.0, 1, x)
