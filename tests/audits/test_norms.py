"""Audits of norm formulas: right ones hold, wrong ones fail with the smallest layer."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

from nbsrc.audits import norms
from nbsrc.audits.layers import (
    Layer,
    Shape,
    layers_under_assumption1,
    random_layers,
    smallest_layers,
)

COUNT = 80
ORDERS = (1, math.inf, "fro")
Formula = Callable[[Layer], float]


def test_matrix_norm_by_definition() -> None:
    matrix = torch.tensor([[1.0, -2.0, 0.0], [3.0, 4.0, -5.0]], dtype=torch.float64)
    assert norms.matrix_norm(matrix, 1) == 6
    assert norms.matrix_norm(matrix, math.inf) == 12
    assert norms.matrix_norm(matrix, "fro") == math.sqrt(55)
    gram = torch.linalg.eigvalsh(matrix @ matrix.T).max()
    assert norms.matrix_norm(matrix, 2) == pytest.approx(math.sqrt(float(gram)), rel=1e-14)


def least_wrong(layers: list[Layer], formula: Formula, order: Any) -> Layer:
    wrong = [
        x
        for x in layers
        if not math.isclose(formula(x), norms.matrix_norm(x.matrix, order), rel_tol=1e-9)
    ]
    return min(wrong, key=lambda x: x.size)


@pytest.mark.parametrize("order", ORDERS)
def test_exact_norms_hold_and_planted_errors_fail(order: Any) -> None:
    layers = list(random_layers(COUNT, 0, max_dilation=3, max_groups=3))
    exact = norms.exact_norm(order)
    good = norms.audit_norm(layers, exact, order, 1e-12)
    assert good.holds
    assert good.trials == COUNT
    planted: dict[str, Formula] = {
        "a relative error of 1e-11": lambda x: exact(x) * (1 + 1e-11) + 1e-11,
        "zero": lambda _: 0.0,
        "dilation ignored": lambda x: float(
            norms.conv_norm(x.weight, tuple(n + 40 for n in x.shape.input_size), ord=order,
                            **{**x.options, "dilation": 1})
        ),
    }  # fmt: skip
    for name, wrong in planted.items():
        found = norms.audit_norm(layers, wrong, order, 1e-12)
        assert not found.holds, name
        assert found.counterexample["formula"] != found.counterexample["matrix"]
    found = norms.audit_norm(layers, planted["dilation ignored"], order, 1e-12)
    least = least_wrong(layers, planted["dilation ignored"], order)
    assert {k: found.counterexample[k] for k in least.description} == least.description


@pytest.mark.parametrize("order", [1, math.inf])
def test_printed_norms_need_the_assumption(order: float) -> None:
    printed = norms.printed_norm(order)
    assert norms.audit_norm(layers_under_assumption1(COUNT, 0), printed, order, 1e-10).holds
    layers = list(smallest_layers(8))
    found = norms.audit_norm(layers, printed, order, 1e-10)
    assert not found.holds
    least = least_wrong(layers, printed, order)
    assert {k: found.counterexample[k] for k in least.description} == least.description


def test_printed_norm_is_indexed_by_its_order() -> None:
    layer = next(iter(layers_under_assumption1(1, 3)))
    values = norms.theorem1_norms(layer.weight, layer.shape.input_size, **layer.paper_options)
    assert [norms.printed_norm(p)(layer) for p in (1, math.inf, 2)] == [float(v) for v in values]
    assert norms.frobenius_without_padding(layer) == float(values.l2_upper_bound)
    with pytest.raises(KeyError):
        norms.printed_norm("fro")


def test_upper_bound() -> None:
    layers = list(random_layers(COUNT, 0))
    assert norms.audit_upper_bound(layers, norms.printed_norm(2), 2, 1e-10).holds
    sharp = Layer(Shape(1, 1, (3, 3), (3, 3)), torch.full((1, 1, 3, 3), 2.0).double())
    assert norms.audit_upper_bound([sharp], norms.printed_norm(2), 2, 1e-10).holds
    found = norms.audit_upper_bound(
        [*layers, sharp], lambda x: 0.99 * norms.printed_norm(2)(x), 2, 1e-10
    )
    assert not found.holds
    assert found.worst_slack == pytest.approx(-0.01)
    assert found.counterexample["input"] == "3x3"
    assert not norms.audit_upper_bound(layers, lambda _: 0.0, 2, 1e-10).holds
    assert norms.audit_upper_bound(layers, lambda _: 1e6, 2, 1e-10).holds


def test_wrong_formulas_of_the_paper_fail() -> None:
    good = list(layers_under_assumption1(COUNT, 0))
    assert not norms.audit_norm(good, norms.plain_kernel_sum, 1, 1e-10).holds
    assert not norms.audit_norm(good, norms.frobenius_without_padding, "fro", 1e-10).holds
    assert not norms.audit_norm(good, norms.set_norm_of_proof, 1, 1e-10).holds
    bare = list(layers_under_assumption1(40, 0, max_padding=0))
    bare = [x for x in bare if x.shape.stride == (1, 1)] + list(
        random_layers(20, 0, accept=lambda s: s.stride == (1, 1), max_padding=0)
    )
    assert norms.audit_norm(bare, norms.frobenius_without_padding, "fro", 1e-10).holds


def test_transpose() -> None:
    assert norms.audit_transpose(40, 0, ORDERS).holds
    assert norms.audit_transpose(40, 0, ORDERS).trials == 120
    found = norms.audit_transpose(40, 0, (1, math.inf), swap=False)
    assert not found.holds
    assert found.counterexample["ord"] in {"1", "inf"}
    assert norms.audit_transpose(40, 0, ("fro",), swap=False).holds  # not a matter of swapping


def test_trimmed_formula_is_too_small() -> None:
    layers = [x for x in layers_under_assumption1(COUNT, 0) if x.weight.all()]
    found = norms.audit_upper_bound(layers, norms.trimmed_printed_norm, 1, 1e-10)
    assert not found.holds
    assert norms.audit_norm(layers, norms.printed_norm(1), 1, 1e-10).holds


def test_plain_sum_is_at_most_the_number_of_classes_too_large() -> None:
    layers = list(layers_under_assumption1(COUNT, 0))
    plain = norms.plain_kernel_sum
    assert norms.audit_upper_bound(layers, norms.classes_times_exact, plain, 1e-10).holds
    assert not norms.audit_upper_bound(layers, norms.exact_norm(1), plain, 1e-10).holds


def test_layer_equivalence() -> None:
    layers = list(random_layers(COUNT, 0))
    assert norms.audit_layer_equivalence(layers).holds
    assert not norms.audit_layer_equivalence(layers, scale=0.25).holds
