"""Audits of the appendix: they hold on what is right and fail on planted errors."""

from __future__ import annotations

import pytest

from nbsrc.audits import appendix
from nbsrc.audits.layers import layers_under_assumption1, random_layers, smallest_layers
from tests.audits.violations import everything, smallest_violation

COUNT = 80


def test_proof_positions(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proof goes through under Assumption 1, fails without it, and fails for a wrong set."""
    good = list(layers_under_assumption1(COUNT, 0))
    assert appendix.audit_proof_positions(good).holds
    smallest_violation(appendix.audit_proof_positions, list(smallest_layers(8)))
    strided = [x for x in good if x.shape.stride[0] > 1 and x.shape.kernel_size[0] > 1]
    monkeypatch.setattr(appendix, "printed_family", everything)
    smallest_violation(appendix.audit_proof_positions, strided)


def by_columns(index: int, k1: int, _: int) -> tuple[int, int]:
    return index % k1, index // k1


def by_rows(index: int, _: int, k2: int) -> tuple[int, int]:
    return divmod(index, k2)


def test_partition(monkeypatch: pytest.MonkeyPatch) -> None:
    layers = list(random_layers(COUNT, 0))
    assert appendix.audit_partition(layers, by_columns).holds
    smallest_violation(lambda x: appendix.audit_partition(x, by_rows), layers)
    true = appendix.appendix_partition
    monkeypatch.setattr(appendix, "appendix_partition", lambda *a: true(*a)[1:])
    smallest_violation(lambda x: appendix.audit_partition(x, by_columns), layers)
