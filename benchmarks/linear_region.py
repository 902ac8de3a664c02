"""Speed of linear regions: Jacobians in forward passes, and segments against sampling.

The exact Jacobian of a ResNet-18 at 32x32 images with 10 outputs costs one forward pass and ten
backward passes to the input; it is timed in forward passes of the same batch. The walk of a segment
through LeNet-300-100 is timed in seconds per segment, beside sampled points, which take longer the
more regions they are to find and never find all.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.perturbation import lenet
from nbsrc.linear_region import activation_pattern, jacobian, segment_regions
from nbsrc.models import build_model
from nbsrc.timing import time_call, time_calls

BATCHES = (8,)  # images per Jacobian call
OUTPUTS = 10
INPUTS = 784  # of LeNet-300-100
SAMPLES = (100, 10_000)  # points on a segment
TARGET_JACOBIAN = 15.0  # forward passes
TARGET_SEGMENT = 1.0  # seconds


def linear_region_rows(
    evaluations: int, budget: float, batches: Sequence[int] = BATCHES
) -> dict[str, Any]:
    """Time Jacobians for every batch size, and one segment."""
    return {
        "jacobian": [jacobian_row(batch, evaluations, budget) for batch in batches],
        "segment": segment_row(lenet_float32(), evaluations, budget),
    }


def jacobian_row(
    batch: int, evaluations: int, budget: float, name: str = "resnet18", pixels: int = 32
) -> dict[str, Any]:
    """Time the Jacobian and the forward pass of a network for small images, in turns."""
    generator = torch.Generator().manual_seed(0)
    net = build_model(name, generator=generator, classes=OUTPUTS, small_images=True).eval()
    x = torch.randn(batch, 3, pixels, pixels, generator=generator)
    with torch.no_grad():
        timings = time_calls(
            {"forward": lambda: net(x), "jacobian": lambda: jacobian(net, x)},
            evaluations,
            budget=budget,
        )
    return {
        "network": name,
        "pixels": pixels,
        "outputs": OUTPUTS,
        "batch": batch,
        "timings": {key: timing.as_dict() for key, timing in timings.items()},
        "forward_passes": timings["jacobian"].median / timings["forward"].median,
    }


def segment_row(net: nn.Module, evaluations: int, budget: float) -> dict[str, Any]:
    """Time the walk of a segment between two random images, and sampling of it."""
    generator = torch.Generator().manual_seed(1)
    x0, x1 = torch.rand(2, INPUTS, generator=generator)
    regions = segment_regions(net, x0, x1)
    walk = time_call(lambda: segment_regions(net, x0, x1), evaluations, budget=budget)
    sampled = []
    for count in SAMPLES:
        points = x0 + torch.linspace(0, 1, count)[:, None] * (x1 - x0)
        timing = time_call(partial(met, net, points), evaluations, budget=budget)
        sampled.append({"points": count, "regions": met(net, points), "timing": timing.as_dict()})
    return {
        "inputs": INPUTS,
        "outputs": OUTPUTS,
        "regions": len(regions),
        "shortest_piece": float(regions.weights.min()),
        "path_over_chord": regions.path_length() / regions.chord(),
        "timing": walk.as_dict(),
        "sampled": sampled,
    }


def lenet_float32() -> nn.Module:
    """LeNet-300-100 with random weights, as ``nn.Sequential`` in float32."""
    return lenet(INPUTS, torch.Generator().manual_seed(0)).float()


def met(net: nn.Module, points: Tensor) -> int:
    """How many regions consecutive points of a segment are found in."""
    codes = activation_pattern(net, points).codes
    return 1 + int((codes[1:] != codes[:-1]).any(dim=1).sum())


def linear_region_lines(rows: dict[str, Any]) -> list[str]:
    """The rows as text, and the targets, met or missed."""
    lines = []
    for row in rows["jacobian"]:
        times = {name: 1e3 * timing["median"] for name, timing in row["timings"].items()}
        passes = row["forward_passes"]
        word = "met" if passes <= TARGET_JACOBIAN else "missed"
        lines.append(
            f"Jacobian of {row['network']}, {row['batch']} images of {row['pixels']}x"
            f"{row['pixels']}, {row['outputs']} outputs: {times['jacobian']:.0f} ms, forward "
            f"{times['forward']:.0f} ms: {passes:.1f} forward passes "
            f"(target {TARGET_JACOBIAN:g}: {word})"
        )
    row = rows["segment"]
    seconds = row["timing"]["median"]
    word = "met" if seconds <= TARGET_SEGMENT else "missed"
    lines.append(
        f"segment through LeNet-300-100, {row['inputs']} inputs: {row['regions']} regions in "
        f"{1e3 * seconds:.1f} ms (target {TARGET_SEGMENT:g} s: {word})"
    )
    lines += [
        f"  {entry['points']} sampled points find {entry['regions']} regions in "
        f"{1e3 * entry['timing']['median']:.1f} ms"
        for entry in row["sampled"]
    ]
    return lines
