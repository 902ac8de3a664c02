"""The logistic loss is the two-class cross-entropy with V = [v, 0]."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from nbsrc.perturbation.logistic import (
    as_two_classes,
    logistic_gradient,
    logistic_hessian,
    logistic_loss,
)
from nbsrc.perturbation.penalties import penalty_values
from nbsrc.perturbation.spectrum import loss_gradient, loss_hessian

f64 = torch.float64


def sample(scale: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(0)
    v = scale * torch.randn(6, 4, generator=draw, dtype=f64)
    x = torch.randn(6, 4, generator=draw, dtype=f64)
    return v, x, torch.tensor([1.0, -1, 1, -1, 1, -1], dtype=f64)


@pytest.mark.parametrize("scale", [0.1, 1.0, 5.0])
def test_against_autograd_and_two_classes(scale: float) -> None:
    v, x, y = sample(scale)
    z, V, labels = as_two_classes(v, x, y)
    losses = F.cross_entropy(z, labels, reduction="none")
    assert torch.allclose(logistic_loss(v, x, y), losses, rtol=1e-14, atol=1e-15)
    p = torch.softmax(z, -1)
    for i in range(6):

        def loss(point: torch.Tensor, i: int = i) -> torch.Tensor:
            return torch.log1p(torch.exp(-y[i] * (v[i] @ point)))

        g, H = torch.func.grad(loss)(x[i]), torch.func.hessian(loss)(x[i])
        assert torch.allclose(logistic_gradient(v, x, y)[i], g, atol=1e-14 * scale)
        assert torch.allclose(logistic_hessian(v, x, y)[i], H, atol=1e-13 * scale**2)
    assert torch.allclose(logistic_gradient(v, x, y), loss_gradient(p, V, labels), atol=1e-14)
    assert torch.allclose(logistic_hessian(v, x, y), loss_hessian(p, V), atol=1e-14 * scale**2)


def test_mu_does_not_carry_over() -> None:
    """One output: mu^2 = nu^2. Two opposite columns with the same difference: nu^2 / 2."""
    v, x, y = sample(1.0)
    z, V, labels = as_two_classes(v, x, y)
    p = torch.softmax(z, -1)
    one = penalty_values(p, V, labels)
    two = penalty_values(p, torch.stack([v / 2, -v / 2], -1), labels)
    assert torch.allclose(one.jacobian, 2 * one.cross_lipschitz, rtol=1e-14)
    assert torch.allclose(two.jacobian, two.cross_lipschitz, rtol=1e-14)
    assert torch.allclose(one.curvature, two.curvature, rtol=1e-12)


def test_extreme_outputs() -> None:
    v = torch.tensor([[1000.0], [-1000.0]], dtype=f64)
    one = torch.ones(2, 1, dtype=f64)
    assert logistic_loss(v, one, torch.ones(2, dtype=f64)).tolist() == [0.0, 1000.0]
    assert logistic_gradient(v, one, torch.ones(2, dtype=f64)).flatten().tolist() == [0, 1000]


def test_bad_input_is_named() -> None:
    v = torch.ones(3, dtype=f64)
    with pytest.raises(ValueError, match="y must be -1 or 1, got 0"):
        logistic_loss(v, v, torch.tensor(0))
    with pytest.raises(ValueError, match="same last dimension"):
        logistic_loss(v, torch.ones(2, dtype=f64), torch.tensor(1))
