"""Lemma 1, Hölder's inequality and its conditions of equality."""

from __future__ import annotations

import math

import pytest
import torch

from nbsrc.audits.projection_lemma import cases, holder
from nbsrc.audits.projection_lemma import maximiser as lemma
from nbsrc.operator_norm import holder_conjugate

ALL = cases.directions_only(10, 0, (1, 1.01, 1.5, 2, 3, 10, 50, math.inf))
SPECIAL = [b for b in ALL if b.p in {1, 2, math.inf}]
ONE = [b for b in ALL if b.p == 1]
BETWEEN = [b for b in ALL if 1 < b.p < math.inf]
PAIRS = holder.with_proportional(
    cases.starts_and_directions(4, 0, (1, 1.5, 3, math.inf)), (1.0, -1.0, 0.0)
)
PAIRS_AT_ENDS = [b for b in PAIRS if b.p in {1, math.inf}]
PAIRS_BETWEEN = [b for b in PAIRS if 1 < b.p < math.inf]


def test_lemma_1() -> None:
    assert lemma.audit_maximiser(ALL).holds
    swapped = lemma.audit_maximiser(ALL, lambda z, p: lemma.special_case(z, holder_conjugate(p)))
    assert not swapped.holds
    short = lemma.audit_maximiser(ALL, lambda z, p: 0.999 * lemma.special_case(z, p))
    assert not short.holds
    zero = [cases.Batch(2.0, torch.zeros(1, 2).double(), torch.zeros(1, 2).double())]
    assert not lemma.audit_maximiser(zero).holds


def test_special_cases_are_the_limits() -> None:
    assert lemma.audit_special_cases(SPECIAL).holds

    def first_of_ties(z: torch.Tensor, p: float) -> torch.Tensor:
        v = lemma.special_case(z, p)
        if p == 1:
            rows = torch.arange(len(z))
            first = z.abs().argmax(-1)
            v = torch.zeros_like(v).index_put((rows, first), z.sign()[rows, first])
        return v

    assert not lemma.audit_special_cases(SPECIAL, first_of_ties).holds


def test_convex_combinations_need_signs() -> None:
    found = lemma.audit_convex_combinations(ONE, signed=False)
    assert found.counterexample["g"] == [-1.0]
    assert lemma.audit_convex_combinations(ONE, signed=True).holds
    small = [b for b in ALL if b.p in {1, math.inf} and b.g.shape[1] < 4]
    assert lemma.audit_all_maximisers(small).holds


def test_all_maximisers_sees_a_wrong_face(monkeypatch: pytest.MonkeyPatch) -> None:
    real = lemma.dual_face
    monkeypatch.setattr(lemma, "dual_face", lambda z, p: real(z.flip(-1), p))
    small = [b for b in ONE if b.g.shape[1] == 2]
    assert not lemma.audit_all_maximisers(small).holds


def test_norm_lines() -> None:
    assert lemma.audit_norm_lines(ALL).holds
    assert not lemma.audit_norm_lines(ALL, lemma.unit_norms).holds


def test_condition_of_equality() -> None:
    printed = holder.audit_equality_condition(PAIRS_BETWEEN, holder.proportional)
    assert printed.counterexample["v"] == [-1.0]
    assert printed.counterexample["g"] == [1.0]
    assert holder.audit_equality_condition(PAIRS, holder.aligned).holds
    assert holder.audit_equality_condition(PAIRS_AT_ENDS, holder.exposed).holds
    assert holder.audit_equality_condition(PAIRS_BETWEEN, holder.proportional, if_=False).holds
    same_signs = holder.audit_equality_condition(PAIRS, lambda b: (b.v * b.g >= 0).all(-1))
    assert not same_signs.holds


def test_equality_is_attained_at_the_ends() -> None:
    never = holder.audit_equality_condition(PAIRS_AT_ENDS, lambda b: (b.v == 0).all(-1), if_=False)
    assert not never.holds
    half = cases.Batch(
        math.inf, torch.tensor([[1.0, 0.5]]).double(), torch.tensor([[1.0, 0.0]]).double()
    )
    assert bool(holder.attained(half).all())


def test_gamma() -> None:
    assert holder.audit_gamma(BETWEEN).holds
    assert not holder.audit_gamma(BETWEEN, lambda r: -1.0).holds


@pytest.mark.parametrize(
    ("reading", "holds"),
    [("limit", False), ("three limits", True), ("on I", True), ("everywhere", False)],
)
def test_gamma_at_one(reading: str, holds: bool) -> None:
    assert holder.audit_gamma_at_one(ONE, reading).holds is holds


def test_gamma_reading_is_checked() -> None:
    with pytest.raises(ValueError, match="reading must be one of"):
        holder.audit_gamma_at_one(ONE, "other")
