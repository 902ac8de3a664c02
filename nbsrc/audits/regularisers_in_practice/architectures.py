"""The networks for CIFAR-10 as paper D describes them, counted layer by layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from nbsrc.audits.finding import Case, collect
from nbsrc.claims import Finding
from nbsrc.models import build_model

__all__ = ["PRINTED", "audit_printed", "convolutions_of_resnet", "count_layers", "residual_sizes"]

#: Convolutions, linear layers, whether there is batch norm; None where the paper does not say.
PRINTED: dict[str, dict[str, Any]] = {
    "conv4": {"weighted": 4, "norm": True},
    "vgg_like": {"convolutions": 12, "linear": 2},
    "resnet32_fixup": {"convolutions": 31, "linear": 1, "norm": False},
}


def count_layers(name: str, classes: int, *, width: float = 0.125) -> dict[str, Any]:
    """Count the layers of a network through which an image of CIFAR-10 goes.

    Args:
        name: Name of the network.
        classes: Number of classes.
        width: Multiplier of the widths, on which the counts do not depend.

    Returns:
        ``convolutions``, ``linear``, ``weighted`` (their sum), ``norm`` (whether there is batch
        norm), ``outputs``: the shape for one image.
    """
    model = build_model(
        name,
        generator=torch.Generator().manual_seed(0),
        classes=classes,
        width=width,
        image=(3, 32, 32),
    ).eval()
    used: list[nn.Module] = []
    handles = [
        module.register_forward_hook(lambda module, *_: used.append(module))
        for module in model.modules()
        if isinstance(module, nn.Conv2d | nn.Linear | nn.BatchNorm1d | nn.BatchNorm2d)
    ]
    with torch.no_grad():
        outputs = tuple(model(torch.zeros(1, 3, 32, 32)).shape)
    for handle in handles:
        handle.remove()
    convolutions = sum(isinstance(module, nn.Conv2d) for module in used)
    linear = sum(isinstance(module, nn.Linear) for module in used)
    norm = any(isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) for module in used)
    return {
        "convolutions": convolutions, "linear": linear, "weighted": convolutions + linear,
        "norm": norm, "outputs": outputs,
    }  # fmt: skip


def audit_printed(
    printed: Mapping[str, Mapping[str, Any]] = PRINTED, names: Mapping[str, str] | None = None
) -> Finding:
    """Test that each network has the printed layers and an output per class, for 2 and 10 classes.

    Args:
        printed: What is printed, by the name of the network.
        names: Other networks to build in their places.

    Returns:
        The finding; the slack is minus the number of differences.
    """
    cases: list[Case] = []
    for place, (name, wanted) in enumerate(printed.items()):
        for classes in (2, 10):
            counts = count_layers((names or {}).get(name, name), classes)
            wrong = {key: counts[key] for key, value in wanted.items() if counts[key] != value}
            if counts["outputs"] != (1, classes):
                wrong["outputs"] = counts["outputs"]
            found = ", ".join(f"{key} = {n}" for key, n in wrong.items()) or "as printed"
            words = f"{name}, {classes} classes: {found}"
            cases.append((-float(len(wrong)), (place, classes), words))
    return collect(cases, tolerance=0.0, family="three networks, 2 and 10 classes")


def convolutions_of_resnet(blocks: int, stages: int, *, projections: bool) -> int:
    """Count the convolutions of a ResNet of blocks of two: the first, the blocks', the shortcuts'.

    Args:
        blocks: Blocks per stage.
        stages: Number of stages.
        projections: Whether shortcuts of the later stages have a convolution.

    Returns:
        The number.
    """
    return 1 + 2 * blocks * stages + (stages - 1 if projections else 0)


def residual_sizes(convolutions: int, *, stages: int = 3, projections: bool) -> list[int]:
    """Return how many blocks per stage give a number of convolutions.

    Args:
        convolutions: The number.
        stages: Number of stages.
        projections: As in :func:`convolutions_of_resnet`.

    Returns:
        The numbers of blocks, often none.
    """
    return [
        blocks
        for blocks in range(1, convolutions)
        if convolutions_of_resnet(blocks, stages, projections=projections) == convolutions
    ]
