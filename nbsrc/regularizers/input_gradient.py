"""Input-gradient regularisation (double backpropagation)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F

from nbsrc.regularizers._arguments import check_number
from nbsrc.regularizers._evaluation import input_gradient
from nbsrc.regularizers.interface import Regularizer

__all__ = ["InputGradient"]


@dataclass(frozen=True, eq=False)
class InputGradient(Regularizer):
    r"""The penalty :math:`\lambda\,\frac1B\sum_b\|\nabla_x\mathcal L(x_b,y_b)\|_2^2`.

    Guo et al., equation (11): the squared length of the gradient of each example's cross-entropy.
    The network is differentiated in eval mode, so that examples do not depend on each other, or
    with the batch's statistics, of which the paper does not speak.

    Attributes:
        strength: :math:`\lambda`, at least 0.
        batch_statistics: Whether batch norm uses the batch's statistics where it is training. An
            image then enters the others' logits too, and its slopes are those of the sum over the
            batch, as double backpropagation in a training graph takes them.

    Example:
        >>> import torch
        >>> net = nn.Linear(1, 2, bias=False)
        >>> _ = net.weight.data.copy_(torch.tensor([[1.0], [-1.0]]))
        >>> x, y = torch.zeros(1, 1), torch.tensor([0])
        >>> InputGradient(0.5).penalty(net, x, y, net(x)).item()
        0.5
    """

    strength: float
    batch_statistics: bool = False

    def __post_init__(self) -> None:
        """Check the strength."""
        check_number("strength", self.strength)

    def penalty(self, model: nn.Module, x: Tensor, y: Tensor, logits: Tensor) -> Tensor:
        """The penalty.

        Args:
            model: The network.
            x: ``[batch, *input]``.
            y: ``[batch]``.
            logits: Not used.

        Returns:
            A 0-d tensor.
        """

        def loss(z: Tensor) -> Tensor:
            return F.cross_entropy(z, y, reduction="sum")

        slopes, _ = input_gradient(model, x, loss, batch_statistics=self.batch_statistics)
        return self.strength * slopes.square().sum(1).mean()
