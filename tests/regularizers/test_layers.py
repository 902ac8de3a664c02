"""Selected layers have the linear map and the geometry with which the network calls them."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from nbsrc.regularizers import weight_layers


def test_the_map_is_the_layer_without_its_bias():
    net = nn.Sequential(
        nn.Conv2d(2, 4, (3, 2), stride=(2, 1), padding=1, groups=2, padding_mode="reflect"),
        nn.ConvTranspose2d(4, 2, 3, stride=2, output_padding=1, groups=2),
        nn.Flatten(),
        nn.Linear(2 * 8 * 18, 3),
    ).double()
    layers = weight_layers(net, (1, 2, 5, 7))
    assert [layer.name for layer in layers] == ["0", "1", "3"]
    assert [layer.kind for layer in layers] == ["conv", "conv-transpose", "linear"]
    assert layers[0].geometry is None
    assert "reflect" in layers[0].remark
    draw = torch.Generator().manual_seed(0)
    for layer in layers:
        v = torch.randn(2, *layer.input_shape, generator=draw, dtype=torch.float64)
        module = layer.module(net)
        zero = torch.zeros_like(v)
        expected = module(v) - module(zero)
        found = layer.apply(net, layer.weight(net), v)
        assert found.shape[1:] == layer.output_shape
        torch.testing.assert_close(found, expected)


def test_an_output_size_given_in_the_call_counts():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.up = nn.ConvTranspose2d(1, 1, 3, stride=2)

        def forward(self, x):
            return self.up(x, output_size=(8, 8))

    net = Net()
    (layer,) = weight_layers(net, (1, 1, 3, 3))
    assert layer.output_shape == (1, 8, 8)
    assert layer.geometry.input_size == (8, 8)
    v = torch.arange(9.0).reshape(1, 1, 3, 3)
    torch.testing.assert_close(layer.apply(net, net.up.weight, v), net(v) - net(0 * v))


def test_names_choose_and_order():
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    assert [layer.name for layer in weight_layers(net, (1, 2), ["1"])] == ["1"]


class TwoSizes(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.idle = nn.Conv2d(1, 1, 1), nn.Linear(1, 1)

    def forward(self, x):
        return self.conv(self.conv(x)[..., 1:])


@pytest.mark.parametrize(
    ("net", "names", "message"),
    [
        (TwoSizes(), ["conv"], r"layer 'conv' must be called at one size, got \[\(1, 3, 2\)"),
        (TwoSizes(), ["idle"], "layer 'idle' is not called"),
        (nn.Sequential(nn.Linear(3, 1)), ["1"], "no layer '1'"),
        (nn.Sequential(nn.Linear(3, 1)), ["0", "0"], "layer '0' is named twice"),
        (nn.Sequential(nn.Linear(3, 1), nn.ReLU()), ["1"], r"layer '1' \(ReLU\) must be a conv"),
        (
            nn.Sequential(parametrizations.weight_norm(nn.Linear(3, 1))),
            None,
            "layer '0' has a parametrized weight",
        ),
    ],
)
def test_what_cannot_be_regularised_is_named(net, names, message):
    with pytest.raises(ValueError, match=message):
        weight_layers(net, (1, 1, 3, 3), names)


def test_wrong_types():
    with pytest.raises(TypeError, match="got the string '0'"):
        weight_layers(nn.Sequential(nn.Linear(1, 1)), (1, 1), "0")
    with pytest.raises(TypeError, match=r"model must be a torch.nn.Module, got int"):
        weight_layers(3, (1, 1))


def test_another_model_is_refused():
    (layer,) = weight_layers(nn.Sequential(nn.Linear(2, 2)), (1, 2))
    with pytest.raises(ValueError, match=r"layer '0' must have a weight of shape \(2, 2\), got"):
        layer.weight(nn.Sequential(nn.Linear(3, 2)))
