"""Robust classifiers with a global Lipschitz constant just above the infimum."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from torch import Tensor, nn

from nbsrc.constructions import closest_pair, flat_classifier, lipschitz_infimum
from tests.constructions.datasets import DUAL, METRICS, Case, ball

FEW = settings(max_examples=25, deadline=None)


@st.composite
def small_cases(draw: Any) -> Case:
    """Up to 15 points in up to four dimensions, with 1 to 5 classes."""
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    count, width = draw(st.integers(1, 15)), draw(st.integers(1, 4))
    points = torch.randn(count, width, generator=generator, dtype=torch.float64)
    labels = torch.randint(-2, 3, (count,), generator=generator)
    order = draw(st.sampled_from([1, math.inf]))
    between = closest_pair(points, labels, order)[2]
    share = draw(st.sampled_from([0.0, 0.2, 0.4]))
    return Case(points, labels, share * (between if between < math.inf else 1.0), order)


def mcshane(case: Case, slope: float, x: Tensor) -> np.ndarray:
    """Return the formula of the module, in numpy."""
    table = cdist(case.points.numpy(), case.points.numpy(), METRICS[case.ord]) - 2 * case.eps
    steps = np.abs(np.subtract.outer(case.labels.numpy(), case.labels.numpy()))
    slack = np.where(steps > 0, (slope * table - steps + 1) / 2, 0.5).min()
    distances = cdist(x.numpy(), case.points.numpy(), METRICS[case.ord])
    tops = case.labels.numpy() + 0.5 - min(0.5, slack)
    return (tops + slope * np.maximum(0, distances - case.eps)).min(axis=1)


def gradient_norms(network: nn.Sequential, x: Tensor, order: float) -> Tensor:
    x = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(network(x).sum(), x)
    return torch.linalg.vector_norm(gradient, DUAL[order], dim=1)


@given(small_cases(), st.sampled_from([1e-2, 0.5, 10.0]), st.integers(0, 1000))
@FEW
def test_formula_robustness_and_slope(case: Case, more: float, seed: int) -> None:
    slope = lipschitz_infimum(*case.arguments) + more
    network = flat_classifier(*case.arguments, lipschitz=slope)
    generator = torch.Generator().manual_seed(seed)
    x = 3 * torch.randn(200, case.points.shape[1], generator=generator, dtype=torch.float64)
    with torch.no_grad():
        samples = ball(case.points, case.eps, case.ord, seed, directions=3)
        values = network(samples)[..., 0]
        assert float((values - case.labels).abs().max()) < 0.5
        size = 1 + slope * 20
        expected = mcshane(case, slope, x)
        assert float(np.abs(network(x)[:, 0].numpy() - expected).max()) <= 1e-13 * size
    norms = gradient_norms(network, x, case.ord)
    assert float(norms.max()) <= slope * (1 + 1e-12)


@pytest.mark.parametrize("order", [1, math.inf])
@pytest.mark.parametrize("labels", [[1, 2, 3], [1, 3, 2]])
def test_the_constant_allowed_is_used(order: float, labels: list[int]) -> None:
    """Three classes, a slope 1% above the infimum; the gradient attains it."""
    points = torch.tensor([[0.0, 0.0], [4.0, 1.0], [9.0, -1.0]]).double()
    case = Case(points, torch.tensor(labels), 1.0, order)
    slope = 1.01 * lipschitz_infimum(*case.arguments)
    network = flat_classifier(*case.arguments, lipschitz=slope)
    x = torch.cartesian_prod(*[torch.linspace(-3, 12, 60).double()] * 2)
    assert float(gradient_norms(network, x, order).max()) == pytest.approx(slope, rel=1e-12)
    with torch.no_grad():
        values = network(ball(points, 1.0, order, 0))[..., 0]
        assert float((values - case.labels).abs().max()) < 0.5
        # control: the same function for another coding is not robust
        other = case.labels[[0, 2, 1]]
        assert float((values - other).abs().max()) >= 0.5


def test_at_or_below_the_infimum_there_is_none() -> None:
    points, labels = torch.tensor([[0.0], [4.0]]), torch.tensor([1, 3])
    least = lipschitz_infimum(points, labels, 1.0, 1)
    assert least == 0.5
    for slope in (0.5, 0.4, 0.5 + 1e-9):
        with pytest.raises(ValueError, match=r"lipschitz must be above the infimum 0\.5"):
            flat_classifier(points, labels, 1.0, 1, lipschitz=slope)
    network = flat_classifier(points, labels, 1.0, 1, lipschitz=0.501)
    with torch.no_grad():
        assert float((network(points + 1)[:, 0] - labels).abs().max()) < 0.5


def test_small_slopes_for_neighbouring_labels() -> None:
    points, labels = torch.tensor([[0.0], [4.0]]).double(), torch.tensor([1, 2])
    case = Case(points, labels, 1.0, math.inf)
    network = flat_classifier(*case.arguments, lipschitz=1e-6)
    with torch.no_grad():
        values = network(ball(points, 1.0, math.inf, 0))[..., 0]
    assert float((values - labels).abs().max()) < 0.5
    assert float(gradient_norms(network, points + 1.5, math.inf).max()) <= 1e-6 * (1 + 1e-12)


def test_what_is_not_supported() -> None:
    points, labels = torch.tensor([[0.0, 0.0], [4.0, 0.0]]), torch.tensor([1, 2])
    with pytest.raises(NotImplementedError, match=r"ord must be 1 or math\.inf"):
        flat_classifier(points, labels, 1.0, 2, lipschitz=1.0)
    assert flat_classifier(points[:, :1], labels, 1.0, 2, lipschitz=1.0) is not None
    many = torch.arange(5000.0)[:, None]
    with pytest.raises(NotImplementedError, match="at most 4096 entries, got 5000 x 1"):
        flat_classifier(many, many[:, 0].long() % 2, 0.1, 1, lipschitz=10.0)
    for bad in (0.0, -1.0, math.nan):
        with pytest.raises(ValueError, match="lipschitz must be a finite number > 0"):
            flat_classifier(points, labels, 1.0, 1, lipschitz=bad)
    with pytest.raises(ValueError, match="further apart than 2 eps"):
        flat_classifier(points, labels, 2.0, 1, lipschitz=1.0)
