"""What can be known without training: rescaled networks, reach of PGD, sizes of networks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from nbsrc.audits.finding import Case, collect
from nbsrc.claims import Finding
from nbsrc.margins import margin

__all__ = [
    "audit_described", "audit_reach", "audit_rescaled", "described", "share_of_close_pairs",
    "weight_layer_count"
]  # fmt: skip


def audit_rescaled(seeds: Iterable[int], factor: float = 0.125, *, shift: float = 0.0) -> Finding:
    """Test that a factor in front of the logits scales margins and changes no prediction.

    Predictions are compared at points and at perturbed points, so no attack of any kind can
    succeed on one network and fail on the other.

    Args:
        seeds: Seeds of random networks and points.
        factor: The factor, a power of 2 so that nothing is rounded.
        shift: A number added to the first class's score: the control, which does change something.

    Returns:
        The finding; the slack is minus the share of predictions that differ, or minus the error
        of the margins if that is larger.
    """

    def cases() -> Iterable[Case]:
        for seed in seeds:
            generator = torch.Generator().manual_seed(seed)
            width = 2 + seed % 5
            weights = [torch.randn(width, 4, generator=generator, dtype=torch.float64),
                       torch.randn(3, width, generator=generator, dtype=torch.float64)]  # fmt: skip
            x = torch.randn(20, 4, generator=generator, dtype=torch.float64)
            y = torch.randint(0, 3, (20,), generator=generator)
            noise = torch.rand(50, 20, 4, generator=generator, dtype=torch.float64) - 0.5
            points = torch.cat([x[None], x + noise])
            one = (points @ weights[0].T).relu() @ weights[1].T
            two = (points @ weights[0].T).relu() @ (factor * weights[1]).T
            two[..., 0] += shift
            differ = float((one.argmax(-1) != two.argmax(-1)).double().mean())
            wrong = (margin(two[0], y) - factor * margin(one[0], y)).abs().max()
            error = max(differ, float(wrong))
            yield -error, (width, seed), {"seed": seed, "predictions that differ": differ}

    return collect(cases(), tolerance=0, family=f"random networks, logits times {factor:g}")


def audit_reach(radii: Iterable[int], steps: int, size: int, *, short: bool = False) -> Finding:
    """Test that PGD with a random start can reach every corner of its ball, or that it cannot.

    Args:
        radii: Radii of the ball, in any unit.
        steps: Number of steps.
        size: Size of a step, in the same unit.
        short: Whether the statement is the opposite: from some start some corner is out of reach.

    Returns:
        The finding; the slack is what the steps cover together minus the way from the farthest
        start to a corner, twice the radius. For the opposite it is the part of the way that is
        left, and minus 1 if none is.
    """

    def slack(radius: int) -> float:
        left = 2 * radius - steps * size
        return float(left if left > 0 else -1) if short else float(-left)

    cases: list[Case] = [
        (slack(radius), (radius,), {"radius": radius, "way": 2 * radius,
         "steps cover": steps * size})
        for radius in radii
    ]  # fmt: skip
    return collect(cases, tolerance=0, family=f"{steps} steps of {size}")


def share_of_close_pairs(images: Tensor, labels: Tensor, eps: float) -> float:
    """Return the share of images whose ball meets that of an image of another class.

    Args:
        images: ``[n, *shape]``.
        labels: ``[n]``.
        eps: Radius of the balls in the infinity norm.

    Returns:
        The share of images with one of another class within ``2 eps``.
    """
    flat = images.flatten(1)
    distances = torch.cdist(flat, flat, p=float("inf"))
    other = labels[:, None] != labels[None]
    return float(((distances <= 2 * eps) & other).any(1).double().mean())


def described(model: nn.Module) -> dict[str, Any]:
    """Describe a residual network as Appendix D.2 of paper C does.

    Args:
        model: A network with ``layer1``, ``layer2``, ... and a first convolution ``conv1``.

    Returns:
        Blocks per group, widths of the 3x3 filters by group, the first convolution, how many
        poolings precede the groups, and how many dropouts there are.
    """
    stages = [module for name, module in model.named_children() if name.startswith("layer")]
    widths = [
        sorted({int(m.out_channels) for m in stage.modules()
                if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3)})
        for stage in stages
    ]  # fmt: skip
    stem = model.get_submodule("conv1")
    assert isinstance(stem, nn.Conv2d)
    kinds = [type(module).__name__ for module in model.modules()]
    return {
        "groups": [len(list(stage.children())) for stage in stages],
        "widths": [width for found in widths for width in found],
        "stem": [int(stem.kernel_size[0]), int(stem.stride[0]), int(stem.padding[0])],
        "max pools": kinds.count("MaxPool2d"),
        "dropouts": sum("Dropout" in kind for kind in kinds),
        "batch norm": "BatchNorm2d" in kinds,
    }


def audit_described(model: nn.Module, printed: Mapping[str, Any]) -> Finding:
    """Compare a network with a printed description.

    Args:
        model: The network.
        printed: What is printed, with keys of :func:`described` or ``"layers"``.

    Returns:
        The finding over the entries.
    """
    found = {"layers": weight_layer_count(model), **described(model)}
    cases: list[Case] = [
        (0.0 if found[key] == value else -1.0, (n,), {key: found[key], "printed": value})
        for n, (key, value) in enumerate(printed.items())
    ]
    return collect(cases, tolerance=0, family="entries of a description")


def weight_layer_count(model: nn.Module, *, skip: str = "downsample") -> int:
    """Count the convolutions and linear layers of a network as the ResNets' names do.

    Args:
        model: The network.
        skip: Layers with this in their name, the projections of the shortcuts, do not count.

    Returns:
        The number.
    """
    return sum(
        isinstance(module, nn.Conv2d | nn.Linear) and skip not in name
        for name, module in model.named_modules()
    )
