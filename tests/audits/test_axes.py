"""The map over one axis: each verdict against dense matrices of generic kernels."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from nbsrc.audits.axes import (
    AxisVerdict,
    audit_axes,
    audit_flags_by_norms,
    axis_grid,
    judge_axis,
)
from nbsrc.conv import theorem1_norms
from tests.conv.strategies import conv_oracle, dense_norm

GRID = axis_grid(range(1, 7), range(1, 5), range(1, 5), range(5))


def test_flags_against_dense_matrices() -> None:
    """A formula is exact for every kernel iff it is so for 1, 2, 4, ... forwards and backwards.

    Sums of distinct powers of two name their sets, so two families that differ give different
    maxima for one of the orders of the taps, each tap being the heaviest in turn.
    """
    for axis in GRID:
        size, kernel = (axis.size, 1), axis.kernel
        options = {"stride": (axis.stride, 1), "padding": (axis.padding, 0)}
        exact = {1: True, math.inf: True}
        powers = 2.0 ** torch.arange(kernel, dtype=torch.float64)
        for shift in range(kernel):
            for values in (powers.roll(shift), powers.flip(0).roll(shift), powers**0):
                weight = values.reshape(1, 1, -1, 1)
                matrix = conv_oracle(weight, size, **options)
                printed = theorem1_norms(weight, size, **options)
                exact[1] &= float(printed.l1) == dense_norm(matrix, 1)
                exact[math.inf] &= float(printed.linf) == dense_norm(matrix, math.inf)
        assert (axis.l1_exact, axis.linf_exact) == (exact[1], exact[math.inf]), axis
        ones = conv_oracle(torch.ones(1, 1, kernel, 1), size, **options)
        assert axis.touched == bool(ones.any())
        assert axis.covered == bool((ones.sum(1) == kernel).any())


def test_assumption_flags() -> None:
    for axis in GRID:
        for flag, smallest in ((axis.assumption, 1), (axis.assumption_nonnegative, 0)):
            c = smallest
            while c * axis.stride < axis.padding:
                c += 1
            assert flag == (axis.kernel + c * axis.stride - axis.padding <= axis.size)


def test_grid_is_complete() -> None:
    keys = {(a.size, a.kernel, a.stride, a.padding) for a in GRID}
    wanted = {
        (h, k, s, p)
        for h in range(1, 7) for k in range(1, 5) for s in range(1, 5) for p in range(5)
        if k <= h + 2 * p
    }  # fmt: skip
    assert keys == wanted
    assert len(GRID) == len(keys)


def test_audit_of_statements() -> None:
    exact = audit_axes(GRID, lambda a: not a.assumption or (a.l1_exact and a.linf_exact))
    assert exact.holds
    assert exact.trials == len(GRID)
    found = audit_axes(GRID, lambda a: a.linf_exact)
    wrong = [(a.size, a.kernel, a.stride, a.padding) for a in GRID if not a.linf_exact]
    least = min(wrong, key=lambda numbers: (sum(numbers), *numbers))
    assert not found.holds
    assert tuple(found.counterexample[name] for name in "hksp") == least
    assert not audit_axes(GRID, lambda _: False).holds
    assert not audit_axes([], lambda _: True).holds


@pytest.mark.parametrize(
    ("axis", "l1", "linf"),
    [((7, 5, 2, 1), True, True), ((1, 3, 1, 1), False, False), ((2, 3, 1, 1), True, False)],
)
def test_known_axes(axis: tuple[int, int, int, int], l1: bool, linf: bool) -> None:
    verdict = judge_axis(*axis)
    assert isinstance(verdict, AxisVerdict)
    assert (verdict.l1_exact, verdict.linf_exact) == (l1, linf)


def test_flags_by_norms_sees_a_wrong_flag() -> None:
    small = axis_grid(range(1, 5), range(1, 4), range(1, 3), range(3))
    assert audit_flags_by_norms(small).holds
    for flag in ("l1_exact", "linf_exact"):
        wrong = [replace(axis, **{flag: not getattr(axis, flag)}) for axis in small[-1:]]
        assert not audit_flags_by_norms(wrong).holds
