"""Finite steps: where they are exact, the worst error, slow entries, and two releases."""

from __future__ import annotations

import math

import pytest
import torch

from nbsrc.audits.projection_lemma import cases, software, steps

RATIOS = (0.2, 0.9, 1.0, 1.2, 1.4, 1.5, 2.0, 3.0, 1000.0)


def test_exact_from_two_radii() -> None:
    assert steps.audit_exact_from(2, (1, math.inf), count=6, seed=0).holds
    assert not steps.audit_exact_from(1.99, (1, math.inf), count=6, seed=0).holds
    assert not steps.audit_exact_from(2, (2,), count=6, seed=0).holds
    assert steps.audit_exact_from(1.99, (1, math.inf), count=6, seed=0, needed=True).holds
    assert not steps.audit_exact_from(2, (1, math.inf), count=6, seed=0, needed=True).holds


def test_the_norm_of_the_direction_is_not_enough() -> None:
    for p, entries in ((1, (0.6, 0.4)), (math.inf, (1.0, 0.5))):
        v = torch.tensor(entries, dtype=torch.float64)
        assert float(torch.linalg.vector_norm(v, p)) == 1
        assert steps.measured_error(v, p, 2, count=0, seed=0) > 0.5


def test_exact_from_one_plus_the_number_of_ties() -> None:
    assert steps.audit_exact_from(2, (1, math.inf), count=1, seed=0, ties=True).holds
    short = steps.audit_exact_from(1.99, (1,), count=1, seed=0, ties=True)
    assert not short.holds
    assert steps.audit_exact_from(1.99, (1,), count=1, seed=0, ties=True, needed=True).holds
    assert not steps.audit_exact_from(2, (1,), count=1, seed=0, ties=True, needed=True).holds
    pair = torch.tensor([0.5, 0.5, 0.0], dtype=torch.float64)
    assert steps.measured_error(pair, 1, 3.0, count=50, seed=0) < 1e-12
    assert steps.measured_error(pair, 1, 2.9, count=0, seed=0) > 0.01


def test_worst_error() -> None:
    assert steps.audit_worst_error(RATIOS, count=4, seed=0).holds
    assert steps.audit_attained(RATIOS, seed=0).holds
    below = steps.audit_attained(RATIOS, seed=0, naive=True)
    assert below.counterexample["ratio"] == 1.0


def test_worst_error_is_continuous_and_seen_when_too_small(monkeypatch: pytest.MonkeyPatch) -> None:
    for ratio in (1.0, math.sqrt(2)):
        near = [steps.worst_error(2, ratio + d) for d in (-1e-9, 1e-9)]
        assert near[0] == pytest.approx(near[1], abs=1e-8)
    real = steps.worst_error
    monkeypatch.setattr(steps, "worst_error", lambda p, r: 0.99 * real(p, r))
    assert not steps.audit_worst_error(RATIOS, count=4, seed=0).holds


def test_slow_entry() -> None:
    assert steps.slow_entry(2, 9.0) == pytest.approx(1 / math.sqrt(82))
    assert steps.audit_slow_entry((1.2, 2, 4, 10), (3, 1e3, 1e9)).holds
    assert not steps.audit_slow_entry((1.2, 2, 4, 10), (3, 1e3, 1e9), rate=1.05).holds


def test_our_lines_give_what_the_releases_gave() -> None:
    assert software.audit_recorded().holds
    assert not software.audit_recorded(software.step_3_0, software.step_3_0).holds
    assert not software.audit_recorded(software.step_2_1, software.step_2_1).holds


def test_clipping_is_compared_with_the_records(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(software, "clip_by_scaling", lambda d, p, eps: d.clamp(-eps, eps))
    assert not software.audit_recorded().holds


def test_releases() -> None:
    batches = cases.directions_only(5, 0, (1, 2, math.inf))
    old = software.audit_step(batches, software.step_2_1)
    assert old.counterexample["p"] == 1
    assert software.audit_step([b for b in batches if b.p != 1], software.step_2_1).holds
    assert software.audit_step(batches, software.step_3_0).holds
    assert not software.audit_scaling_is_projection(batches).holds
    assert software.audit_scaling_is_projection([b for b in batches if b.p != 1]).holds
