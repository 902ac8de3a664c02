"""Adversarial training on digits, at the smallest size."""

from __future__ import annotations

import torch
from torch import nn

from nbsrc.audits.regularisers_in_practice import hardening
from nbsrc.data import load_data


def test_three_ways_are_trained_and_repeat() -> None:
    data = load_data("digits").first(128, 40)
    found = hardening.harden(data, [0], epochs=2, eps=0.1)
    assert list(found) == ["plain", "adversarial", "noise"]
    assert all(0 <= way[0]["robust"] <= way[0]["clean"] <= 1 for way in found.values())
    assert found == hardening.harden(data, [0], epochs=2, eps=0.1)


def test_gains_are_those_of_the_worst_seed() -> None:
    result = {
        "plain": [{"clean": 0.9, "robust": 0.25}, {"clean": 1.0, "robust": 0.5}],
        "adversarial": [{"clean": 0.9, "robust": 0.75}, {"clean": 0.5, "robust": 0.75}],
    }
    assert hardening.gains(result, "adversarial") == {"gain": 0.25, "loss": 0.5}
    assert hardening.gains(result, "plain") == {"gain": 0.0, "loss": 0.0}


def test_noise_replaces_the_loss() -> None:
    net, x, y = nn.Flatten(), torch.full((2, 3), 0.5), torch.tensor([0, 1])
    noise = hardening.NoiseTraining(0.0, torch.Generator().manual_seed(0))
    assert float(noise.penalty(net, x, y, net(x))) == 0.0
    noise = hardening.NoiseTraining(0.25, torch.Generator().manual_seed(0))
    assert float(noise.penalty(net, x, y, net(x))) != 0.0
