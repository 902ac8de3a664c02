"""Appendix G: penalties with the probability tied to nu."""

from __future__ import annotations

import torch

from nbsrc.audits.connections import instances, tied
from nbsrc.perturbation.coupling import critical_products

ROOTS = {
    "input gradient": critical_products().gradient, "curvature": critical_products().curvature
}  # fmt: skip
BOTH, RIGHT = (tied.cases_of(60, 0, wrong=wrong) for wrong in (True, False))


def test_slopes_against_differences() -> None:
    nu, gamma = torch.tensor(BOTH, dtype=torch.float64).T
    found = tied.slopes(nu, gamma)

    def values(width):
        q = torch.sigmoid(-width * gamma)
        return {"input gradient": (width * q) ** 2, "curvature": width**2 * q * (1 - q)}

    above, below = values(nu + 1e-6), values(nu - 1e-6)
    for name, slope in found.items():
        torch.testing.assert_close(slope, (above[name] - below[name]) / 2e-6, atol=1e-8, rtol=1e-6)


def test_printed_slopes() -> None:
    assert tied.audit_slope(RIGHT, "input gradient", absolute=True).holds
    found = tied.audit_slope(BOTH, "input gradient", absolute=True)
    assert found.counterexample["signed gamma"] < 0
    assert tied.audit_slope(BOTH, "input gradient", absolute=False).holds
    assert tied.audit_slope(BOTH, "curvature", absolute=True).holds


def test_a_planted_error_in_the_formula(monkeypatch) -> None:
    true = tied.printed_slopes
    monkeypatch.setattr(tied, "printed_slopes", lambda n, g: tuple(v + 1e-6 for v in true(n, g)))
    for name in ROOTS:
        assert not tied.audit_slope(RIGHT, name, absolute=True).holds


def test_probability() -> None:
    points = list(instances.random_instances(60, 0))
    assert tied.audit_probability(points, signed=True).holds
    assert not tied.audit_probability(points, signed=False).holds


def test_critical_products() -> None:
    assert tied.audit_critical(ROOTS).holds
    assert not tied.audit_critical(ROOTS, {"input gradient": 1.28, "curvature": 2.39}).holds
    assert not tied.audit_critical({**ROOTS, "curvature": 2.3994}).holds  # not a zero


def test_pushes_down() -> None:
    for name, root in ROOTS.items():
        assert tied.audit_pushes_down([0.1, 1.0, root - 1e-6], name).holds
        found = tied.audit_pushes_down([0.1, root + 0.1, root + 0.2], name)
        assert found.counterexample["nu gamma"] == root + 0.1
        assert not tied.audit_pushes_down([tied.PRINTED_PRODUCTS[name]], name).holds
    assert tied.audit_pushes_down([-5.0, -1.0], "input gradient").holds
    assert not tied.audit_pushes_down([-5.0], "curvature").holds


def test_gap() -> None:
    grid = [0.5, 1.5, 2.0, 3.0]
    inside = [1.5, 2.0]
    assert tied.audit_gap(grid, lambda t: t in inside).holds
    assert not tied.audit_gap(grid, lambda t: t in [1.5]).holds


def test_taylor_distance_depends_on_nu() -> None:
    assert tied.audit_taylor_depends_on_nu([0.5, 1.0, 5.0]).holds
    assert not tied.audit_taylor_depends_on_nu([0.5, 1.0], lambda t: torch.ones(())).holds


def test_digits_are_confident() -> None:
    share = tied.share_beyond(ROOTS, 0, steps=60)
    assert share["accuracy"] > 0.98
    assert 0.5 < share["curvature"] <= share["input gradient"] <= 1
