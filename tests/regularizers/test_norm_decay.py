"""Norm decay against dense matrices, subgradient inequalities, and Algorithm 1 line by line."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from nbsrc.conv import Geometry, geometry_norms
from nbsrc.models import digits_cnn
from nbsrc.regularizers import NormDecay, WeightDecay, subgradient, training_step, weight_layers
from nbsrc.regularizers.subgradient import active_weights
from tests.conv.strategies import CONV, TRANSPOSED, as_matrix, conv_cases, transposed_cases

ORDERS = (1, math.inf)


def dense_subgradient(weight, geometry, order, groups, transposed=False):
    found = active_weights(weight, geometry, order, groups=groups, transposed=transposed)
    dense = torch.zeros_like(weight).flatten(2)
    dense[found.index] += found.values
    return dense.reshape(weight.shape)


def check_subgradient(weight, geometry, order, groups, transposed, oracle):
    """p is the gradient of the package's norm, and satisfies the definition on dense matrices."""
    p = dense_subgradient(weight, geometry, order, groups, transposed)
    leaf = weight.clone().requires_grad_()
    norm = geometry_norms(leaf, geometry, (order,), groups=groups, transposed=transposed)[order]
    (gradient,) = torch.autograd.grad(norm, leaf)
    assert torch.equal(p, gradient)
    here = float(torch.linalg.matrix_norm(oracle(weight), order))
    assert float((p * weight).sum()) == pytest.approx(here, abs=1e-10)
    draw = torch.Generator().manual_seed(1)
    for size in (1e-3, 1.0, 1e3):
        other = size * torch.randn(weight.shape, generator=draw, dtype=torch.float64)
        there = float(torch.linalg.matrix_norm(oracle(weight + other), order))
        assert there >= here + float((p * other).sum()) - 1e-9 * (1 + size)


def module_oracle(table, case, channels):
    options = dict(case.options)

    def oracle(weight):
        module = table[len(case.size)](*channels, tuple(weight.shape[2:]), bias=False, **options)
        module = module.double()
        module.weight.data = weight
        return as_matrix(module, channels[0], case.size)

    return oracle


@given(conv_cases(largest=5), st.sampled_from(ORDERS))
@settings(max_examples=30, deadline=None)
def test_subgradients_of_convolutions_with_any_geometry(case, order):
    groups = case.options["groups"]
    options = {k: v for k, v in case.options.items() if k != "groups"}
    geometry = Geometry.for_conv(case.size, case.weight.shape[2:], **options)
    channels = (case.weight.shape[1] * groups, case.weight.shape[0])
    oracle = module_oracle(CONV, case, channels)
    check_subgradient(case.weight, geometry, order, groups, False, oracle)


@given(transposed_cases(ndim=1), st.sampled_from(ORDERS))
@settings(max_examples=20, deadline=None)
def test_subgradients_of_transposed_convolutions(case, order):
    groups = case.options["groups"]
    options = {k: v for k, v in case.options.items() if k != "groups"}
    geometry = Geometry.for_conv_transpose(case.size, case.weight.shape[2:], ndim=1, **options)
    channels = (case.weight.shape[0], case.weight.shape[1] * groups)
    oracle = module_oracle(TRANSPOSED, case, channels)
    check_subgradient(case.weight, geometry, order, groups, True, oracle)


def test_circular_padding_of_several_turns_counts_meetings():
    geometry = Geometry.for_conv(2, 1, padding=2, padding_mode="circular")
    weight = torch.tensor([[[[-2.0]]]], dtype=torch.float64)
    assert dense_subgradient(weight, geometry, 1, 1).item() == -9  # three outputs per axis


def test_a_tie_goes_to_the_first_and_a_zero_weight_gets_zero():
    geometry = Geometry.for_conv(1, 1, ndim=1)
    weight = torch.tensor([[1.0, 2.0], [-1.0, 0.0]], dtype=torch.float64)[..., None]
    assert dense_subgradient(weight, geometry, 1, 1)[..., 0].tolist() == [[1, 0], [-1, 0]]
    weight = torch.tensor([[2.0, 0.0], [1.0, 1.0]], dtype=torch.float64)[..., None]
    assert dense_subgradient(weight, geometry, math.inf, 1)[..., 0].tolist() == [[1, 0], [0, 0]]


def small_net(seed=0):
    draw = torch.Generator().manual_seed(seed)
    net = digits_cnn(generator=draw, channels=(2, 3, 2)).double()
    x = torch.rand(6, 1, 8, 8, generator=draw, dtype=torch.float64)
    return net, x, torch.randint(10, (6,), generator=draw)


def dense_penalty(net, layers, order, beta):
    """beta/N times the norms of dense matrices, from torch's own layers on unit images."""
    total = 0.0
    for layer in layers:
        module = copy.deepcopy(net.get_submodule(layer.name))
        module.bias = None
        eye = torch.eye(math.prod(layer.input_shape), dtype=torch.float64)
        matrix = module(eye.reshape(-1, *layer.input_shape)).flatten(1).T
        total += float(torch.linalg.matrix_norm(matrix.detach(), order))
    return beta * total / len(layers)


@pytest.mark.parametrize("order", ORDERS)
def test_value_and_gradient_against_dense_matrices(order):
    net, _, _ = small_net()
    layers = weight_layers(net, (1, 1, 8, 8))
    decay = NormDecay(layers, order=order, beta=0.3, gamma=0.0)
    assert decay.value(net).item() == pytest.approx(dense_penalty(net, layers, order, 0.3))
    decay.after_backward(net)
    width = 1e-6
    for layer in layers:
        weight = layer.weight(net)
        for entry in range(0, weight.numel(), 7):
            ends = []
            for sign in (1, -1):
                moved = copy.deepcopy(net)
                layer.weight(moved).data.view(-1)[entry] += sign * width
                ends.append(dense_penalty(moved, layers, order, 0.3))
            slope = (ends[0] - ends[1]) / (2 * width)
            assert weight.grad.view(-1)[entry].item() == pytest.approx(slope, abs=1e-7)
    assert all(p.grad is None for name, p in net.named_parameters() if "bn" in name)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("momentum", ["average", "copy"])
def test_five_steps_of_the_algorithm_written_out(order, momentum):
    """Lines 3 to 7 of Algorithm 1, or Appendix C, with p from automatic differentiation."""
    net, x, y = small_net()
    other = copy.deepcopy(net)
    layers = weight_layers(net, (1, 1, 8, 8))
    decay = NormDecay(layers, order=order, beta=5.0, gamma=0.4, momentum=momentum)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
    h = {layer.name: 0.0 for layer in layers}
    for _ in range(5):
        training_step(net, x, y, optimizer, decay)
        loss = F.cross_entropy(other(x), y)
        parameters = dict(other.named_parameters())
        g = dict(zip(parameters, torch.autograd.grad(loss, parameters.values()), strict=True))
        for name, norm in decay.norms(other).items():
            (p,) = torch.autograd.grad(norm, [parameters[f"{name}.weight"]])
            if momentum == "average":
                h[name] = 0.4 * h[name] + 0.6 * p
            else:
                h[name] = torch.where(p != 0, p, 0.4 * h[name])
            g[f"{name}.weight"] = g[f"{name}.weight"] + 5.0 / len(layers) * h[name]
        with torch.no_grad():
            for name, parameter in parameters.items():
                parameter -= 0.05 * g[name]
    for name, parameter in net.named_parameters():
        torch.testing.assert_close(parameter, dict(other.named_parameters())[name])


def test_a_resumed_run_continues_to_the_same_numbers():
    net, x, y = small_net()
    layers = weight_layers(net, (1, 1, 8, 8))
    first = NormDecay(layers, order=1, beta=1.0)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(3):
        training_step(net, x, y, optimizer, first)
    resumed, second = copy.deepcopy(net), NormDecay(layers, order=1, beta=1.0)
    second.load_state_dict(first.state_dict())
    for model, decay in ((net, first), (resumed, second)):
        training_step(model, x, y, torch.optim.SGD(model.parameters(), lr=0.1), decay)
    for a, b in zip(net.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_planted_error_in_the_subgradient_is_seen(monkeypatch):
    geometry = Geometry.for_conv((4, 5), (2, 3), stride=(2, 1), padding=(0, 1))
    draw = torch.Generator().manual_seed(0)
    weight = torch.randn(4, 2, 2, 3, generator=draw, dtype=torch.float64)
    module = nn.Conv2d(4, 4, (2, 3), stride=(2, 1), padding=(0, 1), groups=2, bias=False).double()

    def oracle(kernel):
        module.weight.data = kernel
        return as_matrix(module, 4, (4, 5))

    check_subgradient(weight, geometry, 1, 2, False, oracle)
    true = subgradient._table
    column_major = torch.arange(6).reshape(2, 3).T.flatten()
    monkeypatch.setattr(subgradient, "_table", lambda *a: true(*a)[column_major])
    with pytest.raises(AssertionError):
        check_subgradient(weight, geometry, 1, 2, False, oracle)


def test_half_precision_weights():
    net = nn.Sequential(nn.Linear(3, 2, dtype=torch.bfloat16))
    net[0].weight.data.copy_(torch.tensor([[1.0, -2.0, 0.5], [1.0, 1.0, 0.0]]))
    decay = NormDecay(weight_layers(net, (1, 3)), order=math.inf, beta=1.0, gamma=0.0)
    decay.after_backward(net)
    assert net[0].weight.grad.tolist() == [[1, -1, 1], [0, 0, 0]]


def test_wrong_settings():
    net = nn.Sequential(nn.Linear(2, 2))
    layers = weight_layers(net, (1, 2))
    with pytest.raises(ValueError, match="layers must not be empty"):
        NormDecay((), order=1, beta=1.0)
    with pytest.raises(ValueError, match=r"order must be one of \(1, inf\), got 2"):
        NormDecay(layers, order=2, beta=1.0)
    with pytest.raises(ValueError, match=r"beta must be in \[0, inf\), got -1"):
        NormDecay(layers, order=1, beta=-1)
    with pytest.raises(ValueError, match=r"gamma must be in \[0, 1\), got 1"):
        NormDecay(layers, order=1, beta=1.0, gamma=1)
    with pytest.raises(TypeError, match="beta must be a number, got str"):
        NormDecay(layers, order=1, beta="1")
    with pytest.raises(ValueError, match="momentum must be one of"):
        NormDecay(layers, order=1, beta=1.0, momentum="ema")
    net[0].weight.requires_grad_(False)
    with pytest.raises(ValueError, match="the weight of layer '0' is frozen"):
        NormDecay(layers, order=1, beta=1.0).after_backward(net)
    with pytest.raises(ValueError, match=r"h of layer '1' must be of shape None, got \(2, 2\)"):
        NormDecay(layers, order=1, beta=1.0).load_state_dict({"h": {"1": torch.zeros(2, 2)}})
    reflect = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1, padding_mode="reflect"))
    with pytest.raises(NotImplementedError, match="layer '0': no l1 norm: "):
        NormDecay(weight_layers(reflect, (1, 1, 4, 4)), order=1, beta=1.0)


def test_weight_decay_is_that_of_the_optimiser():
    net, x, y = small_net()
    other = copy.deepcopy(net)
    names = [name for name, _ in net.named_parameters()]
    decay = WeightDecay(names, 0.3)
    (gradient,) = torch.autograd.grad(decay.value(net), [net.linear.weight])
    torch.testing.assert_close(gradient, 0.3 * net.linear.weight)
    training_step(net, x, y, torch.optim.SGD(net.parameters(), lr=0.1), decay)
    optimizer = torch.optim.SGD(other.parameters(), lr=0.1, weight_decay=0.3)
    F.cross_entropy(other(x), y).backward()
    optimizer.step()
    for a, b in zip(net.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(a, b)
    assert WeightDecay([], 1.0).value(net) == 0
    with pytest.raises(ValueError, match=r"the model has no parameter 'conv9.weight'"):
        WeightDecay(["conv9.weight"], 1.0).after_backward(net)
    with pytest.raises(TypeError, match="got the string 'linear'"):
        WeightDecay("linear", 1.0)
    with pytest.raises(ValueError, match=r"strength must be in \[0, inf\), got nan"):
        WeightDecay([], math.nan)
