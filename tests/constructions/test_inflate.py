"""Inflated networks have the same values bit for bit, and large norms in every layer."""

from __future__ import annotations

import math
from collections import OrderedDict
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from nbsrc.constructions import inflate_norms, proves_same_function
from nbsrc.conv import conv_matrix, conv_norm
from nbsrc.models import digits_cnn
from tests.constructions.datasets import QUICK

SCALE = 1e6


def randomise(network: nn.Module, generator: torch.Generator) -> nn.Module:
    """Give a network small integers as weights, so that every sum is exact in any order."""
    for parameter in network.parameters():
        parameter.data = torch.randint(-3, 4, parameter.shape, generator=generator).double()
    for name, buffer in network.named_buffers():
        if name.endswith("running_mean"):
            buffer.data = torch.randint(-3, 4, buffer.shape, generator=generator).double()
        elif name.endswith("running_var"):
            buffer.data = 4.0 ** torch.randint(0, 3, buffer.shape, generator=generator).double()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.eps = 0.0  # variances are powers of 4: exact roots
    return network


@torch.no_grad()
def layer_norms(network: nn.Sequential, x: Tensor) -> list[float]:
    """Return the l1, l2 and linf norm of every layer with weights, at the inputs that it gets."""
    found = []
    for module in network:
        if isinstance(module, nn.Linear):
            weight = module.weight.double()  # an entry bounds the norm, but not its rounded value
            found += [float(torch.linalg.matrix_norm(weight, p)) for p in (1, 2, math.inf)]
        elif isinstance(module, nn.Conv2d):
            options = {name: getattr(module, name) for name in ("stride", "padding", "dilation")}
            weight, size = module.weight.double(), tuple(x.shape[2:])
            if conv_matrix(torch.ones_like(weight), size, **options).any():  # else only padding
                found += [float(conv_norm(weight, size, ord=p, **options)) for p in (1, math.inf)]
                matrix = conv_matrix(weight, size, **options)
                found.append(float(torch.linalg.matrix_norm(matrix, 2)))
        x = module(x)
    return found


def check(network: nn.Sequential, x: Tensor, scale: float = SCALE) -> nn.Sequential:
    """Check values, norms, proof, and that the network itself is as it was."""
    network.eval()
    before = [p.detach().clone() for p in network.parameters()]
    large = inflate_norms(network, scale)
    with torch.no_grad():
        assert torch.equal(network(x), large(x))
    assert min(layer_norms(large, x)) >= scale * (1 - 1e-12)
    assert proves_same_function(network, large)
    assert all(torch.equal(p, q) for p, q in zip(network.parameters(), before, strict=True))
    assert not large.training
    return large


@given(st.lists(st.integers(1, 6), min_size=3, max_size=6), st.booleans(), st.integers(0, 1000))
@QUICK
def test_fully_connected(widths: list[int], bias: bool, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    modules: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        modules += [nn.Linear(inputs, outputs, bias=bias), nn.BatchNorm1d(outputs), nn.ReLU()]
    network = randomise(nn.Sequential(*modules[:-2]), generator).double()
    x = torch.randint(-5, 6, (20, widths[0]), generator=generator).double()
    large = check(network, x)
    assert large[0].out_features == widths[1] + 2


@given(st.integers(0, 10_000))
@QUICK
def test_convolutions(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)

    def pick(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (1,), generator=generator))

    pools = [nn.MaxPool2d(2, padding=1), nn.AvgPool2d(2, stride=1, padding=1), nn.Identity(),
             nn.AvgPool2d(1), nn.AdaptiveMaxPool2d((2, 1))]  # fmt: skip
    modules: list[nn.Module] = []
    channels = 2
    for _ in range(pick(1, 3)):
        wider = pick(1, 3)
        modules += [
            nn.Conv2d(channels, wider, pick(1, 3), stride=pick(1, 2), padding=pick(1, 3),
                      bias=bool(pick(0, 1)), padding_mode="zeros"),
            nn.BatchNorm2d(wider, affine=bool(pick(0, 1))), nn.ReLU(), pools[pick(0, 4)],
        ]  # fmt: skip
        channels = wider
    modules += [nn.Flatten(), nn.Dropout()]
    x = torch.randint(-5, 6, (4, 2, 5, 4), generator=generator).double()
    probe = nn.Sequential(*modules).double().eval()
    features = probe(x).shape[1]
    network = nn.Sequential(*modules, nn.Linear(features, 3), nn.ReLU(), nn.Linear(3, 2),
                            nn.Softmax(dim=1)).double()  # fmt: skip
    check(randomise(network, generator), x)


def test_digits_cnn_keeps_names_and_values() -> None:
    generator = torch.Generator().manual_seed(0)
    network = digits_cnn(generator=generator)
    x = torch.rand(20, 1, 8, 8, generator=generator)
    large = check(network, x, 1e4)
    assert list(dict(large.named_children())) == list(dict(network.named_children()))
    assert large.get_submodule("conv2").in_channels == 10
    assert large.get_submodule("linear").in_features == 18 * 16
    exact = randomise(digits_cnn(generator=generator).double(), generator)
    check(exact, torch.randint(0, 17, (20, 1, 8, 8), generator=generator).double(), 2.0**40)
    network.train()
    with torch.no_grad():  # statistics of the batch: the silent channel is 0 there too
        values, others = network(x), inflate_norms(network, 1e4)(x)
    torch.testing.assert_close(values, others, rtol=1e-5, atol=1e-5)


def test_averages_that_are_rounded_agree_to_rounding() -> None:
    """Averages of nine are not exact, and then the order of a sum shows: no bit for bit here."""
    generator = torch.Generator().manual_seed(4)
    network = nn.Sequential(
        nn.Conv2d(2, 5, 3), nn.GELU(), nn.AdaptiveAvgPool2d(3), nn.Flatten(),
        nn.Linear(45, 30), nn.Tanh(), nn.BatchNorm1d(30, affine=False), nn.Linear(30, 4),
    )  # fmt: skip
    for parameter in network.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
    network.double().eval()
    x = torch.randn(10, 2, 11, 11, generator=generator, dtype=torch.float64)
    large = inflate_norms(network, SCALE)
    with torch.no_grad():
        torch.testing.assert_close(network(x), large(x), rtol=1e-13, atol=1e-13)
    assert proves_same_function(network, large)


def test_a_layer_that_sees_padding_only_has_norm_0() -> None:
    """The one layer that no weight can inflate: its windows miss the image."""
    network = nn.Sequential(nn.Conv2d(1, 1, 1), nn.Conv2d(1, 1, 1, stride=5, padding=2))
    large = inflate_norms(network, SCALE)
    assert conv_norm(large[1].weight.detach(), 3, ord=1, stride=5, padding=2).item() == 0.0
    assert conv_norm(large[0].weight.detach(), 3, ord=1).item() >= SCALE


def test_a_fully_convolutional_and_a_nested_network() -> None:
    generator = torch.Generator().manual_seed(1)
    network = nn.Sequential(
        OrderedDict(
            body=nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.LeakyReLU(0.5)),
            head=nn.Sequential(nn.Conv2d(2, 3, (1, 2), dilation=2)),
        )
    )
    randomise(network, generator)
    x = torch.randint(-5, 6, (2, 1, 4, 4), generator=generator).double()
    large = inflate_norms(network, SCALE)
    with torch.no_grad():
        assert torch.equal(network(x), large(x))
    assert proves_same_function(network, large)
    assert large.get_submodule("head.0").weight.shape == (3, 4, 1, 2)


def test_a_flatten_before_the_first_layer_and_frozen_weights() -> None:
    generator = torch.Generator().manual_seed(2)
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 2), nn.Linear(2, 1))
    randomise(network, generator)
    network[1].weight.requires_grad_(False)
    large = check(network, torch.randint(-5, 6, (3, 2, 2), generator=generator).double())
    assert [p.requires_grad for p in large.parameters()] == [False, True, True, True]


def test_layers_that_are_listened_to_would_be_seen() -> None:
    """Control: a weight from the unit w to the output changes the values."""
    generator = torch.Generator().manual_seed(3)
    network = randomise(nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)), generator)
    large = inflate_norms(network, SCALE)
    x = torch.randint(1, 6, (5, 2), generator=generator).double()
    with torch.no_grad():
        large[2].weight[0, 3] = 1e-3
        assert not torch.equal(network(x), large(x))
    assert not proves_same_function(network, large)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_the_entry_is_not_rounded_below_the_scale(dtype: torch.dtype) -> None:
    network = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)).to(dtype)
    for scale in (0.1, 1 / 3, 1000.3):
        large = inflate_norms(network, scale)
        assert large[0].weight[3, 0].item() >= scale
        assert large[2].weight[0, 4].item() >= scale
    with pytest.raises(ValueError, match=r"scale must be finite in torch\..* for module '0'"):
        inflate_norms(network, 1e39)


A, B = nn.Linear(2, 2), nn.Linear(2, 2)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (nn.Sequential(A, nn.Sigmoid(), B), "module '1' of type Sigmoid is not supported"),
        (nn.Sequential(A, nn.LayerNorm(2), B), "module '1' of type LayerNorm is not supported"),
        (nn.Sequential(A, nn.Sequential(nn.ReLU(), nn.Softmax(1)), B), "module '1.1' of type"),
        (nn.Sequential(A, nn.ReLU(), A), "module '2' is used twice"),
        (nn.Sequential(nn.Conv2d(2, 2, 1, groups=2), nn.Flatten(), A), "must have groups = 1"),
        (nn.Sequential(nn.Conv2d(1, 2, 1), nn.ReLU(), A), "module '2' with 2 inputs cannot follow"),
        (nn.Sequential(A, nn.Flatten(), nn.Linear(4, 1)), "module '2' with 4 inputs cannot follow"),
        (nn.Sequential(nn.Conv2d(1, 2, 1), nn.Flatten(2), A), "must flatten dimensions 1 to -1"),
    ],
)
def test_unsupported_networks(network: nn.Sequential, message: str) -> None:
    with pytest.raises(NotImplementedError, match=message):
        inflate_norms(network, SCALE)


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match=r"at least two Linear or Conv2d layers, got 1"):
        inflate_norms(nn.Sequential(A, nn.ReLU()), SCALE)
    with pytest.raises(TypeError, match=r"network must be an nn\.Sequential, got Linear"):
        inflate_norms(A, SCALE)
    for bad in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="scale must be a finite number > 0"):
            inflate_norms(nn.Sequential(A, B), bad)
