"""The Taylor radius against the exact one, and the repaired radius and bound."""

from __future__ import annotations

import math

import pytest
import torch

from nbsrc.audits.connections import exactness
from nbsrc.audits.connections import taylor_binary as taylor
from nbsrc.audits.connections.instances import Instance, at_margins


def moved(right: list[Instance]) -> list[Instance]:
    return [x for x in right if x.nu > 0]


def test_ratio_is_one_plus_margin_cubed_over_32() -> None:
    for t in (0.01, 0.02, 0.05):
        assert (exactness.ratio(t) - 1) / t**3 == pytest.approx(1 / 32, rel=5e-3)
    assert exactness.ratio(exactness.margin_of_ratio(1.1)) == pytest.approx(1.1)


def test_ratio_audit(right: list[Instance]) -> None:
    found = exactness.audit_ratio(moved(right), 1.1)
    assert not found.holds
    assert found.counterexample["V"] in ([[1.0, 0.0]], [[2.0, 0.0]], [[1.0, -1.0]])
    near = [x for x in moved(right) if x.margin <= exactness.margin_of_ratio(1.1)]
    assert exactness.audit_ratio(near, 1.1).holds


def test_ratio_audit_sees_a_taylor_size_that_is_too_small(
    right: list[Instance], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exactness, "taylor_radius", lambda x: 0.99 * x.margin / x.nu)
    assert not exactness.audit_ratio(moved(right), 1e9).holds


def test_class_is_kept(right: list[Instance]) -> None:
    found = exactness.audit_class_is_kept(moved(right), exactness.taylor_radius)
    assert not found.holds
    assert found.counterexample["V"] == [[1.0, 0.0]]
    for radius in (exactness.exact_radius, exactness.curvature_safe_radius):
        assert exactness.audit_class_is_kept(moved(right), radius).holds
    assert not exactness.audit_class_is_kept(
        moved(right), lambda x: 1.001 * exactness.exact_radius(x)
    ).holds


def test_safe_radius_solves_its_quadratic(right: list[Instance]) -> None:
    for x in moved(right)[::4]:
        s = x.nu * exactness.curvature_safe_radius(x)
        assert x.q * s + s**2 / 8 == pytest.approx(math.log1p(math.tanh(x.margin / 2)))


def test_worst_loss(cases: list[Instance]) -> None:
    radii = (0.1, 1.0, 10.0)
    printed = exactness.audit_worst_loss(cases, radii, taylor.prop33)
    assert not printed.holds
    assert printed.counterexample["epsilon"] == 0.1
    assert exactness.audit_worst_loss(cases, radii, exactness.curvature_safe_loss).holds
    wrong = [x for x in cases if x.margin <= 0]
    assert exactness.audit_worst_loss(wrong, radii, taylor.prop33).holds


def test_crossing() -> None:
    """Near one half the two losses meet at four times the margin, later for surer points."""
    assert exactness.crossing(0.01) == pytest.approx(4, rel=1e-3)
    assert 4 < exactness.crossing(1.0) < exactness.crossing(3.0)


def test_near_half() -> None:
    def fixed(p: float) -> Instance:
        return next(iter(at_margins([math.log(p / (1 - p))])))

    def unit(x: Instance) -> Instance:  # nu = 1 and the same margin
        return Instance(torch.tensor([[1.0, 0.0]]).double(), x.V[:, 0], 0)

    points = [unit(fixed(0.5 + 10.0**-k)) for k in range(1, 9)]
    assert exactness.audit_near_half(points).holds
    shrinking = [fixed(0.5 + 10.0**-k) for k in range(1, 9)]  # gamma = 1, nu -> 0
    assert not exactness.audit_near_half(shrinking).holds
