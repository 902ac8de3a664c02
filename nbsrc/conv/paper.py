"""The constructions of Liang & Huang (2021) exactly as printed, to be tested against the truth.

Nothing here is corrected: :mod:`nbsrc.conv.geometry` and :mod:`nbsrc.conv.norms` hold the exact
versions. Taps are 0-based here and 1-based in the paper.
"""

from __future__ import annotations

import math
from itertools import product
from typing import Any, NamedTuple

import torch
from torch import Tensor

from nbsrc.conv._arguments import IntOrSeq, as_ints, check_finite, check_weight
from nbsrc.conv.frobenius import stable_vector_norm
from nbsrc.conv.geometry import Geometry

__all__ = [
    "Theorem1Norms",
    "appendix_partition",
    "lemma1_tap_classes",
    "satisfies_assumption1",
    "theorem1_norms",
]

Taps = tuple[tuple[int, int], ...]


class Theorem1Norms(NamedTuple):
    """The three right-hand sides of Theorem 1, as 0-d tensors."""

    l1: Tensor
    linf: Tensor
    l2_upper_bound: Tensor


def satisfies_assumption1(
    input_size: IntOrSeq,
    kernel_size: IntOrSeq,
    *,
    stride: IntOrSeq = 1,
    padding: IntOrSeq = 0,
    least: str = "positive",
) -> bool:
    r"""Whether a layer satisfies Assumption 1 of Liang & Huang (2021).

    With :math:`c_i` the smallest positive integers such that :math:`c_i s_i \ge p_i`, the
    assumption asks for :math:`k_i + c_i s_i - p_i \le h_i` on both axes (padding is zero padding).

    Args:
        input_size: ``(h_in, w_in)`` in pixels, or one integer for both.
        kernel_size: ``(k1, k2)`` in taps, or one integer for both.
        stride: Pixels between two outputs.
        padding: Pixels of zero padding.
        least: ``"positive"`` as printed, or ``"non-negative"``, the reading that matches the
            paper's words (the kernel can be covered completely by the unpadded image).

    Returns:
        Whether the assumption holds.

    Raises:
        TypeError: If an argument is not an integer or a sequence of integers.
        ValueError: If an argument is out of range.

    Example:
        Without padding the printed assumption needs room for one more stride:

        >>> satisfies_assumption1(3, 3), satisfies_assumption1(3, 3, least="non-negative")
        (False, True)
    """
    if least not in ("positive", "non-negative"):
        raise ValueError(f"least must be 'positive' or 'non-negative', got {least!r}")
    first = 1 if least == "positive" else 0
    sizes = as_ints("input_size", input_size, 2, 1)
    kernels = as_ints("kernel_size", kernel_size, 2, 1)
    strides = as_ints("stride", stride, 2, 1)
    pads = as_ints("padding", padding, 2, 0)
    return all(
        k + max(first, -(-p // s)) * s - p <= h
        for h, k, s, p in zip(sizes, kernels, strides, pads, strict=True)
    )


def lemma1_tap_classes(
    input_size: IntOrSeq, kernel_size: IntOrSeq, *, stride: IntOrSeq = 1, padding: IntOrSeq = 0
) -> tuple[Taps, ...]:
    r"""The set :math:`\mathcal S` as Lemma 1 of Liang & Huang (2021) defines it.

    For every tap (a, b) the set :math:`\mathcal A_{(a,b)}` holds the taps (c, d) with
    :math:`c \equiv a \pmod{s_1}`, :math:`d \equiv b \pmod{s_2}`,
    :math:`0 \le c-a \le h_{in}+2p_1-k_1` and :math:`0 \le d-b \le w_{in}+2p_2-k_2`. Sets that are
    contained in others are kept, as in the paper.

    Args:
        input_size: ``(h_in, w_in)`` in pixels, or one integer for both.
        kernel_size: ``(k1, k2)`` in taps, or one integer for both.
        stride: Pixels between two outputs.
        padding: Pixels of zero padding.

    Returns:
        The distinct sets, each a sorted tuple of 0-based taps.

    Raises:
        TypeError: If an argument is not an integer or a sequence of integers.
        ValueError: If an argument is out of range or the kernel does not fit the padded input.

    Example:
        >>> [len(taps) for taps in lemma1_tap_classes(7, 5, stride=2, padding=1)]
        [9, 6, 6, 3, 3, 6, 4, 4, 2, 2, 6, 4, 4, 2, 2, 3, 2, 2, 1, 1, 3, 2, 2, 1, 1]
    """
    Geometry.for_conv(input_size, kernel_size, stride=stride, padding=padding)  # checks the sizes
    sizes = as_ints("input_size", input_size, 2, 1)
    kernels = as_ints("kernel_size", kernel_size, 2, 1)
    strides = as_ints("stride", stride, 2, 1)
    pads = as_ints("padding", padding, 2, 0)
    taps = list(product(range(kernels[0]), range(kernels[1])))
    shift = [h + 2 * p - k for h, p, k in zip(sizes, pads, kernels, strict=True)]
    family: dict[Taps, None] = {}
    for a, b in taps:
        related = tuple(
            (c, d)
            for c, d in taps
            if (a - c) % strides[0] == 0 and (b - d) % strides[1] == 0
            if 0 <= c - a <= shift[0] and 0 <= d - b <= shift[1]
        )
        family[related] = None
    return tuple(family)


def theorem1_norms(
    weight: Tensor, input_size: IntOrSeq, *, stride: IntOrSeq = 1, padding: IntOrSeq = 0
) -> Theorem1Norms:
    r"""Equations (1), (2) and (3) of Liang & Huang (2021), Theorem 1, exactly as printed.

    .. math::
        \max_j \max_{\mathcal A\in\mathcal S} \sum_{(k,t)\in\mathcal A}\sum_i |K_{ijkt}|, \quad
        \max_i \sum_{j,k,t} |K_{ijkt}|, \quad
        \Big(h_{out} w_{out} \sum_{i,j,k,t} |K_{ijkt}|^2\Big)^{1/2}

    Evaluated whether or not Assumption 1 holds.

    Args:
        weight: ``[d_out, d_in, k1, k2]``.
        input_size: ``(h_in, w_in)`` in pixels, or one integer for both.
        stride: Pixels between two outputs.
        padding: Pixels of zero padding.

    Returns:
        The three values as 0-d tensors.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range, or a weight is NaN or infinite.

    Example:
        >>> values = theorem1_norms(torch.ones(1, 1, 3, 3), 8, stride=2, padding=1)
        >>> [float(v) for v in values]
        [4.0, 9.0, 12.0]
    """
    weight, _ = check_weight(weight, (2,), 1)
    geometry = Geometry.for_conv(input_size, weight.shape[2:], stride=stride, padding=padding)
    per_input = weight.abs().sum(dim=0)
    check_finite(weight, per_input)
    family = lemma1_tap_classes(input_size, weight.shape[2:], stride=stride, padding=padding)
    sums = [per_input[:, [k for k, _ in a], [t for _, t in a]].sum(dim=1) for a in family]
    outputs = torch.Size(geometry.output_size).numel()
    return Theorem1Norms(
        l1=torch.stack(sums).max(),
        linf=weight.abs().sum(dim=(1, 2, 3)).max(),
        l2_upper_bound=math.sqrt(outputs) * stable_vector_norm(weight),
    )


def appendix_partition(
    h: int,
    w: int,
    k: int | tuple[int, int],
    s: int | tuple[int, int],
    p: int | tuple[int, int],
) -> list[list[int]]:
    """The behaviour of the function ``partition`` in Appendix C of Liang & Huang (2021).

    Restated, not copied: the same sets in the same linear indexing, which is
    ``column * k1 + row``, the same treatment of arguments (whatever is not exactly a tuple
    is doubled), and no checks, as printed.

    Args:
        h: Height of the input in pixels.
        w: Width of the input in pixels.
        k: Kernel size, an integer or a tuple.
        s: Stride, an integer or a tuple.
        p: Padding, an integer or a tuple.

    Returns:
        The sets without those contained in others, each a list of linear tap indices.

    Example:
        >>> appendix_partition(4, 4, (2, 2), (1, 2), 0)
        [[0, 1], [2, 3]]
    """
    pairs: list[Any] = [v if type(v) is tuple else (v, v) for v in (k, s, p)]  # as printed
    (k1, k2), (s1, s2), (p1, p2) = pairs
    span = (min(k1, h + 2 * p1 - k1 + 1), min(k2, w + 2 * p2 - k2 + 1))
    first = [
        [(a, b) for a in range(i, span[0], s1) for b in range(j, span[1], s2)]
        for i in range(min(s1, span[0]))
        for j in range(min(s2, span[1]))
    ]
    shifted = [
        [(a + i, b + j) for a, b in taps]
        for i in range(k1 - span[0] + 1)
        for j in range(k2 - span[1] + 1)
        for taps in first
    ]
    linear = sorted(([b * k1 + a for a, b in taps] for taps in shifted), key=len)
    return [
        taps
        for position, taps in enumerate(linear)
        if not any(set(taps) <= set(other) for other in linear[position + 1 :])
    ]
