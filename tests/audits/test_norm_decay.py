"""Audits of norm decay hold on what is right and find planted errors."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from nbsrc.audits import norm_decay, norm_momentum

SEEDS = range(3)


def test_norm_sum_of_a_network_worked_out_by_hand() -> None:
    """A 1x1 kernel 2 at stride 1, then a linear layer with columns (1, 3) and (2, 0)."""
    network = nn.Sequential(nn.Conv2d(1, 1, 1), nn.Flatten(), nn.Linear(2, 2)).double()
    network[0].weight.data.fill_(2.0)
    network[2].weight.data = torch.tensor([[1.0, 2.0], [-3.0, 0.0]]).double()
    network.requires_grad_(False)
    assert [float(x) for x in norm_decay.norm_sum(network, 1, (1, 2))] == [2 + 4, 2]
    assert [float(x) for x in norm_decay.norm_sum(network, math.inf, (1, 2))] == [2 + 3, 2]


def test_penalty_value(monkeypatch: pytest.MonkeyPatch) -> None:
    assert norm_decay.audit_penalty_value(SEEDS, tolerance=1e-10).holds
    assert not norm_decay.audit_penalty_value(SEEDS, tolerance=1e-10, reshape=True).holds
    true = norm_decay.norm_sum

    def detached(*arguments: object) -> tuple[torch.Tensor, int]:
        value, count = true(*arguments)  # type: ignore[arg-type]
        return value.detach() + 0 * value, count  # the right value with a wrong gradient

    monkeypatch.setattr(norm_decay, "norm_sum", detached)
    assert not norm_decay.audit_penalty_value(SEEDS, tolerance=1e-10).holds


def test_algorithm_step() -> None:
    assert norm_decay.audit_algorithm_step(SEEDS, tolerance=1e-12).holds
    assert not norm_decay.audit_algorithm_step(SEEDS, tolerance=1e-12, average=False).holds
    swapped = norm_decay.audit_algorithm_step(
        SEEDS, tolerance=1e-12, combine=lambda h, p, gamma: (1 - gamma) * h + gamma * p
    )
    assert not swapped.holds


def test_copied_gradients() -> None:
    found = norm_momentum.audit_copy_is_the_same((0.5, 0.9))
    assert not found.holds
    assert found.counterexample["total of the copy"] == 2.0
    assert norm_momentum.audit_copy_is_the_same((0.0,)).holds
    settings = ((0.0, 0.5), (0.1, 1.0), 0, 400)
    assert norm_momentum.audit_copy_mean(*settings, tolerance=0.03).holds
    average = norm_momentum.audit_copy_mean(*settings, tolerance=0.03, formula=lambda _, q: q)
    assert not average.holds
    assert norm_momentum.copy_mean(0.5, 0.5) == pytest.approx(2 / 3)
