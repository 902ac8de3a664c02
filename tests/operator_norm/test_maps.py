"""Products with a network's Jacobian against the Jacobian."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from nbsrc.linear_region import jacobian
from nbsrc.models import build_model, digits_cnn
from nbsrc.operator_norm import matrix_map, network_map, operator_norm, power_method
from tests.operator_norm.norm_oracles import gaussian, generator, mlp


def test_products_of_a_matrix() -> None:
    J, v, u = gaussian(3, 2, 4, seed=1), gaussian(3, 4, seed=2), gaussian(3, 2, seed=3)
    both = matrix_map(J)
    assert both.forward(v) == pytest.approx(torch.einsum("bdn,bn->bd", J, v), abs=1e-14)
    assert both.backward(u) == pytest.approx(torch.einsum("bdn,bd->bn", J, u), abs=1e-14)


@pytest.mark.parametrize("name", ["mlp", "digits_cnn", "resnet18"])
def test_products_of_a_network(name: str) -> None:
    net: nn.Module
    if name == "mlp":
        net, x = mlp((6, 9, 4), 1), gaussian(3, 6, seed=1)
    elif name == "digits_cnn":
        net = digits_cnn(generator=generator(1)).double().eval()
        x = gaussian(3, 1, 8, 8, seed=1)
    else:
        net = build_model("resnet18", generator=generator(1), small_images=True).double().eval()
        x = gaussian(2, 3, 8, 8, seed=1)
    J = jacobian(net, x).flatten(2)
    products = network_map(net, x)
    v, u = gaussian(len(x), J.shape[2], seed=2), gaussian(len(x), J.shape[1], seed=3)
    scale = float(J.abs().max())
    assert products.forward(v) / scale == pytest.approx(
        torch.einsum("bdn,bn->bd", J, v) / scale, abs=1e-11
    )
    assert products.backward(u) / scale == pytest.approx(
        torch.einsum("bdn,bd->bn", J, u) / scale, abs=1e-11
    )
    assert not products.forward(v).requires_grad
    assert all(entry.grad is None for entry in net.parameters())


def test_the_spectral_norm_of_a_resnet_without_its_jacobian() -> None:
    net = build_model("resnet18", generator=generator(2), small_images=True).eval()
    x = gaussian(1, 3, 8, 8, seed=4, dtype=torch.float32)
    start = gaussian(1, 192, seed=5, dtype=torch.float32)
    found = power_method(network_map(net, x), 2, 2, start, 60)
    exact = operator_norm(jacobian(net, x)[0].flatten(1), 2, 2).value
    assert float(found.value) == pytest.approx(exact, rel=1e-5)
    assert float(found.gains[3]) != pytest.approx(exact, rel=1e-5)


def test_bad_arguments_are_named() -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    with pytest.raises(ValueError, match="net must be in evaluation mode, its layer '1' is"):
        network_map(net, torch.ones(1, 2))
    with pytest.raises(ValueError, match="x must be finite"):
        network_map(net.eval(), torch.full((1, 2), torch.nan))
    with pytest.raises(TypeError, match=r"net must be a torch\.nn\.Module, got function"):
        network_map(lambda x: x, torch.ones(1, 2))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="J must have shape"):
        matrix_map(torch.ones(2))
