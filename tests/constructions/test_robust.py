"""Robust classifiers are exactly the label on every closed ball."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from nbsrc.constructions import (
    classifier_from_halfspaces,
    gentle_classifier,
    robust_classifier,
    separating_halfspaces,
)
from tests.constructions.datasets import ORDERS, QUICK, THOROUGH, Case, ball, cases


@torch.no_grad()
def deviation(network: nn.Sequential, case: Case, seed: int) -> float:
    """Return the largest |g - y| over points of all balls."""
    samples = ball(case.points, case.eps, case.ord, seed)
    values = network(samples.flatten(0, 1))[:, 0].reshape(samples.shape[:2])
    return float((values - case.labels).abs().max())


@given(cases(), st.integers(0, 1000))
@THOROUGH
def test_the_value_is_the_label_bit_for_bit(case: Case, seed: int) -> None:
    network = robust_classifier(*case.arguments)
    assert deviation(network, case, seed) == 0.0
    kinds = [nn.Linear, nn.ReLU] * 3 + [nn.Linear]
    assert [type(module) for module in network] == kinds
    assert network[0].weight.dtype == torch.float64


@given(cases(torch.float32), st.integers(0, 1000))
@QUICK
def test_single_precision(case: Case, seed: int) -> None:
    network = robust_classifier(*case.arguments)
    assert {p.dtype for p in network.parameters()} == {torch.float32}
    assert deviation(network, case, seed) == 0.0


@given(cases(), st.integers(0, 1000))
@QUICK
def test_scores_are_one_hot_on_the_balls(case: Case, seed: int) -> None:
    network = robust_classifier(*case.arguments, output="scores")
    classes, of = case.labels.unique(return_inverse=True)
    samples = ball(case.points, case.eps, case.ord, seed)
    with torch.no_grad():
        values = network(samples)
        anywhere = network(
            3
            * torch.randn(
                200,
                case.points.shape[1],
                dtype=torch.float64,
                generator=torch.Generator().manual_seed(seed),
            )
        )
    expected = nn.functional.one_hot(of, len(classes)).double()
    assert torch.equal(values, expected.expand_as(values))
    assert float(anywhere.min()) >= 0.0
    assert float(anywhere.max()) <= 1.0


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("eps", [1.0, 2.0 - 2**-30])
def test_integer_grid_near_the_limit(order: float, eps: float) -> None:
    """Checkerboard of side 4 in three dimensions: nearest points of other classes at distance 4."""
    grid = torch.cartesian_prod(*[torch.arange(4)] * 3)
    case = Case(4.0 * grid.double(), 1 + grid.sum(dim=1) % 2, eps, order)
    assert deviation(robust_classifier(*case.arguments), case, 0) == 0.0
    scaled = Case(4 * grid, case.labels, eps, order)
    network = robust_classifier(*scaled.arguments)
    assert network[0].weight.dtype == torch.float64
    assert deviation(network, case, 1) == 0.0


@pytest.mark.parametrize("shift", ["offsets", "gap"])
def test_wrong_half_spaces_are_seen(shift: str) -> None:
    """Control: half-spaces moved by the gap, or a slope that is too small, break the value."""
    generator = torch.Generator().manual_seed(3)
    points = torch.randn(30, 4, generator=generator, dtype=torch.float64)
    labels = torch.randint(1, 4, (30,), generator=generator)
    found = separating_halfspaces(points, labels, 0.0, 2)
    eps = 0.49 * found.gap
    case = Case(points, labels, eps, 2)
    right = separating_halfspaces(*case.arguments)
    assert deviation(classifier_from_halfspaces(right), case, 0) == 0.0
    moved = -right.gap if shift == "offsets" else 0.0
    wrong = dataclasses.replace(
        right,
        offsets=right.offsets + moved,
        gap=right.gap * (1 if shift == "offsets" else 10_000),
    )
    assert deviation(classifier_from_halfspaces(wrong), case, 0) > 0.1


def test_larger_balls_are_not_promised() -> None:
    """Control: beyond the radius the classifier does change."""
    case = Case(torch.tensor([[0.0], [4.0]]), torch.tensor([1, 2]), 1.0, 2)
    wide = dataclasses.replace(case, eps=2.0)
    assert deviation(robust_classifier(*case.arguments), wide, 0) >= 0.5


@pytest.mark.parametrize("output", ["label", "scores"])
def test_one_class(output: str) -> None:
    points, labels = torch.tensor([[0.0, 1.0], [2.0, 3.0]]), torch.tensor([-3, -3])
    network = robust_classifier(points, labels, 1e6, 2, output=output)
    values = network(torch.randn(10, 2, generator=torch.Generator().manual_seed(0)))
    assert torch.equal(values, torch.full_like(values, -3.0 if output == "label" else 1.0))


def test_equal_half_spaces_are_one_unit() -> None:
    points = torch.tensor([[0.0, 0.0], [0.0, 1.0], [0.0, 2.0], [8.0, 0.0], [8.0, 1.0]])
    found = separating_halfspaces(points, torch.tensor([1, 1, 1, 2, 2]), 1.0, math.inf)
    assert len(found.owner) == 5
    assert classifier_from_halfspaces(found)[0].weight.shape == (2, 2)


def test_unknown_output() -> None:
    with pytest.raises(ValueError, match="output must be 'label' or 'scores', got 'logits'"):
        robust_classifier(torch.zeros(1, 1), torch.tensor([1]), 0.0, 2, output="logits")


@pytest.mark.parametrize("shrink", [1.0, 0.3, 1e-6, 1e-12])
@pytest.mark.parametrize("order", ORDERS)
def test_gentle_classifier(order: float, shrink: float) -> None:
    generator = torch.Generator().manual_seed(5)
    points = torch.randn(30, 3, generator=generator, dtype=torch.float64)
    labels = torch.randint(1, 3, (30,), generator=generator)
    eps = 0.45 * separating_halfspaces(points, labels, 0.0, order).gap
    case = Case(points, labels, eps, order)
    gentle = gentle_classifier(*case.arguments, shrink=shrink)
    worst = deviation(gentle, case, 0)
    assert worst < 0.5
    assert worst == pytest.approx((1 - shrink) / 2, abs=1e-15)
    x = torch.randn(500, 3, generator=generator, dtype=torch.float64)
    with torch.no_grad():
        expected = 1.5 + shrink * (robust_classifier(*case.arguments)(x) - 1.5)
        torch.testing.assert_close(gentle(x), expected, rtol=0, atol=1e-14)


def test_gentle_needs_labels_that_are_close() -> None:
    points = torch.tensor([[0.0], [4.0]])
    far = torch.tensor([1, 3])
    for bad in (0.5, 0.1):
        with pytest.raises(ValueError, match=r"shrink must be above 0.5.*2 apart"):
            gentle_classifier(points, far, 1.0, 2, shrink=bad)
    case = Case(points, far, 1.0, 2)
    assert deviation(gentle_classifier(*case.arguments, shrink=0.501), case, 0) < 0.5
    with pytest.raises(ValueError, match=r"labels must have two values, got 3: \[1, 2, 3\]"):
        gentle_classifier(
            torch.tensor([[0.0], [4.0], [8.0]]), torch.tensor([1, 2, 3]), 1.0, 2, shrink=1.0
        )
    for bad in (0.0, -1.0, 1.5, math.nan):
        with pytest.raises(ValueError, match="shrink must be"):
            gentle_classifier(points, torch.tensor([1, 2]), 1.0, 2, shrink=bad)
    with pytest.raises(ValueError, match="rounding included"):
        gentle_classifier(points, torch.tensor([1, 2]), 1.0, 2, shrink=1e-8)
    gentle_classifier(points.double(), torch.tensor([1, 2]), 1.0, 2, shrink=1e-8)
