"""Section 4's definitions and Lemma 4.1 under its readings."""

from __future__ import annotations

import math

import pytest
import torch

from nbsrc.audits.connections import multiclass
from nbsrc.audits.connections.architectures import architectures, audit_architectures
from nbsrc.audits.connections.network_audits import audit_linear_map
from nbsrc.audits.connections.networks import random_points as random_networks
from nbsrc.audits.connections.point_families import random_points, small_points
from nbsrc.audits.connections.points import point

POINTS = [*list(small_points(correct=False))[::25], *random_points(60, 0, correct=False)]
FLAT = [*list(small_points())[::9], *random_points(80, 1)]


@pytest.mark.parametrize("reading", multiclass.READINGS)
def test_lemma41(reading: str) -> None:
    found = multiclass.audit_lemma41(POINTS, reading)
    assert found.holds == (reading == "outer product")


def test_printed_hessian_of_the_smallest_case() -> None:
    x = point([[0, -1]], [1, 1])
    values = [float(multiclass.printed_hessian(x, r)) for r in multiclass.READINGS]
    assert values == [0.0, 0.0, 0.25]
    with pytest.raises(ValueError, match="'other'"):
        multiclass.printed_hessian(x, "other")


def test_lemma41_sees_a_wrong_hessian(monkeypatch: pytest.MonkeyPatch) -> None:
    true = multiclass.printed_hessian
    monkeypatch.setattr(multiclass, "printed_hessian", lambda x, r: 1.001 * true(x, r))
    assert not multiclass.audit_lemma41(POINTS, "outer product").holds


def test_eq14_on_networks_with_many_classes() -> None:
    nets = list(multiclass.with_classes(random_networks(30, 0), (3, 10), 0))
    assert {x.weights[-1].shape[1] for x in nets} == {3, 10}
    assert audit_linear_map(nets, 0, slopes=False).holds
    leaky = multiclass.with_classes(random_networks(30, 0, slopes=(0.2,)), (3,), 0)
    assert not audit_linear_map(leaky, 0, slopes=False).holds


def test_architectures() -> None:
    names = [name for name in architectures(2, 0) if "softplus" not in name]
    assert len(names) == 7
    assert audit_architectures(names, (2, 3), 0).holds
    assert not audit_architectures(["softplus (smooth)"], (3,), 0).holds


def test_architectures_leave_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    one, two = architectures(3, 5)["residual"], architectures(3, 5)["residual"]
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))


def test_nu_and_xi() -> None:
    two = [x for x in FLAT if x.classes == 2]
    for pairs, factor in (("ordered", 0.5), ("unordered", 0.25)):
        assert not multiclass.audit_nu2(two, pairs).holds
        assert multiclass.audit_nu2(two, pairs, factor).holds
    assert multiclass.audit_pair_sum(FLAT, lambda x: 2 * x.classes * x.spread).holds
    assert not multiclass.audit_pair_sum(FLAT, lambda x: x.classes * x.spread).holds
    assert multiclass.audit_xi(FLAT, lambda K, p: math.log(K) + math.log(p)).holds
    assert not multiclass.audit_xi(FLAT, lambda K, p: math.log(K) - math.log(p)).holds
