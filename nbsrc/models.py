"""Networks: a small CNN for the digits, and torchvision's architectures on small images.

All weights come from an explicit generator; building a network touches no global random state and
downloads nothing. Architectures are built on torch's meta device, where layers get no memory and
draw no numbers, and are then given weights by :func:`initialise`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from torch import nn

from nbsrc.torchvision_compat import torchvision_models

__all__ = ["MODEL_NAMES", "build_model", "digits_cnn", "initialise"]

Network = TypeVar("Network", bound=nn.Module)

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_NORMALISATIONS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.GroupNorm, nn.LayerNorm)


def digits_cnn(
    *, generator: torch.Generator, channels: Sequence[int] = (8, 16, 16), classes: int = 10
) -> nn.Sequential:
    """A CNN for 8x8 images with one channel: three convolutions with batch norm, then one linear.

    The second convolution has stride 2, so the features are 4x4.

    Args:
        generator: Source of the weights.
        channels: Output channels of the three convolutions.
        classes: Number of outputs.

    Returns:
        A network with the layers ``conv1, bn1, relu1, ..., conv3, bn3, relu3, flatten, linear``.

    Raises:
        ValueError: If there are not three positive channel numbers.
    """
    if len(channels) != 3 or min(channels) < 1:
        raise ValueError(f"channels must be three positive integers, got {tuple(channels)}")
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    before = 1
    with torch.device("meta"):
        for number, (width, stride) in enumerate(zip(channels, (1, 2, 1), strict=True), start=1):
            # A bias before batch norm would be without effect.
            convolution = nn.Conv2d(before, width, 3, stride=stride, padding=1, bias=False)
            layers[f"conv{number}"] = convolution
            layers[f"bn{number}"] = nn.BatchNorm2d(width)
            layers[f"relu{number}"] = nn.ReLU()
            before = width
        layers["flatten"] = nn.Flatten()
        layers["linear"] = nn.Linear(before * 16, classes)
        model = nn.Sequential(layers)
    return initialise(model, generator)


def build_model(
    name: str, *, generator: torch.Generator, classes: int = 10, small_images: bool = False
) -> nn.Module:
    """Build a network by name with random weights.

    Of RegNetX torchvision offers 400MF and larger; the 200MF version that Liang & Huang (2021) use
    is built here from torchvision's blocks with the published parameters of its design space
    (Radosavovic et al. 2020). SENet-18, their fourth network, is not in torchvision.

    Args:
        name: One of ``MODEL_NAMES``.
        generator: Source of the weights.
        classes: Number of outputs.
        small_images: False for torchvision's ImageNet networks as they are; True for the usual
            changes for 32x32 images: a ResNet or RegNet stem without downsampling, a VGG with one
            linear layer on its 1x1 features.

    Returns:
        The network, on the CPU, in training mode.

    Raises:
        ValueError: If the name is unknown.
    """
    if name == "digits_cnn":
        return digits_cnn(generator=generator, classes=classes)
    if name not in _ARCHITECTURES:
        raise ValueError(f"name must be one of {MODEL_NAMES}, got {name!r}")
    build, shrink = _ARCHITECTURES[name]
    torchvision_models()  # imported here: what torchvision makes at import must not be on meta
    with torch.device("meta"):
        model = build(classes)
        if small_images:
            shrink(model, classes)
    return initialise(model, generator)


def initialise(model: Network, generator: torch.Generator) -> Network:
    """Give every layer weights: He's normal initialisation, biases 0, batch norm the identity.

    Weights of convolutions and linear layers are normal with variance 2 / fan-in (He et al. 2015).

    Args:
        model: A network, which may lie on the meta device.
        generator: Source of the weights.

    Returns:
        The same network, on the generator's device.

    Raises:
        TypeError: If a layer with parameters or buffers is of a kind without a rule here.
    """
    model.to_empty(device=generator.device)
    for name, module in model.named_modules():
        if isinstance(module, (*_CONVOLUTIONS, nn.Linear)):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, _NORMALISATIONS):
            module.reset_parameters()  # constants: no random numbers
        elif module._parameters or module._buffers:
            raise TypeError(f"layer {name!r} of type {type(module).__name__} has no initialisation")
    return model


def _vgg11(classes: int) -> nn.Module:
    model: nn.Module = torchvision_models().vgg11(weights=None, num_classes=classes)
    return model


def _resnet18(classes: int) -> nn.Module:
    model: nn.Module = torchvision_models().resnet18(weights=None, num_classes=classes)
    return model


def _regnet_x(
    depth: int, w_0: int, w_a: float, w_m: float, group: int
) -> Callable[[int], nn.Module]:
    """Return a builder of the RegNetX with these design parameters."""

    def build(classes: int) -> nn.Module:
        regnet = torchvision_models().regnet
        with torch.device("cpu"):  # the widths are computed with tensors that need values
            blocks = regnet.BlockParams.from_init_params(
                depth=depth, w_0=w_0, w_a=w_a, w_m=w_m, group_width=group
            )
        model: nn.Module = regnet.RegNet(blocks, num_classes=classes)
        return model

    return build


def _shrink_vgg(model: nn.Module, classes: int) -> None:
    """Replace the pooling to 7x7 and the three linear layers by one linear layer."""
    model.avgpool = nn.Identity()
    model.classifier = nn.Linear(512, classes)


def _shrink_resnet(model: nn.Module, _: int) -> None:
    """Replace the 7x7 stem with stride 2 and its pooling by a 3x3 convolution."""
    model.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
    model.maxpool = nn.Identity()


def _shrink_regnet(model: nn.Module, _: int) -> None:
    """Take the stride out of the stem."""
    first = model.get_submodule("stem.0")
    assert isinstance(first, nn.Conv2d)
    first.stride = (1, 1)


_ARCHITECTURES: dict[str, tuple[Callable[[int], nn.Module], Callable[[nn.Module, int], None]]] = {
    "vgg11": (_vgg11, _shrink_vgg),
    "resnet18": (_resnet18, _shrink_resnet),
    "regnet_x_200mf": (_regnet_x(13, 24, 36.44, 2.49, 8), _shrink_regnet),
    "regnet_x_400mf": (_regnet_x(22, 24, 24.48, 2.54, 16), _shrink_regnet),
}
#: The names that :func:`build_model` knows.
MODEL_NAMES: tuple[str, ...] = ("digits_cnn", *_ARCHITECTURES)
