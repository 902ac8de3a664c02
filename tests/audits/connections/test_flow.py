"""Two trainings: the same to the last bit, or not; a trained network and its radii."""

from __future__ import annotations

import math

import pytest
import torch

from nbsrc.audits.connections import flow, trained


@pytest.mark.parametrize("optimiser", ["gd", "momentum", "adam"])
def test_same_path_from_the_bayes_start(optimiser: str) -> None:
    assert flow.audit_same_path(flow.bayes_runs(0, 60), optimiser=optimiser).holds


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_another_factor_is_seen(factor: float) -> None:
    assert not flow.audit_same_path(flow.bayes_runs(0, 60), factor).holds


def test_data_do_not_matter_but_the_start_does() -> None:
    assert flow.audit_same_path(flow.any_data(0, shift=0.0)).holds
    shifted = flow.any_data(0, shift=1.0, steps=100)
    assert not flow.audit_same_path(shifted).holds
    assert flow.audit_classifier(shifted).holds
    assert flow.audit_classifier(shifted, "momentum").holds
    assert not flow.audit_classifier(shifted, "adam").holds
    assert not flow.audit_classifier(shifted, factor=2.0).holds


def test_a_run_that_does_not_move_is_no_evidence() -> None:
    assert not flow.audit_same_path(flow.bayes_runs(0, 0)).holds


def test_conserved() -> None:
    shifted = flow.any_data(0, shift=1.0, steps=100)
    assert flow.audit_conserved(shifted).holds
    assert not flow.audit_conserved(shifted, "mu2").holds


def test_spread_is_half_nu_squared() -> None:
    """The library's penalty has the gradient of nu^2 / 2."""
    from nbsrc.perturbation.flow import penalty_gradient

    V = torch.randn(3, 2, generator=torch.Generator().manual_seed(0)).double().requires_grad_()
    half = (V[:, 0] - V[:, 1]).square().sum() / 2
    slope = torch.autograd.grad(half, V)[0]
    assert torch.allclose(slope, penalty_gradient(V.detach(), "spread"))


def test_trained_network() -> None:
    network = trained.train_network(0, 150)
    x, y = trained.two_arcs(30, 1)
    assert x.shape == (60, 2)
    assert not any(p.requires_grad for p in network.parameters())
    judged = trained.judge(network, x, y, rays=60, rings=30)
    assert len(judged) > 50
    assert trained.audit_radius(judged, "certified").holds
    found = trained.audit_radius(judged, "taylor")
    assert not found.holds
    assert found.counterexample["class changes at"] < found.counterexample["taylor"]
    assert all(j.taylor >= j.exact for j in judged)


def test_judged_change_is_real() -> None:
    network = trained.train_network(0, 150)
    x, y = trained.two_arcs(10, 1)
    judged = trained.judge(network, x, y)
    near = [j for j in judged if math.isfinite(j.nearest)]
    assert near
    point = min(near, key=lambda j: j.nearest)
    angles = torch.linspace(0, 2 * math.pi, 721, dtype=torch.float64)
    ring = torch.tensor(point.x).double() + 1.01 * point.nearest * torch.stack(
        [angles.cos(), angles.sin()], 1
    )
    assert len(network(ring).argmax(1).unique()) == 2
