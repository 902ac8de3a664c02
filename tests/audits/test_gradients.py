"""Audits of gradients: right on generic layers, wrong when the gradient is scaled or averaged."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from nbsrc.audits import gradients
from nbsrc.audits.layers import Layer, layers_under_assumption1, random_layers


def generic(count: int = 40) -> list[Layer]:
    """Gaussian weights only: every fourth layer, so that nothing ties."""
    drawn = list(random_layers(4 * count, 0, max_dilation=2, max_groups=2))
    return [x for n, x in enumerate(drawn) if n % 4 == 0 and x.weight.any()]


@pytest.mark.parametrize("order", [1, math.inf, "fro"])
def test_differences(monkeypatch: pytest.MonkeyPatch, order: Any) -> None:
    layers, true = generic(), gradients.norm_gradient
    assert gradients.audit_gradient_by_differences(layers, order).holds
    monkeypatch.setattr(gradients, "norm_gradient", lambda x, p: 1.001 * true(x, p))
    found = gradients.audit_gradient_by_differences(layers, order)
    assert not found.holds
    assert found.trials == len(layers)


@pytest.mark.parametrize("order", [1, math.inf])
def test_entries(monkeypatch: pytest.MonkeyPatch, order: float) -> None:
    layers, true = list(random_layers(60, 0, max_groups=2)), gradients.norm_gradient
    assert gradients.audit_gradient_entries(layers, order).holds
    for factor in (0.5, 2.0):
        monkeypatch.setattr(gradients, "norm_gradient", lambda x, p, f=factor: f * true(x, p))
        assert not gradients.audit_gradient_entries(layers, order).holds
    monkeypatch.setattr(gradients, "norm_gradient", true)
    assert not gradients.audit_gradient_entries(layers, "fro").holds


def test_the_gradient_leaves_the_layer_alone() -> None:
    layer = generic(3)[0]
    before = layer.weight.clone()
    gradients.norm_gradient(layer, 1)
    assert not layer.weight.requires_grad
    assert layer.weight.grad is None
    assert torch.equal(layer.weight, before)


@pytest.mark.parametrize("order", [1, math.inf])
def test_sparsity(order: float) -> None:
    drawn = layers_under_assumption1(120, 0)
    layers = [x for x in drawn if x.weight.all() and x.weight.unique().numel() > 1]
    assert gradients.audit_gradient_sparsity(layers, order).holds
    assert not gradients.audit_gradient_sparsity(layers, order, extra=1).holds
