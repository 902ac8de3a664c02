"""Structure audits: Toeplitz, circulant, linear, and what breaks each."""

from __future__ import annotations

import pytest
import torch

from nbsrc.audits import structure
from nbsrc.audits.layers import Layer, Shape, distinct_weights, random_layers

COUNT = 40


def layer(
    size: tuple[int, int] = (4, 5), kernel: tuple[int, int] = (3, 3), **options: object
) -> Layer:
    shape = Shape(2, 3, size, kernel, **options)
    return Layer(shape, distinct_weights(shape))


def test_toeplitz() -> None:
    padded = structure.zero_padded_matrix(layer(padding=(1, 1)))
    assert padded.shape == (3, 4, 5, 2, 4, 5)
    assert structure.is_doubly_block_toeplitz(padded)
    assert not structure.is_doubly_block_circulant(padded)
    for place in ((0, 0, 0, 0, 0, 0), (2, 3, 4, 1, 3, 4), (1, 2, 2, 0, 2, 2)):
        broken = padded.clone()
        broken[place] += 1
        assert not structure.is_doubly_block_toeplitz(broken)


def test_strided_layers_are_not_toeplitz() -> None:
    assert not structure.is_doubly_block_toeplitz(
        structure.zero_padded_matrix(layer(stride=(2, 2), padding=(1, 1)))
    )
    assert not structure.is_doubly_block_toeplitz(
        structure.zero_padded_matrix(layer(stride=(1, 2), padding=(1, 1)))
    )


def test_circulant() -> None:
    around = structure.circular_matrix(layer())
    assert structure.is_doubly_block_circulant(around)
    broken = around.clone()
    broken[0, 0, 0, 0, 0, 0] += 1
    assert not structure.is_doubly_block_circulant(broken)
    assert not structure.is_doubly_block_circulant(structure.zero_padded_matrix(layer()))


def test_audit_structure() -> None:
    layers = [layer(padding=(1, 1)), layer((3, 3), padding=(1, 1)), layer((6, 3), padding=(1, 1))]
    build = structure.zero_padded_matrix
    assert structure.audit_structure(layers, build, structure.is_doubly_block_toeplitz, "f").holds
    found = structure.audit_structure(layers, build, structure.is_doubly_block_circulant, "f")
    assert not found.holds
    assert found.counterexample["input"] == "3x3"
    assert found.trials == 3


def test_the_matrix_is_the_layer() -> None:
    layers = list(random_layers(COUNT, 0, max_dilation=2, max_groups=2))
    assert structure.audit_matrix_is_the_layer(layers, 0).holds
    found = structure.audit_matrix_is_the_layer(layers, 0, order="F")
    assert not found.holds
    assert found.worst_slack < -1e-3


def test_affine(monkeypatch: pytest.MonkeyPatch) -> None:
    layers = list(random_layers(COUNT, 0, max_dilation=2, max_groups=2))
    assert structure.audit_affine(layers, 0, bias=False).holds
    assert structure.audit_affine(layers, 0, bias=True).holds
    true = structure.functional.conv2d
    monkeypatch.setattr(structure.functional, "conv2d", lambda *a, **k: true(*a, **k) + 1)
    assert not structure.audit_affine(layers, 0, bias=False).holds
    monkeypatch.setattr(structure.functional, "conv2d", lambda *a, **k: true(*a, **k).relu())
    assert not structure.audit_affine(layers, 0, bias=True).holds


def test_additivity_error_sees_each_property() -> None:
    x, y = torch.tensor([1.0, -2.0]), torch.tensor([-3.0, 1.0])
    assert structure.additivity_error(lambda v: 2 * v, x, y) == 0
    assert structure.additivity_error(lambda v: v + 1, x, y) == 2
    assert structure.additivity_error(lambda v: v.relu(), x, y) > 0.5  # homogeneous, not additive


def test_drawn_matrix() -> None:
    """One panel drawn by hand: stride 2, no padding, a 2 x 2 kernel on 4 x 4 pixels."""
    rows = [
        {"stride": 2, "padding": 0, "row": r, "column": c, "tap": t}
        for r, corner in enumerate((0, 2, 8, 10))
        for t, c in enumerate((corner, corner + 1, corner + 4, corner + 5), start=1)
    ]
    assert structure.audit_drawn_matrix(rows, (4, 4), (2, 2), 0).holds
    assert not structure.audit_drawn_matrix(rows, (4, 4), (2, 2), 0, order="F").holds
    moved = [{**rows[0], "column": 1}, *rows[1:]]
    assert not structure.audit_drawn_matrix(moved, (4, 4), (2, 2), 0).holds
    assert not structure.audit_drawn_matrix(rows[1:], (4, 4), (2, 2), 0).holds
