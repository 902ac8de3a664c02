"""Audits of norm formulas against the norm of the dense matrix."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.layers import Layer
from nbsrc.claims import Finding
from nbsrc.conv import (
    conv_norm,
    conv_transpose_matrix,
    conv_transpose_norm,
    lemma1_tap_classes,
    tap_classes,
    theorem1_norms,
)

__all__ = [
    "audit_norm",
    "audit_transpose",
    "audit_upper_bound",
    "exact_norm",
    "matrix_norm",
    "printed_norm",
    "set_norm_of_proof",
]

Formula = Callable[[Layer], float]


def matrix_norm(matrix: Tensor, order: float | str) -> float:
    """Return the l1, l2, linf or Frobenius norm of a dense matrix by definition.

    Args:
        matrix: The matrix.
        order: 1, 2, ``math.inf`` or ``"fro"``.

    Returns:
        The norm.
    """
    if order == 1:
        return float(matrix.abs().sum(dim=0).max())
    if order == math.inf:
        return float(matrix.abs().sum(dim=1).max())
    if order == "fro":
        return math.sqrt(float(matrix.square().sum()))
    return float(torch.linalg.svdvals(matrix).max())


def printed_equivalence_with(matrix: Tensor, m: float, n: float) -> tuple[float, ...]:
    """Return the four slacks for any two numbers in the place of the matrix's size.

    True as well with m the largest number of non-zeros in a column and n that in a row.

    Args:
        matrix: The matrix A.
        m: In the place of the number of rows.
        n: In the place of the number of columns.

    Returns:
        Upper minus lower side of the four inequalities.
    """
    one, two, infinity = (matrix_norm(matrix, p) for p in (1, 2, math.inf))
    return (
        two - one / math.sqrt(m),
        math.sqrt(n) * one - two,
        two - infinity / math.sqrt(n),
        math.sqrt(m) * infinity - two,
    )


def printed_norm(order: float | str) -> Formula:
    """Return Theorem 1's formula for an order: eq. (1), (2) or, for 2, the bound (3).

    Args:
        order: 1, 2 or ``math.inf``.

    Returns:
        The formula.
    """
    index = {"1": 0, "inf": 1, "2": 2}[str(order)]

    def formula(layer: Layer) -> float:
        values = theorem1_norms(layer.weight, layer.shape.input_size, **layer.paper_options)
        return float(values[index])

    return formula


def exact_norm(order: float | str) -> Formula:
    """Return :func:`nbsrc.conv.conv_norm` for an order.

    Args:
        order: 1, ``math.inf`` or ``"fro"``.

    Returns:
        The formula.
    """
    return lambda layer: float(
        conv_norm(layer.weight, layer.shape.input_size, ord=order, **layer.options)
    )


def trimmed_printed_norm(layer: Layer) -> float:
    """Return eq. (1) with the last tap left out of every set, for a negative control.

    Args:
        layer: The layer.

    Returns:
        The value.
    """
    shape = layer.shape
    sets = lemma1_tap_classes(shape.input_size, shape.kernel_size, **layer.paper_options)
    per_input = layer.weight.abs().sum(dim=0)
    return max(
        float(per_input[:, [k for k, _ in a[:-1]], [t for _, t in a[:-1]]].sum(dim=1).max())
        for a in sets
    )


def plain_kernel_sum(layer: Layer) -> float:
    """Return the largest absolute sum per input channel, with stride and padding neglected.

    Args:
        layer: The layer.

    Returns:
        The l1 norm that the layer would have if every pixel met every tap.
    """
    return float(layer.weight.abs().sum(dim=(0, 2, 3)).max())


def classes_times_exact(layer: Layer) -> float:
    """Return the exact l1 norm times the number of tap classes.

    Args:
        layer: The layer.

    Returns:
        The product, an upper bound of the plain kernel sum under Assumption 1.
    """
    shape = layer.shape
    classes = tap_classes(shape.input_size, shape.kernel_size, **layer.paper_options)
    return len(classes) * exact_norm(1)(layer)


def audit_layer_equivalence(layers: Iterable[Layer], *, scale: float = 1.0) -> Finding:
    """Test the equivalence of norms with numbers of non-zeros in the place of the matrix's size.

    A column of M has at most ``d_out k1 k2`` non-zeros and a row at most ``d_in k1 k2``.

    Args:
        layers: Layers with one group.
        scale: Factor of both numbers; below 1 it plants an error.

    Returns:
        The finding, tolerance 1e-10, four inequalities per layer.
    """

    def cases() -> Iterator[Case]:
        for layer in layers:
            s, matrix = layer.shape, layer.matrix
            taps = s.kernel_size[0] * s.kernel_size[1]
            m, n = scale * s.channels_out * taps, scale * s.channels_in * taps
            for slack in printed_equivalence_with(matrix, m, n):
                yield slack, layer.size, layer.description

    return collect(cases(), tolerance=1e-10, family="random layers, four inequalities each")


def frobenius_without_padding(layer: Layer) -> float:
    """Return Remark 2's Frobenius norm, ``sqrt(h_out w_out sum K^2)``.

    Args:
        layer: The layer.

    Returns:
        The formula's value.
    """
    return printed_norm(2)(layer)


def set_norm_of_proof(layer: Layer) -> float:
    """Return ``max_n abs(nz(M_{:,n}))`` with sets, as the proof of Theorem 1 writes the l1 norm.

    Args:
        layer: The layer.

    Returns:
        The largest sum of the *distinct* non-zero values of a column, in absolute value.
    """
    return max(math.fsum(abs(v) for v in set(column.tolist())) for column in layer.matrix.T)


def audit_norm(
    layers: Iterable[Layer],
    formula: Formula,
    order: float | str,
    tolerance: float,
    *,
    matrix: Callable[[Layer], Tensor] = lambda layer: layer.matrix,
) -> Finding:
    """Test that a formula equals the norm of the dense matrix.

    Args:
        layers: Layers to test.
        formula: The formula.
        order: The norm, see :func:`matrix_norm`.
        tolerance: Allowed error relative to the larger of the two values (absolute below 1).
        matrix: The dense matrix of a layer (another one for other padding).

    Returns:
        The finding; the slack is minus the largest error.
    """

    def cases() -> Iterator[Case]:
        for layer in layers:
            value, truth = formula(layer), matrix_norm(matrix(layer), order)
            error = abs(value - truth) / max(1.0, value, truth)
            yield -error, layer.size, {**layer.description, "formula": value, "matrix": truth}

    return collect(cases(), tolerance=tolerance, family="random small layers, dense matrices")


def audit_upper_bound(
    layers: Iterable[Layer], formula: Formula, order: float | str | Formula, tolerance: float
) -> Finding:
    """Test that a formula is at least the norm of the dense matrix.

    Args:
        layers: Layers to test.
        formula: The formula.
        order: The norm, see :func:`matrix_norm`, or another formula in its place.
        tolerance: Allowed violation relative to the larger of the two values (absolute below 1).

    Returns:
        The finding; the slack is the relative distance of the bound from the norm.
    """

    def cases() -> Iterator[Case]:
        for layer in layers:
            truth = order(layer) if callable(order) else matrix_norm(layer.matrix, order)
            value = formula(layer)
            slack = (value - truth) / max(1.0, value, truth)
            yield slack, layer.size, {**layer.description, "formula": value, "matrix": truth}

    return collect(cases(), tolerance=tolerance, family="random small layers, dense matrices")


def audit_transpose(
    count: int, seed: int, orders: Iterable[float | str], *, swap: bool = True
) -> Finding:
    """Test the norms of transposed layers against the dense matrix of torch's own layer.

    Args:
        count: Number of random layers: input 1..5, kernel 1..4, stride and dilation 1..3, padding
            0..3, output padding 0..2, groups 1..3, per axis where it applies.
        seed: Seed of a generator of its own.
        orders: Norms to test.
        swap: False plants an error: l1 and linf are not exchanged.

    Returns:
        The finding, tolerance 1e-12 relative.
    """
    generator = torch.Generator().manual_seed(seed)
    wanted = tuple(orders)

    def pair(low: int, high: int) -> tuple[int, int]:
        one, two = torch.randint(low, high + 1, (2,), generator=generator).tolist()
        return one, two

    def cases() -> Iterator[Case]:
        made = 0
        while made < count:
            groups, (per_in, per_out) = pair(1, 3)[0], pair(1, 2)
            size, kernel, stride, dilation = pair(1, 5), pair(1, 4), pair(1, 3), pair(1, 3)
            options: dict[str, Any] = {
                "stride": stride, "padding": pair(0, 3), "output_padding": pair(0, 2),
                "dilation": dilation, "groups": groups,
            }  # fmt: skip
            shape = (groups * per_in, per_out, *kernel)
            weight = torch.randn(shape, generator=generator, dtype=torch.float64)
            try:
                matrix = conv_transpose_matrix(weight, size, **options)
            except ValueError:  # the draw leaves no output, or too much output padding
                continue
            made += 1
            for order in wanted:
                asked = order if swap or order == "fro" else (math.inf if order == 1 else 1)
                value = float(conv_transpose_norm(weight, size, ord=asked, **options))
                truth = matrix_norm(matrix, order)
                example = {"input_size": size, "kernel_size": kernel, **options, "ord": str(order)}
                yield -abs(value - truth) / max(1.0, truth), (*size, *kernel), example

    return collect(cases(), tolerance=1e-12, family="random transposed layers")
