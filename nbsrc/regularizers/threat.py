"""The adversary of adversarial training: gradient ascent in an lp ball, and in a box."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nbsrc.operator_norm import AttackLoss, holder_conjugate, project_ball, uniform_in_ball
from nbsrc.operator_norm.duality import printed_maximiser
from nbsrc.regularizers._arguments import check_count, check_generator, check_number, check_word
from nbsrc.regularizers._evaluation import checked_logits, evaluating, leaf

__all__ = ["SoftmaxDivergence", "Threat", "adversarial_points"]

_STARTS = ("point", "ball", "near")
_NEAR = 1e-3  # the standard deviation of TRADES' start


@dataclass(frozen=True)
class Threat:
    r"""What the adversary may do.

    .. math:: x_k = \Pi(x_{k-1}+\alpha v_k), \qquad v_k = \arg\max_{\|v\|_p\le1} v^\top\nabla_x\ell

    Equations (15)-(18) of Roth, Kilcher & Hofmann (2020); an infinite step is (47),
    :math:`x+\epsilon v_k`. One infinite step from the point for p = inf is FGSM.

    Attributes:
        eps: Radius of the ball, at least 0.
        p: 1, 2 or ``math.inf``.
        alpha: Step size, greater than 0; infinity by default.
        steps: Number of steps.
        start: ``"point"`` itself, uniform in the ``"ball"``, or ``"near"``: the point plus normal
            noise of deviation 0.001, projected onto the ball (TRADES).
        bounds: Smallest and largest allowed entry of an input, to which each iterate is clipped.
            The inputs must lie between them: then clipping never leaves the ball.
    """

    eps: float
    p: float = math.inf
    alpha: float = math.inf
    steps: int = 1
    start: str = "point"
    bounds: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        """Check the settings.

        Raises:
            ValueError: If a setting is out of range.
        """
        check_number("eps", self.eps)
        check_word("p", self.p, (1, 2, math.inf))
        if self.alpha != math.inf:
            check_number("alpha", self.alpha, strict=True)
        check_count("steps", self.steps)
        check_word("start", self.start, _STARTS)
        if self.bounds is not None and not self.bounds[0] < self.bounds[1]:
            raise ValueError(f"bounds must be two increasing numbers, got {self.bounds}")


@dataclass(frozen=True)
class SoftmaxDivergence:
    r"""The loss :math:`\mathrm{KL}(\mathrm{softmax}(z)\,\|\,\mathrm{softmax}(z'))` of TRADES.

    z are the clean logits. Between log-probabilities, so that nothing is infinite where a
    probability underflows; it is 0, with gradient 0, where the logits agree.

    Example:
        >>> z = torch.tensor([[1000.0, 0.0]])
        >>> SoftmaxDivergence().value(z, z).tolist(), SoftmaxDivergence().value(z, -z).tolist()
        ([0.0], [1000.0])
    """

    def value(self, clean: Tensor, logits: Tensor) -> Tensor:
        """The divergence.

        Args:
            clean: ``[batch, K]``.
            logits: ``[batch, K]``.

        Returns:
            ``[batch]``.
        """
        p, other = clean.log_softmax(-1), logits.log_softmax(-1)
        return (p.exp() * (p - other)).sum(-1)

    def gradient(self, clean: Tensor, logits: Tensor) -> Tensor:
        """Its gradient with respect to ``logits``: the difference of the probabilities.

        Args:
            clean: ``[batch, K]``.
            logits: ``[batch, K]``.

        Returns:
            ``[batch, K]``.
        """
        return logits.softmax(-1) - clean.softmax(-1)

    def direction(self, clean: Tensor, logits: Tensor) -> Tensor:
        """The gradient.

        Args:
            clean: ``[batch, K]``.
            logits: ``[batch, K]``.

        Returns:
            ``[batch, K]``.
        """
        return self.gradient(clean, logits)


def adversarial_points(
    model: nn.Module,
    x: Tensor,
    loss: AttackLoss,
    threat: Threat,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Run the adversary against the network in eval mode; the model is left as it was.

    A point whose gradient is 0 or not finite stays where it is.

    Args:
        model: The network.
        x: ``[batch, *input]``, float32 or float64.
        loss: What to increase.
        threat: What is allowed.
        generator: Source of random starts.

    Returns:
        The last iterates, of the shape of x, without a graph.

    Raises:
        TypeError: If a random start has no generator.
        ValueError: If x is not between the bounds.
    """
    points = x.detach()
    if threat.bounds is not None and not bool(
        ((points >= threat.bounds[0]) & (points <= threat.bounds[1])).all()
    ):
        raise ValueError(
            f"x must lie between the bounds {threat.bounds}, got entries from "
            f"{points.min().item():g} to {points.max().item():g}"
        )
    center = points.flatten(1)
    now = _start(points, threat, generator)
    with evaluating(model), torch.enable_grad():
        with torch.no_grad():
            clean = checked_logits(model(points), points)
        for _ in range(threat.steps):
            inputs = leaf(now.reshape(points.shape))
            logits = checked_logits(model(inputs), points)
            u = loss.direction(clean, logits.detach())
            (slope,) = torch.autograd.grad(logits, inputs, u, materialize_grads=True)
            now = _step(now, center, slope.flatten(1), threat)
    return now.reshape(points.shape)


def _start(points: Tensor, threat: Threat, generator: torch.Generator | None) -> Tensor:
    """Return the first iterate, ``[batch, n]``."""
    if threat.start == "point":
        return points.flatten(1)
    source = check_generator("generator", generator)
    if threat.start == "ball":
        moved = uniform_in_ball(points, threat.eps, threat.p, source).flatten(1)
    else:
        drawn = torch.randn(
            points.shape, generator=source, dtype=points.dtype, device=source.device
        )
        center = points.flatten(1)
        noisy = center + _NEAR * drawn.to(points).flatten(1)
        moved = project_ball(noisy, center, threat.eps, threat.p)
    return moved if threat.bounds is None else moved.clamp(*threat.bounds)


def _step(now: Tensor, center: Tensor, slope: Tensor, threat: Threat) -> Tensor:
    """Return the next iterate, ``[batch, n]``."""
    still = (slope == 0).all(1, keepdim=True) | ~torch.isfinite(slope).all(1, keepdim=True)
    v = printed_maximiser(torch.where(still, 0, slope), holder_conjugate(threat.p))
    if threat.alpha == math.inf:
        moved = center + threat.eps * v
    else:
        moved = project_ball(now + threat.alpha * v, center, threat.eps, threat.p)
    if threat.bounds is not None:
        moved = moved.clamp(*threat.bounds)
    return torch.where(still, now, moved)
