"""Audits of the batch-norm formulas: the corrected ones hold, the printed ones fail small."""

from __future__ import annotations

import torch

from nbsrc.audits import batch_norm
from nbsrc.audits.batch_norm import BatchNormState


def states(count: int = 60) -> list[BatchNormState]:
    return list(batch_norm.random_states(count, 0))


def test_map_needs_eps() -> None:
    assert batch_norm.audit_batch_norm_map(states(), share=1).holds
    found = batch_norm.audit_batch_norm_map(states(), share=0)
    assert not found.holds
    assert len(found.counterexample["gamma"]) == 1


def test_norm() -> None:
    good = batch_norm.audit_batch_norm_norm(states(), batch_norm.corrected_norm, 1e-10)
    assert good.holds
    assert good.trials == 3 * 60
    printed = batch_norm.audit_batch_norm_norm(states(), batch_norm.printed_norm, 1e-10)
    assert not printed.holds
    assert len(printed.counterexample["gamma"]) == 1
    off = batch_norm.audit_batch_norm_norm(
        states(), lambda s: 1.001 * batch_norm.corrected_norm(s), 1e-10
    )
    assert not off.holds


def test_torch_layer_has_the_state() -> None:
    state = states()[-1]
    x = torch.randn(3, len(state.gamma), dtype=torch.float64)
    expected = state.gamma * (x - state.mean) / (state.variance + state.eps).sqrt() + state.beta
    assert torch.allclose(batch_norm.torch_layer(state)(x), expected, rtol=1e-13)


def test_states() -> None:
    drawn = states()
    assert [float(s.gamma[0]) for s in drawn[:3]] == [1, -1, 0]
    assert float(drawn[0].variance[0]) == 0
    assert any(bool((s.gamma > 0).all()) for s in drawn[3:])
    assert any(bool((s.gamma < 0).any()) for s in drawn[3:])
    assert all(bool((s.variance >= 0).all()) for s in drawn)
