"""Audits of what the paper says about the l2 norm of a convolution."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.layers import Layer
from nbsrc.audits.norms import matrix_norm, printed_norm
from nbsrc.claims import Finding
from nbsrc.conv import conv_l2_bounds, conv_matrix, conv_spectral_norm

__all__ = [
    "audit_bracket",
    "audit_l2_bounds",
    "audit_l2_bounds_without_coverage",
    "audit_rank",
    "audit_reshaped_equality",
    "audit_reshaped_sandwich",
    "audit_sharpness",
    "l2_to_frobenius_of_ones",
]


def audit_l2_bounds(layers: Iterable[Layer], tolerance: float) -> Finding:
    """Test every lower and upper bound of :func:`nbsrc.conv.conv_l2_bounds` against the truth.

    Args:
        layers: Layers to test.
        tolerance: Allowed violation relative to the norm (absolute below 1).

    Returns:
        The finding; nine inequalities per layer.
    """

    def cases() -> Iterator[Case]:
        for layer in layers:
            truth = matrix_norm(layer.matrix, 2)
            bounds = conv_l2_bounds(
                layer.weight, layer.shape.input_size, **layer.options, symbol=True
            )
            for position, (name, value) in enumerate(bounds._asdict().items()):
                slack = truth - value if position < 3 else value - truth
                yield slack / max(1.0, truth), layer.size, {**layer.description, "bound": name}

    return collect(cases(), tolerance=tolerance, family="random small layers, nine bounds each")


def audit_bracket(layers: Iterable[Layer], rtol: float) -> Finding:
    """Test that :func:`nbsrc.conv.conv_spectral_norm` encloses the truth and converges.

    Args:
        layers: Layers to test.
        rtol: Wanted relative width.

    Returns:
        The finding; the slack is the smaller distance of the truth from the two ends, relative,
        and -1 where the bracket did not converge. Tolerance: the rounding of the dense SVD, 1e-13.
    """

    def cases() -> Iterator[Case]:
        for layer in layers:
            truth = matrix_norm(layer.matrix, 2)
            found = conv_spectral_norm(
                layer.weight, layer.shape.input_size, **layer.options, rtol=rtol
            )
            slack = min(truth - found.lower, found.upper - truth) / max(1.0, truth)
            yield slack if found.converged else -1.0, layer.size, layer.description

    return collect(cases(), tolerance=1e-13, family="random small layers, dense SVD")


def reshaped_norm(layer: Layer) -> float:
    """Return the l2 norm of the kernel reshaped to ``[d_out, d_in*k1*k2]``.

    Args:
        layer: The layer, with one group.

    Returns:
        The norm.
    """
    return matrix_norm(layer.weight.flatten(1), 2)


def audit_reshaped_equality(layers: Iterable[Layer], *, equal: bool) -> Finding:
    """Test whether the reshaped kernel's l2 norm equals, or differs from, the layer's.

    Args:
        layers: Layers to test, with non-zero kernels.
        equal: Test equality (to 1e-10), else difference (by more than 1e-6).

    Returns:
        The finding.
    """

    def cases() -> Iterator[Case]:
        for layer in layers:
            value, truth = reshaped_norm(layer), matrix_norm(layer.matrix, 2)
            gap = abs(value - truth) / max(truth, 1e-300)
            slack = 1e-10 - gap if equal else gap - 1e-6
            yield slack, layer.size, {**layer.description, "reshaped": value, "matrix": truth}

    return collect(cases(), tolerance=0, family="layers with non-zero kernels")


def audit_reshaped_sandwich(layers: Iterable[Layer]) -> Finding:
    r"""Test :math:`\|K\|_2 \le \|M\|_2 \le \sqrt{N_1N_2}\|K\|_2` for the reshaped kernel.

    The left side needs a window that lies on the image: then K is a submatrix of M.

    Args:
        layers: Layers to test.

    Returns:
        The finding, tolerance 1e-10 relative.
    """

    def cases() -> Iterator[Case]:
        for layer in layers:
            value, truth = reshaped_norm(layer), matrix_norm(layer.matrix, 2)
            upper = conv_l2_bounds(layer.weight, layer.shape.input_size, **layer.options).reshaped
            slack = min(truth - value, upper - truth) / max(1.0, truth)
            yield slack, layer.size, layer.description

    return collect(cases(), tolerance=1e-10, family="random small layers, both inequalities")


def audit_sharpness(layers: Iterable[Layer], *, margin: float = 1e-9) -> Finding:
    """Test that the bound of eq. (3) is attained.

    Args:
        layers: Layers with non-zero kernels.
        margin: How close the ratio of norm and bound must come to 1.

    Returns:
        The finding; it holds if some layer attains the bound.
    """
    best, count = 0.0, 0
    for layer in layers:
        bound = printed_norm(2)(layer)
        best = max(best, matrix_norm(layer.matrix, 2) / bound)
        count += 1
    return Finding(
        holds=best >= 1 - margin,
        worst_slack=best - 1,
        trials=count,
        counterexample=None if best >= 1 - margin else {"largest ratio of norm to bound": best},
        family="layers with non-zero kernels",
    )


def audit_rank(layers: Iterable[Layer], least: int) -> Finding:
    """Test that the rank of M is at least a number.

    Args:
        layers: Layers with non-zero kernels.
        least: The number.

    Returns:
        The finding; the slack is rank minus the number.
    """

    def cases() -> Iterator[Case]:
        for layer in layers:
            rank = int(torch.linalg.matrix_rank(layer.matrix))
            yield float(rank - least), layer.size, {**layer.description, "rank": rank}

    return collect(cases(), tolerance=0, family="layers with non-zero kernels")


def l2_to_frobenius_of_ones(kernel: int) -> float:
    """Return the ratio of l2 to Frobenius norm for k x k ones on a (k+1) x (k+1) image.

    The smallest unpadded layer that Assumption 1 admits; the ratio tends to 1 as k grows.

    Args:
        kernel: The kernel size k.

    Returns:
        The ratio.

    Example:
        >>> round(l2_to_frobenius_of_ones(1), 3), l2_to_frobenius_of_ones(20) > 0.95
        (0.5, True)
    """
    weight: Tensor = torch.ones(1, 1, kernel, kernel, dtype=torch.float64)
    matrix = conv_matrix(weight, kernel + 1)
    return math.sqrt(float(torch.linalg.eigvalsh(matrix @ matrix.mT).max())) / matrix_norm(
        matrix, "fro"
    )


def audit_l2_bounds_without_coverage(layers: Iterable[Layer]) -> Finding:
    """Test the wrong bound ``|M|_2 <= |K_resh|_2``, for a negative control.

    Args:
        layers: Layers to test.

    Returns:
        The finding.
    """

    def cases() -> Iterator[Case]:
        for layer in layers:
            truth = matrix_norm(layer.matrix, 2)
            groups = layer.shape.groups
            split = layer.weight.reshape(groups, layer.weight.shape[0] // groups, -1)
            value = max(matrix_norm(part, 2) for part in split)
            yield (value - truth) / max(1.0, truth), layer.size, layer.description

    return collect(cases(), tolerance=1e-10, family="random small layers")
