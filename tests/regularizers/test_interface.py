"""Hooks run in their order, compositions are flat, and states travel."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from nbsrc.regularizers import (
    Composition,
    NormDecay,
    Regularizer,
    WeightDecay,
    compose,
    training_step,
    weight_layers,
)


class Recorder(Regularizer):
    """Writes down its calls."""

    def __init__(self, name, log, value=None):
        self.name, self.log, self.value = name, log, value

    def penalty(self, model, x, y, logits):
        self.log.append((self.name, "penalty", logits.requires_grad))
        return None if self.value is None else self.value * model.weight.sum()

    def after_backward(self, model):
        self.log.append((self.name, "backward", model.weight.grad is not None))

    def after_step(self, model):
        self.log.append((self.name, "step"))

    def after_epoch(self, model):
        self.log.append((self.name, "epoch"))


def net():
    layer = nn.Linear(2, 2, dtype=torch.float64)
    layer.weight.data.copy_(torch.tensor([[1.0, -2.0], [0.5, 3.0]]))
    layer.bias.data.zero_()
    return layer


X, Y = torch.tensor([[1.0, 2.0]], dtype=torch.float64), torch.tensor([1])


def test_the_hooks_of_a_step_run_in_their_order():
    log, model = [], net()
    both = compose(Recorder("a", log), compose(Recorder("b", log, 0.5), Recorder("c", log)))
    assert [part.name for part in both.parts] == ["a", "b", "c"]
    training_step(model, X, Y, torch.optim.SGD(model.parameters(), lr=0.1), both)
    both.after_epoch(model)
    assert [entry[0] for entry in log] == list("abc") * 4
    assert [entry[1] for entry in log[::3]] == ["penalty", "backward", "step", "epoch"]
    assert log[0][2]
    assert log[3][2]


def test_penalties_add_up_and_reach_the_parameters():
    model, log = net(), []
    before = model.weight.detach().clone()
    loss = F.cross_entropy(model(X), Y)
    (gradient,) = torch.autograd.grad(loss, [model.weight])
    both = compose(Recorder("a", log, 0.5), Recorder("b", log), Recorder("c", log, 2.0))
    value = training_step(model, X, Y, torch.optim.SGD(model.parameters(), lr=0.1), both)
    assert value.item() == pytest.approx(loss.item() + 2.5 * before.sum().item())
    torch.testing.assert_close(model.weight.detach(), before - 0.1 * (gradient + 2.5))


def test_no_penalty_is_no_term():
    model = net()
    assert compose().penalty(model, X, Y, model(X)) is None
    assert Regularizer().penalty(model, X, Y, model(X)) is None
    assert compose().state_dict() == {}


def test_a_state_needs_the_same_parts():
    model = net()
    layers = weight_layers(model, (1, 2))
    model.weight.grad = torch.zeros_like(model.weight)
    first = compose(WeightDecay(["weight"], 1.0), NormDecay(layers, order=1, beta=1.0))
    first.after_backward(model)
    second = compose(WeightDecay(["weight"], 1.0), NormDecay(layers, order=1, beta=1.0))
    second.load_state_dict(first.state_dict())
    h = second.state_dict()["1:NormDecay"]["h"][""]
    assert h.abs().sum() > 0
    with pytest.raises(ValueError, match=r"the state must be of the parts \['0:NormDecay'\]"):
        compose(first.parts[1]).load_state_dict(first.state_dict())
    with pytest.raises(ValueError, match="WeightDecay has no state, got one with h"):
        first.parts[0].load_state_dict({"h": {}})


def test_only_regularizers_compose():
    with pytest.raises(TypeError, match="argument 2 of compose must be a Regularizer, got int"):
        Composition(Regularizer(), 3)
