"""A small trained network on digits, and a linear one whose answers are known."""

from __future__ import annotations

import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn


@pytest.fixture(scope="session")
def digits() -> tuple[Tensor, Tensor]:
    images, labels = load_digits(return_X_y=True)
    return torch.from_numpy(images).float() / 16, torch.from_numpy(labels).long()


@pytest.fixture(scope="session")
def trained(digits: tuple[Tensor, Tensor]) -> nn.Module:
    x, y = digits
    generator = torch.Generator().manual_seed(0)
    net = nn.Sequential(nn.Linear(64, 24), nn.BatchNorm1d(24), nn.ReLU(), nn.Linear(24, 10))
    for parameter in net.parameters():
        if parameter.ndim == 2:
            torch.nn.init.normal_(parameter, std=0.15, generator=generator)
    optimiser = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(60):
        optimiser.zero_grad()
        nn.functional.cross_entropy(net(x[:1500]), y[:1500]).backward()
        optimiser.step()
    optimiser.zero_grad()
    return net


def linear(weight: list[list[float]], bias: list[float], dtype: torch.dtype) -> nn.Module:
    net = nn.Linear(len(weight[0]), len(weight), dtype=dtype)
    net.weight.data.copy_(torch.tensor(weight))
    net.bias.data.copy_(torch.tensor(bias))
    return net
