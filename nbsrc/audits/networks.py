"""The convolutions of whole networks against Assumption 1 and the printed formulas."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from nbsrc.conv import (
    conv_norm,
    satisfies_assumption1,
    theorem1_norms,
)
from nbsrc.layer_norms import layer_norms
from nbsrc.models import build_model

__all__ = ["convolutions", "senet18_convolutions", "share"]


def convolutions(
    name: str, size: int, *, small_images: bool, seed: int = 0
) -> list[dict[str, Any]]:
    """Return every convolution of a network with its printed and exact norms.

    Args:
        name: A name for :func:`nbsrc.models.build_model`.
        size: Height and width of the input in pixels.
        small_images: Whether the stem is the usual one for small images.
        seed: Seed of the weights.

    Returns:
        One row per convolution: ``name``, ``kernel``, ``stride``, ``padding``, ``input_size``,
        ``groups``, ``assumption1`` as printed, ``assumption1_nonnegative``, ``l1`` and ``linf``
        exact, ``ratio_l1`` and ``ratio`` (printed divided by exact). Formulas (1) and (2) are given
        the kernel as it is stored, so for grouped layers they say what a user gets who ignores
        the groups.
    """
    generator = torch.Generator().manual_seed(seed)
    model = build_model(name, generator=generator, small_images=small_images)
    modules = dict(model.named_modules())
    rows = []
    for record in layer_norms(model, (1, 3, size, size), ords=()):
        layer = modules[record.name]
        if not isinstance(layer, nn.Conv2d) or record.input_size is None:
            continue
        rows.append(_row(record.name, layer.weight.detach().double(), layer, record.input_size))
    return rows


def _row(
    name: str, weight: Tensor, layer: nn.Conv2d, input_size: tuple[int, ...]
) -> dict[str, Any]:
    stride, padding = layer.stride, layer.padding
    if isinstance(padding, str):
        raise ValueError(f"padding must be integers, got {padding!r} in layer {name}")
    exact = {
        order: float(
            conv_norm(
                weight, input_size, ord=order, stride=stride, padding=padding,
                dilation=layer.dilation, groups=layer.groups,
            )
        )
        for order in (1, math.inf)
    }  # fmt: skip
    printed = theorem1_norms(weight, input_size, stride=stride, padding=padding)
    kernel = layer.kernel_size
    return {
        "name": name, "kernel": kernel, "stride": stride, "padding": padding,
        "input_size": input_size, "groups": layer.groups,
        "assumption1": satisfies_assumption1(input_size, kernel, stride=stride, padding=padding),
        "assumption1_nonnegative": satisfies_assumption1(
            input_size, kernel, stride=stride, padding=padding, least="non-negative"
        ),
        "l1": exact[1], "linf": exact[math.inf],
        "ratio_l1": float(printed.l1) / exact[1], "ratio": float(printed.linf) / exact[math.inf],
    }  # fmt: skip


def senet18_convolutions(resnet18: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the geometry of SENet-18 where its squeeze layers are written as convolutions.

    Args:
        resnet18: The convolutions of ResNet-18, from :func:`convolutions`.

    Returns:
        These and, for each of the eight blocks, two 1x1 convolutions on 1x1 images.
    """
    point = {
        "kernel": (1, 1), "stride": (1, 1), "padding": (0, 0), "input_size": (1, 1), "groups": 1,
        "assumption1": satisfies_assumption1(1, 1),
        "assumption1_nonnegative": satisfies_assumption1(1, 1, least="non-negative"),
    }  # fmt: skip
    return [*resnet18, *({**point, "name": f"squeeze{n}"} for n in range(16))]


def share(rows: list[dict[str, Any]], key: str) -> float:
    """Return the share of rows for which a yes/no column is true.

    Args:
        rows: Rows of :func:`convolutions`.
        key: The column.

    Returns:
        The share, between 0 and 1.
    """
    return sum(bool(row[key]) for row in rows) / len(rows)
