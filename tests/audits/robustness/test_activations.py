"""Nine activations: a bound chosen in advance, a certificate, and a control without scaling."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from torch import nn

from nbsrc.audits.robustness import activations
from nbsrc.audits.robustness.activations import EveryActivation
from nbsrc.audits.robustness.existence import audit_theorem2
from nbsrc.constructions import Replacement
from tests.audits.robustness.robust_examples import for_smaller_balls, line

DATA = line([0, 4], [1, 2], 1)


def test_table() -> None:
    table = {row.name: row for row in activations.activation_table(DATA, tolerance=0.1)}
    assert len(table) == 9
    for row in table.values():
        assert row.robust_accuracy == 1
        assert row.bound <= 0.1
        # the bound holds in real arithmetic; the deviation has rounding of 1e-12 on top
        assert row.deviation <= row.bound + 1e-12
    assert table["ReLU"].bound == table["leaky ReLU"].bound == 0
    assert [name for name, row in table.items() if not row.certified] == ["x squared"]
    assert {row.road for row in table.values()} == {
        "as constructed",
        "exact",
        "scaled",
        "vote",
        "iterated",
    }


def test_every_activation(monkeypatch: pytest.MonkeyPatch) -> None:
    every = EveryActivation(DATA)
    assert every.size == DATA.size
    assert every.description["activation"] == "the worst of nine"
    assert audit_theorem2([every]).holds
    with monkeypatch.context() as patch:
        patch.setattr(activations, "robust_classifier", for_smaller_balls)
        found = audit_theorem2([EveryActivation(DATA.with_eps(1.9))])
        assert not found.holds

    def forgets_to_scale(network: nn.Sequential, activation: nn.Module, **_: Any) -> Replacement:
        layers = (activation if isinstance(m, nn.ReLU) else m for m in network)
        return Replacement(nn.Sequential(*layers), 0.1, ())

    monkeypatch.setattr(activations, "replace_relu", forgets_to_scale)
    found = audit_theorem2([every])
    assert not found.holds
    assert found.worst_slack < 0
    assert found.counterexample["activation"] == "the worst of nine"


def test_one_bad_activation_spoils_the_set(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = activations.activation_table(DATA, tolerance=0.1)
    rows[4] = replace(rows[4], robust_accuracy=0.5)
    monkeypatch.setattr(activations, "activation_table", lambda *_, **__: rows)
    assert EveryActivation(DATA).shortfall() == 0.5


def test_unscaled_softplus() -> None:
    row = activations.unscaled_softplus(DATA)
    assert (row.name, row.road, row.bound) == ("softplus", "unscaled", math.inf)
    assert row.robust_accuracy < 1
    assert row.deviation > 0.5
