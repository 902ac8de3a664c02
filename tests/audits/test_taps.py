"""Audits of Lemma 1: they hold on what is right and fail on planted errors."""

from __future__ import annotations

import pytest
import torch

from nbsrc.audits import taps
from nbsrc.audits.layers import (
    Layer,
    Shape,
    distinct_weights,
    layers_under_assumption1,
    random_layers,
)
from tests.audits.violations import everything, smallest_violation

COUNT = 80


def test_column_taps_of_a_layer_worked_out_by_hand() -> None:
    """Three pixels, two taps, stride 2, padding 1: taps {1}, {0}, {1}; the same in channel two."""
    shape = Shape(2, 1, (3, 1), (2, 1), (2, 1), (1, 0))
    first, second = taps.column_taps(Layer(shape, distinct_weights(shape)))
    assert first == second == [{(1, 0)}, {(0, 0)}, {(1, 0)}]


def test_cover() -> None:
    good = list(layers_under_assumption1(COUNT, 0))
    assert taps.audit_cover(good).holds
    assert taps.audit_cover(good, everything).holds
    assert taps.audit_cover(list(random_layers(COUNT, 1))).holds  # cover needs no assumption

    def halved(layer: Layer) -> list[tuple[tuple[int, int], ...]]:
        return [a[: max(1, len(a) // 2)] for a in taps.printed_family(layer)]

    smallest_violation(lambda x: taps.audit_cover(x, halved), good)
    assert not taps.audit_cover(good, lambda _: []).holds


def test_attain() -> None:
    good = list(layers_under_assumption1(COUNT, 0))
    assert taps.audit_attain(good).holds
    smallest_violation(lambda x: taps.audit_attain(x, everything), good)
    smallest_violation(taps.audit_attain, list(random_layers(COUNT, 1)))


def test_attain_by_values() -> None:
    """Zeros in the kernel are wanted by the printed set and never in nz(M)."""
    shape = Shape(1, 1, (3, 3), (2, 2))
    dense = Layer(shape, distinct_weights(shape))
    zero = Layer(shape, torch.tensor([[[[1.0, 0.0], [2.0, 3.0]]]], dtype=torch.float64))
    assert dense.assumption1
    assert taps.audit_attain_by_values([dense]).holds
    found = taps.audit_attain_by_values([dense, zero])
    assert not found.holds
    assert found.counterexample["weight"] == [1.0, 0.0, 2.0, 3.0]


def test_channel_index() -> None:
    layers = list(random_layers(COUNT, 0))
    assert taps.audit_channel_index(layers, lambda n, area: -(-n // area)).holds
    found = taps.audit_channel_index(layers, lambda n, area: n // area)  # as printed
    assert not found.holds
    assert found.counterexample["n"] == 1
    late = taps.audit_channel_index(layers, lambda n, area: 1 if n <= area else n // area)
    assert not late.holds
    assert not taps.audit_channel_index(layers, lambda n, area: -(-n // area) + 1).holds


def test_tap_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    layers = list(random_layers(COUNT, 0, max_dilation=3, max_groups=2))
    assert taps.audit_tap_classes(layers).holds
    true = taps.tap_classes
    monkeypatch.setattr(taps, "tap_classes", lambda h, k, **o: true(h, k, **{**o, "dilation": 1}))
    smallest_violation(taps.audit_tap_classes, layers)
    monkeypatch.setattr(taps, "tap_classes", lambda h, k, **o: true(h, k, **o)[:-1])
    smallest_violation(taps.audit_tap_classes, layers)


def test_sets_are_products() -> None:
    layers = list(random_layers(COUNT, 0))
    assert taps.audit_sets_are_products(layers).holds
    assert taps.audit_sets_are_products(layers, everything).holds
    smallest_violation(
        lambda x: taps.audit_sets_are_products(x, lambda _: [((0, 0), (1, 1))]), layers
    )


def test_maximal() -> None:
    one, two = frozenset({(0, 0)}), frozenset({(0, 0), (1, 1)})
    assert taps.maximal({one, two, frozenset({(2, 2)})}) == {two, frozenset({(2, 2)})}
    assert taps.maximal({frozenset()}) == {frozenset()}
