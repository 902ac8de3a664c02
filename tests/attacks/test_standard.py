"""AutoAttack's adapter: parameters of the published version, and every sharp edge it takes off."""

from __future__ import annotations

import math
import sys

import pytest
import torch
from torch import Tensor, nn

from nbsrc.attacks import auto_attack, standard
from tests.attacks.conftest import linear


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same attacks with few iterations."""
    build = standard.ensemble

    def small(*arguments: object) -> object:
        attack = build(*arguments)
        attack.apgd.n_iter = attack.apgd_targeted.n_iter = attack.fab.n_iter = 6
        attack.square.n_queries = 20
        return attack

    monkeypatch.setattr(standard, "ensemble", small)


def test_ten_classes_are_the_published_standard() -> None:
    for p in (math.inf, 2, 1):
        attack = standard.ensemble(nn.Identity(), 10, 0.1, p, 0, "cpu")
        assert attack.attacks_to_run == ["apgd-ce", "apgd-t", "fab-t", "square"]
        assert attack.apgd.n_iter == attack.apgd_targeted.n_iter == attack.fab.n_iter == 100
        assert attack.apgd.n_restarts == (5 if p == 1 else 1)
        assert attack.apgd_targeted.n_target_classes == (5 if p == 1 else 9)
        assert attack.fab.n_target_classes == 9
        assert attack.square.n_queries == 5000
        assert attack.seed == 0


@pytest.mark.parametrize(("classes", "targets"), [(2, 1), (3, 2), (4, 3), (10, 9), (100, 9)])
def test_targets_for_other_numbers_of_classes(classes: int, targets: int) -> None:
    attack = standard.ensemble(nn.Identity(), classes, 0.1, math.inf, 0, "cpu")
    assert attack.fab.n_target_classes == targets
    assert ("apgd-t" in attack.attacks_to_run) == (classes >= 4)
    assert attack.apgd_targeted.n_target_classes == targets


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("classes", [2, 3, 5])
def test_linear_networks_are_attacked_exactly(classes: int, dtype: torch.dtype) -> None:
    weight = [[0.0, 0.0, 0.0]] * (classes - 1) + [[3.0, -2.0, 1.0]]
    net = linear(weight, [0.0] * (classes - 1) + [-1.0], dtype)
    x = 0.5 + 0.1 * torch.rand(40, 3, generator=torch.Generator().manual_seed(0), dtype=dtype)
    y = torch.full((40,), classes - 1)
    margin = x @ net.weight[-1] - 1
    found = auto_attack(net, x, y, 0.05)
    # 0.3 is the largest change of the margin; near the boundary float32 decides
    clear = (margin - 0.3).abs() > 1e-3
    assert torch.equal(found.broken[clear], margin[clear] < 0.3)
    assert found.x.dtype == dtype
    assert found.x.shape == x.shape
    assert float((found.x - x).abs().max()) <= 0.05 + 1e-6


@pytest.mark.usefixtures("short")
def test_images_and_digits(trained: nn.Module, digits: tuple[Tensor, Tensor]) -> None:
    x, y = digits[0][1500:1560], digits[1][1500:1560]
    one, two = (auto_attack(trained, x, y, 0.1, seed=3) for _ in range(2))
    assert torch.equal(one.x, two.x)
    assert one.accuracy.details["targets_fab_t"] == 9
    assert one.accuracy.correct < one.accuracy.clean_correct
    folded = nn.Sequential(nn.Flatten(), trained)
    images = auto_attack(folded, x.reshape(-1, 1, 8, 8), y, 0.1, seed=3)
    assert images.x.shape == (60, 1, 8, 8)


@pytest.mark.usefixtures("short")
def test_everything_is_restored(trained: nn.Module, digits: tuple[Tensor, Tensor]) -> None:
    trained.train()
    before = {name: value.clone() for name, value in trained.state_dict().items()}
    state = torch.random.get_rng_state()
    tracer = sys.gettrace()

    def trace(*_: object) -> None:
        return None

    sys.settrace(trace)
    try:
        auto_attack(trained, digits[0][:6], digits[1][:6], 0.1, 2)
        assert sys.gettrace() is trace
    finally:
        sys.settrace(tracer)
    assert trained.training
    assert torch.equal(state, torch.random.get_rng_state())
    assert all(torch.equal(before[name], value) for name, value in trained.state_dict().items())
    assert all(p.requires_grad and p.grad is None for p in trained.parameters())


@pytest.mark.usefixtures("short")
def test_no_point_left_to_attack() -> None:
    net = linear([[0.0], [1.0]], [0.0, 1.0], torch.float32)
    found = auto_attack(net, torch.full((2, 1), 0.5), torch.zeros(2, dtype=torch.int64), 0.1)
    assert found.accuracy.clean_correct == found.accuracy.correct == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"p": 3}, "p must be 1, 2 or infinity"),
        ({"eps": 0.0}, "eps must be positive"),
        ({"x": torch.full((2, 64), -0.5)}, "x must lie in"),
        ({"x": torch.zeros(2, 1, 1, 8, 8)}, "one to three input axes"),
        ({"y": torch.full((2,), 10)}, "y must be between 0 and 9"),
        ({"seed": -3}, "seed must be at least 0"),
    ],
)
def test_errors(trained: nn.Module, change: dict, message: str) -> None:
    arguments = {
        "net": trained, "x": torch.zeros(2, 64), "y": torch.zeros(2, dtype=torch.int64), "eps": 0.1,
    }  # fmt: skip
    with pytest.raises(ValueError, match=message):
        auto_attack(**{**arguments, **change})
