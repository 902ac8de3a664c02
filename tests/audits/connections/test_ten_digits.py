"""Distances of a trained network: the exact one is exact, and the audit sees what exceeds it."""

from __future__ import annotations

import pytest
import torch

from nbsrc.audits.connections import ten_digits

NET = ten_digits.train_digits(0, 40)
POINTS = ten_digits.distances(NET, 60)


def test_training_learns_and_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    again = ten_digits.train_digits(0, 40)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(again[0].weight, NET[0].weight)
    assert len(POINTS) > 40


def test_exact_distance_by_hand() -> None:
    from sklearn.datasets import load_digits

    first = POINTS[0]
    image = torch.from_numpy(load_digits(return_X_y=True)[0][first.number] / 16.0)
    active = (NET[0](image) > 0).double()
    V = (NET[2].weight * active) @ NET[0].weight
    with torch.no_grad():
        z, gaps = NET(image), V - V[NET(image).argmax()]
    ratios = (z.max() - z) / gaps.norm(dim=1)
    assert float(ratios[~ratios.isnan()].min()) == pytest.approx(first.exact)
    assert float(torch.softmax(z, 0).max()) == pytest.approx(first.p_y)


def test_order_of_the_estimates() -> None:
    assert all(x.eq17 <= x.sharpened <= x.taylor * (1 + 1e-9) for x in POINTS)


def test_audit() -> None:
    assert ten_digits.audit_below_exact(POINTS, lambda x: x.exact).holds
    found = ten_digits.audit_below_exact(POINTS, lambda x: 1.001 * x.exact)
    assert found.counterexample["image"] == POINTS[0].number
    assert not ten_digits.audit_below_exact(POINTS, lambda x: x.taylor).holds
