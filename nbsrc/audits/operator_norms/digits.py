"""Small networks for scikit-learn's digits, their Jacobians and norms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nbsrc.data import load_digits

__all__ = [
    "DigitsData",
    "accuracy",
    "batched_jacobian",
    "digits_data",
    "gains",
    "largest_gains",
    "linear_layers",
    "new_network",
    "product_of_norms",
]

WIDTHS = (64, 48, 48, 10)


@dataclass(frozen=True, eq=False)
class DigitsData:
    """Images as rows, and labels.

    Attributes:
        x: Training images ``[n, 64]``.
        y: Training labels.
        test_x: Test images.
        test_y: Test labels.
    """

    x: Tensor
    y: Tensor
    test_x: Tensor
    test_y: Tensor


def digits_data() -> DigitsData:
    """Return the digits, pixels from 0 to 1, as rows of 64.

    Returns:
        The data.
    """
    data = load_digits()
    return DigitsData(
        data.train_images.flatten(1),
        data.train_labels,
        data.test_images.flatten(1),
        data.test_labels,
    )


def new_network(seed: int, widths: Sequence[int] = WIDTHS) -> nn.Sequential:
    """Return a ReLU network with He's initialisation.

    Args:
        seed: Seed of the weights.
        widths: Inputs, hidden layers, outputs.

    Returns:
        The network, float32.
    """
    g = torch.Generator().manual_seed(seed)
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise(widths):
        layer = nn.Linear(fan_in, fan_out)
        with torch.no_grad():
            layer.weight.copy_(torch.randn(fan_out, fan_in, generator=g) * math.sqrt(2 / fan_in))
            layer.bias.zero_()
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def linear_layers(net: nn.Sequential) -> list[nn.Linear]:
    """Return the linear layers.

    Args:
        net: A network.

    Returns:
        The layers, in order.
    """
    return [layer for layer in net if isinstance(layer, nn.Linear)]


def batched_jacobian(net: nn.Sequential, x: Tensor) -> Tensor:
    """Return the products (2) at a batch of points, differentiable in the weights.

    Args:
        net: A network.
        x: ``[batch, n]``.

    Returns:
        ``[batch, d, n]``.
    """
    value, layers = x, linear_layers(net)
    product = layers[0].weight.expand(len(x), -1, -1)
    for number, layer in enumerate(layers[:-1]):
        value = layer(value)
        mask = (value > 0).to(value.dtype).unsqueeze(-1)
        value = value.clamp(min=0)
        product = layers[number + 1].weight @ (mask * product)
    return product


def gains(net: nn.Sequential, x: Tensor) -> Tensor:
    """Return the largest singular value of the Jacobian at each point.

    Args:
        net: A network.
        x: ``[batch, n]``.

    Returns:
        ``[batch]``.
    """
    with torch.no_grad():
        values: Tensor = torch.linalg.svdvals(batched_jacobian(net, x))[:, 0]
    return values


def product_of_norms(net: nn.Sequential) -> float:
    """Return the product bound.

    Args:
        net: A network.

    Returns:
        The product of the spectral norms of the weights.
    """
    layers = linear_layers(net)
    return math.prod(float(torch.linalg.matrix_norm(x.weight.detach(), 2)) for x in layers)


def largest_gains(J: Tensor, steps: int, v: Tensor) -> Tensor:
    r"""Return :math:`u^\top Jv` after power iterations, u and v held fixed.

    Args:
        J: ``[batch, d, n]``.
        steps: Number of iterations.
        v: Starts, ``[batch, n]``.

    Returns:
        ``[batch]``, differentiable in J.
    """
    with torch.no_grad():
        column = v.unsqueeze(-1)
        for _ in range(steps):
            u = F.normalize(J @ column, dim=1)
            column = F.normalize(J.mT @ u, dim=1)
    return (u * (J @ column)).sum((1, 2))


def accuracy(net: nn.Sequential, x: Tensor, y: Tensor) -> float:
    """Return the share of images that are classified correctly.

    Args:
        net: A network.
        x: ``[n, 64]``.
        y: ``[n]``.

    Returns:
        The share.
    """
    with torch.no_grad():
        return float((net(x).argmax(1) == y).double().mean())
