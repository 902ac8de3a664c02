"""Curvature regularisation: the spectral norm of the loss Hessian, exact or by power iteration."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nbsrc.perturbation import loss_hessian_spectrum
from nbsrc.regularizers._arguments import check_count, check_generator, check_number
from nbsrc.regularizers._evaluation import (
    checked_logits,
    directions,
    evaluating,
    leaf,
    logits_and_jacobian,
)
from nbsrc.regularizers._seeded import Seeded

__all__ = ["Curvature"]


@dataclass(frozen=True, eq=False)
class Curvature(Seeded):
    r"""The penalty :math:`\lambda\,\frac1B\sum_b\|H(x_b)\|_2`, H the loss Hessian of the input.

    Guo et al., equation (11). Exact for any number of classes by an eigenproblem of size K - 1,
    :func:`nbsrc.perturbation.spectrum.loss_hessian_spectrum`: that is the Hessian of a network that
    is piecewise affine in its input; of another one it is the Gauss-Newton part.

    By power iteration it is the Hessian of any network:

    .. math:: v \leftarrow Hv/\|Hv\|_2, \qquad \|H\|_2 \approx |v^\top Hv|

    from below, with v held fixed when the parameters are differentiated (at an eigenvector the
    derivative of v does not matter). Where Hv is 0 the vector stays.

    Attributes:
        strength: :math:`\lambda`, at least 0.
        iterations: Power iterations, or None for the exact value.
        generator: Source of the start vectors; needed with iterations.
        batch_statistics: Whether the logits' Jacobian is taken with the batch's statistics where
            batch norm is training, as in :class:`nbsrc.regularizers.JacobianPenalty`; for the
            exact form only.

    Example:
        >>> net = nn.Linear(1, 2, bias=False)
        >>> _ = net.weight.data.copy_(torch.tensor([[1.0], [-1.0]]))
        >>> x, y = torch.zeros(1, 1), torch.tensor([0])
        >>> Curvature(0.5).penalty(net, x, y, net(x)).item()
        0.5
    """

    strength: float
    iterations: int | None = None
    generator: torch.Generator | None = None
    batch_statistics: bool = False

    def __post_init__(self) -> None:
        """Check the settings.

        Raises:
            ValueError: If a setting is out of range, or iterations are to use the batch's
                statistics.
        """
        check_number("strength", self.strength)
        if self.iterations is not None:
            check_count("iterations", self.iterations)
            check_generator("generator", self.generator)
            if self.batch_statistics:
                raise ValueError(
                    f"batch_statistics needs iterations None, got {self.iterations}: with the "
                    "batch's statistics the loss's Hessian is not one matrix for each image"
                )

    def penalty(self, model: nn.Module, x: Tensor, y: Tensor, logits: Tensor) -> Tensor:
        """The penalty; NaN where the network's outputs are not finite.

        Args:
            model: The network.
            x: ``[batch, *input]``.
            y: ``[batch]``.
            logits: Not used.

        Returns:
            A 0-d tensor.
        """
        if self.iterations is not None:
            return self.strength * self._by_iteration(model, x, y).mean()
        outputs, J = logits_and_jacobian(model, x, batch_statistics=self.batch_statistics)
        if not bool(torch.isfinite(outputs).all() & torch.isfinite(J).all()):
            return outputs.sum() * torch.nan
        spectrum = loss_hessian_spectrum(outputs.softmax(-1), J.mT)
        return self.strength * spectrum.spectral_norm.mean()

    def _by_iteration(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        """Return the absolute Rayleigh quotients ``[batch]`` after all iterations."""
        generator = check_generator("generator", self.generator)
        v = directions(len(x), x[0].numel(), x, generator)
        with evaluating(model), torch.enable_grad():
            inputs = leaf(x)
            loss = F.cross_entropy(checked_logits(model(inputs), x), y, reduction="sum")
            (slope,) = torch.autograd.grad(loss, inputs, create_graph=True)
            for _ in range(self.iterations or 0):
                product = _product(slope, inputs, v, last=False)
                length = torch.linalg.vector_norm(product, dim=1, keepdim=True)
                v = torch.where(length > 0, product / length, v)
            return (_product(slope, inputs, v, last=True) * v).sum(1).abs()


def _product(slope: Tensor, inputs: Tensor, v: Tensor, *, last: bool) -> Tensor:
    """Return H v for each example, ``[batch, n]``; with a graph to the parameters if it is last."""
    (product,) = torch.autograd.grad(
        slope,
        inputs,
        v.reshape(slope.shape),
        retain_graph=True,
        create_graph=last,
        materialize_grads=True,
    )
    return product.flatten(1)
