"""Proofs by weights: they say yes only where the statement is true."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from nbsrc.constructions import inflate_norms, proves_same_function, proves_zero
from nbsrc.models import digits_cnn
from tests.constructions.datasets import THOROUGH


def network_of(*layers: list[list[float]], bias: float = 0.0) -> nn.Sequential:
    """Return Linear, ReLU, ..., Linear with these weights."""
    modules: list[nn.Module] = []
    for rows in layers:
        linear = nn.Linear(len(rows[0]), len(rows), dtype=torch.float64)
        linear.weight.data = torch.tensor(rows, dtype=torch.float64)
        linear.bias.data.fill_(bias)
        modules += [linear, nn.ReLU()]
    return nn.Sequential(*modules[:-1])


@given(st.integers(0, 100_000))
@THOROUGH
def test_what_is_proved_zero_is_zero(seed: int) -> None:
    """Sparse random networks: about a third of them are 0."""
    generator = torch.Generator().manual_seed(seed)
    widths = torch.randint(1, 4, (4,), generator=generator).tolist()
    layers = []
    for inputs, outputs in pairwise(widths):
        layers.append(torch.randint(-1, 2, (outputs, inputs), generator=generator).tolist())
    network = network_of(*layers)
    x = torch.randn(300, widths[0], generator=generator, dtype=torch.float64)
    with torch.no_grad():
        is_zero = not network(x).any()
    if proves_zero(network):
        assert is_zero


def test_equal_and_dead_units() -> None:
    assert proves_zero(network_of([[2.0, 1.0], [2.0, 1.0]], [[3.0, -3.0]]))
    assert proves_zero(network_of([[1.0]], [[-1.0]], [[5.0]]))
    assert not proves_zero(network_of([[2.0, 1.0], [2.0, 1.5]], [[3.0, -3.0]]))
    assert not proves_zero(network_of([[1.0]], [[-1.0]], [[5.0]], bias=0.1))
    # a sum of floats would be 0 here: 1e20 + 1 - 1e20
    assert not proves_zero(network_of([[1.0]] * 3, [[1e20, 1.0, -1e20]]))
    assert not proves_zero(nn.Sequential())
    with pytest.raises(NotImplementedError, match="module '1' of type Tanh is neither"):
        proves_zero(nn.Sequential(nn.Linear(1, 1), nn.Tanh()))


def test_without_relu_signs_prove_nothing() -> None:
    linear = nn.Sequential(*[m for m in network_of([[1.0]], [[-1.0]]) if isinstance(m, nn.Linear)])
    assert not proves_zero(linear.append(nn.ReLU()))


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("conv1.weight", (0, 0, 0, 0)),  # a weight of the network itself
        ("conv2.weight", (0, 8, 1, 1)),  # the network hears w of the first layer
        ("conv3.weight", (17, 0, 0, 0)),  # the silent channel hears the network
        ("bn3.bias", (17,)),  # the silent channel is shifted
        ("bn3.running_mean", (17,)),
        ("bn1.running_var", (3,)),
        ("linear.bias", (2,)),
    ],
)
def test_every_planted_error_is_seen(name: str, index: tuple[int, ...]) -> None:
    network = digits_cnn(generator=torch.Generator().manual_seed(0))
    large = inflate_norms(network, 1e3)
    assert proves_same_function(network, large)
    owner, attribute = name.rsplit(".", 1)
    with torch.no_grad():
        getattr(large.get_submodule(owner), attribute)[index] += 0.5
    assert not proves_same_function(network, large)


@torch.no_grad()
def test_errors_that_no_output_hears_are_none() -> None:
    """The proof is not a comparison of weights: behind the first layer both units are silent."""
    network = digits_cnn(generator=torch.Generator().manual_seed(0)).eval()
    large = inflate_norms(network, 1e3)
    large.get_submodule("linear").weight[0, 16 * 16] += 0.5  # w of the third layer hears z only
    large.get_submodule("bn2").bias[17] += 0.5  # heard by w of the third layer only
    large.get_submodule("linear").weight[0, 16 * 16] -= 0.5
    assert proves_same_function(network, large)
    x = torch.rand(5, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(network(x), large(x))


def test_other_structures_are_not_the_same() -> None:
    network = digits_cnn(generator=torch.Generator().manual_seed(0))
    assert proves_same_function(network, network)
    large = inflate_norms(network, 1e3)
    assert not proves_same_function(large, network)
    large.get_submodule("conv2").stride = (1, 1)
    assert not proves_same_function(network, large)
    assert not proves_same_function(network, network[:-1])
    slope = nn.Sequential(nn.Linear(1, 1), nn.LeakyReLU(0.1))
    other = nn.Sequential(slope[0], nn.LeakyReLU(0.2))
    assert not proves_same_function(slope, other)
    eps = inflate_norms(network, 1e3)
    eps.get_submodule("bn1").eps = 0.1
    assert not proves_same_function(network, eps)
