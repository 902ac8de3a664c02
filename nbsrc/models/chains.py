"""Networks that are one chain of layers: LeNets, the CNNs of papers B and D, one for the digits.

Every network is a plain ``nn.Sequential``, and is made for images of one size. On images smaller
than those it was designed for, a convolution whose kernel does not fit is padded to keep the size,
and a pooling that would leave nothing is left out.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from nbsrc.models.chain import Chain, scaled
from nbsrc.models.initialisation import initialise

__all__ = ["cnn7", "conv4", "digits_cnn", "lenet5", "lenet_300_100", "vgg_like"]


def digits_cnn(
    *,
    generator: torch.Generator,
    channels: Sequence[int] = (8, 16, 16),
    classes: int = 10,
    image: tuple[int, int, int] = (1, 8, 8),
) -> nn.Sequential:
    """A CNN for the digits: three convolutions with batch norm, then one linear layer.

    The second convolution has stride 2, so the features of an 8x8 image are 4x4.

    Args:
        generator: Source of the weights.
        channels: Output channels of the three convolutions.
        classes: Number of outputs.
        image: Channels, height and width of an image.

    Returns:
        A network with the layers ``conv1, bn1, relu1, ..., conv3, bn3, relu3, flatten, linear``.

    Raises:
        ValueError: If there are not three positive channel numbers.
    """
    if len(channels) != 3 or min(channels) < 1:
        raise ValueError(f"channels must be three positive integers, got {tuple(channels)}")
    with torch.device("meta"):
        chain = Chain(image)
        for number, stride in zip(channels, (1, 2, 1), strict=True):
            chain.convolution(number, stride=stride, norm=True)
        chain.flatten()
        model = chain.output(classes)
    return initialise(model, generator)


def lenet_300_100(classes: int, width: float, image: tuple[int, int, int]) -> nn.Module:
    """LeNet-300-100 (LeCun et al. 1998): two hidden layers.

    Paper D counts two fully connected layers; the network has three with the output.

    Args:
        classes: Number of outputs.
        width: Multiplier of the hidden units.
        image: Channels, height and width of an image.

    Returns:
        The network, without weights.
    """
    chain = Chain(image)
    chain.flatten()
    chain.hidden(scaled(300, width))
    chain.hidden(scaled(100, width))
    return chain.output(classes)


def lenet5(classes: int, width: float, image: tuple[int, int, int]) -> nn.Module:
    """LeNet-5 as paper D uses it: Caffe's, two convolutions, two poolings, two linear layers.

    The widths 20, 50 and 500 are those of Caffe's model, to which the paper refers. Caffe has no
    ReLU behind the convolutions; here there is one, as in the networks the paper's theory is about.

    Args:
        classes: Number of outputs.
        width: Multiplier of channels and hidden units.
        image: Channels, height and width of an image.

    Returns:
        The network, without weights.
    """
    return _two_and_two(classes, width, image, norm=False)


def conv4(classes: int, width: float, image: tuple[int, int, int]) -> nn.Module:
    """Paper D's four-layer network: "similar to LeNet-5 but with batch normalization".

    The paper gives no widths: those of LeNet-5 are taken, with batch norm behind all layers but
    the last.

    Args:
        classes: Number of outputs.
        width: Multiplier of channels and hidden units.
        image: Channels, height and width of an image.

    Returns:
        The network, without weights.
    """
    return _two_and_two(classes, width, image, norm=True)


def _two_and_two(
    classes: int, width: float, image: tuple[int, int, int], *, norm: bool
) -> nn.Module:
    chain = Chain(image)
    for channels in (20, 50):
        chain.convolution(scaled(channels, width), 5, padding=0, norm=norm)
        chain.pool()
    chain.flatten()
    chain.hidden(scaled(500, width), norm=norm)
    return chain.output(classes)


def vgg_like(classes: int, width: float, image: tuple[int, int, int]) -> nn.Module:
    """Paper D's VGG-like network: twelve convolutions, two linear layers.

    The paper refers to Neklyudov et al. (2017), whose VGG-like network has batch norm and thirteen
    convolutions; here the last of them is missing, as the paper counts twelve and does not say
    which. Dropout is left out.

    Args:
        classes: Number of outputs.
        width: Multiplier of channels and hidden units.
        image: Channels, height and width of an image.

    Returns:
        The network, without weights.
    """
    chain = Chain(image)
    for channels, number in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 2)):
        for _ in range(number):
            chain.convolution(scaled(channels, width), norm=True)
        chain.pool()
    chain.flatten()
    chain.hidden(scaled(512, width), norm=True)
    return chain.output(classes)


def cnn7(classes: int, width: float, image: tuple[int, int, int]) -> nn.Module:
    """Paper B's CNN7: seven convolutions with batch norm and max-pooling, one linear layer.

    The paper gives no widths: these, the missing padding of the last convolution and batch norm
    without a scale and a shift of its own are those of the authors' published code.

    Args:
        classes: Number of outputs.
        width: Multiplier of the channels.
        image: Channels, height and width of an image.

    Returns:
        The network, without weights.
    """
    chain = Chain(image)
    for channels in (128, 256, 512):
        for _ in range(2):
            chain.convolution(scaled(channels, width), norm=True, affine=False)
        chain.pool()
    chain.convolution(scaled(1024, width), padding=0, norm=True, affine=False)
    chain.pool()
    chain.flatten()
    return chain.output(classes)
