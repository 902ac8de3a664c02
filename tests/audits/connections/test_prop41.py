"""Proposition 4.1: which bounds hold where, and planted errors."""

from __future__ import annotations

import math

import pytest

from nbsrc.audits.connections import prop41, prop41_search
from nbsrc.audits.connections.optima import taylor_optimum
from nbsrc.audits.connections.point_families import edge_points, random_points, small_points
from nbsrc.audits.connections.points import point
from nbsrc.perturbation import prop41_bounds, taylor_perturbation_norm

POINTS = [*list(small_points())[::7], *random_points(180, 0), *edge_points()]


def unordered(x):
    return prop41.eq16(x, "unordered")


@pytest.mark.parametrize(
    "bound", [prop41.lemma31, prop41.eq17, prop41.eq16_repaired, prop41.sharpened]
)
def test_true_bounds(bound) -> None:
    assert prop41.audit_lower_bound(POINTS, bound).holds
    assert not prop41.audit_lower_bound(POINTS, lambda x: 3 * bound(x)).holds


@pytest.mark.parametrize(("bound", "bad"), [(prop41.eq16, {2}), (unordered, {2, 3, 4})])
def test_eq16_fails_exactly_there(bound, bad: set[int]) -> None:
    for K in (2, 3, 4, 5, 6, 10):
        found = prop41.audit_lower_bound([x for x in POINTS if x.classes == K], bound)
        assert found.holds == (K not in bad)


def test_smallest_case_of_eq16() -> None:
    for m, fails in ((5, False), (6, True)):
        x = point([[1, -1]], [m, 1])
        assert (prop41.eq16(x) > taylor_optimum(x)) == fails


def test_the_count_2k_is_the_smallest_for_every_k() -> None:
    for K in (2, 3, 4, 5, 6, 10):
        of = [x for x in POINTS if x.classes == K]
        assert prop41.audit_lower_bound(of, prop41.eq16_repaired).holds
        less = prop41.audit_lower_bound(of, lambda x: prop41.eq16_repaired(x, 1.98 * x.classes))
        assert not less.holds
        if K > 2:
            assert prop41.audit_tighter(of, prop41.eq16, prop41.eq16_repaired).holds


@pytest.mark.parametrize(
    ("V", "weights"), [([1, -1, 0], [32, 3, 1]), ([1, -1, 0, 0], [268, 14, 1, 1])]
)
def test_unordered_pairs_in_whole_numbers(V: list, weights: list) -> None:
    x = point([V], weights)
    assert unordered(x) > taylor_optimum(x)
    less = point([V], [weights[0] - 1, *weights[1:]])
    assert unordered(less) <= taylor_optimum(less)


def test_the_printed_form_is_undefined_where_the_gradient_avoids_the_top() -> None:
    x = point([[0, 1, -1], [1, 0, 0]], [2, 1, 1])
    assert x.gradient.tolist() == [0.0, -0.5]
    assert math.isnan(prop41.eq33_printed(x, upper=True))
    assert not prop41.audit_upper_bound([x], lambda x: prop41.eq33_printed(x, upper=True)).holds
    assert prop41.audit_upper_bound([x], prop41.lemma31_upper).holds
    y = point([[1, -1]], [3, 1])
    assert prop41.eq33_printed(y, upper=False) == pytest.approx(prop41.lemma31(y))


def test_planted_xi() -> None:
    found = prop41.audit_lower_bound(POINTS, prop41.eq17_with_printed_xi)
    assert not found.holds
    assert found.counterexample["left"] > found.counterexample["right"]


def test_upper_bound_of_lemma31() -> None:
    assert prop41.audit_upper_bound(POINTS, prop41.lemma31_upper).holds
    assert not prop41.audit_upper_bound(POINTS, lambda x: prop41.lemma31_upper(x, whole=True)).holds


def test_sharpened_is_proposition_31_for_two_classes() -> None:
    for x in POINTS:
        if x.classes == 2 and x.rest > 1e-6:
            nu = float((x.V[:, 0] - x.V[:, 1]).norm())
            assert prop41.sharpened(x) == pytest.approx(
                float(taylor_perturbation_norm(x.p_y, nu)), rel=1e-8
            )


def test_order_of_the_bounds() -> None:
    for weak in (prop41.eq17, prop41.eq16_repaired):
        assert prop41.audit_tighter(POINTS, weak, prop41.sharpened).holds
        assert not prop41.audit_tighter(POINTS, prop41.sharpened, weak).holds


def test_agrees_with_the_library() -> None:
    for x in POINTS[::9]:
        if x.rest > 1e-6:
            found = prop41_bounds(x.p, x.V, x.label, pairs="unordered")
            mine = (unordered(x), prop41.eq17(x), prop41.eq16_repaired(x))
            theirs = (found.eq16, found.eq17, found.repaired16)
            assert mine == pytest.approx([float(v) for v in theirs], rel=1e-7)


@pytest.mark.parametrize(("pairs", "ratio"), [("ordered", 0.5**0.5), ("unordered", 1.0)])
def test_threshold(pairs: str, ratio: float) -> None:
    """Just below it the bound holds, just above it fails; ratio is |V|_F / nu."""
    p = prop41_search.two_class_threshold(pairs, ratio)
    common = math.sqrt(max(4 * ratio**2 - 2, 0) / 2)  # V = [1 + c, -1 + c]: |V|_F^2 = 2 + 2 c^2
    for step, fails in ((-1e-4, False), (1e-4, True)):
        x = point([[1 + common, -1 + common]], [p + step, 1 - p - step])
        assert (prop41.eq16(x, pairs) > taylor_optimum(x)) == fails


def test_threshold_arguments() -> None:
    with pytest.raises(ValueError, match="'all'"):
        prop41_search.two_class_threshold("all")
    with pytest.raises(ValueError, match=r"0\.5"):
        prop41_search.two_class_threshold(ratio=0.5)


def test_search_finds_what_fails() -> None:
    assert prop41_search.largest_ratio(unordered, 3, 0, starts=1) > 1.2
    assert prop41_search.largest_ratio(prop41.sharpened, 3, 0, starts=1) <= 1 + 1e-9
