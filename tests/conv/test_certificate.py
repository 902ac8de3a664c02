"""The certificate: never true below the norm, true just above it, for every way of cutting."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from torch import Tensor

from nbsrc.conv import Geometry
from nbsrc.conv.certificate import GramPlan, certify_below, cheapest_plan
from tests.conv.strategies import (
    QUICK,
    Case,
    conv_cases,
    conv_oracle,
    dense_norm,
    transposed_cases,
    transposed_oracle,
)


def split(case: Case) -> Tensor:
    weight, groups = case.weight, case.options["groups"]
    return weight.reshape(groups, len(weight) // groups, *weight.shape[1:])


def geometry_of(case: Case) -> Geometry:
    options = {name: value for name, value in case.options.items() if name != "groups"}
    return Geometry.for_conv(case.size, tuple(case.weight.shape[2:]), **options)


def all_plans(kernel: Tensor, geometry: Geometry) -> list[GramPlan]:
    """The four ways to cut the Gram matrix, with bands found by looking at the matrix."""
    plans = []
    for along in (0, 1):
        axis, other = geometry.axes[along], geometry.axes[1 - along]
        for of_outputs in (False, True):
            blocks = axis.outputs if of_outputs else axis.size
            width = other.outputs if of_outputs else other.size
            channels = kernel.shape[1] if of_outputs else kernel.shape[2]
            plans.append(
                GramPlan(along, of_outputs, blocks, channels * width, blocks - 1, kernel.shape[0])
            )
    return plans


def check(kernel: Tensor, geometry: Geometry, plan: GramPlan, true: float) -> None:
    assert not certify_below(kernel, geometry, true * (1 - 1e-9), plan)
    assert not certify_below(kernel, geometry, true * 0.5, plan)
    assert certify_below(kernel, geometry, true * (1 + 1e-6), plan)


@QUICK
@given(conv_cases(largest=6))
def test_cheapest_plan_decides(case: Case) -> None:
    true = dense_norm(conv_oracle(case.weight, case.size, **case.options), 2)
    if true == 0:
        return
    kernel, geometry = split(case), geometry_of(case)
    check(kernel, geometry, cheapest_plan(kernel, geometry), true)


@QUICK
@given(conv_cases(largest=5))
def test_every_plan_with_full_bands_decides(case: Case) -> None:
    """With every block in the band the factorisation is an ordinary Cholesky."""
    true = dense_norm(conv_oracle(case.weight, case.size, **case.options), 2)
    if true == 0:
        return
    kernel, geometry = split(case), geometry_of(case)
    for plan in all_plans(kernel, geometry):
        check(kernel, geometry, plan, true)


@QUICK
@given(transposed_cases())
def test_transposed_geometries(case: Case) -> None:
    true = dense_norm(transposed_oracle(case.weight, case.size, **case.options), 2)
    if true == 0:
        return
    options = {name: value for name, value in case.options.items() if name != "groups"}
    geometry = Geometry.for_conv_transpose(case.size, tuple(case.weight.shape[2:]), **options)
    kernel = split(case)
    check(kernel, geometry, cheapest_plan(kernel, geometry), true)


@QUICK
@given(conv_cases(largest=7))
def test_the_band_holds_every_coupling(case: Case) -> None:
    """Pixels (or outputs) in lines further apart than the plan's band have no common partner."""
    kernel, geometry = split(case), geometry_of(case)
    plan = cheapest_plan(kernel, geometry)
    ones = torch.ones_like(case.weight)
    matrix = conv_oracle(ones, case.size, **case.options)
    gram = matrix @ matrix.T if plan.of_outputs else matrix.T @ matrix
    place = geometry.output_size if plan.of_outputs else geometry.input_size
    line = torch.arange(place[0] * place[1]) // place[1]
    if plan.along == 1:
        line = torch.arange(place[0] * place[1]) % place[1]
    line = line.repeat(gram.shape[0] // len(line))
    distance = (line[:, None] - line[None, :]).abs()
    assert int(distance[gram != 0].max()) <= plan.bandwidth if bool((gram != 0).any()) else True
    assert plan.blocks == place[plan.along]
    assert plan.groups * plan.blocks * plan.block_size == gram.shape[0]


def test_a_band_too_narrow_is_unsound() -> None:
    """A control of the tests above: dropped couplings make the certificate wrong."""
    weight = torch.ones(1, 1, 3, 3, dtype=torch.float64)
    geometry = Geometry.for_conv(8, 3, padding=1)
    true = dense_norm(conv_oracle(weight, (8, 8), padding=1), 2)
    plan = cheapest_plan(weight[None], geometry)
    assert plan.bandwidth == 2
    narrow = replace(plan, bandwidth=1)
    assert certify_below(weight[None], geometry, 0.95 * true, narrow)
    assert not certify_below(weight[None], geometry, 0.95 * true, plan)


@pytest.mark.parametrize("bound", [0.0, 1e-200, 1e-17])
def test_bounds_next_to_zero_are_refused(bound: float) -> None:
    weight = torch.ones(1, 1, 1, 1, 1, dtype=torch.float64)
    geometry = Geometry.for_conv(3, 1)
    assert not certify_below(weight, geometry, bound, cheapest_plan(weight, geometry))


def test_the_norm_itself_is_not_certified() -> None:
    """At the boundary, where rounding decides, the answer is the safe one."""
    for seed in range(20):
        generator = torch.Generator().manual_seed(seed)
        weight = torch.randn(1, 2, 2, 3, 3, generator=generator, dtype=torch.float64)
        geometry = Geometry.for_conv((5, 6), 3, padding=1)
        true = dense_norm(conv_oracle(weight[0], (5, 6), padding=1), 2)
        plan = cheapest_plan(weight, geometry)
        assert not certify_below(weight, geometry, true, plan)
        assert plan.rounding < 1e-9


def test_work_grows_with_the_band_and_the_cheapest_cut_is_taken() -> None:
    """A wide, low image is cut into columns, a high one into rows."""
    weight = torch.ones(1, 1, 1, 3, 3, dtype=torch.float64)
    wide = cheapest_plan(weight, Geometry.for_conv((4, 40), 3, padding=1))
    high = cheapest_plan(weight, Geometry.for_conv((40, 4), 3, padding=1))
    assert (wide.along, high.along) == (1, 0)
    assert wide.work == high.work < replace(wide, bandwidth=3).work
    few_outputs = torch.ones(1, 1, 8, 3, 3, dtype=torch.float64)
    assert cheapest_plan(few_outputs, Geometry.for_conv(9, 3)).of_outputs
