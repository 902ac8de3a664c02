"""Building a network by its name."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from nbsrc.models import chains, residual, torchvision_nets
from nbsrc.models.chain import scaled
from nbsrc.models.initialisation import initialise, xavier
from nbsrc.torchvision_compat import torchvision_models

__all__ = ["MODEL_NAMES", "build_model"]


@dataclass(frozen=True)
class _Architecture:
    """How a network is built.

    Attributes:
        small: The form for small images.
        image: The image that form was designed for.
        imagenet: torchvision's form, if there is one.
        finish: What is done to He's initial weights; it may draw others.
    """

    small: residual.Builder
    image: tuple[int, int, int] = (3, 32, 32)
    imagenet: Callable[[int], nn.Module] | None = None
    finish: Callable[[nn.Module, torch.Generator], None] | None = None


def build_model(
    name: str,
    *,
    generator: torch.Generator,
    classes: int = 10,
    small_images: bool = False,
    width: float = 1.0,
    image: tuple[int, int, int] | None = None,
    dtype: torch.dtype = torch.float32,
) -> nn.Module:
    """Build a network by name with random weights.

    VGG-11 (with and without batch norm), ResNet-18, WRN-50-2 and RegNetX come in two forms; all
    others have only that for small images, whatever ``small_images`` is. Of RegNetX torchvision
    offers 400MF and larger; the 200MF version that Liang & Huang (2021) use is built here from
    torchvision's blocks with the published parameters of its design space (Radosavovic et al.
    2020).

    Args:
        name: One of ``MODEL_NAMES``.
        generator: Source of the weights.
        classes: Number of outputs.
        small_images: False for torchvision's ImageNet networks as they are; True for the usual
            changes for 32x32 images: a ResNet or RegNet stem without downsampling, a VGG with one
            linear layer on its 1x1 features.
        width: Multiplier of all channels and hidden units, for the small tiers; each is rounded
            and at least 1 (in a RegNetX a multiple of the group width).
        image: Channels, height and width of an image, by default what the network was designed
            for. On smaller images poolings that would leave nothing are left out.
        dtype: Type of the weights. They are drawn in float32 and then converted, so a float64
            network is the float32 one.

    Returns:
        The network, on the generator's device, in training mode.

    Raises:
        TypeError: If ``generator`` is none.
        ValueError: If the name is unknown, a number is out of range, or ``width`` or ``image`` is
            given for a network in torchvision's own form.
    """
    _check(name, classes, width, image, dtype)
    if not isinstance(generator, torch.Generator):
        raise TypeError(f"generator must be a torch.Generator, got {generator!r}")
    if name == "digits_cnn":
        channels = [scaled(number, width) for number in (8, 16, 16)]
        shape = (1, 8, 8) if image is None else image
        built = chains.digits_cnn(
            generator=generator, channels=channels, classes=classes, image=shape
        )
        return built.to(dtype)
    plan = _ARCHITECTURES[name]
    torchvision_models()  # imported here: what torchvision makes at import must not be on meta
    with torch.device("meta"):
        if plan.imagenet is not None and not small_images:
            if width != 1 or image is not None:
                raise ValueError(f"width and image of {name!r} can be given with small_images only")
            model = plan.imagenet(classes)
        else:
            model = plan.small(classes, width, plan.image if image is None else image)
    initialise(model, generator)
    if plan.finish is not None:
        plan.finish(model, generator)
    return model.to(dtype)


def _check(
    name: str,
    classes: int,
    width: float,
    image: tuple[int, int, int] | None,
    dtype: torch.dtype,
) -> None:
    """Check the arguments.

    Raises:
        ValueError: If one is not allowed.
    """
    if name not in MODEL_NAMES:
        raise ValueError(f"name must be one of {MODEL_NAMES}, got {name!r}")
    if classes < 1:
        raise ValueError(f"classes must be at least 1, got {classes}")
    if not 0 < width < math.inf:
        raise ValueError(f"width must be positive, got {width}")
    if image is not None and (len(image) != 3 or min(image) < 1):
        raise ValueError(f"image must be three positive integers, got {image}")
    if not dtype.is_floating_point:
        raise ValueError(f"dtype must be a floating-point type, got {dtype}")


_200MF = (13, 24, 36.44, 2.49, 8)
_400MF = (22, 24, 24.48, 2.54, 16)
_MNIST = (1, 28, 28)
_ARCHITECTURES: dict[str, _Architecture] = {
    "vgg11": _Architecture(
        torchvision_nets.vgg11_small(norm=False), imagenet=torchvision_nets.imagenet("vgg11")
    ),
    "resnet18": _Architecture(residual.resnet18, imagenet=torchvision_nets.imagenet("resnet18")),
    "regnet_x_200mf": _Architecture(
        torchvision_nets.regnet_x_small(*_200MF), imagenet=torchvision_nets.regnet_x(*_200MF)
    ),
    "regnet_x_400mf": _Architecture(
        torchvision_nets.regnet_x_small(*_400MF), imagenet=torchvision_nets.regnet_x(*_400MF)
    ),
    "vgg11_bn": _Architecture(
        torchvision_nets.vgg11_small(norm=True), imagenet=torchvision_nets.imagenet("vgg11_bn")
    ),
    "senet18": _Architecture(residual.senet18),
    "wrn_28_10": _Architecture(residual.wide_resnet(28, 10)),
    "wrn_50_2": _Architecture(
        residual.wide_resnet50_2, (3, 56, 56), torchvision_nets.imagenet("wide_resnet50_2"), xavier
    ),
    "resnet56": _Architecture(residual.cifar_resnet(56, norm=True)),
    "resnet110": _Architecture(residual.cifar_resnet(110, norm=True)),
    "resnet32_fixup": _Architecture(
        residual.cifar_resnet(32, norm=False), finish=residual.apply_fixup
    ),
    "resnet56_fixup": _Architecture(
        residual.cifar_resnet(56, norm=False), finish=residual.apply_fixup
    ),
    "resnet110_fixup": _Architecture(
        residual.cifar_resnet(110, norm=False), finish=residual.apply_fixup
    ),
    "lenet_300_100": _Architecture(chains.lenet_300_100, _MNIST),
    "lenet5": _Architecture(chains.lenet5, _MNIST),
    "conv4": _Architecture(chains.conv4),
    "vgg_like": _Architecture(chains.vgg_like),
    "cnn7": _Architecture(chains.cnn7),
}
#: The names that :func:`build_model` knows.
MODEL_NAMES: tuple[str, ...] = ("digits_cnn", *_ARCHITECTURES)
