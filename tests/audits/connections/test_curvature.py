"""Exact curvature of many classes, with planted errors."""

from __future__ import annotations

import pytest
import torch

from nbsrc.audits.connections import curvature
from nbsrc.audits.connections.architectures import architectures
from nbsrc.audits.connections.point_families import random_points, small_points
from nbsrc.audits.connections.points import point

POINTS = [*list(small_points())[::20], *random_points(50, 0)]


def test_three_classes() -> None:
    assert curvature.audit_three_classes(POINTS).holds
    with pytest.raises(ValueError, match="got 2"):
        curvature.three_class_norm(point([[1, 0]], [2, 1]))


def test_planted_error_in_the_closed_form(monkeypatch: pytest.MonkeyPatch) -> None:
    true = curvature.three_class_norm
    monkeypatch.setattr(curvature, "three_class_norm", lambda x: 1.001 * true(x))
    assert not curvature.audit_three_classes(POINTS).holds


def test_norm_and_optimum() -> None:
    assert curvature.audit_norm_from_gram(POINTS[::2]).holds
    assert curvature.audit_optimum(POINTS[::4]).holds


def test_planted_error_in_the_optimum(monkeypatch: pytest.MonkeyPatch) -> None:
    true = curvature.taylor_optimum
    monkeypatch.setattr(curvature, "taylor_optimum", lambda x: true(x) * (1 + 1e-6))
    assert not curvature.audit_optimum(POINTS[::8]).holds


def test_penalty_of_networks() -> None:
    names = ["convolution", "residual"]
    assert curvature.audit_penalty(names, 4, 0, weights=False, tolerance=1e-9).holds
    assert not curvature.audit_penalty(
        ["softplus (smooth)"], 4, 0, weights=False, tolerance=1e-3
    ).holds


def test_weight_gradient() -> None:
    net = architectures(3, 0)["MLP without biases"]
    x = torch.randn(1, 1, 4, 4, generator=torch.Generator().manual_seed(0)).double()
    before = [w.clone() for w in net.parameters()]
    assert curvature.weight_gradient_error(net, x, 1) < 1e-5
    assert all(torch.equal(a, b) for a, b in zip(before, net.parameters(), strict=True))
    smooth = architectures(3, 0)["softplus (smooth)"]
    assert curvature.weight_gradient_error(smooth, x, 1) > 1e-3


def test_power_iteration_is_an_estimate_from_below() -> None:
    x = point([[1, 0, 0], [0, 1, 0]], [3, 2, 2])
    values = [curvature.power_iteration_norm(x, steps, 0) for steps in (1, 3, 60)]
    assert values[0] < values[1] < x.curvature
    assert values[2] == pytest.approx(x.curvature)
