"""Structure audits: Toeplitz, circulant, and what breaks each."""

from __future__ import annotations

from nbsrc.audits import structure
from nbsrc.audits.layers import Layer, Shape, distinct_weights

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


def test_without_padding_the_matrix_is_a_part_of_a_circulant_one() -> None:
    layers = [layer(), layer((5, 3), (2, 3)), layer((3, 3), (3, 3)), layer((2, 2), (1, 1))]
    torus = structure.torus_matrix(layers[0])
    assert torus.shape == (3, 4, 5, 2, 4, 5)
    assert structure.is_doubly_block_circulant(torus)
    assert structure.audit_rows_of_circulant(layers).holds
    assert not structure.audit_rows_of_circulant(layers, shift=1).holds
