"""Data-dependent spectral and operator norm regularisation of the network's Jacobian."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nbsrc.operator_norm import exact_operator_norm, network_map, power_method
from nbsrc.operator_norm.duality import printed_maximiser
from nbsrc.regularizers._arguments import check_count, check_generator, check_number, check_word
from nbsrc.regularizers._evaluation import (
    checked_logits,
    directions,
    evaluating,
    input_gradient,
    logits_and_jacobian,
)
from nbsrc.regularizers._seeded import Seeded

__all__ = ["OperatorNormPenalty"]

_FORMS = ("jacobian", "difference")
_ORDERS = (1, 2, math.inf)


@dataclass(frozen=True, eq=False)
class OperatorNormPenalty(Seeded):
    r"""The penalty :math:`\frac\lambda r\,\frac1B\sum_b\|J(x_b)\|_{p,q}^r` of Roth et al. (2020).

    With r = 1 it is equation (13); with p = q = r = 2 it is equation (7),
    :math:`\frac\lambda2\sigma(J)^2`. p belongs to the inputs, q to the logits.

    By power iterations (12), v and :math:`u=\nabla\|Jv\|_q` are found without a graph and held
    fixed, and the parameters are differentiated

    - in the Jacobian form through :math:`u^\top Jv=\|Jv\|_q`;
    - in the difference form, the paper's sum of squares, through
      :math:`\|f(x+\epsilon v)-f(x)\|_q/\epsilon`, which is the same in the linear region of x. The
      paper's strength of :math:`\frac\lambda2\|f(x+\epsilon v)-f(x)\|_2^2` is
      :math:`\lambda/\epsilon^2` with the strength here.

    The iterations give a lower bound; for (2, 2) it tends to the norm, for the other pairs it may
    stay at a local maximum. Without iterations the norm is that of
    :func:`nbsrc.operator_norm.exact_operator_norm`, from one backward pass per class. Where Jv is
    0 the value and its gradient are 0. The network is differentiated in eval mode, where each
    image has a Jacobian of its own; the paper does not state the mode.

    With ``batch_statistics`` the direction v is found in eval mode all the same, and the two
    outputs of the difference form are those of the batch and of the moved batch, normalised by
    their own statistics where batch norm is training, as in the loss. So does the code that the
    authors published. The difference is then no longer that of one image's function.

    Attributes:
        strength: :math:`\lambda`, at least 0.
        p: 1, 2 or ``math.inf``.
        q: 1, 2 or ``math.inf``.
        exponent: r, at least 1.
        steps: Power iterations, or None for the exact norm; 0 leaves v at its random start, and
            the penalty is the gain in a random direction.
        form: ``"jacobian"`` or ``"difference"``.
        eps: :math:`\epsilon` of the difference form, greater than 0.
        alpha: Step size of the iteration, infinity for the power method.
        batch_statistics: Whether batch norm uses the batch's statistics where it is training;
            with the difference form only.
        generator: Source of the start vectors; needed with iterations.

    Example:
        >>> net = nn.Linear(2, 2, bias=False)
        >>> _ = net.weight.data.copy_(torch.tensor([[3.0, 1.0], [0.0, -2.0]]))
        >>> x, y = torch.zeros(1, 2), torch.tensor([0])
        >>> penalty = OperatorNormPenalty(1.0, p=math.inf, q=1, steps=None)
        >>> penalty.penalty(net, x, y, net(x)).item()
        6.0
    """

    strength: float
    p: float = 2
    q: float = 2
    exponent: float = 1
    steps: int | None = 10
    form: str = "jacobian"
    eps: float | None = None
    alpha: float = math.inf
    generator: torch.Generator | None = None
    batch_statistics: bool = False

    def __post_init__(self) -> None:
        """Check the settings.

        Raises:
            ValueError: If a setting is out of range, or the difference form has no iterations.
        """
        check_number("strength", self.strength)
        check_word("p", self.p, _ORDERS)
        check_word("q", self.q, _ORDERS)
        check_number("exponent", self.exponent, minimum=1)
        check_word("form", self.form, _FORMS)
        if self.alpha != math.inf:
            check_number("alpha", self.alpha, strict=True)
        if self.steps is not None:
            check_count("steps", self.steps, zero=True)
            check_generator("generator", self.generator)
        if self.form == "difference":
            if self.steps is None:
                raise ValueError("form 'difference' needs steps: an exact norm gives no direction")
            check_number("eps", self.eps, strict=True)
        elif self.batch_statistics:
            raise ValueError(
                f"batch_statistics needs form 'difference', got {self.form!r}: with the batch's "
                "statistics an image has no Jacobian of its own"
            )

    def penalty(self, model: nn.Module, x: Tensor, y: Tensor, logits: Tensor) -> Tensor:
        """The penalty; NaN where the network's outputs are not finite.

        Args:
            model: The network.
            x: ``[batch, *input]``, float32 or float64.
            y: Not used.
            logits: Not used.

        Returns:
            A 0-d tensor.
        """
        if self.steps is None:
            norms = self._exact(model, x)
        elif self.form == "jacobian":
            u, v = self._vectors(model, x)
            slopes, _ = input_gradient(model, x, lambda z: (z * u).sum())
            norms = (slopes * v).sum(1)
        else:
            norms = self._quotients(model, x)
        return self.strength / self.exponent * norms.pow(self.exponent).mean()

    def _exact(self, model: nn.Module, x: Tensor) -> Tensor:
        """Return the norms ``[batch]`` with a graph."""
        outputs, J = logits_and_jacobian(model, x)
        if not bool(torch.isfinite(J).all()):
            return outputs.sum(1) * torch.nan
        return exact_operator_norm(J, self.p, self.q)

    def _vectors(self, model: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return u ``[batch, K]`` and v ``[batch, n]`` after all iterations, u at the last v."""
        generator = check_generator("generator", self.generator)
        start = directions(len(x), x[0].numel(), x, generator)
        with evaluating(model):
            J = network_map(model, x)
            v = start
            if self.steps:
                v = power_method(J, self.p, self.q, start, self.steps, self.alpha, on_zero="keep").v
            return printed_maximiser(J.forward(v), self.q), v

    def _quotients(self, model: nn.Module, x: Tensor) -> Tensor:
        """Return the difference quotients ``[batch]`` with a graph."""
        eps = check_number("eps", self.eps, strict=True)
        _, v = self._vectors(model, x)
        mode = evaluating(model, batch_statistics=self.batch_statistics)
        with mode, torch.enable_grad():
            moved = x.detach() + eps * v.reshape(x.shape)
            change = checked_logits(model(moved), x) - checked_logits(model(x.detach()), x)
            u = printed_maximiser(change.detach(), self.q)
            return (change * u).sum(1) / eps
