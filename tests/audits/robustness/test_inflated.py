"""Large layers around any function: audits, a control, and planted errors."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from nbsrc.audits.robustness import inflated
from nbsrc.constructions import inflate_norms


def test_networks_to_inflate() -> None:
    cases = list(inflated.networks_to_inflate(5, 0))
    assert [case.name for case in cases].count("digits CNN") == 1
    assert all(not case.network.training for case in cases)
    again = list(inflated.networks_to_inflate(5, 0))
    for first, second in zip(cases, again, strict=True):
        assert torch.equal(first.network(first.inputs), second.network(second.inputs))


def test_inflated(monkeypatch: pytest.MonkeyPatch) -> None:
    cases = list(inflated.networks_to_inflate(5, 0))

    def audit(chosen: list[inflated.NetworkToInflate], **options: Any):
        return inflated.audit_inflated(chosen, 1e6, tolerance=1e-12, **options)

    found = audit(cases)
    assert found.holds
    assert found.trials == 5
    torn = audit(cases, read_back=True)
    wrong = [case for case in cases if not audit([case], read_back=True).holds]
    least = min(wrong, key=lambda case: sum(x.numel() for x in case.network.parameters()))
    assert torn.counterexample["network"] == least.name
    assert "digits CNN" in [case.name for case in wrong]
    for planted in (
        lambda network, scale: inflate_norms(network, scale / 2),
        lambda network, scale: network,  # nothing is inflated
    ):
        with monkeypatch.context() as patch:
            patch.setattr(inflated, "inflate_norms", planted)
            assert audit(cases).worst_slack <= -0.4
    monkeypatch.setattr(inflated, "proves_same_function", lambda a, b: False)
    assert audit(cases).worst_slack == -1
