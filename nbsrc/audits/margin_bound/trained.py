"""Small trained networks on the plane, and the points of the covering picture."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from nbsrc.margins import instance_margin

__all__ = ["cover_picture", "distances", "moons", "train_plane"]


def moons(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Return two interleaved half circles.

    Args:
        count: Points per class.
        seed: Seed of the noise.

    Returns:
        Points ``[2 count, 2]`` and labels.
    """
    g = torch.Generator().manual_seed(seed)
    t = torch.linspace(0, math.pi, count, dtype=torch.float64)
    one = torch.stack([2 * t.cos(), 2 * t.sin()], 1)
    two = torch.stack([2 - 2 * t.cos(), 1 - 2 * t.sin()], 1)
    noise = 0.08 * torch.randn(2 * count, 2, generator=g, dtype=torch.float64)
    labels = torch.arange(2 * count) // count
    return torch.cat([one, two]) + noise, labels


def train_plane(
    points: Tensor, labels: Tensor, *, eps: float, steps: int, seed: int, width: int = 16
) -> nn.Sequential:
    """Train a network with one hidden layer, against l2 perturbations if ``eps`` is positive.

    Without perturbations the training stops as soon as all points are right.

    Args:
        points: ``[N, 2]``.
        labels: ``[N]``.
        eps: Radius of the perturbations; 0 for plain training.
        steps: Steps of Adam.
        seed: Seed of the start.
        width: Hidden units.

    Returns:
        The network, in float64, with biases.
    """
    g = torch.Generator().manual_seed(seed)
    net = nn.Sequential(nn.Linear(2, width), nn.ReLU(), nn.Linear(width, 2)).double()
    for p in net.parameters():
        p.data = torch.randn(p.shape, generator=g, dtype=torch.float64) * 0.7
    optimiser = torch.optim.Adam(net.parameters(), lr=0.03)
    for _ in range(steps):
        moved = points.clone()
        for _ in range(8 if eps else 0):
            moved.requires_grad = True
            loss = nn.functional.cross_entropy(net(moved), labels)
            (slope,) = torch.autograd.grad(loss, moved)
            step = moved.detach() + 0.4 * eps * nn.functional.normalize(slope, dim=1) - points
            length = step.norm(dim=1, keepdim=True).clamp(min=1e-12)
            moved = points + step * (eps / length).clamp(max=1.0)
        scores = net(moved)
        if not eps and bool((scores.argmax(1) == labels).all()):
            break
        optimiser.zero_grad()
        nn.functional.cross_entropy(scores, labels).backward()
        optimiser.step()
    return net.requires_grad_(requires_grad=False)


def distances(net: nn.Module, points: Tensor, labels: Tensor) -> list[float]:
    """Return the exact v(x) of points; minus v where the prediction is wrong.

    Args:
        net: A network with two inputs.
        points: ``[N, 2]``.
        labels: ``[N]``.

    Returns:
        The distances.
    """
    right = net(points).argmax(1) == labels
    found = [instance_margin(net, x).value for x in points]
    return [v if r else -v for v, r in zip(found, right.tolist(), strict=True)]


def cover_picture() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the points of the picture of the covering argument; the radius of the balls is 1.

    Returns:
        Points, labels, centres (points of the set), and which points are in the sample.
    """
    left = [[-2.6, 1.2], [-2.0, 1.8], [-3.2, 0.7], [-1.9, 0.9], [-2.2, -1.0], [-1.5, -1.5],
            [-2.9, -1.4], [-1.3, -0.6]]  # fmt: skip
    right = [[1.9, 1.3], [1.3, 1.7], [2.6, 1.6], [2.0, 0.6], [2.4, -1.2], [1.6, -0.9], [3.0, -0.7],
             [2.7, -1.9]]  # fmt: skip
    points = torch.tensor(left + right, dtype=torch.float64)
    labels = torch.tensor([0] * 8 + [1] * 8)
    labels[14] = 0
    seen = torch.tensor([i % 3 != 1 for i in range(16)])
    return points, labels, points[[0, 4, 8, 12]], seen
