"""Audits of Lemma 1 of Liang & Huang (2021): which taps a column of the matrix holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import product

import torch
from torch import Tensor

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.layers import Layer, distinct_weights
from nbsrc.claims import Finding
from nbsrc.conv import conv_matrix, lemma1_tap_classes, tap_classes

__all__ = [
    "audit_attain",
    "audit_channel_index",
    "audit_cover",
    "audit_sets_are_products",
    "audit_tap_classes",
    "column_taps",
]

TapSet = frozenset[tuple[int, int]]
Family = Callable[[Layer], Iterable[Iterable[tuple[int, int]]]]


def printed_family(layer: Layer) -> tuple[tuple[tuple[int, int], ...], ...]:
    """Return the paper's set S of a layer.

    Args:
        layer: The layer.

    Returns:
        The sets of Lemma 1.
    """
    shape = layer.shape
    return lemma1_tap_classes(shape.input_size, shape.kernel_size, **layer.paper_options)


def column_taps(layer: Layer) -> list[list[TapSet]]:
    """Return which taps every column of M holds, read off the matrix of a kernel 1, 2, 3, ...

    Args:
        layer: The layer; its own weights are not used.

    Returns:
        One list per input channel with the tap set of every pixel, in column order.
    """
    shape = layer.shape
    weight = distinct_weights(shape)
    matrix = conv_matrix(weight, shape.input_size, **layer.options)
    k1, k2 = shape.kernel_size
    distinct, which = torch.unique(matrix.T, dim=0, return_inverse=True)
    sets = [
        frozenset(divmod((int(v) - 1) % (k1 * k2), k2) for v in column[column != 0].tolist())
        for column in distinct
    ]
    taps_of = [sets[i] for i in which.tolist()]
    pixels = shape.input_size[0] * shape.input_size[1]
    return [taps_of[start : start + pixels] for start in range(0, len(taps_of), pixels)]


def audit_cover(layers: Iterable[Layer], family: Family = printed_family) -> Finding:
    """Test Lemma 1's first claim: every column's taps lie in one set of the family.

    Args:
        layers: Layers to test.
        family: The set S.

    Returns:
        The finding; the slack counts the taps outside the best set, negated.
    """

    def cases() -> Iterator[Case]:
        for layer in layers:
            sets = [frozenset(a) for a in family(layer)]
            worst = max(
                min((len(t - a) for a in sets), default=len(t))
                for t in {t for channel in column_taps(layer) for t in channel}
            )
            yield float(-worst), layer.size, layer.description

    return collect(cases(), tolerance=0, family="random small layers, all columns")


def audit_attain(layers: Iterable[Layer], family: Family = printed_family) -> Finding:
    """Test Lemma 1's second claim, read by positions: every set is held by a column per channel.

    Args:
        layers: Layers to test.
        family: The set S.

    Returns:
        The finding; the slack counts the missing taps of the worst set, negated.
    """

    def cases() -> Iterator[Case]:
        for layer in layers:
            sets = [frozenset(a) for a in family(layer)]
            worst = max(
                min(len(a - t) for t in set(channel))
                for channel in column_taps(layer)
                for a in sets
            )
            yield float(-worst), layer.size, layer.description

    return collect(cases(), tolerance=0, family="random small layers, all sets and channels")


def audit_attain_by_values(layers: Iterable[Layer]) -> Finding:
    """Test Lemma 1's second claim as printed, with sets of values.

    ``nz(M_{:,n})`` must contain ``{K_ijkt : (k,t) in A}`` for some column n of every channel j.

    Args:
        layers: Layers to test, with their own weights (zeros and repetitions included).

    Returns:
        The finding.
    """

    def missing(layer: Layer) -> int:
        shape = layer.shape
        columns = [set(c[c != 0].tolist()) for c in layer.matrix.T]
        pixels = shape.input_size[0] * shape.input_size[1]
        worst = 0
        for j, taps in product(range(shape.channels_in), printed_family(layer)):
            wanted = {float(v) for k, t in taps for v in layer.weight[:, j, k, t]}
            channel = columns[j * pixels : (j + 1) * pixels]
            worst = max(worst, min(len(wanted - values) for values in channel))
        return worst

    cases = ((float(-missing(x)), x.size, x.description) for x in layers)
    return collect(cases, tolerance=0, family="random small layers, sets of values")


def audit_channel_index(layers: Iterable[Layer], formula: Callable[[int, int], int]) -> Finding:
    """Test a formula for the input channel (from 1) of column n (from 1).

    Args:
        layers: Layers to test; channel truth is read off the matrix.
        formula: Maps ``(n, h_in * w_in)`` to the channel.

    Returns:
        The finding; the slack is minus the largest error of the index.
    """

    def cases() -> Iterator[Case]:
        for layer in layers:
            shape = layer.shape
            if shape.groups != 1:
                continue
            truth = _channels(layer)
            pixels = shape.input_size[0] * shape.input_size[1]
            for n, channel in enumerate(truth, start=1):
                example = {"n": n, "h_in w_in": pixels, "formula": formula(n, pixels)}
                error = abs(formula(n, pixels) - channel) if channel else 0
                yield float(-error), (n, pixels), {**example, "channel": channel}

    return collect(cases(), tolerance=0, family="all columns of random small layers")


def _channels(layer: Layer) -> list[int]:
    """Return the input channel of every column, 0 where the column is empty."""
    shape = layer.shape
    weight = torch.zeros(shape.channels_out, shape.channels_in, *shape.kernel_size).double()
    weight += torch.arange(1, shape.channels_in + 1).double()[None, :, None, None]
    matrix: Tensor = conv_matrix(weight, shape.input_size, **layer.options)
    return [int(v) for v in matrix.amax(dim=0)]


def audit_tap_classes(layers: Iterable[Layer]) -> Finding:
    """Test :func:`nbsrc.conv.tap_classes` against the maximal tap sets read off the matrix.

    Args:
        layers: Layers of any geometry.

    Returns:
        The finding; the slack counts the sets in one family only, negated.
    """

    def cases() -> Iterator[Case]:
        for layer in layers:
            s = layer.shape
            found = {
                frozenset(a)
                for a in tap_classes(
                    s.input_size, s.kernel_size, stride=s.stride, padding=s.padding,
                    dilation=s.dilation,
                )
            }  # fmt: skip
            true = maximal({t for channel in column_taps(layer) for t in channel})
            yield float(-len(found ^ true)), layer.size, layer.description

    return collect(cases(), tolerance=0, family="random small layers, maximal sets")


def maximal(sets: set[TapSet]) -> set[TapSet]:
    """Return the sets that no other set of the family strictly contains.

    Args:
        sets: The family.

    Returns:
        Its maximal sets.
    """
    return {a for a in sets if not any(a < b for b in sets)}


def diagonal_family(layer: Layer) -> list[list[tuple[int, int]]]:
    """Return a wrong family, for a negative control: one relation for both axes together.

    Args:
        layer: The layer.

    Returns:
        For every tap (a, b) the taps (c, d) with ``a + b = c + d`` modulo the vertical stride.
    """
    s = layer.shape
    every = list(product(range(s.kernel_size[0]), range(s.kernel_size[1])))
    return [[(c, d) for c, d in every if (a + b - c - d) % s.stride[0] == 0] for a, b in every]


def audit_sets_are_products(layers: Iterable[Layer], family: Family = printed_family) -> Finding:
    """Test that every set of the family is a product of a row set and a column set.

    Args:
        layers: Layers to test.
        family: The set S.

    Returns:
        The finding.
    """

    def cases() -> Iterator[Case]:
        for layer in layers:
            extra = 0
            for tap_set in family(layer):
                taps = list(tap_set)
                rows, columns = {k for k, _ in taps}, {t for _, t in taps}
                extra = max(extra, len(set(product(rows, columns)) ^ set(taps)))
            yield float(-extra), layer.size, layer.description

    return collect(cases(), tolerance=0, family="random small layers, all sets of S")
