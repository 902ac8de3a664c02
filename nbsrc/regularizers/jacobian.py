"""Jacobian regularisation, exact or by random projections."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nbsrc.regularizers._arguments import check_count, check_generator, check_number
from nbsrc.regularizers._evaluation import directions, input_gradient, logits_and_jacobian
from nbsrc.regularizers._seeded import Seeded

__all__ = ["JacobianPenalty"]


@dataclass(frozen=True, eq=False)
class JacobianPenalty(Seeded):
    r"""The penalty :math:`\lambda\,\frac1B\sum_b\|J(x_b)\|_F^2` of the logits' Jacobian.

    Guo et al., equation (11), :math:`\lambda\mu^2`. Exact by one backward pass per class, done in
    one batch. With projections, the estimate of Hoffman, Roberts & Yaida (2019)

    .. math:: \|J\|_F^2 \approx \frac Km\sum_{i=1}^m\|J^\top u_i\|_2^2

    with m independent uniform unit vectors u of the K logits for each example: its mean is exact,
    as the mean of :math:`uu^\top` is the identity divided by K. (They print :math:`\lambda/2`.)

    Attributes:
        strength: :math:`\lambda`, at least 0.
        projections: m, or None for the exact value.
        generator: Source of the vectors; needed with projections.
        batch_statistics: Whether batch norm uses the batch's statistics where it is training. An
            image then enters the others' logits too, and its slopes are those of the sum over the
            batch, as double backpropagation in a training graph takes them. For the exact value
            only.

    Example:
        >>> net = nn.Linear(1, 2, bias=False)
        >>> _ = net.weight.data.copy_(torch.tensor([[3.0], [-1.0]]))
        >>> x, y = torch.zeros(1, 1), torch.tensor([0])
        >>> JacobianPenalty(0.5).penalty(net, x, y, net(x)).item()
        5.0
    """

    strength: float
    projections: int | None = None
    generator: torch.Generator | None = None
    batch_statistics: bool = False

    def __post_init__(self) -> None:
        """Check the settings.

        Raises:
            ValueError: If a setting is out of range, or projections are to use the batch's
                statistics.
        """
        check_number("strength", self.strength)
        if self.projections is not None:
            check_count("projections", self.projections)
            check_generator("generator", self.generator)
            if self.batch_statistics:
                raise ValueError(
                    f"batch_statistics needs projections None, got {self.projections}: vectors of "
                    "one image each do not estimate slopes of sums over the batch"
                )

    def penalty(self, model: nn.Module, x: Tensor, y: Tensor, logits: Tensor) -> Tensor:
        """The penalty, or its estimate.

        Args:
            model: The network.
            x: ``[batch, *input]``.
            y: Not used.
            logits: Not used but for the number of classes.

        Returns:
            A 0-d tensor.
        """
        if self.projections is None:
            _, J = logits_and_jacobian(model, x, batch_statistics=self.batch_statistics)
            return self.strength * J.square().sum((1, 2)).mean()
        generator = check_generator("generator", self.generator)
        classes, total = logits.shape[1], torch.zeros((), dtype=x.dtype, device=x.device)
        for _ in range(self.projections):
            u = directions(len(x), classes, x, generator)

            def projected(z: Tensor, u: Tensor = u) -> Tensor:
                return (z * u).sum()

            slopes, _ = input_gradient(model, x, projected)
            total = total + slopes.square().sum(1).mean()
        return self.strength * classes / self.projections * total
