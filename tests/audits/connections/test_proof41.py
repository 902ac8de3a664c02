"""The steps of appendix E, each with a planted error."""

from __future__ import annotations

from nbsrc.audits.connections import linf_bounds, proof41, prop41
from nbsrc.audits.connections.point_families import edge_points, random_points, small_points
from nbsrc.audits.connections.points import point

POINTS = [*list(small_points())[::9], *random_points(120, 0), *list(edge_points())[::2]]
MIXED = point([[0, 1, -1], [1, 0, 0]], [2, 1, 1])


def test_eq37() -> None:
    assert not prop41.audit_lower_bound(POINTS, proof41.eq37_printed).holds
    found = proof41.audit_second_step(POINTS, proof41.eq37_printed, prop41.eq17)
    assert not found.holds
    large = [x for x in POINTS if x.xi <= 1]
    assert proof41.audit_second_step(large, proof41.eq37_printed, prop41.eq17).holds
    away = [x for x in POINTS if x.xi > 1e-3]
    assert proof41.audit_second_step(away, proof41.eq37_first, prop41.eq17).holds
    assert proof41.audit_second_step(away, prop41.eq17, proof41.eq37_first).holds


def test_eq38() -> None:
    assert prop41.audit_lower_bound(POINTS, proof41.eq38_first).holds
    for K in (2, 3, 4):
        of = [x for x in POINTS if x.classes == K]
        step = proof41.audit_second_step(of, proof41.eq38_first, prop41.eq16)
        assert step.holds == (K > 2)
    assert proof41.audit_second_step(POINTS, proof41.eq38_first, prop41.eq16_repaired).holds
    for pairs in ("ordered", "unordered"):
        assert not proof41.audit_pair_count(POINTS, pairs).holds
        assert proof41.audit_pair_count(POINTS, pairs, repaired=True).holds


def test_monotone() -> None:
    assert proof41.audit_monotone(80, 0).holds
    assert not proof41.audit_monotone(80, 0, sign=-1).holds


def test_common_shift() -> None:
    assert proof41.audit_optimum_after_shift(POINTS[::3]).holds
    assert proof41.audit_same_after_shift(POINTS, prop41.sharpened).holds
    for bound in (prop41.eq16, prop41.eq17):
        assert not proof41.audit_same_after_shift(POINTS, bound).holds


def test_lipschitz() -> None:
    assert proof41.audit_lipschitz(POINTS, 0).holds
    assert not proof41.audit_lipschitz(POINTS, 0, factor=0.99).holds


def test_comparison() -> None:
    assert proof41.audit_comparison(POINTS).holds
    assert not proof41.audit_comparison(POINTS, mean_square=0.5).holds
    assert proof41.audit_each_wins(POINTS, prop41.eq16, prop41.eq17).holds
    assert not proof41.audit_each_wins(POINTS, prop41.eq17, prop41.sharpened).holds
    found = proof41.audit_each_wins(POINTS, prop41.eq17, prop41.sharpened)
    assert found.counterexample["first larger at"] == 0
    assert found.trials == len(POINTS)


def test_linf_bounds() -> None:
    few = [*POINTS[::2], MIXED]
    assert not linf_bounds.audit_first_order_term([MIXED], mixed=True).holds
    assert linf_bounds.audit_first_order_term(few, mixed=False).holds
    assert linf_bounds.audit_eq39(few).holds
    assert not linf_bounds.audit_eq39(few, factor=0.9).holds
    assert linf_bounds.audit_eq40(few).holds
    assert linf_bounds.audit_eq40(few, sharper=True).holds
    assert not linf_bounds.audit_eq40(few, factor=0.9).holds
    for x in few:
        assert linf_bounds.eq40(x) <= linf_bounds.eq40_sharper(x) * (1 + 1e-12)
