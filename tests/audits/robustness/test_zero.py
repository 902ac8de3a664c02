"""Proposition 1: large layers and a zero function, and planted errors."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from nbsrc.audits.robustness import zero
from nbsrc.bracket import Bracket
from nbsrc.constructions import zero_lipschitz_network

SCALES = [1.0, 1e6]


def diagonal(*values: float) -> nn.Linear:
    layer = nn.Linear(len(values), len(values), bias=False, dtype=torch.float64)
    layer.weight = nn.Parameter(torch.diag(torch.tensor(values).double()), requires_grad=False)
    return layer


def test_smallest_layer_norm_worked_out_by_hand() -> None:
    x = torch.zeros(1, 2, dtype=torch.float64)
    net = nn.Sequential(diagonal(3, 1), nn.ReLU(), diagonal(2, 0.5))
    assert zero.smallest_layer_norm(net, x) == pytest.approx(2)
    column = nn.Linear(1, 2, bias=True, dtype=torch.float64)
    nn.init.ones_(column.weight)
    assert zero.smallest_layer_norm(nn.Sequential(column), x[:, :1]) == pytest.approx(1)  # linf
    conv = nn.Conv2d(1, 1, 3, padding=1, dtype=torch.float64)
    nn.init.zeros_(conv.weight)
    with torch.no_grad():
        conv.weight[0, 0, 0, 0] = 5.0  # with padding 1 it meets no pixel of a 1 x 1 image
    images = torch.zeros(1, 1, 2, 2, dtype=torch.float64)
    assert zero.smallest_layer_norm(nn.Sequential(conv), images) == pytest.approx(5)
    assert zero.smallest_layer_norm(nn.Sequential(conv), images[..., :1, :1]) == 0


def test_zero_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    def audit(**options: Any):
        return zero.audit_zero_networks(SCALES, max_width=3, max_depth=3, seed=0, **options)

    found = audit()
    assert found.holds
    # width 1 needs three layers and dead units; widths 2 and 3 allow all
    assert found.trials == len(SCALES) * (1 + 2 * 2 * 2)
    awake = audit(bias=1.0)
    assert awake.counterexample == {"width": 1, "layers": 3, "scale": 1.0, "bias": 1.0}
    with monkeypatch.context() as patch:
        patch.setattr(
            zero,
            "zero_lipschitz_network",
            lambda w, d, s, **o: zero_lipschitz_network(w, d, s / 2, **o),
        )
        assert audit().worst_slack == -0.5
    with monkeypatch.context() as patch:
        patch.setattr(zero, "proves_zero", lambda network: False)
        assert audit().worst_slack == -1

    def leaks(width: int, depth: int, scale: float, **options: Any) -> nn.Sequential:
        network = zero_lipschitz_network(width, depth, scale, **options)
        network[-1].bias = nn.Parameter(torch.full((width,), 0.25).double(), requires_grad=False)
        return network

    # a certificate that says yes to everything is not the only judge: the output is looked at
    monkeypatch.setattr(zero, "proves_zero", lambda network: True)
    monkeypatch.setattr(zero, "zero_lipschitz_network", leaks)
    assert audit().worst_slack == -0.25


def test_single_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    found = zero.audit_single_layer([2.0, 3.0, 1.0])
    assert found.counterexample == {"layers": 1, "norm": 2.0, "constant": 2.0}
    assert found.worst_slack == -3
    assert zero.audit_single_layer([0.0]).holds
    nothing = Bracket(0.0, 0.0, 0.0, 0, converged=True)
    monkeypatch.setattr(zero, "lipschitz_constant", lambda *_: nothing)
    assert zero.audit_single_layer([2.0]).holds  # it is the constant that refutes


def test_printed_proof() -> None:
    found = zero.audit_printed_proof(max_width=3, max_layers=3)
    assert not found.holds
    assert found.counterexample == {
        "width": 1,
        "layers": 2,
        "some choice has no zero layer": False,
    }
    repaired = zero.audit_printed_proof(max_width=3, max_layers=3, least_width=2)
    assert repaired.holds
    assert repaired.trials == 4
    shared = zero.audit_printed_proof(max_width=3, max_layers=3, least_width=2, overlap=True)
    assert shared.counterexample["width"] == shared.counterexample["layers"] == 2
    assert shared.worst_slack == -1
