"""Figure 3 and the remarks on confidence."""

from __future__ import annotations

import torch

from nbsrc.audits.connections import confidence, instances

POINTS = [
    x for x in (*list(instances.small_instances())[::9], *instances.random_instances(60, 0))
    if x.nu > 0
]  # fmt: skip
SQUARED, PRODUCT = (confidence.WEIGHTS[k] for k in ("input gradient", "curvature"))
EVERYWHERE = confidence.probability_grid(60, above_half=False)
UPPER = confidence.probability_grid(60, above_half=True)


def test_weights() -> None:
    assert confidence.audit_weights(POINTS, confidence.WEIGHTS).holds
    for wrong in ("input gradient", "curvature"):
        planted = {**confidence.WEIGHTS, wrong: lambda p: (1 - p) ** 2 * p}
        assert not confidence.audit_weights(POINTS, planted).holds


def test_grids() -> None:
    assert float(UPPER[0]) > 0.5
    assert float(EVERYWHERE[0]) < 1e-6 < 1 - float(EVERYWHERE[-1]) + 1e-6
    assert bool((EVERYWHERE.diff() > 0).all())


def test_decreasing() -> None:
    assert confidence.audit_decreasing(SQUARED, EVERYWHERE).holds
    assert confidence.audit_decreasing(PRODUCT, UPPER).holds
    found = confidence.audit_decreasing(PRODUCT, EVERYWHERE)
    assert not found.holds
    assert found.counterexample["p"] == float(EVERYWHERE[0])
    assert not confidence.audit_decreasing(torch.ones_like, UPPER).holds  # standing still


def test_slopes() -> None:
    assert confidence.audit_slope_grows(PRODUCT, UPPER).holds
    assert not confidence.audit_slope_grows(PRODUCT, EVERYWHERE).holds
    assert confidence.audit_slope_grows(SQUARED, EVERYWHERE, shrinks=True).holds
    assert not confidence.audit_slope_grows(SQUARED, UPPER).holds
    assert confidence.audit_slope_grows(confidence.distance_weight, UPPER).holds
    torch.testing.assert_close(confidence.slope_of(SQUARED, UPPER), -2 * (1 - UPPER))
    assert not confidence.slope_of(torch.ones_like, UPPER).any()


def test_no_probability() -> None:
    def constant(V, z, y):
        return V.square().sum()

    def hidden(V, z, y):
        return V.square().sum() * torch.softmax(z, 0)[y]

    assert confidence.audit_no_probability(POINTS, constant).holds
    assert not confidence.audit_no_probability(POINTS, hidden).holds


def test_one_ratio() -> None:
    assert confidence.audit_one_ratio(POINTS, lambda x: (1 - x.p) ** 2 * x.nu**2, SQUARED).holds
    assert not confidence.audit_one_ratio(
        POINTS, lambda x: float(x.V.square().sum()), lambda p: p.new_tensor(0.5)
    ).holds
