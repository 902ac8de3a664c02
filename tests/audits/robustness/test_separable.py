"""Assumption 2 against balls that do not overlap."""

from __future__ import annotations

import pytest
import sympy

from nbsrc.audits.robustness import separable
from nbsrc.audits.robustness.separable import K, PointAndSequence
from nbsrc.audits.robustness.sets import NORMS, touching_pair
from tests.audits.robustness.robust_examples import (
    for_smaller_balls,
    small_sets,
    smallest_set,
)

SETS = small_sets()
BOTH = [
    *SETS,
    *(data.with_eps(0.75 * data.separation) for data in SETS),
    *(touching_pair(n, ord=q) for n in (1, 2) for q in NORMS),
]


def test_assumption_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    audit = separable.audit_assumption_decides
    found = audit(BOTH, tolerance=1e-9)
    assert found.holds
    assert found.trials == len(BOTH)
    weak = smallest_set(lambda x: audit(x, strict=False, tolerance=1e-9), BOTH)
    assert weak.counterexample["separation"] == 2 * weak.counterexample["eps"]
    with monkeypatch.context() as patch:
        patch.setattr(separable, "robust_classifier", for_smaller_balls)
        smallest_set(lambda x: audit(x, tolerance=1e-9), BOTH)
    monkeypatch.setattr(separable, "shared_point", lambda data: 0.1)
    assert not audit(BOTH, tolerance=1e-9).holds


@pytest.mark.parametrize(
    ("distance", "eps", "disjoint", "infimum"),
    [
        (1 + 1 / K, "1/2", True, 1),  # disjoint, not separable
        (1 + 1 / K, "1/4", True, 1),
        (1 + 1 / K, "3/4", False, 1),
        (1 + K, "1/2", True, 2),
        (2 - 1 / K, "1/2", False, 1),  # the first ball touches
        (2 - 1 / K, "1/4", True, 1),
    ],
)
def test_sequences_worked_out_by_hand(
    distance: sympy.Expr, eps: str, disjoint: bool, infimum: int
) -> None:
    data = PointAndSequence(distance, sympy.Rational(eps))
    assert data.balls_disjoint is disjoint
    assert data.infimum == infimum
    assert data.separable is bool(infimum > 2 * sympy.Rational(eps))


def test_sequences_against_their_first_terms() -> None:
    for data in separable.sequences():
        terms = [data.distance.subs(K, k) for k in range(1, 200)]
        assert terms in (sorted(terms), sorted(terms, reverse=True))
        assert data.balls_disjoint == all(x > 2 * data.eps for x in terms)
        assert data.infimum <= min(terms)


def test_disjoint_balls(monkeypatch: pytest.MonkeyPatch) -> None:
    sets = separable.sequences()
    found = separable.audit_disjoint_balls(sets, enlarged=False)
    assert not found.holds
    assert found.counterexample == {
        "class 1": "0",
        "class 2": "1 + 1/k, k = 1, 2, ...",
        "eps": "1/2",
        "balls disjoint": True,
        "infimum of distances": "1",
    }
    assert separable.audit_disjoint_balls(sets[1:4], enlarged=False).holds
    assert separable.audit_disjoint_balls(sets, enlarged=True).holds
    fixed = separable.audit_disjoint_balls(sets, enlarged=True, fixed_growth=1)
    assert not fixed.holds
    assert fixed.counterexample["class 2"] == "k + 1, k = 1, 2, ..."
    monkeypatch.setattr(
        PointAndSequence, "infimum", property(lambda data: data.distance.subs(K, 1))
    )  # the first term instead of the infimum
    assert not separable.audit_disjoint_balls(sets, enlarged=True).holds
