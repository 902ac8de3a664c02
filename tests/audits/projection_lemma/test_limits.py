"""Lemma 2, first part, fixed points, and general convex sets."""

from __future__ import annotations

import math

import pytest
import torch

from nbsrc.audits.projection_lemma import cases, limits, sets
from nbsrc.audits.projection_lemma import iterations as it
from nbsrc.audits.projection_lemma.maximiser import special_case

BATCHES = cases.starts_and_directions(12, 0, (1, 1.5, 2, 10, math.inf))
ENDS = [b for b in BATCHES if b.p in {1, 2, math.inf}]


def test_lemma_2_as_printed() -> None:
    found = limits.audit_limit(BATCHES, lambda b: b.printed)
    assert found.counterexample["v"] == [0.0, 1.0]
    assert found.counterexample["g"] == [1.0, 0.0]
    ones = limits.audit_limit([b for b in BATCHES if b.p == 1], lambda b: b.printed)
    assert ones.counterexample["g"] == [1.0, 1.0]
    unique = cases.unique_only(BATCHES)
    assert limits.audit_limit(unique, lambda b: b.printed).holds


def test_the_repair_holds() -> None:
    assert limits.audit_limit(BATCHES, lambda b: b.repaired).holds
    assert not limits.audit_limit(BATCHES, lambda b: special_case(b.v + b.g + 0.01, b.p)).holds


def test_the_start_0_gives_the_printed_maximiser() -> None:
    centred = [cases.Batch(b.p, 0 * b.v, b.g) for b in BATCHES]
    assert limits.audit_limit(centred, lambda b: b.printed).holds


def test_the_limit_remembers_the_start() -> None:
    assert not limits.audit_memory(BATCHES, lambda b, y: y).holds
    assert limits.audit_memory(BATCHES, lambda b, y: (b.g * y).sum(-1)).holds


def test_leading_term() -> None:
    assert limits.audit_leading_term(BATCHES, seed=0).holds
    assert not limits.audit_leading_term(BATCHES, seed=0, nearest=False).holds


def test_fixed_points() -> None:
    assert not limits.audit_fixed_point(ENDS).holds
    assert limits.audit_fixed_point(ENDS, lambda b: b.repaired).holds
    assert limits.audit_idempotence(ENDS).holds
    assert not limits.audit_idempotence([b for b in BATCHES if b.p == 10]).holds


def test_products() -> None:
    found = limits.audit_products(ENDS)
    assert found.counterexample["g"] == [2.0]
    assert found.counterexample["p"] == 2
    assert limits.audit_products([b for b in ENDS if b.p != 2]).holds


def test_one_iteration() -> None:
    family = it.iterations(6, 0, (1, 2, math.inf))
    found = limits.audit_limit(family, lambda b: b.printed)
    assert found.counterexample["J"] in ([[1.0, 0.0]], [[0.0, 1.0]])
    assert limits.audit_limit(family, lambda b: b.repaired).holds


def test_side_by_side() -> None:
    nets = [*it.matrices(3, 0), *it.networks(1, 0)]
    assert it.audit_side_by_side(nets, steps=3, seed=0).holds
    assert it.audit_side_by_side(nets, steps=3, seed=0, alpha=2.0**14).holds
    assert not it.audit_side_by_side(nets, steps=3, seed=0, attack_limit="printed").holds


def test_networks_are_affine_on_the_cube() -> None:
    for net in it.networks(3, 1):
        corners = cases.whole_vectors(4, 1) / 2
        values = net(corners)
        origin = net(torch.zeros(1, 4).double())
        assert torch.allclose(values + values.flip(0), 2 * origin.expand_as(values))


def test_convex_sets() -> None:
    assert sets.audit_polygons(60, 0).holds
    assert not sets.audit_polygons(60, 0, any_maximiser=True).holds
    assert sets.audit_boxes(20, 0).holds
    assert sets.audit_simplices(20, 0).holds
    assert not sets.audit_ray().holds
    assert not sets.audit_nearest_of_two().holds


def test_a_short_step_is_not_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sets, "FAR", 0.25)
    assert not sets.audit_simplices(20, 0).holds
    assert not sets.audit_boxes(20, 0).holds
