"""The norm of batch norm against the matrix of torch's own layer."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn

from nbsrc.batch_norm import batch_norm_bracket, batch_norm_norm


def test_all_norms_equal_those_of_the_dense_matrix() -> None:
    g = torch.Generator().manual_seed(0)
    for trial in range(20):
        layer = nn.BatchNorm2d(3, eps=10.0 ** -(trial % 6)).double().eval()
        nn.init.normal_(layer.weight, std=3.0, generator=g)
        variance = layer.running_var
        assert variance is not None
        variance.uniform_(0.0, 1.0, generator=g)
        unit = torch.eye(12, dtype=torch.float64).reshape(12, 3, 2, 2)
        with torch.no_grad():
            matrix = (layer(unit) - layer(torch.zeros_like(unit))).flatten(1).T
        norms: dict[Any, float] = {
            1: float(matrix.abs().sum(0).max()),
            math.inf: float(matrix.abs().sum(1).max()),
            2: float(torch.linalg.matrix_norm(matrix, 2)),
            "fro": float(matrix.square().sum().sqrt()),
        }
        weight = layer.weight.detach()
        for order, true in norms.items():
            ours = batch_norm_norm(weight, variance, ord=order, eps=layer.eps, positions=4)
            assert float(ours) == pytest.approx(true, rel=1e-12)
        bracket = batch_norm_bracket(weight, variance, layer.eps)
        assert bracket.lower <= norms[2] * (1 + 1e-15)
        assert bracket.upper >= norms[2] * (1 - 1e-15)


def test_the_papers_formula_misses_a_negative_gamma() -> None:
    gamma, variance = torch.tensor([-6.0, 1.0]), torch.tensor([4.0, 1.0])
    printed = float((gamma / variance.sqrt()).max())
    assert printed == 1.0
    assert float(batch_norm_norm(gamma, variance, ord=1, eps=0.0)) == 3.0


def test_gradient_flows_to_gamma() -> None:
    gamma = torch.tensor([-6.0, 1.0], requires_grad=True)
    batch_norm_norm(gamma, torch.tensor([4.0, 1.0]), ord=1, eps=0.0).backward()
    assert gamma.grad is not None
    assert gamma.grad.tolist() == [-0.5, 0.0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ord": 3}, "ord must be 1, 2, inf or 'fro', got 3"),
        ({"ord": True}, "ord must be"),
        ({"positions": 0}, "positions must be at least 1, got 0"),
        ({"weight": torch.ones(3)}, "same shape"),
        ({"running_var": torch.tensor([-1.0, 1.0])}, "running_var from -1.0"),
        ({"running_var": torch.tensor([0.0, 1.0]), "eps": 0.0}, "must be finite"),
        ({"weight": torch.tensor([math.nan, 1.0])}, "weight must be finite"),
    ],
)
def test_bad_arguments_are_named(change: dict[str, Any], message: str) -> None:
    good: dict[str, Any] = {"weight": torch.ones(2), "running_var": torch.ones(2), "ord": 1}
    assert float(batch_norm_norm(**good)) == pytest.approx(1.0, rel=1e-5)
    with pytest.raises(ValueError, match=message):
        batch_norm_norm(**(good | change))
