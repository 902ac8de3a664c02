r"""Linear maps given by their products: a matrix, or the Jacobian of a network at a point.

Products with a network's Jacobian are a forward-mode and a reverse-mode derivative, so the matrix
is never formed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nbsrc.operator_norm._arguments import check_array

__all__ = ["LinearMap", "matrix_map", "network_map"]


@dataclass(frozen=True, eq=False)
class LinearMap:
    r"""A linear map J, or a batch of them, given by its products.

    Attributes:
        forward: :math:`v \mapsto Jv`, from ``[..., n]`` to ``[..., d]``.
        backward: :math:`u \mapsto J^\top u`, from ``[..., d]`` to ``[..., n]``.
    """

    forward: Callable[[Tensor], Tensor]
    backward: Callable[[Tensor], Tensor]


def matrix_map(J: Tensor) -> LinearMap:
    """The map of a matrix.

    Args:
        J: ``[..., d, n]``; the batch dimensions broadcast with those of the vectors.

    Returns:
        The map.

    Raises:
        TypeError: If J is no float32 or float64 tensor.
        ValueError: If J is empty or not finite.
    """
    check_array("J", J, 2)
    return LinearMap(
        forward=lambda v: (J @ v.unsqueeze(-1)).squeeze(-1),
        backward=lambda u: (J.mT @ u.unsqueeze(-1)).squeeze(-1),
    )


def network_map(net: nn.Module, x: Tensor) -> LinearMap:
    r"""The Jacobians of a network at a batch of points, without forming them.

    The forward product is ``torch.func.jvp`` (a dual-number forward pass each time), the backward
    product ``torch.func.vjp`` (the forward pass is done once, here). On a kink they take the side
    that torch takes. The network must treat the examples of a batch independently.

    Args:
        net: A network, in evaluation mode if it has batch norm or dropout.
        x: ``[batch, *input]``. Vectors are ``[batch, n]`` with n the flattened input, and
            ``[batch, d]`` with d the flattened output.

    Returns:
        The map.

    Raises:
        TypeError: If ``x`` is no float32 or float64 tensor.
        ValueError: If ``x`` is empty or not finite, or a layer is in training mode in which its
            examples depend on each other or on chance.

    Example:
        >>> net = nn.Sequential(nn.Linear(2, 2, bias=False), nn.ReLU())
        >>> _ = nn.init.constant_(net[0].weight, 3.0)
        >>> J = network_map(net, torch.tensor([[1.0, 1.0]]))
        >>> J.forward(torch.tensor([[1.0, 0.0]])).tolist()
        [[3.0, 3.0]]
    """
    points = check_points(net, x).detach()

    def outputs(inputs: Tensor) -> Tensor:
        value: Tensor = net(inputs)
        return value.flatten(1)

    with torch.no_grad():
        pullback = torch.func.vjp(outputs, points)[1]

    def forward(v: Tensor) -> Tensor:
        with torch.no_grad():
            tangent = torch.func.jvp(outputs, (points,), (v.reshape(points.shape),))[1]
        result: Tensor = tangent
        return result

    def backward(u: Tensor) -> Tensor:
        with torch.no_grad():
            (cotangent,) = pullback(u)
        result: Tensor = cotangent
        return result.flatten(1)

    return LinearMap(forward=forward, backward=backward)


def check_points(net: nn.Module, x: Tensor) -> Tensor:
    """Refuse what is no batch of points, or a network whose examples depend on each other.

    Args:
        net: The network.
        x: ``[batch, *input]``.

    Returns:
        The points.

    Raises:
        TypeError: If ``net`` is no module, or ``x`` no float32 or float64 tensor.
        ValueError: If ``x`` is empty or not finite, or a batch norm or dropout layer is in
            training mode.
    """
    if not isinstance(net, nn.Module):
        raise TypeError(f"net must be a torch.nn.Module, got {type(net).__name__}")
    batch_dependent = (nn.modules.batchnorm._BatchNorm, nn.modules.dropout._DropoutNd)
    for name, module in net.named_modules():
        if module.training and isinstance(module, batch_dependent):
            raise ValueError(f"net must be in evaluation mode, its layer {name!r} is training")
    return check_array("x", x, 2)
