"""FGSM and PGD against linear networks whose worst case is known, and on digits."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from nbsrc.attacks import fgsm, pgd
from nbsrc.operator_norm import LogitNorm, holder_conjugate, pga
from tests.attacks.conftest import linear


def worst_margin(net: nn.Module, x: Tensor, eps: float, p: float) -> Tensor:
    """The exact smallest margin of class 1 over class 0 in the ball, far from the pixel box."""
    a = net.weight[1] - net.weight[0]
    margin = x @ a + net.bias[1] - net.bias[0]
    return margin - eps * torch.linalg.vector_norm(a, holder_conjugate(p))


@pytest.mark.parametrize("p", [1, 2, math.inf])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_two_classes_exactly(p: float, dtype: torch.dtype) -> None:
    net = linear([[0.0, 0.0, 0.0], [3.0, -2.0, 1.0]], [0.0, -0.85], dtype)
    x = 0.5 + 0.1 * torch.rand(200, 3, generator=torch.Generator().manual_seed(0), dtype=dtype)
    y = torch.ones(200, dtype=torch.int64)
    worst = worst_margin(net, x, 0.05, p)
    assert 20 < int((worst < 0).sum()) < 180
    for found in (fgsm(net, x, y, 0.05, p), pgd(net, x, y, 0.05, p, steps=2, alpha=math.inf)):
        assert torch.equal(found.broken, worst < 0)
        sizes = torch.linalg.vector_norm(found.x - x, p, dim=1)
        assert float(sizes.max()) <= 0.05 * (1 + 1e-5)
        assert found.accuracy.correct == int((worst >= 0).sum())


def test_iterates_stay_in_ball_and_box(trained: nn.Module, digits: tuple[Tensor, Tensor]) -> None:
    x, y = digits[0][:60], digits[1][:60]
    for p, eps in ((1, 3.0), (2, 0.6), (math.inf, 0.1)):
        found = pgd(trained, x, y, eps, p, steps=8)
        assert 0 <= float(found.x.min()) <= float(found.x.max()) <= 1
        assert float(torch.linalg.vector_norm(found.x - x, p, dim=1).max()) <= eps * (1 + 1e-5)


def test_bounds_of_pga_clip(trained: nn.Module, digits: tuple[Tensor, Tensor]) -> None:
    trained.eval()
    x = digits[0][:8]
    start = (x + 0.05).clamp(0, 1)
    arguments = (trained, x, 0.2, math.inf, LogitNorm(2), 0.1, 3, start)
    assert float(pga(*arguments).x.max()) > 1
    inside = pga(*arguments, bounds=(0.0, 1.0)).x
    assert 0 <= float(inside.min()) <= float(inside.max()) <= 1
    with pytest.raises(ValueError, match="x must lie within bounds"):
        pga(*arguments, bounds=(0.0, 0.5))
    with pytest.raises(ValueError, match="x0 must lie within bounds"):
        pga(trained, x, 0.2, math.inf, LogitNorm(2), 0.1, 3, x - 0.1, bounds=(0.0, 1.0))


def test_stronger_attacks_break_more(trained: nn.Module, digits: tuple[Tensor, Tensor]) -> None:
    x, y = digits[0][1500:1700], digits[1][1500:1700]
    one, many = fgsm(trained, x, y, 0.1), pgd(trained, x, y, 0.1, steps=20, restarts=2)
    clean = pgd(trained, x, y, 0.0, steps=1)
    assert clean.accuracy.correct == clean.accuracy.clean_correct == one.accuracy.clean_correct
    assert many.accuracy.correct <= one.accuracy.correct < one.accuracy.clean_correct
    assert "2 random start" in many.accuracy.attack


def test_same_seed_same_attack_and_network_untouched(
    trained: nn.Module, digits: tuple[Tensor, Tensor]
) -> None:
    trained.train()
    before = {name: value.clone() for name, value in trained.state_dict().items()}
    state = torch.random.get_rng_state()
    x, y = digits[0][:40], digits[1][:40]
    one, two = (pgd(trained, x, y, 0.1, steps=3, seed=5) for _ in range(2))
    assert torch.equal(one.x, two.x)
    assert not torch.equal(one.x, pgd(trained, x, y, 0.1, steps=3, seed=6).x)
    assert trained.training
    assert all(torch.equal(before[name], value) for name, value in trained.state_dict().items())
    assert all(parameter.requires_grad for parameter in trained.parameters())
    assert torch.equal(state, torch.random.get_rng_state())


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"x": torch.full((2, 64), 2.0)}, ValueError, "x must lie in \\[0, 1\\]"),
        ({"x": torch.zeros(2, 64, dtype=torch.int64)}, TypeError, "x must be a float"),
        ({"y": torch.zeros(3, dtype=torch.int64)}, ValueError, "labels"),
        ({"y": torch.zeros(2)}, TypeError, "y must be a tensor of int64"),
        ({"net": len}, TypeError, "net must be a torch.nn.Module"),
        ({"restarts": 0}, ValueError, "restarts must be at least 1"),
        ({"restarts": 1.5}, TypeError, "restarts must be an integer, got 1.5"),
        ({"steps": 0}, ValueError, "steps must be at least 1, got 0"),
        ({"steps": "3"}, TypeError, "steps must be an integer, got '3'"),
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1, got 0"),
        ({"eps": "1e-1"}, TypeError, "eps must be a number, got '1e-1'"),
        ({"alpha": "a"}, TypeError, "alpha must be a number, got 'a'"),
        ({"seed": -1}, ValueError, "seed must be at least 0"),
        ({"seed": 0.5}, TypeError, "seed must be an integer"),
        ({"eps": -1.0}, ValueError, "eps"),
    ],
)
def test_errors(trained: nn.Module, change: dict, error: type, message: str) -> None:
    arguments = {
        "net": trained, "x": torch.zeros(2, 64), "y": torch.zeros(2, dtype=torch.int64), "eps": 0.1,
    }  # fmt: skip
    with pytest.raises(error, match=message):
        pgd(**{**arguments, **change})


def test_one_output_is_no_classifier(digits: tuple[Tensor, Tensor]) -> None:
    with pytest.raises(ValueError, match="at least 2 classes"):
        fgsm(nn.Linear(64, 1), digits[0][:2], torch.zeros(2, dtype=torch.int64), 0.1)
