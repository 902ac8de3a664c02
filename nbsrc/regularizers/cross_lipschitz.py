"""Cross-Lipschitz regularisation: the spread of the logits' gradients."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from nbsrc.regularizers._arguments import check_number
from nbsrc.regularizers._evaluation import logits_and_jacobian
from nbsrc.regularizers.interface import Regularizer

__all__ = ["CrossLipschitz"]


@dataclass(frozen=True, eq=False)
class CrossLipschitz(Regularizer):
    r"""The penalty :math:`\lambda\,\frac1B\sum_bS(x_b)` on differences of the logits' gradients.

    .. math:: S = \sum_k\|v_k-\bar v\|_2^2 = \frac1K\sum_{i<j}\|v_i-v_j\|_2^2

    For two classes it is :math:`\lambda\nu^2/2` of Guo et al., equation (11). The functional of
    Hein & Andriushchenko (2017), :math:`\frac1{K^2}\sum_{i,j}\|v_i-v_j\|_2^2`, is 2S/K: divide the
    strength accordingly.

    Attributes:
        strength: :math:`\lambda`, at least 0.
        batch_statistics: Whether batch norm uses the batch's statistics where it is training. An
            image then enters the others' logits too, and its slopes are those of the sum over the
            batch, as double backpropagation in a training graph takes them.

    Example:
        >>> import torch
        >>> net = nn.Linear(1, 2, bias=False)
        >>> _ = net.weight.data.copy_(torch.tensor([[3.0], [-1.0]]))
        >>> x, y = torch.zeros(1, 1), torch.tensor([0])
        >>> CrossLipschitz(0.5).penalty(net, x, y, net(x)).item()
        4.0
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
            y: Not used.
            logits: Not used.

        Returns:
            A 0-d tensor.
        """
        _, J = logits_and_jacobian(model, x, batch_statistics=self.batch_statistics)
        spread = J - J.mean(1, keepdim=True)
        return self.strength * spread.square().sum((1, 2)).mean()
