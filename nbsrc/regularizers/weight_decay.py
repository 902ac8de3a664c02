"""Weight decay: the squared l2 norm of chosen parameters."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nbsrc.regularizers._arguments import add_to_gradient, check_number
from nbsrc.regularizers.interface import Regularizer

__all__ = ["WeightDecay"]


@dataclass(frozen=True, eq=False)
class WeightDecay(Regularizer):
    r"""The penalty :math:`\frac\lambda2\sum\|\theta\|_2^2`, by its gradient :math:`\lambda\theta`.

    The same as ``weight_decay`` of torch's SGD, for chosen parameters only.

    Attributes:
        names: Names of parameters, as in ``model.named_parameters()``.
        strength: :math:`\lambda`, at least 0.

    Example:
        >>> net = nn.Linear(1, 1)
        >>> _ = net.weight.data.fill_(3.0)
        >>> WeightDecay(["weight"], 0.5).after_backward(net)
        >>> net.weight.grad.item(), net.bias.grad
        (1.5, None)
    """

    names: Iterable[str]
    strength: float

    def __post_init__(self) -> None:
        """Check the settings.

        Raises:
            TypeError: If ``names`` is a string.
        """
        if isinstance(self.names, str):
            raise TypeError(f"names must be several names, got the string {self.names!r}")
        object.__setattr__(self, "names", tuple(self.names))
        check_number("strength", self.strength)

    def after_backward(self, model: nn.Module) -> None:
        r"""Add :math:`\lambda\theta` to the gradients.

        Args:
            model: The network.
        """
        with torch.no_grad():
            for name, parameter in self._parameters(model):
                add_to_gradient(f"parameter {name!r}", parameter, parameter, self.strength)

    def value(self, model: nn.Module) -> Tensor:
        """The penalty whose gradient is added, for records.

        Args:
            model: The network.

        Returns:
            A 0-d tensor with a graph.
        """
        squares = [parameter.square().sum() for _, parameter in self._parameters(model)]
        return self.strength / 2 * torch.stack(squares).sum() if squares else torch.zeros(())

    def _parameters(self, model: nn.Module) -> list[tuple[str, nn.Parameter]]:
        """Return the chosen parameters.

        Raises:
            ValueError: If the model has no parameter of a name.
        """
        known = dict(model.named_parameters(remove_duplicate=False))
        for name in self.names:
            if name not in known:
                raise ValueError(f"the model has no parameter {name!r}")
        return [(name, known[name]) for name in self.names]
