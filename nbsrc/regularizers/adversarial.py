r"""Adversarial objectives as penalties on top of the loop's cross-entropy.

The points of the adversary are found in eval mode and held fixed. The network's outputs for them
are computed as in training, batch norm with the statistics of the adversarial batch, but its
running statistics come from the loop's own forward passes, and dropout never draws.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F

from nbsrc.operator_norm import CrossEntropy, LogitNorm
from nbsrc.operator_norm.duality import printed_maximiser
from nbsrc.regularizers._adversary import Adversary
from nbsrc.regularizers._arguments import check_number
from nbsrc.regularizers.threat import SoftmaxDivergence

__all__ = ["AdversarialTraining", "LogitAdversary", "LogitPairing", "Trades"]


@dataclass(frozen=True, eq=False)
class AdversarialTraining(Adversary):
    r"""Adversarial training, FGSM-AT and PGD-AT, on the cross-entropy.

    The penalty makes the loop's loss :math:`c\,\mathcal L(x,y)+a\,\mathcal L(x^*,y)`: it is
    :math:`a\,\mathcal L(x^*,y)-(1-c)\mathcal L(x,y)`. With c = 0 and a = 1 training is on
    adversarial points alone; with c = 1 and :math:`a=\lambda` it is equation (14) of Roth et al.

    Attributes:
        threat: What the adversary may do; ``Threat(eps)`` is FGSM.
        generator: Source of random starts.
        batch_statistics: Whether batch norm uses the adversarial batch's statistics where it is
            training, or its running ones.
        clean: c, at least 0.
        adversarial: a, at least 0.

    Example:
        >>> import torch
        >>> from nbsrc.regularizers import Threat
        >>> net = nn.Linear(1, 2, bias=False)
        >>> _ = net.weight.data.copy_(torch.tensor([[1.0], [-1.0]]))
        >>> x, y = torch.tensor([[1.0]]), torch.tensor([0])
        >>> clean = F.cross_entropy(net(x), y)
        >>> term = AdversarialTraining(Threat(1.0)).penalty(net, x, y, net(x))
        >>> round((clean + term).item(), 4)  # at x* = 0: the logarithm of 2
        0.6931
    """

    clean: float = 0.0
    adversarial: float = 1.0

    def __post_init__(self) -> None:
        """Check the settings."""
        super().__post_init__()
        check_number("clean", self.clean)
        check_number("adversarial", self.adversarial)

    def penalty(self, model: nn.Module, x: Tensor, y: Tensor, logits: Tensor) -> Tensor:
        """The penalty.

        Args:
            model: The network.
            x: ``[batch, *input]``.
            y: ``[batch]``.
            logits: The loop's outputs for x, whose loss is replaced.

        Returns:
            A 0-d tensor.
        """
        worst = self.outputs(model, self.attack(model, x, CrossEntropy(y)))
        return _mixed(self, worst, logits, y)


@dataclass(frozen=True, eq=False)
class LogitAdversary(Adversary):
    r"""Adversarial training with the lq-norm loss on the logits, of Theorem 1 of Roth et al.

    .. math:: \frac\lambda r\,\frac1B\sum_b\|f(x_b^*)-f(x_b)\|_q^r

    where :math:`x^*` increases the norm itself. With r = 1 it is :math:`\lambda\epsilon` times the
    (p, q) operator norm in a linear region that holds the ball. Both outputs have gradients. Where
    they agree the value and its gradient are 0.

    Attributes:
        threat: What the adversary may do; its start must not be the point.
        generator: Source of random starts.
        batch_statistics: As in :class:`AdversarialTraining`.
        strength: :math:`\lambda`, at least 0.
        q: The order, at least 1.
        exponent: r, at least 1.
    """

    strength: float = 1.0
    q: float = 2
    exponent: float = 1

    def __post_init__(self) -> None:
        """Check the settings."""
        super().__post_init__()
        check_number("strength", self.strength)
        check_number("exponent", self.exponent, minimum=1)
        LogitNorm(self.q)
        self.refuse_the_point("the norm of the logits' change")

    def penalty(self, model: nn.Module, x: Tensor, y: Tensor, logits: Tensor) -> Tensor:
        """The penalty.

        Args:
            model: The network.
            x: ``[batch, *input]``.
            y: Not used.
            logits: Not used: both outputs are computed in the same mode.

        Returns:
            A 0-d tensor.
        """
        worst = self.attack(model, x, LogitNorm(self.q))
        change = self.outputs(model, worst) - self.outputs(model, x)
        norms = (change * printed_maximiser(change.detach(), self.q)).sum(1)
        return self.strength / self.exponent * norms.pow(self.exponent).mean()


@dataclass(frozen=True, eq=False)
class LogitPairing(Adversary):
    r"""Adversarial logit pairing, ALP (Kannan, Kurakin & Goodfellow 2018).

    .. math:: c\,\mathcal L(x,y)+a\,\mathcal L(x^*,y)
        +\frac\lambda B\sum_b\|f(x_b)-f(x_b^*)\|_2^2

    is the loop's loss with this penalty; the adversary increases the cross-entropy.

    Attributes:
        threat: What the adversary may do.
        generator: Source of random starts.
        batch_statistics: Whether batch norm uses the batch's statistics where it is training.
        strength: :math:`\lambda`, at least 0.
        clean: c, at least 0; half and half by default.
        adversarial: a, at least 0.
    """

    strength: float = 1.0
    clean: float = 0.5
    adversarial: float = 0.5

    def __post_init__(self) -> None:
        """Check the settings."""
        super().__post_init__()
        check_number("strength", self.strength)
        check_number("clean", self.clean)
        check_number("adversarial", self.adversarial)

    def penalty(self, model: nn.Module, x: Tensor, y: Tensor, logits: Tensor) -> Tensor:
        """The penalty.

        Args:
            model: The network.
            x: ``[batch, *input]``.
            y: ``[batch]``.
            logits: The loop's outputs for x, of whose loss a share is replaced.

        Returns:
            A 0-d tensor.
        """
        worst = self.outputs(model, self.attack(model, x, CrossEntropy(y)))
        pairs = (worst - self.outputs(model, x)).square().sum(1).mean()
        return _mixed(self, worst, logits, y) + self.strength * pairs


@dataclass(frozen=True, eq=False)
class Trades(Adversary):
    r"""TRADES (Zhang et al. 2019): the divergence of the outputs at the clean and the worst point.

    .. math:: \beta\,\frac1B\sum_b\mathrm{KL}\big(\mathrm{softmax}f(x_b)\,\big\|\,
        \mathrm{softmax}f(x_b^*)\big)

    with :math:`x^*` increasing the same divergence and gradients through both outputs. From
    log-probabilities on both sides, so value and gradient are finite everywhere, 0 at distance 0.

    Attributes:
        threat: What the adversary may do; its start must not be the point. TRADES starts "near".
        generator: Source of random starts.
        batch_statistics: As in :class:`AdversarialTraining`.
        beta: :math:`\beta`, at least 0 (the paper's :math:`1/\lambda`).
    """

    beta: float = 6.0

    def __post_init__(self) -> None:
        """Check the settings."""
        super().__post_init__()
        check_number("beta", self.beta)
        self.refuse_the_point("the divergence")

    def penalty(self, model: nn.Module, x: Tensor, y: Tensor, logits: Tensor) -> Tensor:
        """The penalty.

        Args:
            model: The network.
            x: ``[batch, *input]``.
            y: Not used.
            logits: Not used: both outputs are computed in the same mode.

        Returns:
            A 0-d tensor.
        """
        loss = SoftmaxDivergence()
        worst = self.outputs(model, self.attack(model, x, loss))
        return self.beta * loss.value(self.outputs(model, x), worst).mean()


def _mixed(
    weights: AdversarialTraining | LogitPairing, worst: Tensor, z: Tensor, y: Tensor
) -> Tensor:
    """Return what is missing from the loop's loss to the weighted sum of both."""
    missing = weights.clean - 1
    return weights.adversarial * F.cross_entropy(worst, y) + missing * F.cross_entropy(z, y)
