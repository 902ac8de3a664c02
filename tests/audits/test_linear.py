"""Audits of the matrix as a linear map, and what breaks each."""

from __future__ import annotations

import pytest
import torch

from nbsrc.audits import linear
from nbsrc.audits.layers import random_layers

COUNT = 40


def test_the_matrix_is_the_layer() -> None:
    layers = list(random_layers(COUNT, 0, max_dilation=2, max_groups=2))
    assert linear.audit_matrix_is_the_layer(layers, 0).holds
    found = linear.audit_matrix_is_the_layer(layers, 0, order="F")
    assert not found.holds
    assert found.worst_slack < -1e-3


def test_affine(monkeypatch: pytest.MonkeyPatch) -> None:
    layers = list(random_layers(COUNT, 0, max_dilation=2, max_groups=2))
    assert linear.audit_affine(layers, 0, bias=False).holds
    assert linear.audit_affine(layers, 0, bias=True).holds
    true = linear.functional.conv2d
    monkeypatch.setattr(linear.functional, "conv2d", lambda *a, **k: true(*a, **k) + 1)
    assert not linear.audit_affine(layers, 0, bias=False).holds
    monkeypatch.setattr(linear.functional, "conv2d", lambda *a, **k: true(*a, **k).relu())
    assert not linear.audit_affine(layers, 0, bias=True).holds


def test_additivity_error_sees_each_property() -> None:
    x, y = torch.tensor([1.0, -2.0]), torch.tensor([-3.0, 1.0])
    assert linear.additivity_error(lambda v: 2 * v, x, y) == 0
    assert linear.additivity_error(lambda v: v + 1, x, y) == 2
    assert linear.additivity_error(lambda v: v.relu(), x, y) > 0.5  # homogeneous, not additive


def test_drawn_matrix() -> None:
    """One panel drawn by hand: stride 2, no padding, a 2 x 2 kernel on 4 x 4 pixels."""
    rows = [
        {"stride": 2, "padding": 0, "row": r, "column": c, "tap": t}
        for r, corner in enumerate((0, 2, 8, 10))
        for t, c in enumerate((corner, corner + 1, corner + 4, corner + 5), start=1)
    ]
    assert linear.audit_drawn_matrix(rows, (4, 4), (2, 2), 0).holds
    assert not linear.audit_drawn_matrix(rows, (4, 4), (2, 2), 0, order="F").holds
    moved = [{**rows[0], "column": 1}, *rows[1:]]
    assert not linear.audit_drawn_matrix(moved, (4, 4), (2, 2), 0).holds
    assert not linear.audit_drawn_matrix(rows[1:], (4, 4), (2, 2), 0).holds


def test_drawn_matrix_of_two_channels() -> None:
    """A 1 x 1 kernel on one pixel of two channels: taps 1 and 2 side by side."""
    rows = [{"stride": 1, "padding": 0, "row": 0, "column": c, "tap": c + 1} for c in (0, 1)]
    assert linear.audit_drawn_matrix(rows, (1, 1), (1, 1), 0, channels=2).holds
    swapped = [{**row, "tap": 3 - row["tap"]} for row in rows]
    assert not linear.audit_drawn_matrix(swapped, (1, 1), (1, 1), 0, channels=2).holds
