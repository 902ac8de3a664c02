"""Equation (15) taken literally: autograd, an exact projection, a finite step."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from nbsrc.operator_norm import dual_vector, project_ball

__all__ = [
    "Loss",
    "Project",
    "Step",
    "enough",
    "forward_product",
    "input_gradient",
    "label_loss",
    "literal_pga",
    "logit_norm",
    "raw_step",
    "steepest",
]

#: (clean logits, logits) to a loss per example.
Loss = Callable[[Tensor, Tensor], Tensor]
#: (gradient, p) to the direction of the step.
Step = Callable[[Tensor, float], Tensor]
#: (points, centres, radius, p) to the nearest points of the ball.
Project = Callable[[Tensor, Tensor, Tensor, float], Tensor]


def logit_norm(q: float) -> Loss:
    """Return the loss of Theorem 1, ``||f(x) - f(x*)||_q``, with torch's own norm.

    Args:
        q: The order.

    Returns:
        The loss.
    """

    def loss(clean: Tensor, logits: Tensor) -> Tensor:
        value: Tensor = torch.linalg.vector_norm(clean - logits, q, dim=-1)
        return value

    return loss


def label_loss(y: Tensor) -> Loss:
    """Return the cross-entropy of the perturbed input.

    Args:
        y: Labels ``[batch]``, or ``[1]`` for all.

    Returns:
        The loss.
    """

    def loss(clean: Tensor, logits: Tensor) -> Tensor:
        return nn.functional.cross_entropy(logits, y.expand(len(logits)), reduction="none")

    return loss


def steepest(gradient: Tensor, p: float) -> Tensor:
    """Return the step of equation (17); 0 where the gradient is 0.

    Args:
        gradient: ``[batch, n]``.
        p: The order.

    Returns:
        ``[batch, n]``.
    """
    still = (gradient == 0).all(-1, keepdim=True)
    found = dual_vector(torch.where(still, torch.ones_like(gradient), gradient), p)
    return torch.where(still, torch.zeros_like(gradient), found)


def raw_step(gradient: Tensor, p: float) -> Tensor:
    """Return the gradient itself, whatever p is.

    Args:
        gradient: ``[batch, n]``.
        p: Not used.

    Returns:
        The gradient.
    """
    return gradient


def input_gradient(net: nn.Module, clean: Tensor, points: Tensor, loss: Loss) -> Tensor:
    """Return the gradient of the loss with respect to the points, by autograd.

    Args:
        net: The network.
        clean: Logits of the clean inputs, ``[batch, d]``.
        points: ``[batch, *input]``.
        loss: The loss.

    Returns:
        ``[batch, n]``.
    """
    points = points.detach().requires_grad_()
    total = loss(clean, net(points).flatten(1)).sum()
    return torch.autograd.grad(total, points)[0].flatten(1)


def forward_product(net: nn.Module, x: Tensor, v: Tensor) -> Tensor:
    """Return ``J(x) v``, differentiable in the weights: the derivative of ``J^T u`` in u.

    Args:
        net: The network.
        x: ``[batch, *input]``.
        v: ``[batch, *input]``.

    Returns:
        ``[batch, d]``.
    """
    x = x.detach().requires_grad_()
    y = net(x).flatten(1)
    u = torch.zeros_like(y, requires_grad=True)
    back = torch.autograd.grad(y, x, u, create_graph=True)[0]
    return torch.autograd.grad(back, u, v, create_graph=True)[0]


def literal_pga(
    net: nn.Module,
    x: Tensor,
    eps: Tensor,
    p: float,
    loss: Loss,
    alpha: Tensor,
    steps: int,
    offsets: Tensor,
    *,
    step: Step = steepest,
    project: Project = project_ball,
) -> Tensor:
    """Run projected gradient ascent, equation (15).

    Args:
        net: The network.
        x: The clean points, ``[batch, *input]``.
        eps: Radii ``[batch]``.
        p: The order of the ball.
        loss: What to increase.
        alpha: Step sizes ``[batch]``.
        steps: Number of iterations.
        offsets: ``x_0 - x``, ``[batch, n]``.
        step: The direction of the step.
        project: The projection onto the ball.

    Returns:
        ``(x_k - x) / eps`` for k = 0 to steps, ``[steps + 1, batch, n]``.
    """
    center = x.flatten(1)
    now = center + offsets
    with torch.no_grad():
        clean = net(x).flatten(1)
    found = [now]
    for _ in range(steps):
        gradient = input_gradient(net, clean, now.reshape(x.shape), loss)
        now = project(now + alpha[:, None] * step(gradient, p), center, eps, p)
        found.append(now)
    return (torch.stack(found) - center) / eps[:, None]


def enough(p: float, n: int) -> float:
    """Return a step, in units of eps, from which on the step's size does not matter.

    ``2 n`` for p = 1 (``max(2, n)`` would do, 2 if the gradient has no tie), 2 for p = inf.
    For p = 2 every finite step leaves an error of the order ``eps / alpha``: 1e8 is returned.

    Args:
        p: 1, 2 or infinity.
        n: Inputs.

    Returns:
        The step.
    """
    return {1.0: 2.0 * n, 2.0: 1e8}.get(p, 2.0)
