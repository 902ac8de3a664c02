"""The infimum of the Lipschitz constants of robust classifiers."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from scipy.spatial.distance import cdist
from torch import Tensor

from nbsrc.constructions import lipschitz_infimum
from tests.constructions.datasets import METRICS, ORDERS, QUICK, THOROUGH, Case, ball, cases


def extension(case: Case, slope: float, margin: float, x: Tensor) -> np.ndarray:
    """Return min_j (y_j + 1/2 - margin + slope * distance to ball j), written from its formula."""
    distances = cdist(x.numpy(), case.points.numpy(), METRICS[case.ord])
    values = case.labels.numpy() + 0.5 - margin + slope * np.maximum(0, distances - case.eps)
    return values.min(axis=1)


@given(cases())
@THOROUGH
def test_every_larger_constant_is_reached(case: Case) -> None:
    least = lipschitz_infimum(*case.arguments)
    slope = least * 1.001 + 1e-3
    # the slack of the closest constraint: (slope - least) times the gap, over 2
    distances = cdist(case.points.numpy(), case.points.numpy(), METRICS[case.ord])
    foreign = np.not_equal.outer(case.labels.numpy(), case.labels.numpy())
    gap = float(distances[foreign].min()) - 2 * case.eps
    margin = min(0.25, 0.25 * (slope - least) * gap)
    samples = ball(case.points, case.eps, case.ord, 0, directions=3)
    values = extension(case, slope, margin, samples.flatten(0, 1))
    deviation = np.abs(values.reshape(len(samples), -1) - case.labels.numpy())
    assert float(deviation.max()) < 0.5
    flat = samples.flatten(0, 1)[:: max(1, samples.shape[0] * samples.shape[1] // 100)]
    moved = cdist(flat.numpy(), flat.numpy(), METRICS[case.ord])
    change = np.abs(np.subtract.outer(*[extension(case, slope, margin, flat)] * 2))
    rounding = 1e-15 * slope * (1 + float(distances.max()) + float(case.points.abs().max()))
    assert bool((change <= slope * moved * (1 + 1e-9) + 100 * rounding + 1e-13).all())


@given(cases())
@QUICK
def test_no_smaller_constant_is_possible(case: Case) -> None:
    """Two points of two balls, as close as the balls come, must differ by more than k - 1."""
    least, found = lipschitz_infimum(*case.arguments), 0.0
    for i in range(len(case.points)):
        for j in range(len(case.points)):
            steps = abs(int(case.labels[i] - case.labels[j])) - 1
            if steps < 0:
                continue
            apart = case.points[j] - case.points[i]
            length = float(torch.linalg.vector_norm(apart, case.ord))
            nearest = [case.points[i] + case.eps / length * apart,
                       case.points[j] - case.eps / length * apart]  # fmt: skip
            between = float(torch.linalg.vector_norm(nearest[1] - nearest[0], case.ord))
            found = max(found, steps / between)
    assert least == pytest.approx(found, rel=1e-5)


@pytest.mark.parametrize("order", ORDERS)
def test_the_coding_decides(order: float) -> None:
    """The same points and classes under two codings; one class; neighbours by number."""
    points = torch.tensor([[0.0], [4.0], [9.0]])
    assert lipschitz_infimum(points, torch.tensor([1, 2, 3]), 1.0, order) == 1 / 7
    assert lipschitz_infimum(points, torch.tensor([1, 3, 2]), 1.0, order) == 1 / 2
    assert lipschitz_infimum(points, torch.tensor([1, 2, 1]), 1.0, order) == 0.0
    assert lipschitz_infimum(points, torch.tensor([4, 4, 4]), 1.0, order) == 0.0


def test_unseparable_and_bad_arguments() -> None:
    points, labels = torch.tensor([[0.0], [2.0]]), torch.tensor([1, 5])
    with pytest.raises(ValueError, match=r"points 0 \(label 1\) and 1 \(label 5\).*distance 2.0"):
        lipschitz_infimum(points, labels, 1.0, 2)
    with pytest.raises(ValueError, match="eps must be"):
        lipschitz_infimum(points, labels, math.nan, 2)
