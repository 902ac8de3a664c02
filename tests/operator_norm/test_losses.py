"""Logit gradients of attack losses against autograd; directions that do not underflow."""

from __future__ import annotations

import math

import pytest
import torch

from nbsrc.operator_norm import AttackLoss, CrossEntropy, LogitNorm
from tests.operator_norm.norm_oracles import gaussian

LABELS = torch.tensor([0, 2, 1, 3, 3])


def losses() -> list[AttackLoss]:
    found: list[AttackLoss] = [LogitNorm(q) for q in (1, 1.5, 2, math.inf)]
    for targeted in (False, True):
        found += [CrossEntropy(LABELS, targeted, beta) for beta in (0.5, 1.0, 5.0)]
    return found


@pytest.mark.parametrize("number", range(10))
def test_gradients_are_those_of_autograd(number: int) -> None:
    loss = losses()[number]
    clean, logits = gaussian(5, 4, seed=1), gaussian(5, 4, seed=2).requires_grad_()
    (expected,) = torch.autograd.grad(loss.value(clean, logits).sum(), logits)
    gradient = loss.gradient(clean, logits.detach())
    assert gradient == pytest.approx(expected, abs=1e-12)
    direction = loss.direction(clean, logits.detach())
    ratio = gradient.norm(dim=1, keepdim=True) / direction.norm(dim=1, keepdim=True)
    assert direction * ratio == pytest.approx(gradient, abs=1e-12)


def test_printed_forms_26_and_27() -> None:
    logits = gaussian(5, 4, seed=3)
    onehot = torch.nn.functional.one_hot(LABELS, 4)
    probabilities = logits.softmax(1)
    untargeted = CrossEntropy(LABELS).gradient(logits, logits)
    targeted = CrossEntropy(LABELS, targeted=True).gradient(logits, logits)
    assert untargeted == pytest.approx(probabilities - onehot, abs=1e-14)
    assert targeted == pytest.approx(onehot - probabilities, abs=1e-14)


def test_two_classes_have_one_direction_whatever_the_logits() -> None:
    for scale in (0.1, 1.0, 1e4):
        logits = scale * gaussian(5, 2, seed=4)
        found = CrossEntropy(torch.tensor([0, 1, 0, 1, 0])).direction(logits, logits)
        assert found.tolist() == [[-1.0, 1.0], [1.0, -1.0]] * 2 + [[-1.0, 1.0]]


def test_low_temperature_flips_to_the_runner_up_not_to_zero() -> None:
    logits = torch.tensor([[3.0, 2.0, 0.0]], dtype=torch.float64)
    loss = CrossEntropy(torch.tensor([0]), beta=1000.0)
    assert loss.gradient(logits, logits).abs().max().item() == 0.0
    assert loss.direction(logits, logits).tolist() == [[-1.0, 1.0, 0.0]]


def test_bad_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="q must be at least 1, got 0"):
        LogitNorm(0)
    with pytest.raises(TypeError, match="y must be a tensor of int64 labels"):
        CrossEntropy(torch.ones(2))
    with pytest.raises(ValueError, match=r"y must have shape \[batch\]"):
        CrossEntropy(torch.tensor(1))
    with pytest.raises(ValueError, match="beta must be positive and finite, got inf"):
        CrossEntropy(LABELS, beta=math.inf)
    with pytest.raises(ValueError, match="y must be between 0 and 2"):
        CrossEntropy(LABELS).gradient(torch.ones(5, 3), torch.ones(5, 3))
    with pytest.raises(ValueError, match=r"logits must be \[5, at least 2 classes\]"):
        CrossEntropy(LABELS).direction(torch.ones(5, 1), torch.ones(5, 1))
