"""Networks written as the paper writes them, against torch."""

from __future__ import annotations

import pytest
import torch

from nbsrc.audits.operator_norms import points
from nbsrc.audits.operator_norms.points import ReluPoint, relu_point
from nbsrc.linear_region import jacobian


def test_the_module_computes_the_same_function(relu_points: list[ReluPoint]) -> None:
    for point in relu_points:
        with torch.no_grad():
            assert torch.allclose(point.module()(point.x), point.output())


def test_the_product_with_strict_masks_is_torchs_jacobian(relu_points: list[ReluPoint]) -> None:
    for point in relu_points:
        J = jacobian(point.module(), point.x.unsqueeze(0))[0]
        assert torch.allclose(point.jacobian(">"), J, atol=1e-12)


def test_the_two_rules_differ_exactly_on_kinks(relu_points: list[ReluPoint]) -> None:
    for point in relu_points:
        same = torch.equal(point.pattern(rule=">="), point.pattern(rule=">"))
        assert same != point.on_kink
        assert (point.radius() == 0) == point.on_kink


def test_every_fourth_random_point_is_on_a_kink() -> None:
    found = list(points.random_points(12, 5))
    assert [p.on_kink for p in found][3::4] == [True] * 3


def test_biases_are_taken() -> None:
    point = relu_point([[[2]], [[3]]], [1], [[-1], [5]])
    assert point.output().tolist() == [8.0]
    assert point.units == 1
    assert point.description["biases"] == [[-1.0], [5.0]]


def test_a_shorter_network_has_no_masks() -> None:
    point = relu_point([[[2]]], [1])
    assert point.units == 0
    assert not point.on_kink
    assert point.jacobian().tolist() == [[2.0]]


@pytest.mark.parametrize("rule", points.RULES)
def test_masked_output(relu_points: list[ReluPoint], rule: str) -> None:
    for point in relu_points:
        assert torch.allclose(point.masked_output(point.masks(rule=rule)), point.output())
