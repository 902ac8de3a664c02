"""Residual networks in the form for small images: the stem keeps the resolution, no pooling there.

Blocks with batch norm behind the convolutions are torchvision's. ``nn.Identity`` in the place of
batch norm leaves it out.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import nn

from nbsrc.models.blocks import PreActivation
from nbsrc.models.chain import scaled
from nbsrc.models.initialisation import fixup
from nbsrc.torchvision_compat import torchvision_models

__all__ = [
    "apply_fixup",
    "cifar_resnet",
    "resnet18",
    "senet18",
    "wide_resnet",
    "wide_resnet50_2",
]

#: Called with the channels before, the channels after, and the stride.
BlockBuilder = Callable[[int, int, int], nn.Module]
#: Called with the number of classes, the width multiplier and the shape of an image.
Builder = Callable[[int, float, tuple[int, int, int]], nn.Module]


def resnet18(classes: int, width: float, image: tuple[int, int, int]) -> nn.Module:
    """ResNet-18 for small images: torchvision's blocks behind a 3x3 stem without stride.

    Args:
        classes: Number of outputs.
        width: Multiplier of the channels.
        image: Channels, height and width of an image.

    Returns:
        The network, without weights.
    """
    widths = [scaled(channels, width) for channels in (64, 128, 256, 512)]
    stem = _stem(image[0], widths[0], nn.BatchNorm2d)
    return _network(stem, widths, (2, 2, 2, 2), _basic(_projection, nn.BatchNorm2d), {}, classes)


def senet18(classes: int, width: float, image: tuple[int, int, int]) -> nn.Module:
    """SENet-18 as in paper A's code: pre-activation blocks with squeeze-and-excitation.

    Args:
        classes: Number of outputs.
        width: Multiplier of the channels.
        image: Channels, height and width of an image.

    Returns:
        The network, without weights.
    """
    widths = [scaled(channels, width) for channels in (64, 128, 256, 512)]

    def block(before: int, after: int, stride: int) -> nn.Module:
        return PreActivation(before, after, stride, squeeze=True)

    stem = _stem(image[0], widths[0], nn.BatchNorm2d)
    return _network(stem, widths, (2, 2, 2, 2), block, {}, classes)


def wide_resnet(depth: int, factor: int) -> Builder:
    """A builder of WRN-depth-factor (Zagoruyko & Komodakis 2016), without dropout.

    Args:
        depth: Number of layers, 6n + 4 for n blocks per stage.
        factor: The paper's widening factor k.

    Returns:
        A function of the number of classes, the width multiplier and the shape of an image.
    """

    def build(classes: int, width: float, image: tuple[int, int, int]) -> nn.Module:
        widths = [scaled(channels * factor, width) for channels in (16, 32, 64)]
        first = scaled(16, width)
        stem = {"conv1": nn.Conv2d(image[0], first, 3, padding=1, bias=False)}
        end = {"bn": nn.BatchNorm2d(widths[-1]), "relu": nn.ReLU()}
        counts = [(depth - 4) // 6] * 3
        return _network(stem, widths, counts, PreActivation, end, classes, before=first)

    return build


def wide_resnet50_2(classes: int, width: float, image: tuple[int, int, int]) -> nn.Module:
    """WRN-50-2-bottleneck in the form of Wen et al. (2020, appendix D.2) for Tiny-ImageNet.

    torchvision's bottleneck blocks, 3, 4, 6 and 3 of them, with 3x3 filters twice as wide as those
    of ResNet-50, behind a 3x3 stem without stride and pooling. The paper crops images to 56x56.

    Args:
        classes: Number of outputs.
        width: Multiplier of the channels.
        image: Channels, height and width of an image.

    Returns:
        The network, without weights.
    """
    bottleneck = torchvision_models().resnet.Bottleneck
    narrow = [scaled(channels, width) for channels in (64, 128, 256, 512)]

    def block(before: int, after: int, stride: int) -> nn.Module:
        changed = stride != 1 or before != after
        short = _projection(before, after, stride) if changed else None
        built: nn.Module = bottleneck(
            before, after // bottleneck.expansion, stride, short, base_width=128
        )
        return built

    stem = _stem(image[0], narrow[0], nn.BatchNorm2d)
    widths = [channels * bottleneck.expansion for channels in narrow]
    return _network(stem, widths, (3, 4, 6, 3), block, {}, classes, before=narrow[0])


def cifar_resnet(depth: int, *, norm: bool) -> Builder:
    """A builder of the ResNets for CIFAR of He et al. (2016): 6n + 2 layers, 16, 32, 64 channels.

    Shortcuts have no parameters: where the shape changes, every second pixel, and zeros for the
    new channels (their option A).

    Args:
        depth: Number of layers: convolutions and the linear one.
        norm: Whether batch norm follows every convolution.

    Returns:
        A function of the number of classes, the width multiplier and the shape of an image.
    """
    kind = nn.BatchNorm2d if norm else nn.Identity

    def build(classes: int, width: float, image: tuple[int, int, int]) -> nn.Module:
        widths = [scaled(channels, width) for channels in (16, 32, 64)]
        block = _basic(_subsampling, kind)
        stem = _stem(image[0], widths[0], kind)
        return _network(stem, widths, [(depth - 2) // 6] * 3, block, {}, classes)

    return build


def apply_fixup(model: nn.Module, _: torch.Generator) -> None:
    """Give a network of :func:`cifar_resnet` that has He's weights those of Fixup.

    Args:
        model: The network.
    """
    block, head = torchvision_models().resnet.BasicBlock, model.get_submodule("fc")
    blocks = [module for module in model.modules() if isinstance(module, block)]
    assert isinstance(head, nn.Linear)
    fixup([(part.conv1, part.conv2) for part in blocks], head)


def _stem(image: int, channels: int, norm: Callable[[int], nn.Module]) -> dict[str, nn.Module]:
    """Return a 3x3 convolution, normalisation and ReLU."""
    convolution = nn.Conv2d(image, channels, 3, padding=1, bias=False)
    return {"conv1": convolution, "bn1": norm(channels), "relu": nn.ReLU(inplace=True)}


def _network(
    stem: Mapping[str, nn.Module],
    widths: Sequence[int],
    counts: Sequence[int],
    block: BlockBuilder,
    end: Mapping[str, nn.Module],
    classes: int,
    *,
    before: int | None = None,
) -> nn.Module:
    """Return stem, stages of blocks, ``end``, global average and the linear layer."""
    layers: OrderedDict[str, nn.Module] = OrderedDict(stem)
    channels = widths[0] if before is None else before
    for number, (width, count) in enumerate(zip(widths, counts, strict=True), start=1):
        blocks = []
        for position in range(count):
            stride = 2 if number > 1 and position == 0 else 1
            blocks.append(block(channels, width, stride))
            channels = width
        layers[f"layer{number}"] = nn.Sequential(*blocks)
    layers |= end
    layers["avgpool"] = nn.AdaptiveAvgPool2d(1)
    layers["flatten"] = nn.Flatten()
    layers["fc"] = nn.Linear(channels, classes)
    return nn.Sequential(layers)


def _basic(
    shortcut: Callable[[int, int, int], nn.Module], norm: Callable[[int], nn.Module]
) -> BlockBuilder:
    """Return a builder of torchvision's blocks with this shortcut where the shape changes."""
    basic = torchvision_models().resnet.BasicBlock

    def block(before: int, after: int, stride: int) -> nn.Module:
        changed = stride != 1 or before != after
        short = shortcut(before, after, stride) if changed else None
        built: nn.Module = basic(before, after, stride, short, norm_layer=norm)
        return built

    return block


def _projection(before: int, after: int, stride: int) -> nn.Module:
    """Return a 1x1 convolution with batch norm, as torchvision has it."""
    return nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))


def _subsampling(before: int, after: int, stride: int) -> nn.Module:
    """Return every ``stride``-th pixel, and zeros for the new channels, as layers of torch."""
    zeros = (0, 0, 0, 0, 0, after - before)  # of width, height, channels
    return nn.Sequential(nn.AvgPool2d(1, stride), nn.ZeroPad3d(zeros))
