"""Twice the radius at least doubles the largest change of the loss of affine scores."""

from __future__ import annotations

import pytest
import torch

from nbsrc.audits.printed_tables import doubling
from nbsrc.audits.printed_tables.trends import variation


def test_affine_scores() -> None:
    assert doubling.audit_affine_doubling(60, 0).holds
    found = doubling.audit_affine_doubling(60, 0, doubling.error_probability)
    assert not found.holds


def test_corners_are_the_maximum() -> None:
    draw = torch.Generator().manual_seed(0)
    W = torch.randn(3, 2, generator=draw, dtype=torch.float64)
    b = torch.randn(3, generator=draw, dtype=torch.float64)
    points = 2 * torch.rand(20_000, 2, generator=draw, dtype=torch.float64) - 1
    sampled = (doubling.loss_of(points @ W.T + b, 1) - doubling.loss_of(b, 1)).max()
    exact = doubling.largest_change(W, b, 1, 1.0, doubling.loss_of)
    assert float(sampled) <= exact == pytest.approx(float(sampled), rel=0.05)


def test_table_1() -> None:
    table = variation()
    assert doubling.audit_printed_doubling(table, "CIFAR10").holds
    found = doubling.audit_printed_doubling(table, "CIFAR100")
    assert found.trials == 6
    assert found.counterexample == "CIFAR100, AR 4: 0.0550 at 1, 0.1072 at 2"
    violated = [doubling.audit_printed_doubling({k: v for k, v in table.items() if k[2] == s},
                                                "CIFAR100").holds for s in (4, 8, 16)]  # fmt: skip
    assert violated == [False, False, False]
