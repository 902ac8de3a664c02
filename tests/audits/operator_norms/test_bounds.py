"""Product bound, the sum of squares against it, transitions, paths."""

from __future__ import annotations

import math

import pytest
import torch

from nbsrc.audits.operator_norms import bounds, paths, transitions
from nbsrc.audits.operator_norms.points import ReluPoint, relu_point


def test_product_bound(relu_points: list[ReluPoint]) -> None:
    assert bounds.audit_product_bound(relu_points).holds
    assert not bounds.audit_product_bound(relu_points, leave_out=0).holds
    tight = relu_point([[[2]], [[3]]], [1])
    assert bounds.product_bound(tight) == float(tight.jacobian()) == 6


def test_where_the_product_bound_fails() -> None:
    conv = bounds.reshaped_kernel_case()
    assert conv["operator"] == pytest.approx(math.sqrt(3))
    assert conv["reshaped"] == pytest.approx(math.sqrt(2))
    assert bounds.pooling_case(1)["sigma"] == pytest.approx(math.sqrt(2))
    assert bounds.pooling_case(2)["sigma"] == 1
    assert bounds.batch_norm_case() == {"sigma": 2.0, "product": 1.0}


@pytest.mark.parametrize(("depth", "holds"), [(1, False), (2, True), (3, False)])
def test_half_the_sum_bounds_the_product_of_two_layers_only(depth: int, holds: bool) -> None:
    nets = list(bounds.layer_products(depth, 6, 0))
    assert bounds.audit_sum_bounds_product(nets, powered=False).holds == holds
    assert bounds.audit_sum_bounds_product(nets, powered=True).holds


def test_smallest_failure_with_three_layers() -> None:
    found = bounds.audit_sum_bounds_product(bounds.layer_products(3, 0, 0), powered=False)
    assert found.counterexample["weights"] == [[[2.0]]] * 3 or found.counterexample["left"] == 8


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_balanced_sum_is_a_function_of_the_product(depth: int) -> None:
    nets = list(bounds.layer_products(depth, 2, 0))[-6:]
    assert bounds.audit_balanced_sum(nets).holds
    assert not bounds.audit_balanced_sum(nets, exponent=0.5).holds


def test_transition_is_zero_then_one() -> None:
    net = transitions.transition(4)
    x = torch.tensor([[-1.0], [0.0], [0.125], [0.25], [2.0]], dtype=torch.float64)
    assert net.output(x).flatten().tolist() == [0, 0, 0.5, 1, 1]
    assert transitions.global_against_local(4)["local"] == 0


def test_loose() -> None:
    assert transitions.audit_global_is_loose((1, 3, 100)).holds
    assert not transitions.audit_global_is_loose((1, 3), linear=True).holds


def test_paths(relu_points: list[ReluPoint]) -> None:
    small = [p for p in relu_points if p.units <= 10]
    assert paths.audit_paths(small).holds
    assert not paths.audit_paths(small, transpose=True).holds
    assert not paths.audit_paths(small, every=True).holds
