"""Global spectral norms and the spectral bound, against dense matrices of the layers."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import nn

from nbsrc.regularizers import (
    GlobalSpectral,
    SpectralBound,
    global_spectral,
    layer_spectral_norm,
    weight_layers,
)
from tests.regularizers import oracle


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def mixed_net(seed=0):
    """Strides, padding, groups, a transposed layer and a linear one."""
    net = nn.Sequential(
        nn.Conv2d(2, 4, (3, 2), stride=(2, 1), padding=1, groups=2),
        nn.ReLU(),
        nn.ConvTranspose2d(4, 2, 2, stride=2, groups=2),
        nn.Flatten(),
        nn.Linear(2 * 4 * 10, 3),
    ).double()
    draw = seeded(seed)
    for parameter in net.parameters():
        parameter.data.copy_(torch.randn(parameter.shape, generator=draw, dtype=torch.float64))
    return net


SHAPE = (1, 2, 4, 4)


def dense(net, layer):
    """The layer's matrix, from torch's own module on unit images, without its bias."""
    module = copy.deepcopy(net.get_submodule(layer.name))
    module.bias = None
    eye = torch.eye(math.prod(layer.input_shape), dtype=torch.float64)
    with torch.no_grad():
        return module(eye.reshape(-1, *layer.input_shape)).flatten(1).T


def top(matrix):
    gram = matrix.T @ matrix if matrix.shape[0] > matrix.shape[1] else matrix @ matrix.T
    return float(torch.linalg.eigvalsh(gram)[-1]) ** 0.5


def small_mixed_net():
    net = nn.Sequential(
        nn.Conv2d(1, 2, 2, stride=(1, 2), padding=(1, 0), padding_mode="reflect"),
        nn.Flatten(),
        nn.Linear(2 * 4 * 1, 2),
    ).double()
    draw = seeded(3)
    for parameter in net.parameters():
        parameter.data.copy_(torch.randn(parameter.shape, generator=draw, dtype=torch.float64))
    return net


@pytest.mark.parametrize("operator", ["reshaped", "layer"])
def test_value_and_gradient(operator):
    net = small_mixed_net()
    x = torch.randn(2, 1, 3, 3, generator=seeded(1), dtype=torch.float64)
    layers = weight_layers(net, x)

    def value(model):
        matrices = [
            dense(model, layer) if operator == "layer" else layer.weight(model).detach().flatten(1)
            for layer in layers
        ]
        return 0.7 / 2 * sum(top(matrix) ** 2 for matrix in matrices)

    regularizer = GlobalSpectral(layers, 0.7, seeded(0), operator, iterations=200)
    oracle.check_penalty(net, x, torch.tensor([0, 1]), regularizer, value)


@pytest.mark.parametrize("operator", ["reshaped", "layer"])
def test_after_one_iteration_the_estimate_is_the_gain_of_v(operator):
    net = mixed_net()
    layers = weight_layers(net, SHAPE)
    regularizer = GlobalSpectral(layers, 1.0, seeded(0), operator)
    found, vectors = regularizer.norms(net), regularizer.state_dict()["v"]
    for layer in layers:
        true = dense(net, layer) if operator == "layer" else layer.weight(net).detach().flatten(1)
        gain = (true @ vectors[layer.name].flatten()).norm()
        assert found[layer.name].item() == pytest.approx(gain.item(), rel=1e-12)
        assert gain < 0.99999 * top(true)


@pytest.mark.parametrize("operator", ["reshaped", "layer"])
def test_one_iteration_per_step_goes_on_from_the_last_one(operator):
    net = mixed_net()
    layers = weight_layers(net, SHAPE)
    slow = GlobalSpectral(layers, 1.0, seeded(0), operator)
    for _ in range(60):
        found = slow.norms(net)
    fast = GlobalSpectral(layers, 1.0, seeded(0), operator, iterations=60).norms(net)
    for layer in layers:
        assert found[layer.name].item() == pytest.approx(fast[layer.name].item(), rel=1e-12)
        true = dense(net, layer) if operator == "layer" else layer.weight(net).detach().flatten(1)
        assert found[layer.name].item() <= top(true) * (1 + 1e-12)
        assert found[layer.name].item() == pytest.approx(top(true), rel=1e-2)


def test_a_resumed_run_has_the_same_vectors():
    net = mixed_net()
    layers = weight_layers(net, SHAPE)
    first = GlobalSpectral(layers, 1.0, seeded(0))
    first.norms(net)
    second = GlobalSpectral(layers, 1.0, seeded(9))
    second.load_state_dict(first.state_dict())
    a, b = first.norms(net), second.norms(net)
    assert all(torch.equal(a[name], b[name]) for name in a)
    with pytest.raises(ValueError, match=r"vectors of layers that are not regularised: \['2', '4'"):
        GlobalSpectral(layers[:1], 1.0, seeded(0)).load_state_dict(first.state_dict())


def test_zero_weights_have_norm_and_gradient_zero():
    net = mixed_net()
    for parameter in net.parameters():
        parameter.data.zero_()
    layers = weight_layers(net, SHAPE)
    for operator in ("reshaped", "layer"):
        value = GlobalSpectral(layers, 1.0, seeded(0), operator).penalty(net, *[torch.empty(0)] * 3)
        slopes = torch.autograd.grad(value, list(net.parameters()), materialize_grads=True)
        assert value.item() == 0
        assert all(slope.abs().sum() == 0 for slope in slopes)


def test_a_planted_error_is_seen(monkeypatch):
    net = small_mixed_net()
    x = torch.zeros(1, 1, 3, 3, dtype=torch.float64)
    layers = weight_layers(net, x)

    def value(model):
        return 0.5 * sum(top(dense(model, layer)) ** 2 for layer in layers)

    regularizer = GlobalSpectral(layers, 1.0, seeded(0), "layer", 200)
    oracle.check_penalty(net, x, torch.tensor([0]), regularizer, value)
    monkeypatch.setattr(global_spectral, "_unit", lambda v, _: v / v.abs().max())  # another norm
    with pytest.raises(AssertionError):
        oracle.check_penalty(net, x, torch.tensor([0]), regularizer, value)


@pytest.mark.parametrize("certified", [True, False])
@pytest.mark.parametrize("always", [True, False])
def test_the_bound_holds_for_the_dense_matrices(certified, always):
    net = mixed_net()
    net[4].weight.data.mul_(0.01)
    layers = weight_layers(net, SHAPE)
    before = {layer.name: layer.weight(net).detach().clone() for layer in layers}
    norms = {layer.name: top(dense(net, layer)) for layer in layers}
    assert norms["4"] < 1.5 < min(norms["0"], norms["2"])
    SpectralBound(layers, 1.5, always=always, certified=certified).after_epoch(net)
    for layer in layers:
        after = top(dense(net, layer))
        if layer.name == "4" and not always:
            assert torch.equal(layer.weight(net), before["4"])
        else:
            assert after == pytest.approx(1.5, rel=1e-6)
            assert after <= 1.5 * (1 + 1e-12)
            expected = before[layer.name] * 1.5 / norms[layer.name]
            torch.testing.assert_close(layer.weight(net).detach(), expected, rtol=1e-6, atol=0)


def test_brackets_hold_the_norms_of_all_layers():
    net = nn.Sequential(nn.Conv1d(2, 3, 3, stride=2, padding=1), nn.Flatten(), nn.Linear(9, 2))
    layers = weight_layers(net.double(), (1, 2, 6))
    for layer in layers:
        found = layer_spectral_norm(layer, layer.weight(net))
        assert found.lower <= top(dense(net, layer)) <= found.upper
        assert found.converged


def test_wrong_settings():
    net = mixed_net()
    layers = weight_layers(net, SHAPE)
    with pytest.raises(ValueError, match="layers must not be empty"):
        GlobalSpectral((), 1.0, seeded(0))
    with pytest.raises(TypeError, match=r"generator must be a torch.Generator, got int"):
        GlobalSpectral(layers, 1.0, 0)
    with pytest.raises(ValueError, match="operator must be one of"):
        GlobalSpectral(layers, 1.0, seeded(0), "conv")
    with pytest.raises(ValueError, match="iterations must be a positive integer"):
        GlobalSpectral(layers, 1.0, seeded(0), iterations=0)
    with pytest.raises(ValueError, match=r"bound must be in \(0, inf\), got 0"):
        SpectralBound(layers, 0)
    with pytest.raises(ValueError, match=r"rtol must be in \(0, 1\), got 1"):
        SpectralBound(layers, 1.0, rtol=1)
    ring = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1, padding_mode="circular"))
    with pytest.raises(NotImplementedError, match="layer '0': no spectral norm with circular"):
        SpectralBound(weight_layers(ring, (1, 1, 4, 4)), 1.0)
    cube = nn.Sequential(nn.Conv3d(1, 1, 1))
    with pytest.raises(NotImplementedError, match="layer '0': no spectral norm of three-dim"):
        SpectralBound(weight_layers(cube, (1, 1, 2, 2, 2)), 1.0)
    net[0].weight.data.zero_()
    with pytest.raises(ValueError, match="layer '0' has norm 0 and cannot be scaled up"):
        SpectralBound(layers, 1.0, always=True).after_epoch(net)
    net[0].weight.data.fill_(torch.nan)
    with pytest.raises(ValueError, match="layer '0': weight must"):
        SpectralBound(layers, 1.0).after_epoch(net)
