"""Networks for the tests of linear regions."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from nbsrc.models import build_model, digits_cnn


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def randomise(net: nn.Module, seed: int) -> nn.Module:
    """Random weights and batch norm statistics, float64, eval mode."""
    source = generator(seed)
    net = net.double().eval()
    for entry in net.parameters():
        entry.data.normal_(generator=source).div_(max(1, entry[0].numel()) ** 0.5)
    for module in net.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)) and module.running_mean is not None:
            assert module.running_var is not None
            module.running_mean.normal_(generator=source)
            module.running_var.uniform_(0.5, 2.0, generator=source)
    return net


def mlp(widths: Sequence[int], seed: int, slope: float | None = None) -> nn.Sequential:
    """A fully connected network; a leaky one if a slope is given."""
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after), nn.ReLU() if slope is None else nn.LeakyReLU(slope)]
    net = randomise(nn.Sequential(*layers[:-1]), seed)
    assert isinstance(net, nn.Sequential)
    return net


def from_integers(layers: Sequence[tuple[list[list[int]], list[int]]]) -> nn.Sequential:
    """A ReLU network with these integer weights and biases."""
    modules: list[nn.Module] = []
    for rows, bias in layers:
        linear = nn.Linear(len(rows[0]), len(rows), dtype=torch.float64)
        linear.weight.data = torch.tensor(rows, dtype=torch.float64)
        linear.bias.data = torch.tensor(bias, dtype=torch.float64)
        modules += [linear, nn.ReLU()]
    return nn.Sequential(*modules[:-1])


class Residual(nn.Module):
    """Two blocks with shortcuts, an in-place sum, functional and in-place ReLU, batch norm."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(2, 3, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.block = nn.Sequential(
            nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3), nn.LeakyReLU(0.3)
        )
        self.again = nn.Conv2d(3, 3, 1)
        self.pool = nn.MaxPool2d(2)
        self.head = nn.Linear(3 * 2 * 2, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.first(x))
        out = self.block(x)
        out += x
        out = torch.relu(self.again(out) + out)
        return self.head(self.pool(out).view(out.size(0), -1))


def zoo() -> dict[str, tuple[nn.Module, tuple[int, ...]]]:
    """Named networks with the shapes of their inputs."""
    pooled = nn.Sequential(
        nn.Conv2d(2, 3, 3, padding=1, padding_mode="circular"), nn.BatchNorm2d(3), nn.ReLU(),
        nn.MaxPool2d(3, stride=2, padding=1, ceil_mode=True), nn.Conv2d(3, 4, 2, dilation=2),
        nn.LeakyReLU(0.1), nn.AvgPool2d(2, padding=1), nn.Flatten(), nn.Dropout(0.5),
        nn.Linear(16, 6), nn.BatchNorm1d(6, affine=False), nn.Identity(),
        nn.Sequential(nn.ReLU(), nn.Linear(6, 3)),
    )  # fmt: skip
    bare = nn.Sequential(nn.MaxPool2d((2, 3), dilation=(1, 2)), nn.ReLU(), nn.AdaptiveAvgPool2d(2))
    nets: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
        "six layers": (mlp([5, 8, 8, 8, 8, 8, 3], 0), (5,)),
        "leaky": (mlp([4, 7, 7, 2], 1, slope=0.2), (4,)),
        "absolute value": (mlp([3, 6, 6, 2], 2, slope=-1.0), (3,)),
        "one linear layer": (randomise(nn.Linear(3, 2), 3), (3,)),
        "pooled": (randomise(pooled, 4), (2, 9, 9)),
        "bare pooling": (bare, (2, 5, 8)),
        "residual": (randomise(Residual(), 5), (2, 4, 4)),
        "digits_cnn": (digits_cnn(generator=generator(6)).double().eval(), (1, 8, 8)),
        "per position": (mlp([3, 5, 2], 7), (4, 3)),
    }
    return nets


def small_resnet18() -> nn.Module:
    """ResNet-18 of nbsrc.models for small images."""
    net = build_model("resnet18", generator=generator(0), small_images=True)
    return net.double().eval()
