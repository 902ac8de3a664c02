"""Lemma 3.1's bounds are the printed formula, and its limits."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from nbsrc.perturbation.lemma31 import lemma31_bounds


def test_lemma31_is_the_printed_formula_and_its_limits() -> None:
    G, a, h, xi = 0.7, 0.2, 1.3, 0.4

    def printed_bound(x: float) -> float:
        return x / h * (math.sqrt(1 + 2 * h * xi / x**2) - 1)

    found = [float(bound) for bound in lemma31_bounds(G, a, h, xi)]
    assert found == pytest.approx([printed_bound(G), printed_bound(a)], rel=1e-14, abs=0)
    assert [float(b) for b in lemma31_bounds(2.0, 0.0, 0.0, 1.0)] == [0.5, math.inf]
    assert [float(b) for b in lemma31_bounds(0.0, 0.0, 0.0, 0.0)] == [0.0, 0.0]
    tiny = float(lemma31_bounds(1.0, 1.0, 1e-18, 1e-3)[0])
    assert tiny == pytest.approx(1e-3, rel=1e-15, abs=0)


def test_both_bounds_fall_with_gradient_and_curvature() -> None:
    """The monotonicity that the proof of Proposition 4.1 uses, and its growth with xi."""
    sizes = [0.0, 0.3, 1.0, 7.0]
    for a, b in pairwise(sizes):
        for other in sizes[1:]:
            assert float(lemma31_bounds(b, b, other, 1.0)[0]) < float(
                lemma31_bounds(a, a, other, 1.0)[0]
            )
            assert float(lemma31_bounds(other, other, b, 1.0)[0]) < float(
                lemma31_bounds(other, other, a, 1.0)[0]
            )
            assert float(lemma31_bounds(other, other, 1.0, a)[0]) < float(
                lemma31_bounds(other, other, 1.0, b)[0]
            )


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match="curvature must be at least 0, got -1"):
        lemma31_bounds(1.0, 1.0, -1.0, 1.0)
    with pytest.raises(ValueError, match="xi must be at least 0"):
        lemma31_bounds(1.0, 1.0, 1.0, -1.0)
    with pytest.raises(ValueError, match="alignment must be at least 0, got nan"):
        lemma31_bounds(1.0, math.nan, 1.0, 1.0)
    with pytest.raises(TypeError, match="gradient_norm must be a number or a tensor"):
        lemma31_bounds("1", 1.0, 1.0, 1.0)  # type: ignore[arg-type]
