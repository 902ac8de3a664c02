"""The local slopes against dense derivatives of the loss, in float64."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from nbsrc.data import load_data
from nbsrc.experiments.slopes import slope_values, slopes


def network(classes: int, *, bias: bool = True) -> nn.Module:
    net = nn.Sequential(
        nn.Flatten(), nn.Linear(6, 9, bias=bias), nn.ReLU(), nn.Linear(9, classes, bias=bias)
    ).double()
    generator = torch.Generator().manual_seed(classes)
    for parameter in net.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
    return net


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_the_values_are_those_of_dense_derivatives(classes: int) -> None:
    net = network(classes)
    x = torch.randn(5, 1, 2, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    y = torch.arange(5) % classes
    found = slope_values(net, x, y)
    for n in range(5):

        def loss(z: torch.Tensor, n: int = n) -> torch.Tensor:
            return F.cross_entropy(net(z.reshape(1, 1, 2, 3)), y[n : n + 1])

        z = x[n].flatten()
        V = torch.autograd.functional.jacobian(lambda z: net(z.reshape(1, 1, 2, 3))[0], z)
        gradient = torch.autograd.functional.jacobian(loss, z)
        hessian = torch.autograd.functional.hessian(loss, z)
        pairs = sum(float((V[i] - V[j]).square().sum()) for i in range(classes) for j in range(i))
        nu2 = pairs if classes == 2 else 2 * pairs / classes**2
        expected = {
            "mu": float(V.norm()),
            "nu": nu2**0.5,
            "input_gradient": float(gradient.square().sum()),
            "curvature": float(torch.linalg.matrix_norm(hessian, 2)),
            "confidence": float(net(x).softmax(1)[n, y[n]]),
        }
        for name, value in expected.items():
            assert abs(float(found[name][n]) - value) < 1e-10, name


def test_without_biases_nu_gamma_is_the_gap_of_the_logits_and_with_biases_it_is_not() -> None:
    x = torch.randn(4, 1, 2, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    y = torch.tensor([0, 1, 0, 1])
    free = slope_values(network(2, bias=False), x, y)
    assert torch.allclose(free["nu_gamma"], free["logit_gap"], atol=1e-12)
    assert torch.allclose(free["nu"] * free["gamma"], free["nu_gamma"], atol=1e-12)
    biased = slope_values(network(2), x, y)
    assert not torch.allclose(biased["nu_gamma"], biased["logit_gap"], atol=1e-3)


def test_the_statistics_are_those_of_the_values() -> None:
    data = load_data("digits").only([1, 7]).first(30)
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
    found = slopes(net, data, 20, 0)
    values = slope_values(net, data.train_images[:20], data.train_labels[:20])["nu_gamma"]
    assert found["points"] == 20
    assert abs(found["nu_gamma"]["mean"] - float(values.mean())) < 1e-6
    assert abs(found["nu_gamma"]["largest"] - float(values.max())) < 1e-6
    assert found["shares"]["input_gradient"] == float((values <= 1.28).double().mean())
    assert slopes(net, data, None, 0)["points"] == 30
