"""Audits of the appendix of Liang & Huang (2021): Lemma 1's proof and the code of Appendix C."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.layers import Layer
from nbsrc.audits.taps import maximal, printed_family
from nbsrc.claims import Finding
from nbsrc.conv import appendix_partition

__all__ = ["audit_partition", "audit_proof_positions"]


def audit_proof_positions(layers: Iterable[Layer]) -> Finding:
    """Test every inequality of Lemma 1's proof on every set of S, and the pixel that it picks.

    With c, r, a_max, a_min and a_mid as in Appendix A.1: the three kernel positions are multiples
    of the stride between 0 and r*s, the pixel under tap a_mid at position c*s lies on the image,
    and every tap of the set meets that pixel at a legitimate position.

    Args:
        layers: Layers to test.

    Returns:
        The finding; the slack is minus the number of broken inequalities.
    """

    def broken(layer: Layer, taps: Iterable[tuple[int, int]]) -> int:
        shape, count = layer.shape, 0
        for axis, values in enumerate(zip(*taps, strict=True)):
            h, k = shape.input_size[axis], shape.kernel_size[axis]
            s, p = shape.stride[axis], shape.padding[axis]
            low, high = min(values), max(values)
            c, r = max(1, -(-p // s)), (h + 2 * p - k) // s
            mid = max(low, high - c * s)
            positions = (c * s, c * s - high + mid, c * s + mid - low)
            count += sum(q % s != 0 or not 0 <= q <= r * s for q in positions)
            count += mid not in values
            pixel = c * s + mid - p
            count += not 0 <= pixel < h
            meets = [(pixel + p - t) % s == 0 and 0 <= pixel + p - t <= r * s for t in values]
            count += meets.count(False)
        return count

    def cases() -> Iterator[Case]:
        for layer in layers:
            worst = max(broken(layer, taps) for taps in printed_family(layer))
            yield float(-worst), layer.size, layer.description

    return collect(cases(), tolerance=0, family="random small layers, all sets of S")


def audit_partition(
    layers: Iterable[Layer], decode: Callable[[int, int, int], tuple[int, int]]
) -> Finding:
    """Test Appendix C's ``partition`` against the maximal sets of Lemma 1's S.

    Args:
        layers: Layers to test.
        decode: Maps ``(index, k1, k2)`` to the tap ``(row, column)`` it stands for.

    Returns:
        The finding; the slack counts the sets in one family only, negated.
    """

    def cases() -> Iterator[Case]:
        for layer in layers:
            s = layer.shape
            printed = appendix_partition(*s.input_size, s.kernel_size, s.stride, s.padding)
            found = {frozenset(decode(i, *s.kernel_size) for i in taps) for taps in printed}
            true = maximal({frozenset(a) for a in printed_family(layer)})
            description: dict[str, Any] = {**layer.description, "printed": printed}
            yield float(-len(found ^ true)), layer.size, description

    return collect(cases(), tolerance=0, family="random small layers, maximal sets of S")
