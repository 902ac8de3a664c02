"""Recorded separations against Assumption 2 and quoted values."""

from __future__ import annotations

from nbsrc.audits.separations import audit_quoted, audit_separable, rests_on_copies


def entry(distance):
    return {"distance": distance, "pair": [0, 1]}


def test_separable_is_strict() -> None:
    entries = {"train": entry(0.25), "test": entry(0.5)}
    assert audit_separable(entries, 0.12).holds
    assert not audit_separable(entries, 0.125).holds
    found = audit_separable(entries, 0.1, factor=2)
    assert found.counterexample == "train: distance 0.2500 of images [0, 1]"
    assert found.trials == 2


def test_quoted_values_are_rounded_ones() -> None:
    sets = {"mnist": {"train": {"linf": entry(188 / 255)}}}
    assert audit_quoted(sets, {"mnist": {"train": 0.737}}).holds
    found = audit_quoted(sets, {"mnist": {"train": 0.736}})
    assert not found.holds
    assert found.counterexample == "mnist train: quoted 0.736, computed 0.737255"


def test_copies_matter_only_if_they_are_as_close() -> None:
    parts = {
        "divisor": 255,
        "train": {"l1": entry(3.0), "l2": entry(3.0)},
        "test": {"l1": entry(4.0), "l2": entry(2.0)},
        "copies": {"l1": entry(3.5), "l2": entry(9.0)},
    }
    assert rests_on_copies(parts) == ["l1"]
    parts["copies"]["linf"] = entry(0.1)
    assert rests_on_copies(parts) == ["l1"]  # linf is recorded for no other part
