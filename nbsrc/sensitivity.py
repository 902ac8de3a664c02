r"""The features of a network, their Jacobians, and how much two activation patterns share.

Roth, Kilcher & Hofmann (2020) write a network as :math:`f = W^L\phi^{L-1}` and look at the Jacobian
of the features :math:`\phi^{L-1}`, what the last linear layer is given.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from nbsrc.linear_region import activation_pattern
from nbsrc.operator_norm import network_map, power_method

__all__ = [
    "Features", "dense_jacobian", "features_of", "largest_singular_value", "last_linear",
    "shared_gates", "untrained_like",
]  # fmt: skip


class Features(nn.Module):
    """What the last linear layer of a network is given.

    Args:
        network: The network, whose weights are shared; its output is that of its last linear layer.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.training = network.training
        self._layer = [last_linear(network)]

    def forward(self, x: Tensor) -> Tensor:
        """Run the network up to its last linear layer.

        Args:
            x: ``[batch, *input]``.

        Returns:
            ``[batch, features]``.
        """
        caught: list[Tensor] = []
        handle = self._layer[0].register_forward_pre_hook(lambda _, given: caught.append(given[0]))
        try:
            self.network(x)
        finally:
            handle.remove()
        return caught[0]


def last_linear(network: nn.Module) -> nn.Linear:
    """Return the last linear layer of a network.

    Args:
        network: The network.

    Returns:
        The layer.

    Raises:
        ValueError: If there is none.
    """
    layers = [module for module in network.modules() if isinstance(module, nn.Linear)]
    if not layers:
        raise ValueError(f"network must have a linear layer, {type(network).__name__} has none")
    return layers[-1]


def features_of(network: nn.Module) -> nn.Module:
    """Return a network's features as a network that shares its layers and modes.

    Args:
        network: The network.

    Returns:
        All layers but the last of a chain that ends with a linear layer, else :class:`Features`.

    Raises:
        ValueError: If the network has no linear layer.
    """
    if type(network) is nn.Sequential and len(network) > 1:
        layers = list(network.named_children())
        if isinstance(layers[-1][1], nn.Linear):
            chain = nn.Sequential()
            for name, layer in layers[:-1]:
                chain.add_module(name, layer)
            chain.training = network.training
            return chain
    return Features(network)


def dense_jacobian(net: nn.Module, x: Tensor) -> Tensor:
    """The Jacobians of a network as matrices: one backward pass per output.

    Args:
        net: The network in evaluation mode.
        x: ``[batch, *input]``.

    Returns:
        ``[batch, outputs, inputs]``, without a graph. On a kink it has torch's side.

    Example:
        >>> net = nn.Sequential(nn.Linear(2, 2, bias=False), nn.ReLU())
        >>> _ = nn.init.constant_(net[0].weight, 3.0)
        >>> dense_jacobian(net, torch.tensor([[1.0, 1.0]])).tolist()
        [[[3.0, 3.0], [3.0, 3.0]]]
    """
    with torch.enable_grad():
        inputs = x.detach().clone().requires_grad_()
        values = net(inputs).flatten(1)
        count = values.shape[1]
        rows = [
            torch.autograd.grad(
                values[:, k].sum(), inputs, retain_graph=k < count - 1, materialize_grads=True
            )[0].flatten(1)
            for k in range(count)
        ]
    return torch.stack(rows, dim=1)


def largest_singular_value(net: nn.Module, x: Tensor, steps: int, seed: int) -> Tensor:
    r"""The largest singular value of a network's Jacobian at each point, by the power method.

    It is :math:`\|Jv\|_2` at the last unit vector v: a lower bound, which tends to the norm.

    Args:
        net: The network in evaluation mode.
        x: ``[batch, *input]``.
        steps: Iterations, each of one forward-mode and one backward pass.
        seed: Seed of the start vectors.

    Returns:
        ``[batch]``.
    """
    generator = torch.Generator().manual_seed(seed)
    start = torch.randn(len(x), x[0].numel(), generator=generator).to(x)
    start = start / start.norm(dim=1, keepdim=True)
    J = network_map(net, x)
    found = power_method(J, 2, 2, start, steps, on_zero="keep")
    norms: Tensor = J.forward(found.v).norm(dim=1)
    return norms


def shared_gates(net: nn.Module, x: Tensor, z: Tensor) -> Tensor:
    """The share of ReLUs that have the same state at two points.

    Args:
        net: A piecewise affine network.
        x: ``[batch, *input]``.
        z: Other points of the same shape.

    Returns:
        Shares in float64, ``[batch]``; max-pooling's choices do not count.

    Raises:
        ValueError: If the network has no ReLU.

    Example:
        >>> shared_gates(nn.ReLU(), torch.tensor([[1.0, 2.0]]), torch.tensor([[1.0, -2.0]])).item()
        0.5
    """
    one, two = (activation_pattern(net, points).gates for points in (x, z))
    equal = [(a == b).flatten(1) for a, b in zip(one, two, strict=True) if a.dtype == torch.bool]
    if not equal:
        raise ValueError("net must have ReLUs, it has none")
    return torch.cat(equal, dim=1).double().mean(dim=1)


def untrained_like(network: nn.Module, x: Tensor, seed: int) -> nn.Module:
    """Return a network of the same form with He's random weights, in evaluation mode.

    Args:
        network: A network of convolutions, linear layers and batch norm; it stays as it was.
        x: Images with whose statistics batch norm normalises, ``[batch, *input]``.
        seed: Seed of the weights.

    Returns:
        The network.
    """
    fresh = copy.deepcopy(network)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in fresh.modules():
            if isinstance(module, nn.Linear | nn.Conv2d):
                weight = module.weight
                drawn = torch.randn(weight.shape, generator=generator).to(weight)
                weight.copy_(drawn * (2 / weight[0].numel()) ** 0.5)
                if module.bias is not None:
                    module.bias.zero_()
            elif isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.reset_parameters()
                module.momentum = None  # the mean over batches, here of one
        fresh.train()
        fresh(x)
    return fresh.eval()
