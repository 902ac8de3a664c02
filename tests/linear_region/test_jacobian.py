"""Jacobians and affine maps against autograd, in the region and on kinks."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.func import jacrev, vmap

from nbsrc.linear_region import activation_pattern, affine_map, jacobian, operations
from tests.linear_region.region_networks import (
    from_integers,
    generator,
    mlp,
    small_resnet18,
    zoo,
)

NETS = zoo()


@pytest.mark.parametrize("name", NETS)
def test_against_autograd_and_the_network(name: str) -> None:
    net, shape = NETS[name]
    x = torch.randn(6, *shape, generator=generator(1), dtype=torch.float64)
    A, b = affine_map(net, x)
    with torch.no_grad():
        y = net(x).flatten(1)
    oracle = torch.stack([
        torch.autograd.functional.jacobian(net, x[i : i + 1])[0] for i in range(6)
    ])
    oracle = oracle.reshape(6, -1, *shape)
    assert (A - oracle).abs().max() < 1e-10
    assert (torch.einsum("bok,bk->bo", A.flatten(2), x.flatten(1)) + b - y).abs().max() < 1e-10
    assert torch.equal(jacobian(net, x), A)


@pytest.mark.parametrize("name", NETS)
def test_the_map_is_that_of_every_sample_with_the_same_pattern(name: str) -> None:
    """Dense sampling around each point: same pattern, same map; and the map fails elsewhere."""
    net, shape = NETS[name]
    x = torch.randn(1, *shape, generator=generator(2), dtype=torch.float64)
    A, b = affine_map(net, x)
    scales = torch.logspace(-4, 1, 400, dtype=torch.float64).reshape(-1, *[1] * len(shape))
    z = x + scales * torch.randn(400, *shape, generator=generator(3), dtype=torch.float64)
    same = activation_pattern(net, x).same_as(activation_pattern(net, z))
    with torch.no_grad():
        error = (z.flatten(1) @ A[0].flatten(1).T + b - net(z).flatten(1)).abs().amax(dim=1)
    assert same.any()
    assert error[same].max() < 1e-10
    if name == "one linear layer":
        assert same.all()
        return
    assert error[~same].max() > 1e-3  # negative control: the map belongs to one region


def test_resnet18_of_the_package() -> None:
    net = small_resnet18()
    x = torch.randn(1, 3, 4, 4, generator=generator(4), dtype=torch.float64)
    A, b = affine_map(net, x)
    oracle = vmap(jacrev(lambda z: net(z[None])[0]))(x)
    assert (A - oracle).abs().max() < 1e-10
    with torch.no_grad():
        assert ((A[0].flatten(1) @ x.flatten()) + b[0] - net(x)[0]).abs().max() < 1e-10


def test_a_kink_takes_the_side_of_torch() -> None:
    """|x| as relu(x) + relu(-x) has slope 0 at 0: no region's slope, but exact on {0}."""
    net = from_integers([([[1], [-1]], [0, 0]), ([[1, 1]], [3])])
    zero = torch.zeros(1, 1, dtype=torch.float64)
    A, b = affine_map(net, zero)
    assert A.item() == 0.0
    assert b.item() == 3.0
    assert not activation_pattern(net, zero).gates[0].any()
    leaky = nn.Sequential(nn.LeakyReLU(0.25))
    assert jacobian(leaky, zero).item() == 0.25


def test_the_way_back_through_a_gate_is_that_of_where() -> None:
    """A product with the gate instead: the same gradient, and none of an infinite value."""
    gate = torch.tensor([[True, False, True, False]])
    value = torch.tensor([[2.0, -3.0, -1.0, -torch.inf], [0.0, 5.0, 1.0, 1.0]]).double()
    value.requires_grad_()
    out = operations.Rectifier().apply(value, gate)
    assert torch.equal(out, torch.where(gate, value, 0.0))
    seen = torch.arange(8.0).double().reshape(2, 4)
    (gradient,) = torch.autograd.grad(out, value, seen)
    assert torch.equal(gradient, torch.where(gate, seen, 0.0))


def test_ties_of_a_pooling_window_go_to_the_first() -> None:
    net = nn.Sequential(nn.MaxPool2d(2))
    x = torch.tensor([[[[0.0, 5.0], [5.0, 5.0]]]], dtype=torch.float64)
    assert activation_pattern(net, x).gates[0].item() == 1
    assert jacobian(net, x).flatten().tolist() == [0, 1, 0, 0]


def test_chunks_do_not_matter() -> None:
    net, shape = NETS["residual"]
    x = torch.randn(7, *shape, generator=generator(5), dtype=torch.float64)
    small, large = affine_map(net, x, memory_limit=1), affine_map(net, x)
    assert (small[0] - large[0]).abs().max() < 1e-13
    assert (small[1] - large[1]).abs().max() < 1e-13


def test_nothing_of_the_network_changes() -> None:
    net = mlp([3, 4, 2], 0)
    x = torch.randn(2, 3, generator=generator(6), dtype=torch.float64, requires_grad=True)
    with torch.no_grad():
        A, b = affine_map(net, x)
    assert not A.requires_grad
    assert not b.requires_grad
    assert x.grad is None
    assert all(p.grad is None and p.requires_grad for p in net.parameters())


def test_a_constant_network() -> None:
    net = from_integers([([[0, 0]], [2]), ([[0]], [7])])
    A, b = affine_map(net, torch.ones(1, 2, dtype=torch.float64))
    assert A.tolist() == [[[0.0, 0.0]]]
    assert b.tolist() == [[7.0]]


@pytest.mark.parametrize(
    ("x", "error", "match"),
    [
        (torch.ones(2, 3, dtype=torch.int64), TypeError, "x must be a floating point tensor, got"),
        ([1.0], TypeError, "x must be a floating point tensor, got list"),
        (
            torch.ones(3),
            ValueError,
            r"x must be \[batch, \*input\] and not empty",
        ),
        (torch.ones(0, 3), ValueError, "not empty"),
        (torch.tensor([[1.0, float("nan"), 0.0]]), ValueError, "x must be finite"),
        (torch.ones(2, 3), ValueError, "network's dtype torch.float64, got torch.float32"),
    ],
)
def test_bad_inputs(x: object, error: type[Exception], match: str) -> None:
    for function in (activation_pattern, affine_map, jacobian):
        with pytest.raises(error, match=match):
            function(mlp([3, 2, 1], 0), x)  # type: ignore[operator]


def test_bad_memory_limit() -> None:
    with pytest.raises(ValueError, match="memory_limit must be a positive number of bytes, got 0"):
        jacobian(mlp([3, 2, 1], 0), torch.ones(1, 3, dtype=torch.float64), memory_limit=0)


def test_a_planted_bug_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control of the tests above: a gate that is open at 0 and below changes the map."""
    net, shape = NETS["six layers"]
    x = torch.randn(3, *shape, generator=generator(1), dtype=torch.float64)
    right = jacobian(net, x)
    monkeypatch.setattr(operations.Rectifier, "decide", lambda self, value: value > -0.5)
    assert (jacobian(net, x) - right).abs().max() > 1e-3
