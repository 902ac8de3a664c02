"""Masks, patterns, linearisation: what holds, and what planted errors and kinks break."""

from __future__ import annotations

import pytest
import torch

from nbsrc.audits.operator_norms import cells, linearisation
from nbsrc.audits.operator_norms.points import ReluPoint, random_points, relu_point


def test_formula_and_words_differ_on_a_kink_only(relu_points: list[ReluPoint]) -> None:
    found = cells.audit_mask_rules_agree(relu_points)
    assert found.counterexample == {"weights": [[[1.0]], [[1.0]]], "x": [0.0]}
    assert cells.audit_mask_rules_agree([p for p in relu_points if not p.on_kink]).holds


def test_masks_give_the_output(relu_points: list[ReluPoint]) -> None:
    assert all(cells.audit_masks_give_output(relu_points, rule).holds for rule in (">=", ">"))
    assert not cells.audit_masks_give_output(relu_points, shift=1.0).holds


def test_partition() -> None:
    many = [p for p in random_points(20, 1, depths=(2,)) if p.units > len(p.x)]
    assert cells.audit_partition([relu_point([[[1], [-1]], [[1, 1]]], [0]), *many], 60, 0).holds
    few = relu_point([[[1, 0], [0, 1]], [[1, 1]]], [0, 0])  # all four patterns occur
    assert not cells.audit_partition([few], 60, 0).holds


def test_a_cell_may_be_a_single_point() -> None:
    point = relu_point([[[1], [-1]], [[1, 1]]], [0])
    inputs = torch.tensor([[-2.0], [-1e-300], [0.0], [1e-300], [3.0]], dtype=torch.float64)
    assert point.pattern(inputs).tolist() == [[0, 1], [0, 1], [1, 1], [1, 0], [1, 0]]


def test_change_in_cell(relu_points: list[ReluPoint]) -> None:
    assert linearisation.audit_change_in_cell(relu_points, 0).holds
    mixed = linearisation.audit_change_in_cell(relu_points, 0, jacobian_rule=">")
    assert mixed.counterexample["x"] == [0.0]


def test_moves_stay_in_the_cell(relu_points: list[ReluPoint]) -> None:
    for point in relu_points[:30]:
        for moved in linearisation.cell_moves(point, 0):
            assert moved.pattern().tolist() == point.pattern().tolist()


@pytest.mark.parametrize("rule", [">=", ">"])
def test_the_product_is_the_derivative_off_kinks_only(
    relu_points: list[ReluPoint], rule: str
) -> None:
    found = linearisation.audit_derivative(relu_points, rule)
    assert found.counterexample["true"][0][0] == pytest.approx(1)
    assert found.counterexample["printed"] == [[2.0 if rule == ">=" else 0.0]]
    off = [p for p in relu_points if not p.on_kink]
    assert linearisation.audit_derivative(off, rule).holds


def test_no_derivative_at_a_corner() -> None:
    assert linearisation.numerical_derivative(relu_point([[[1]], [[1]]], [0])) is None


def test_ratio(relu_points: list[ReluPoint]) -> None:
    assert linearisation.audit_ratio_is_bounded(relu_points, None, 0).holds
    found = linearisation.audit_ratio_is_bounded(relu_points, 1e-6, 0)
    assert found.counterexample["sigma"] == 0
    assert found.counterexample["ratio"] == pytest.approx(1)
    off = [relu_point([[[1]], [[1]]], [-1])]
    assert linearisation.audit_ratio_is_bounded(off, 0.5, 0).holds
    assert not linearisation.audit_ratio_is_bounded(off, 2.0, 0).holds


def test_ratio_must_be_that_of_the_jacobian(monkeypatch: pytest.MonkeyPatch) -> None:
    net = relu_point([[[1, 0], [0, 1]], [[1, 0], [0, 1]]], [2, 2])
    assert linearisation.audit_ratio_is_bounded([net], None, 0).holds
    other = torch.diag(torch.tensor([1.0, 2.0])).double()  # a larger norm: the bound alone holds
    monkeypatch.setattr(ReluPoint, "jacobian", lambda *_: other)
    assert not linearisation.audit_ratio_is_bounded([net], None, 0).holds
    assert linearisation.audit_ratio_is_bounded([net], 0.5, 0).holds


def test_segment_bound(relu_points: list[ReluPoint], monkeypatch: pytest.MonkeyPatch) -> None:
    corner = relu_point([[[1], [-1]], [[1, 1]]], [0])  # |x| at 0
    ramp = relu_point([[[1]], [[1]]], [-1])  # the cell of x has norm 0
    assert linearisation.audit_segment_bound([corner, ramp, *relu_points[::3]], 3.0, 0).holds
    monkeypatch.setattr(ReluPoint, "at", lambda point, _: point)  # the first cell only
    assert not linearisation.audit_segment_bound([ramp], 3.0, 0).holds


def test_non_expansive(relu_points: list[ReluPoint]) -> None:
    assert cells.audit_non_expansive(relu_points).holds
    assert not cells.audit_non_expansive(relu_points, slope=2.0).holds


def test_convolutions_are_matrices_but_not_toeplitz() -> None:
    assert cells.audit_conv_matrix(toeplitz=False, seed=0).holds
    assert not cells.audit_conv_matrix(toeplitz=True, seed=0).holds
    assert not cells.audit_conv_matrix(toeplitz=True, strides=(1,), seed=0).holds


def test_ratios_stay_below_one_in_the_cell(relu_points: list[ReluPoint]) -> None:
    inside = [p for p in relu_points if not p.on_kink and bool(p.jacobian().any())]
    rows = linearisation.ratio_rows(inside, (0.5, 20), 0)
    assert rows[0]["largest"] == pytest.approx(1)
    assert rows[0]["above"] == 0
    assert rows[1]["largest"] > 1
    assert rows[1]["above"] > 0
