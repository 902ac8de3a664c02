"""Initial weights from an explicit generator: He's rule, Xavier's, and Fixup without batch norm.

Sources: He et al. 2015, "Delving deep into rectifiers"; Zhang, Dauphin & Ma 2019, "Fixup"; Glorot &
Bengio 2010, "Understanding the difficulty of training deep feedforward neural networks".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import nn

__all__ = ["fixup", "initialise", "xavier"]

Network = TypeVar("Network", bound=nn.Module)

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_NORMALISATIONS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.GroupNorm, nn.LayerNorm)


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


@torch.no_grad()
def fixup(branches: Sequence[Sequence[nn.Conv2d]], head: nn.Linear) -> None:
    """Turn He's initial weights into those of Fixup (Zhang et al. 2019), without scalar layers.

    With L residual branches of m layers each, all layers of a branch but the last are multiplied
    by L^(-1/(2m-2)); the last layer of each branch and the classifier become 0. Fixup's third rule,
    scalar multipliers and biases, is left out as Wen et al. (2020) leave it out: multipliers change
    the layers' spectral norms. The first logits are therefore 0, and every block is at first the
    identity followed by ReLU.

    Args:
        branches: The convolutions of every residual branch, in the order of execution.
        head: The classifier.

    Raises:
        ValueError: If a branch has fewer than two layers, for which the rule has no exponent.
    """
    for layers in branches:
        if len(layers) < 2:
            raise ValueError(f"every branch must have at least two layers, got {len(layers)}")
        for layer in layers[:-1]:
            layer.weight.mul_(len(branches) ** (-1 / (2 * len(layers) - 2)))
        layers[-1].weight.zero_()
    head.weight.zero_()
    head.bias.zero_()


def xavier(model: nn.Module, generator: torch.Generator) -> None:
    """Give the convolutions Xavier's uniform weights; everything else stays.

    The weights are uniform with variance 2 / (fan-in + fan-out) (Glorot & Bengio 2010).

    Args:
        model: The network.
        generator: Source of the weights.
    """
    for module in model.modules():
        if isinstance(module, _CONVOLUTIONS):
            nn.init.xavier_uniform_(module.weight, generator=generator)
