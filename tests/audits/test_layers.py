"""Families of layers: what they promise to contain, and that they repeat."""

from __future__ import annotations

from itertools import islice

import pytest
import torch
from torch import nn

from nbsrc.audits.layers import (
    Layer,
    Shape,
    distinct_weights,
    layers_under_assumption1,
    random_layers,
    smallest_layers,
)
from nbsrc.conv import satisfies_assumption1


def fits(shape: Shape) -> bool:
    axes = zip(shape.input_size, shape.kernel_size, shape.padding, shape.dilation, strict=True)
    return all(d * (k - 1) < h + 2 * p for h, k, p, d in axes)


def test_random_layers_hold_the_edge_cases_they_promise() -> None:
    drawn = list(random_layers(400, 0, max_dilation=3, max_groups=3))
    shapes = [x.shape for x in drawn]
    assert len(drawn) == 400
    assert all(fits(shape) for shape in shapes)
    assert any(shape.input_size == (1, 1) for shape in shapes)
    for name in ("input_size", "kernel_size", "stride", "padding", "dilation"):
        assert any(len(set(getattr(shape, name))) == 2 for shape in shapes)
    assert any(p >= k for s in shapes for p, k in zip(s.padding, s.kernel_size, strict=True))
    assert any(t > k for s in shapes for t, k in zip(s.stride, s.kernel_size, strict=True))
    assert {s.groups for s in shapes} == {1, 2, 3}
    assert any(s.channels_in != s.channels_out for s in shapes)
    assert any(not x.weight.any() for x in drawn)
    assert any(int((x.weight != 0).sum()) == 1 < x.weight.numel() for x in drawn)
    assert all(x.weight.dtype == torch.float64 for x in drawn)
    assert {x.assumption1 for x in drawn} == {True, False}


def test_random_layers_repeat_and_leave_the_global_state() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state().clone()
    one, two = (list(random_layers(30, 5, max_groups=2)) for _ in range(2))
    assert [x.shape for x in one] == [x.shape for x in two]
    assert all(torch.equal(x.weight, y.weight) for x, y in zip(one, two, strict=True))
    assert [x.shape for x in random_layers(30, 6)] != [x.shape for x in one]
    assert torch.equal(before, torch.get_rng_state())


def test_limits_and_filter() -> None:
    for layer in random_layers(50, 1, accept=lambda s: s.stride == (1, 2), max_padding=0):
        assert layer.shape.stride == (1, 2)
        assert layer.shape.padding == (0, 0)
        assert layer.shape.dilation == (1, 1)
        assert layer.shape.groups == 1


def test_layers_under_assumption1() -> None:
    for layer in layers_under_assumption1(50, 2):
        s = layer.shape
        assert satisfies_assumption1(
            s.input_size, s.kernel_size, stride=s.stride, padding=s.padding
        )
        assert layer.assumption1


def test_smallest_layers_are_all_and_in_order() -> None:
    drawn = list(smallest_layers(6))
    axes = [
        (x.shape.input_size[0], x.shape.kernel_size[0], x.shape.stride[0], x.shape.padding[0])
        for x in drawn
    ]
    everything = {
        (h, k, s, p)
        for h in range(1, 7) for k in range(1, 7) for s in range(1, 7) for p in range(7)
        if h + k + s + p <= 6 and k <= h + 2 * p
    }  # fmt: skip
    assert set(axes) == everything
    assert len(axes) == len(everything)
    assert [x.size for x in drawn] == sorted(x.size for x in drawn)
    assert all((x.weight == 1).all() for x in drawn)
    assert all(x.shape.input_size[1] == 2 for x in smallest_layers(5, wide=True))
    assert any(x.assumption1 for x in smallest_layers(5, wide=True))
    assert not any(x.assumption1 for x in smallest_layers(6))


def test_the_matrix_is_torchs_layer() -> None:
    for layer in islice(random_layers(40, 3, max_dilation=2, max_groups=2), 40):
        s = layer.shape
        module = nn.Conv2d(
            s.channels_in, s.channels_out, s.kernel_size, s.stride, s.padding, s.dilation,
            s.groups, bias=False, dtype=torch.float64,
        )  # fmt: skip
        module.weight.data = layer.weight
        image = torch.randn(1, s.channels_in, *s.input_size, dtype=torch.float64)
        out = module(image).detach().flatten()
        assert torch.allclose(layer.matrix @ image.flatten(), out, rtol=1e-12, atol=1e-12)


def test_description_is_plain_and_leaves_out_defaults() -> None:
    shape = Shape(2, 1, (3, 4), (1, 2), stride=(2, 1), padding=(0, 1))
    layer = Layer(shape, distinct_weights(shape))
    assert layer.description == {
        "input": "3x4", "kernel": "1x2", "stride": "2x1", "padding": "0x1", "channels": "2 to 1",
        "weight": [1.0, 2.0, 3.0, 4.0],
    }  # fmt: skip
    plain = Shape(1, 1, (5, 5), (4, 4), dilation=(1, 1), groups=1)
    assert Layer(plain, distinct_weights(plain)).description == {
        "input": "5x5", "kernel": "4x4", "weight": "16 numbers",
    }  # fmt: skip
    grouped = Shape(2, 2, (5, 5), (1, 1), dilation=(1, 3), groups=2)
    shown = Layer(grouped, distinct_weights(grouped)).description
    assert (shown["groups"], shown["dilation"]) == (2, "1x3")


@pytest.mark.parametrize("name", ["input_size", "kernel_size", "stride", "padding", "dilation"])
def test_size_grows_with_every_number(name: str) -> None:
    weight = torch.ones(1, 1, 1, 1)
    base = {"input_size": (5, 5), "kernel_size": (1, 1)}
    small = Layer(Shape(1, 1, **base), weight)
    value = {"input_size": (6, 5), "kernel_size": (2, 1), "padding": (1, 0)}.get(name, (2, 1))
    assert Layer(Shape(1, 1, **{**base, name: value}), weight).size > small.size
