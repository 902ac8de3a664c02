"""Exact examples of divergence, the predicted strength, and the search for the failing one."""

from __future__ import annotations

import copy
import math
from fractions import Fraction

import pytest
import torch
from torch import nn

from nbsrc.audits.regularisers_in_practice import divergence
from nbsrc.regularizers import JacobianPenalty


def test_depth_one_diverges_beyond_one_exactly() -> None:
    assert divergence.audit_depth_one(4).holds
    assert not divergence.audit_depth_one(4, bound=2.0).holds
    assert not divergence.audit_depth_one(4, bound=0.5).holds


def test_momentum_moves_the_edge_exactly() -> None:
    assert divergence.audit_momentum().holds
    assert divergence.audit_momentum().trials == 12
    for wrong in (Fraction(7, 4), Fraction(9, 4)):
        assert not divergence.audit_momentum(wrong).holds


def test_depth_two_is_cubed() -> None:
    assert divergence.depth_two(2, 3) == [2, -14, 5474, -328053267374]
    assert divergence.depth_two(1, 2) == [1, -1, 1]
    assert divergence.audit_depth_two(5).holds


def test_a_linear_step_would_not_be_cubed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        divergence, "depth_two", lambda start, steps: [start * 5**k for k in range(steps + 1)]
    )
    assert not divergence.audit_depth_two(5).holds


def scalar_chain(*weights: float) -> nn.Sequential:
    """A network of one input with a second output that is always 0."""
    layers: list[nn.Module] = []
    for number, weight in enumerate(weights, start=1):
        last = number == len(weights)
        layer = nn.Linear(1, 2 if last else 1, bias=False)
        layer.weight.data.fill_(weight)
        if last:
            layer.weight.data[1] = 0
        layers.append(layer)
    return nn.Sequential(*layers)


def test_sharpness_is_the_largest_eigenvalue() -> None:
    """Of mu^2 = a^2 (b^2 + c^2) at c = 0: the block of a and b, and 2 a^2 for c."""
    a, b = 2.0, 3.0
    matrix = torch.tensor([[2 * b**2, 4 * a * b], [4 * a * b, 2 * a**2]])
    expected = float(torch.linalg.eigvalsh(matrix)[-1])
    found = divergence.sharpness(scalar_chain(a, b), torch.ones(4, 1), iterations=60)
    assert math.isclose(found, expected, rel_tol=1e-4)
    assert divergence.sharpness(scalar_chain(0.0, 0.0), torch.ones(4, 1)) == 0.0


def test_the_predicted_strength_separates() -> None:
    """One layer: the penalty is a quadratic, so the prediction is exact."""
    net = scalar_chain(1.0)
    x, y = torch.ones(8, 1), torch.zeros(8, dtype=torch.long)
    sharp = divergence.sharpness(net, x)
    assert math.isclose(sharp, 2.0, rel_tol=1e-6)
    limit = divergence.stable_strength(sharp, 0.1, 0.9)
    assert math.isclose(limit, 19.0, rel_tol=1e-6)
    assert divergence.stable_strength(0.0, 0.1, 0.9) == math.inf
    outcomes = []
    for strength in (0.9 * limit, 1.2 * limit, 2 * limit):
        found = divergence.tune(
            copy.deepcopy(net), x, y, JacobianPenalty(strength),
            steps=400, seed=0, learning_rate=0.1, weight_decay=0.0,
        )  # fmt: skip
        outcomes.append((strength, found))
    assert divergence.first_failing(outcomes) == (1.2 * limit, 0.9 * limit)
    assert all(found["first"] is None for _, found in outcomes[:1])
    assert outcomes[-1][1]["first"] in ("penalty", "gradient", "weights", "loss")


def test_clipping_keeps_weights_finite() -> None:
    net, x, y = scalar_chain(2.0, 2.0), torch.ones(8, 1), torch.zeros(8, dtype=torch.long)
    settings = {"steps": 200, "seed": 0, "learning_rate": 1.0, "momentum": 0.0}
    free = divergence.tune(copy.deepcopy(net), x, y, JacobianPenalty(1.0), **settings)
    assert free["failed"] is not None
    assert free["failed"] < 8
    held = divergence.tune(copy.deepcopy(net), x, y, JacobianPenalty(1.0), clip=0.1, **settings)
    assert held["failed"] is None
    assert len(held["penalties"]) == 200


def test_nothing_fails_without_outcomes() -> None:
    assert divergence.first_failing([]) == (None, None)
    plain = divergence.tune(
        scalar_chain(1.0), torch.ones(8, 1), torch.zeros(8, dtype=torch.long), None,
        steps=3, seed=0,
    )  # fmt: skip
    assert plain == {"failed": None, "first": None, "penalties": [0.0, 0.0, 0.0]}
