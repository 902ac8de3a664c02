"""Extraction of the Jacobian, its spectrum, stability and costs, and the digits networks."""

from __future__ import annotations

import pytest
import torch

from nbsrc.audits.operator_norms import (
    costs,
    digits,
    digits_training,
    extraction,
    spectrum,
    stability,
)
from nbsrc.audits.operator_norms.matrices import MatrixCase
from nbsrc.audits.operator_norms.points import ReluPoint, random_points, relu_point


@pytest.fixture(scope="module")
def case() -> extraction.Extraction:
    return extraction.extraction((12, 16, 16, 4), 0)


def test_exact_ways_agree(case: extraction.Extraction) -> None:
    for name in extraction.METHODS:
        assert case.error(getattr(case, name)()) < 1e-6
    assert case.error(case.reference * 1.1) == pytest.approx(0.1)


def test_errors_of_differences_and_regression(case: extraction.Extraction) -> None:
    rows = extraction.errors([case], (1e-5, 10.0), (2,), (1e-3, 10.0), 0)
    found = {(row["method"], row["parameter"]): row["median"] for row in rows}
    assert found["differences, frozen", 1e-5] > 1e-3 > 1e-5 > found["differences, frozen", 10.0]
    assert found["differences, live", 10.0] > 0.1  # other cells
    fits = [found["regression, 2 (n + 1) samples", noise] for noise in (1e-3, 10.0)]
    assert fits[0] > 1e-5 > fits[1]


def test_convention(nonzero: list[MatrixCase]) -> None:
    assert spectrum.audit_convention(nonzero, transpose=False).holds
    assert not spectrum.audit_convention(nonzero, transpose=True).holds


def test_spectrum(relu_points: list[ReluPoint]) -> None:
    off = [p for p in relu_points if not p.on_kink]
    assert spectrum.audit_spectrum(off).holds
    assert spectrum.audit_simple_unless_zero(list(random_points(30, 2))).holds
    identity = relu_point([[[1, 0], [0, 1]], [[1, 0], [0, 1]]], [1, 1])
    assert not spectrum.audit_simple_unless_zero([identity]).holds
    assert not spectrum.audit_spectrum(off, frozen_at=1.0).holds


def test_costs() -> None:
    assert costs.per_pass((8, 6, 4)) == 72
    assert costs.count_attack((8, 6, 4), 2, 3) == costs.count_power((8, 6, 4), 2, 3) == (3, 3)
    assert costs.audit_same_cost((8, 6, 4), (1, 3), (1, 2)).holds
    assert not costs.audit_same_cost((8, 6, 4), (1,), (1,), extra=1).holds
    found = costs.audit_batch_factor((8, 6, 4), (1, 2), (1, 2, 3), lambda K, B: K + B - 1)
    assert (found.counterexample["batch"], found.counterexample["K"]) == (2, 2)
    assert costs.audit_batch_factor((8, 6, 4), (1, 2), (1, 3), lambda K, B: K * B).holds


def test_batched_jacobian_and_gains() -> None:
    net = digits.new_network(0, (6, 5, 4))
    x = torch.rand(3, 6, generator=torch.Generator().manual_seed(0))
    truth = torch.stack([torch.autograd.functional.jacobian(net, row) for row in x])
    J = digits.batched_jacobian(net, x)
    assert torch.allclose(J, truth, atol=1e-6)
    sizes = digits.largest_gains(J, 100, torch.ones(3, 6))
    assert torch.allclose(sizes, digits.gains(net, x), rtol=1e-4)
    assert digits.product_of_norms(net) >= float(digits.gains(net, x).max())


def test_training_lowers_what_it_penalises() -> None:
    data = digits.digits_data()
    few = digits.DigitsData(data.x[:320], data.y[:320], data.test_x[:100], data.test_y[:100])
    record = digits_training.Amortised(1)
    nets = [
        digits_training.train(few, method, strength, 0, 3, iterations=1, record=record)
        for method, strength in (("standard", 0.0), ("local", 0.3), ("global", 0.1))
    ]
    sizes = [float(digits.gains(net, few.test_x).mean()) for net in nets]
    products = [digits.product_of_norms(net) for net in nets]
    assert sizes[1] < sizes[0]
    assert products[2] < products[0]
    assert len(record.errors) == 15
    assert 0 <= min(record.cosines) <= max(record.cosines) <= 1.0001
    assert digits.accuracy(nets[0], few.x, few.y) > 0.3


def test_stability() -> None:
    net = digits.new_network(0, (8, 12, 4))
    x = torch.rand(10, 8, generator=torch.Generator().manual_seed(1))
    rounding = stability.rounding_rows(net, x, (1e-4, 1.0))
    assert rounding[0]["squares"] > 10 * rounding[1]["squares"]
    assert rounding[0]["spectral"] < 1e-5
    jumps = stability.jump_rows(net, x, (1.0,), 50, 0.5, 0)
    assert jumps[0]["squares"] < jumps[0]["spectral"]
