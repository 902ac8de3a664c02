"""DeepFool and Carlini & Wagner against the exact distance of a linear network."""

from __future__ import annotations

import builtins
import math

import pytest
import torch
from torch import Tensor, nn

from nbsrc.attacks import carlini_wagner, deepfool
from nbsrc.operator_norm import holder_conjugate
from tests.attacks.conftest import linear


@pytest.fixture
def case() -> tuple[nn.Module, Tensor, Tensor, Tensor, Tensor]:
    net = linear([[0.0, 0.0], [3.0, 4.0]], [0.0, -3.0], torch.float32)
    x = torch.tensor([[0.5, 0.5], [0.6, 0.45], [0.2, 0.2]])
    a = net.weight[1]
    return net, x, torch.ones(3, dtype=torch.int64), a, (x @ a - 3).detach()


@pytest.mark.parametrize("p", [2, math.inf])
def test_deepfool_finds_the_distance(case: tuple, p: float) -> None:
    net, x, y, a, margin = case
    found = deepfool(net, x, y, p, overshoot=1e-3)
    distance = margin / torch.linalg.vector_norm(a, holder_conjugate(p)).detach()
    assert found.found.tolist() == [True, True, True]
    assert found.norms[2] == 0  # misclassified without attack
    assert torch.allclose(found.norms[:2], distance[:2], rtol=3e-3)
    assert torch.equal(net(found.x).argmax(1) != y, found.found)


def test_carlini_wagner_finds_the_distance(case: tuple) -> None:
    net, x, y, a, margin = case
    found = carlini_wagner(net, x, y, steps=120, binary_search_steps=6, initial_const=1.0)
    assert bool(found.found.all())
    assert torch.all(found.norms[:2] >= margin[:2] / a.norm().detach() * (1 - 1e-5))
    assert torch.allclose(found.norms[:2], (margin / a.norm()).detach()[:2], rtol=0.05)


def test_nothing_to_attack(case: tuple) -> None:
    net, x, y, *_ = case
    found = deepfool(net, x[2:], y[2:])
    assert found.norms.tolist() == [0.0]
    assert torch.equal(found.x, x[2:])


def test_nothing_found_is_infinite() -> None:
    net = linear([[0.0, 0.0], [0.0, 0.0]], [0.0, 1.0], torch.float32)
    x, y = torch.full((1, 2), 0.5), torch.ones(1, dtype=torch.int64)
    found = carlini_wagner(net, x, y, steps=3, binary_search_steps=1)
    assert math.isinf(float(found.norms))
    assert not bool(found.found)
    assert torch.equal(found.x, x)


def test_network_and_gradients_are_untouched(trained: nn.Module, digits: tuple) -> None:
    trained.train()
    marks = [torch.ones_like(parameter) for parameter in trained.parameters()]
    for parameter, mark in zip(trained.parameters(), marks, strict=True):
        parameter.grad = mark
    before = {name: value.clone() for name, value in trained.state_dict().items()}
    deepfool(trained, digits[0][:10], digits[1][:10], steps=5)
    assert trained.training
    assert all(torch.equal(before[name], value) for name, value in trained.state_dict().items())
    for parameter, mark in zip(trained.parameters(), marks, strict=True):
        assert parameter.requires_grad
        assert parameter.grad is mark
        assert torch.equal(mark, torch.ones_like(mark))
        parameter.grad = None


def test_errors(case: tuple, monkeypatch: pytest.MonkeyPatch) -> None:
    net, x, y, *_ = case
    with pytest.raises(NotImplementedError, match="p = 2 and infinity, got 1"):
        deepfool(net, x, y, 1)
    with pytest.raises(ValueError, match="x must lie in"):
        deepfool(net, x + 1, y)
    plain = builtins.__import__

    def missing(name: str, *rest: object, **more: object) -> object:
        if name == "foolbox":
            raise ImportError(name)
        return plain(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ImportError, match="nbsrc\\[attacks\\]"):
        deepfool(net, x, y)
