"""Findings check their fields."""

import numpy as np
import pytest

from nbsrc.claims import Finding


def test_a_finding_becomes_a_plain_record():
    finding = Finding(np.bool_(True), np.float64(-1e-12), np.int64(7), {"h": np.int64(3)}, "all")
    assert finding.record() == {
        "holds": True,
        "worst_slack": -1e-12,
        "trials": 7,
        "counterexample": {"h": 3},
        "family": "all",
    }


@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        ({"holds": 1}, TypeError, "holds must be True or False"),
        ({"holds": "yes"}, TypeError, "holds must be True or False"),
        ({"trials": 1.5}, TypeError, "trials must be an integer"),
        ({"trials": True}, TypeError, "trials must be an integer"),
        ({"trials": -1}, ValueError, "trials must not be negative, got -1"),
        ({"worst_slack": float("nan")}, ValueError, "worst_slack is not a number"),
        ({"worst_slack": float("inf")}, ValueError, "worst_slack must be finite"),
        ({"family": 3}, TypeError, "family must be text"),
    ],
)
def test_bad_fields_are_named(changes, kind, words):
    values = {"holds": True, "worst_slack": 0.0, "trials": 1, **changes}
    with pytest.raises(kind, match=words):
        Finding(**values).record()
