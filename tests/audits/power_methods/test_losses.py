"""Cross-entropy: signs, temperature, links, the centred Jacobian; the objectives."""

from __future__ import annotations

import math

import pytest
import torch

from nbsrc.audits.power_methods import centred, cross_entropy, links, objectives
from nbsrc.audits.power_methods.cases import ORDERS, PAIRS, Case, random_cases, whole_maps

POINTS = cross_entropy.logit_cases(20, 0)


@pytest.fixture(scope="module")
def nets() -> list[Case]:
    return list(random_cases(12, 0))


def test_loss_and_gradients() -> None:
    assert cross_entropy.audit_loss(POINTS).holds
    assert not cross_entropy.audit_loss(POINTS, sign=1.0).holds
    for targeted in (False, True):
        assert cross_entropy.audit_gradient(POINTS, targeted=targeted).holds
        assert not cross_entropy.audit_gradient(POINTS, targeted=targeted, sign=-1.0).holds


@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("gradient", [False, True])
def test_exactly_one_flip(alpha: bool, gradient: bool) -> None:
    found = cross_entropy.audit_targeted_step(POINTS, flip_alpha=alpha, flip_gradient=gradient)
    assert found.holds == (alpha != gradient)


@pytest.mark.parametrize("targeted", [False, True])
def test_low_temperature(targeted: bool) -> None:
    audit = cross_entropy.audit_low_temperature
    printed, untied = cross_entropy.printed_flip, cross_entropy.without_ties(POINTS)
    unit = audit(untied, printed, targeted=targeted, form="unit")
    assert unit.counterexample["z"] == [0, 1]
    assert unit.counterexample["y"] == 1
    assert audit(untied, printed, targeted=targeted, form="raw").holds
    assert not audit(POINTS, printed, targeted=targeted, form="raw").holds
    repaired = cross_entropy.flip_to_best_other
    assert audit(POINTS, repaired, targeted=targeted, form="rescaled").holds
    assert not audit(POINTS, repaired, targeted=targeted, form="raw").holds
    assert not audit(POINTS, repaired, targeted=targeted, form="rescaled", beta=1.0).holds


@pytest.mark.parametrize("name", links.LINKS)
def test_links(name: str) -> None:
    bad = {"sum of squares, identity", "half the sum of squares of softmax", "Bernoulli, probit",
           "Gamma, 1/z"}  # fmt: skip
    assert links.audit_link([name], 0).holds == (name not in bad)


@pytest.mark.parametrize(("p", "q"), PAIRS)
def test_inner_maximum(nets: list[Case], p: float, q: float) -> None:
    small = list(whole_maps(2, 2, (0, 1)))
    assert objectives.audit_inner_maximum([*nets, *small], p, q).holds
    assert not objectives.audit_inner_maximum(nets, p, q, size=10.0).holds
    found = objectives.audit_printed_v(whole_maps(2, 1), p, q)
    assert not found.holds
    assert found.counterexample["J"] == [[0.0, 1.0]]


def test_parameter_gradients(nets: list[Case]) -> None:
    assert objectives.audit_parameter_gradients(nets).holds
    assert not objectives.audit_parameter_gradients(nets, size=20.0).holds


@pytest.mark.parametrize("p", [1.0, math.inf])
def test_attained(nets: list[Case], p: float) -> None:
    assert objectives.audit_attained(nets, p).holds
    assert not objectives.audit_attained(nets, p, closed=False).holds


def test_dominant_vector_is_not_the_best_step() -> None:
    matrices = [torch.tensor([[10.0, 1.0], [10.0, -1.0]]).double(), *centred.whole_pairs()]
    found = centred.audit_cosine(matrices, centred=False)
    assert found.worst_slack == pytest.approx(-1)
    assert centred.audit_cosine(matrices, centred=True).holds


def test_centred(nets: list[Case]) -> None:
    assert centred.audit_centred(nets, 0).holds
    assert not centred.audit_centred(nets, 0, axis=1).holds


@pytest.mark.parametrize("p", ORDERS)
def test_one_step_is_enough_for_two_classes_only(p: float) -> None:
    assert centred.audit_one_step(20, 2, p, 0).holds
    assert not centred.audit_one_step(20, 3, p, 0).holds
