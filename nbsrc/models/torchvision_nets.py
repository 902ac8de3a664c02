"""Architectures from torchvision: as they are for ImageNet, and VGG and RegNet for small images."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from nbsrc.models.chain import scaled
from nbsrc.torchvision_compat import torchvision_models

__all__ = ["imagenet", "regnet_x", "regnet_x_small", "vgg11_small"]


def imagenet(name: str) -> Callable[[int], nn.Module]:
    """A builder of one of torchvision's networks.

    Args:
        name: Its name in ``torchvision.models``.

    Returns:
        A function of the number of classes.
    """

    def build(classes: int) -> nn.Module:
        model: nn.Module = getattr(torchvision_models(), name)(weights=None, num_classes=classes)
        return model

    return build


def regnet_x(
    depth: int, w_0: int, w_a: float, w_m: float, group: int
) -> Callable[[int], nn.Module]:
    """A builder of the RegNetX with these parameters of its design space.

    Args:
        depth: Number of blocks.
        w_0: First width.
        w_a: Slope of the widths.
        w_m: Factor by which they are quantised.
        group: Channels per group of a convolution.

    Returns:
        A function of the number of classes.
    """

    def build(classes: int) -> nn.Module:
        return _regnet(depth, w_0, w_a, w_m, group, classes, 1.0)

    return build


def regnet_x_small(
    depth: int, w_0: int, w_a: float, w_m: float, group: int
) -> Callable[[int, float, tuple[int, int, int]], nn.Module]:
    """A builder of a RegNetX for small images: without the stride of the stem.

    Args:
        depth: Number of blocks.
        w_0: First width.
        w_a: Slope of the widths.
        w_m: Factor by which they are quantised.
        group: Channels per group of a convolution; it stays, and widths are multiples of it.

    Returns:
        A function of the number of classes, the width multiplier and the shape of an image.
    """

    def build(classes: int, width: float, image: tuple[int, int, int]) -> nn.Module:
        model = _regnet(depth, w_0, w_a, w_m, group, classes, width)
        first = model.get_submodule("stem.0")
        assert isinstance(first, nn.Conv2d)
        first.stride = (1, 1)
        if image[0] != first.in_channels:
            stem = model.get_submodule("stem")
            assert isinstance(stem, nn.Sequential)
            stem[0] = nn.Conv2d(image[0], first.out_channels, 3, padding=1, bias=False)
        return model

    return build


def vgg11_small(*, norm: bool) -> Callable[[int, float, tuple[int, int, int]], nn.Module]:
    """A builder of VGG-11 for small images: one linear layer behind the convolutions.

    Args:
        norm: Whether batch norm follows every convolution.

    Returns:
        A function of the number of classes, the width multiplier and the shape of an image.
    """

    def build(classes: int, width: float, image: tuple[int, int, int]) -> nn.Module:
        vgg = torchvision_models().vgg
        plan: list[str | int] = []
        channels, sides = image[0], list(image[1:])
        for entry in vgg.cfgs["A"]:
            if entry != "M":
                channels = scaled(entry, width)
                plan.append(channels)
            elif min(sides) >= 2:  # a pooling that would leave nothing is left out
                plan.append("M")
                sides = [side // 2 for side in sides]
        features = vgg.make_layers(plan, batch_norm=norm)
        if image[0] != 3:
            features[0] = nn.Conv2d(image[0], features[0].out_channels, 3, padding=1)
        model: nn.Module = vgg.VGG(features, num_classes=classes, init_weights=False)
        model.avgpool = nn.Identity()
        model.classifier = nn.Linear(channels * sides[0] * sides[1], classes)
        return model

    return build


def _regnet(
    depth: int, w_0: int, w_a: float, w_m: float, group: int, classes: int, width: float
) -> nn.Module:
    """Return a RegNetX with all its widths multiplied."""
    regnet = torchvision_models().regnet
    with torch.device("cpu"):  # the widths are computed with tensors that need values
        blocks = regnet.BlockParams.from_init_params(
            depth=depth, w_0=w_0, w_a=w_a, w_m=w_m, group_width=group
        )
    stem = 32
    if width != 1:
        stem = scaled(stem, width)
        widths = [
            g * max(1, round(w * width / g))
            for w, g in zip(blocks.widths, blocks.group_widths, strict=True)
        ]
        blocks = regnet.BlockParams(
            blocks.depths, widths, blocks.group_widths, blocks.bottleneck_multipliers,
            blocks.strides, blocks.se_ratio,
        )  # fmt: skip
    model: nn.Module = regnet.RegNet(blocks, num_classes=classes, stem_width=stem)
    return model
