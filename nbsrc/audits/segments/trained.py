"""Regions, lengths and margins along segments of networks trained on digits and in the plane."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nbsrc.audits.segments.approaches import margin_never_rises
from nbsrc.linear_region import SegmentRegions, boundary_distance_2d, segment_regions

__all__ = ["arms", "fit", "perceptron", "segment_numbers", "share_monotone"]


def perceptron(widths: Sequence[int], generator: torch.Generator) -> nn.Sequential:
    """A ReLU network with He's normal weights and zero biases, float64.

    Args:
        widths: Inputs, hidden widths, outputs.
        generator: Source of the weights.

    Returns:
        The network.
    """
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layer = nn.Linear(before, after, dtype=torch.float64)
        weight = torch.randn(after, before, generator=generator, dtype=torch.float64)
        layer.weight.data = weight * math.sqrt(2 / before)
        layer.bias.data.zero_()
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def fit(net: nn.Module, x: Tensor, y: Tensor, steps: int, rate: float = 0.01) -> float:
    """Train with the cross-entropy of all examples, by Adam.

    Args:
        net: The network, changed in place.
        x: Inputs.
        y: Labels.
        steps: How many steps.
        rate: Adam's rate.

    Returns:
        The share of examples that are classified correctly afterwards.
    """
    optimizer = torch.optim.Adam(net.parameters(), lr=rate)
    for _ in range(steps):
        loss = F.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        return float((net(x).argmax(dim=1) == y).double().mean())


def arms(classes: int, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw points on the arms of a spiral, one arm per class.

    Args:
        classes: Number of arms.
        count: Points of each arm.
        generator: Source of the noise.

    Returns:
        Points ``[classes * count, 2]`` in float64, and labels.
    """
    radius = torch.linspace(0.15, 1, count, dtype=torch.float64).repeat(classes)
    label = torch.arange(classes).repeat_interleave(count)
    noise = torch.randn(len(radius), generator=generator, dtype=torch.float64)
    angle = 3.5 * radius + 2 * math.pi * label / classes + 0.12 * noise
    return torch.stack([radius * angle.cos(), radius * angle.sin()], dim=1), label


def segment_numbers(net: nn.Sequential, pairs: Sequence[tuple[Tensor, Tensor]]) -> dict[str, float]:
    """Measure segments of a network with ReLU behind every layer but the last.

    Args:
        net: The network.
        pairs: Ends of the segments.

    Returns:
        Means over the segments: regions met, regions per hidden unit, and the length of the image
        over the chord for the first hidden layer, the last one, and the scores.
    """
    layers = list(net)
    parts = {"first": layers[:2], "last": layers[:-1], "scores": layers}
    ratios: dict[str, list[float]] = {name: [] for name in parts}
    met = []
    for x0, x1 in pairs:
        met.append(len(segment_regions(net, x0, x1)))
        for name, part in parts.items():
            found = segment_regions(nn.Sequential(*part), x0, x1)
            ratios[name].append(found.path_length() / found.chord())
    units = sum(layer.out_features for layer in layers[:-1] if isinstance(layer, nn.Linear))
    regions = sum(met) / len(met)
    numbers = {"units": float(units), "regions": regions, "regions per unit": regions / units}
    return numbers | {name: sum(values) / len(values) for name, values in ratios.items()}


def share_monotone(net: nn.Module, points: Tensor) -> tuple[float, list[SegmentRegions]]:
    """Measure for how many points Assumption 3.1 holds, with the predicted class as label.

    Args:
        net: A network with two inputs.
        points: ``[k, 2]``.

    Returns:
        The share, and the segments for which it does not hold.
    """
    rough = []
    for x in points:
        found = boundary_distance_2d(net, x, 2)
        if found.point is None or found.value == 0:
            continue
        regions = segment_regions(net, x, found.point)
        if not margin_never_rises(regions, found.predicted):
            rough.append(regions)
    return 1 - len(rough) / len(points), rough
