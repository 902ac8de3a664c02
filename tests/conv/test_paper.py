"""The paper's constructions against a second reading of its definitions."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nbsrc.conv import (
    appendix_partition,
    lemma1_tap_classes,
    satisfies_assumption1,
    tap_classes,
    theorem1_norms,
)
from tests.conv.strategies import QUICK, THOROUGH, conv_oracle, dense_norm

Axis = tuple[int, int, int, int]  # h, k, s, p


@st.composite
def axes(draw: Any, unpadded: bool = False) -> Axis:
    h, p = draw(st.integers(1, 9)), 0 if unpadded else draw(st.integers(0, 5))
    return h, draw(st.integers(1, min(6, h + 2 * p))), draw(st.integers(1, 5)), p


def arguments(one: Axis, two: Axis) -> tuple[tuple[Any, Any], dict[str, Any]]:
    h, k, s, p = zip(one, two, strict=True)
    return (h, k), {"stride": s, "padding": p}


def reread_assumption1(axis: Axis, smallest: int) -> bool:
    """Search for "the smallest integer c with c s >= p" instead of a formula for it."""
    h, k, s, p = axis
    c = smallest
    while c * s < p:
        c += 1
    return k + c * s - p <= h


def reread_lemma1(one: Axis, two: Axis) -> set[frozenset[tuple[int, int]]]:
    """Lemma 1 with the paper's indices, from 1: grow A_(a,b) until nothing can be added."""
    (h, k1, s1, p1), (w, k2, s2, p2) = one, two
    indices = [(k, t) for k in range(1, k1 + 1) for t in range(1, k2 + 1)]
    family = set()
    for a, b in indices:
        grown = {(a, b)}
        for c, d in indices:
            related = (a - c) % s1 == 0 and (b - d) % s2 == 0
            near = 0 <= c - a <= h + 2 * p1 - k1 and 0 <= d - b <= w + 2 * p2 - k2
            if related and near:
                grown.add((c, d))
        family.add(frozenset((c - 1, d - 1) for c, d in grown))
    return family


@THOROUGH
@given(axes(), axes())
def test_lemma1(one: Axis, two: Axis) -> None:
    place, options = arguments(one, two)
    found = lemma1_tap_classes(*place, **options)
    assert {frozenset(taps) for taps in found} == reread_lemma1(one, two)
    assert len(found) == len(set(found))
    assert all(list(taps) == sorted(taps) for taps in found)


@pytest.mark.parametrize(("least", "smallest"), [("positive", 1), ("non-negative", 0)])
def test_assumption1_on_a_grid(least: str, smallest: int) -> None:
    """Both readings, every h <= 7, k <= 5, s <= 4, p <= 5; both axes must pass."""
    grid = list(product(range(1, 8), range(1, 6), range(1, 5), range(6)))
    truth = {axis: reread_assumption1(axis, smallest) for axis in grid}
    assert len(set(truth.values())) == 2
    good = next(axis for axis, holds in truth.items() if holds)
    for axis, holds in truth.items():
        for pair in ((axis, good), (good, axis), (axis, axis)):
            place, options = arguments(*pair)
            assert satisfies_assumption1(*place, least=least, **options) is holds, pair


def test_assumption1_in_words() -> None:
    """A smallest c of at least 0: some window at a multiple of the stride lies on the image."""
    for h, k, s, p in product(range(1, 8), range(1, 6), range(1, 5), range(6)):
        starts = range(0, h + 2 * p - k + 1, s)
        covered = any(p <= start and start + k <= p + h for start in starts)
        found = satisfies_assumption1(h, k, stride=s, padding=p, least="non-negative")
        assert found is covered, (h, k, s, p)


def test_assumption1_of_the_figure_and_of_an_unpadded_layer() -> None:
    assert satisfies_assumption1(7, 5, stride=2, padding=1)
    assert not satisfies_assumption1(3, 3)
    assert satisfies_assumption1(3, 3, least="non-negative")
    assert not satisfies_assumption1((7, 3), (5, 3), stride=(2, 1), padding=(1, 0))


@pytest.mark.parametrize("least", ["strictly positive", "", None, 0])
def test_unknown_reading(least: Any) -> None:
    with pytest.raises(ValueError, match="least must be 'positive' or 'non-negative', got"):
        satisfies_assumption1(3, 3, least=least)


@THOROUGH
@given(axes(), axes(), st.integers(0, 1000))
def test_theorem1_is_exact_under_assumption_1(one: Axis, two: Axis, seed: int) -> None:
    if not all(reread_assumption1(axis, 1) for axis in (one, two)):
        return
    (size, kernel), options = arguments(one, two)
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(2, 3, *kernel, generator=generator, dtype=torch.float64)
    matrix = conv_oracle(weight, size, **options)
    values = theorem1_norms(weight, size, **options)
    assert float(values.l1) == pytest.approx(dense_norm(matrix, 1), rel=1e-12)
    assert float(values.linf) == pytest.approx(dense_norm(matrix, math.inf), rel=1e-12)
    assert float(values.l2_upper_bound) >= dense_norm(matrix, 2) * (1 - 1e-12)


@QUICK
@given(axes(), axes(), st.integers(0, 1000))
def test_theorem1_evaluates_the_printed_sums(one: Axis, two: Axis, seed: int) -> None:
    """The three right-hand sides by loops, whether or not Assumption 1 holds."""
    (size, kernel), options = arguments(one, two)
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(2, 2, *kernel, generator=generator, dtype=torch.float64)
    sums = [
        math.fsum(abs(float(weight[i, j, k, t])) for k, t in taps for i in range(2))
        for j in range(2)
        for taps in reread_lemma1(one, two)
    ]
    outputs = math.prod((h + 2 * p - k) // s + 1 for h, k, s, p in (one, two))
    entries = weight.flatten().tolist()
    values = theorem1_norms(weight, size, **options)
    assert all(value.ndim == 0 for value in values)
    assert float(values.l1) == pytest.approx(max(sums), rel=1e-13)
    rows = (math.fsum(map(abs, row)) for row in weight.flatten(1).tolist())
    assert float(values.linf) == pytest.approx(max(rows), rel=1e-13)
    printed = math.sqrt(outputs * math.fsum(v * v for v in entries))
    assert float(values.l2_upper_bound) == pytest.approx(printed, rel=1e-13)


def test_theorem1_on_figure_3() -> None:
    """7 x 7 pixels, a 5 x 5 kernel of 1..25, stride 2, padding 1: values worked out by hand.

    The largest set is {1, 3, 5}^2: entries 1+3+5+11+13+15+21+23+25 = 117; all entries sum to 325,
    their squares to 5525; there are 3 x 3 outputs.
    """
    weight = torch.arange(1.0, 26.0, dtype=torch.float64).reshape(1, 1, 5, 5)
    values = theorem1_norms(weight, 7, stride=2, padding=1)
    assert float(values.l1) == 117
    assert float(values.linf) == 325
    assert float(values.l2_upper_bound) == pytest.approx(math.sqrt(9 * 5525), rel=1e-14)
    first = frozenset(product((0, 2, 4), repeat=2))
    assert first in {frozenset(taps) for taps in lemma1_tap_classes(7, 5, stride=2, padding=1)}
    assert first in {frozenset(taps) for taps in tap_classes(7, 5, stride=2, padding=1)}


def test_theorem1_is_wrong_without_assumption_1() -> None:
    """A 3 x 3 kernel of ones on one padded pixel: M = (1), eq. (2) says 9."""
    values = theorem1_norms(torch.ones(1, 1, 3, 3), 1, padding=1)
    assert [float(v) for v in values] == [1.0, 9.0, 3.0]


@pytest.mark.parametrize("scale", [1e-310, 1e-200, 1e160, 1e200])
def test_theorem1_bound_at_extreme_scales(scale: float) -> None:
    weight = torch.full((1, 1, 3, 3), scale, dtype=torch.float64)
    bound = theorem1_norms(weight, 8, stride=2, padding=1).l2_upper_bound
    assert float(bound) == pytest.approx(12 * scale, rel=1e-12, abs=0)


def test_theorem1_is_differentiable() -> None:
    weight = torch.randn(2, 2, 3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda w: tuple(theorem1_norms(w, (6, 7), stride=2, padding=1)), weight
    )


@THOROUGH
@given(axes(), axes())
def test_appendix_partition_decoded_column_major(one: Axis, two: Axis) -> None:
    (size, kernel), options = arguments(one, two)
    printed = appendix_partition(*size, kernel, options["stride"], options["padding"])
    decoded = [frozenset((i % kernel[0], i // kernel[0]) for i in taps) for taps in printed]
    family = reread_lemma1(one, two)
    assert set(decoded) == {a for a in family if not any(a < b for b in family)}
    assert len(decoded) == len(set(decoded))


def test_appendix_partition_row_major_is_wrong_for_rectangular_kernels() -> None:
    """The decoding is a fact about the code, not a free choice."""
    printed = appendix_partition(4, 4, (2, 3), (1, 2), 0)
    row_major = {frozenset(divmod(i, 3) for i in taps) for taps in printed}
    family = reread_lemma1((4, 2, 1, 0), (4, 3, 2, 0))
    assert row_major != {a for a in family if not any(a < b for b in family)}


def test_appendix_partition_of_other_sequences() -> None:
    """Whatever is not exactly a tuple is doubled: a list becomes a pair of lists, and fails."""
    assert appendix_partition(4, 4, 2, 1, 0) == appendix_partition(4, 4, (2, 2), (1, 1), (0, 0))
    with pytest.raises(TypeError):
        appendix_partition(4, 4, [2, 2], 1, 0)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        appendix_partition(4, 4, torch.Size((2, 2)), 1, 0)  # a subclass of tuple


@pytest.mark.parametrize("function", [lemma1_tap_classes, satisfies_assumption1])
def test_bad_input(function: Any) -> None:
    for name, value in (("stride", 0), ("padding", -1), ("stride", (1, 2, 3))):
        with pytest.raises(ValueError, match=f"{name} must be"):
            function(5, 3, **{name: value})
    with pytest.raises(TypeError, match="padding must be"):
        function(5, 3, padding="same")


def test_kernel_that_does_not_fit() -> None:
    with pytest.raises(ValueError, match="must fit the padded input"):
        lemma1_tap_classes(2, 5, padding=1)
    with pytest.raises(ValueError, match="must fit the padded input"):
        theorem1_norms(torch.ones(1, 1, 5, 5), 2, padding=1)
    assert not satisfies_assumption1(2, 5, padding=1)
