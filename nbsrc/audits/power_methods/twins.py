"""Two trainings from the same weights: adversarial training, and operator norm regularisation."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nbsrc.audits.finding import Case as Result
from nbsrc.audits.finding import collect
from nbsrc.audits.power_methods.cases import dense_net
from nbsrc.audits.power_methods.iteration import forward_product, literal_pga, logit_norm
from nbsrc.audits.power_methods.objectives import candidates
from nbsrc.claims import Finding
from nbsrc.linear_region import jacobian, region_radius
from nbsrc.operator_norm import power_method, uniform_in_ball

__all__ = ["Twins", "audit_twins", "train_twins"]


@dataclass(frozen=True)
class Twins:
    """What two trainings did.

    Attributes:
        differences: The largest difference of two weights after each step.
        drift: The largest change of a weight since the start, of the first training.
        moved: Whether the regulariser changed the weights: the largest difference to a training
            without it.
    """

    differences: list[float]
    drift: float
    moved: float


def train_twins(
    p: float,
    q: float,
    *,
    steps: int,
    seed: int,
    size: float = 0.9,
    alpha: float | None = None,
    weight: float = 2.0,
    wrong_weight: float = 1.0,
    exact: bool = False,
    iterations: int = 3,
) -> Twins:
    r"""Train twice with SGD in float64 on the same random examples.

    The first adds :math:`\lambda\|f(x)-f(x^*)\|_q` with x* of the literal attack, the second
    :math:`\lambda\epsilon_i\|J(x)v\|_q` with v of the power method (12), from the same start. The
    derivatives in the weights hold x*, v and :math:`\epsilon_i` fixed.

    Args:
        p: The order of the ball.
        q: The order of the loss.
        steps: SGD steps.
        seed: Seed of weights, examples and starts.
        size: The radius of each example in units of that of its cell.
        alpha: Step size of the attack in units of eps; 2 for p = 1 and infinity and 1e12 for p = 2
            if omitted.
        weight: The weight lambda.
        wrong_weight: Multiplies the weight of the second training, for a control.
        exact: Whether v is the maximiser of (8) instead, for a control with p = 1 or infinity.
        iterations: Iterations of attack and power method.

    Returns:
        The differences.
    """
    g = torch.Generator().manual_seed(seed)
    first = dense_net([4, 12, 8, 3], g)
    second, plain = copy.deepcopy(first), copy.deepcopy(first)
    start = [w.detach().clone() for w in first.parameters()]
    length = (1e12 if p == 2 else 2.0) if alpha is None else alpha
    differences = []
    for _ in range(steps):
        x = torch.randn(8, 4, generator=g, dtype=torch.float64)
        y = (x[:, 0] > 0).long() + (x[:, 1] > 0).long()
        v0 = uniform_in_ball(torch.zeros_like(x), 1.0, p, g)
        _step(first, x, y, weight * _attack_term(first, x, v0, p, q, size, length, iterations))
        norm = _norm_term(second, x, v0, p, q, size, iterations, exact)
        _step(second, x, y, weight * wrong_weight * norm)
        _step(plain, x, y, torch.zeros((), dtype=torch.float64))
        differences.append(_apart(first.parameters(), second.parameters()))
    return Twins(
        differences,
        drift=_apart(first.parameters(), start),
        moved=_apart(first.parameters(), plain.parameters()),
    )


def audit_twins(
    pairs: Iterable[tuple[float, float]], *, steps: int, seed: int, **settings: float
) -> Finding:
    """Test that the two trainings give the same weights.

    Args:
        pairs: The pairs (p, q).
        steps: SGD steps.
        seed: Seed.
        **settings: Passed to :func:`train_twins`.

    Returns:
        The finding; the slack is minus the largest difference in the whole run.

    Raises:
        RuntimeError: If the regulariser did not matter, so that the test would say nothing.
    """

    def results() -> Iterator[Result]:
        for number, (p, q) in enumerate(pairs):
            found = train_twins(p, q, steps=steps, seed=seed, **settings)  # type: ignore[arg-type]
            if found.moved < 1e-5:
                raise RuntimeError(f"the penalty moved no weight by more than {found.moved:.1g}")
            largest = max(found.differences)
            shown = {"p": _word(p), "q": _word(q), "difference": largest}
            yield -largest, (number,), shown

    return collect(results(), tolerance=1e-9, family=f"{steps} SGD steps, 4-12-8-3, float64")


def _attack_term(
    net: nn.Module, x: Tensor, v0: Tensor, p: float, q: float, size: float, alpha: float, count: int
) -> Tensor:
    eps = size * region_radius(net, x, p)
    path = literal_pga(net, x, eps, p, logit_norm(q), alpha * eps, count, eps[:, None] * v0)
    moved = net(x) - net(x + eps[:, None] * path[-1])
    value: Tensor = torch.linalg.vector_norm(moved, q, dim=-1).mean()
    return value


def _norm_term(
    net: nn.Module, x: Tensor, v0: Tensor, p: float, q: float, size: float, count: int, exact: bool
) -> Tensor:
    eps = size * region_radius(net, x, p)
    J = jacobian(net, x)
    if exact:
        corners = candidates(x.shape[1], p)
        v = corners[torch.linalg.vector_norm(J @ corners.T, q, dim=1).argmax(-1)]
    else:
        v = power_method(J, p, q, v0, count, on_zero="keep").v
    tangent = forward_product(net, x, v)
    value: Tensor = (eps * torch.linalg.vector_norm(tangent, q, dim=-1)).mean()
    return value


def _step(net: nn.Module, x: Tensor, y: Tensor, penalty: Tensor, rate: float = 0.1) -> None:
    loss = nn.functional.cross_entropy(net(x), y) + penalty
    weights = list(net.parameters())
    grads = torch.autograd.grad(loss, weights, allow_unused=True)
    with torch.no_grad():
        for w, grad in zip(weights, grads, strict=True):
            if grad is not None:
                w.sub_(rate * grad)


def _apart(one: Iterable[Tensor], two: Iterable[Tensor]) -> float:
    pairs = zip(one, two, strict=True)
    return max(float((a - b).detach().abs().max()) for a, b in pairs)


def _word(order: float) -> str:
    return "inf" if math.isinf(order) else f"{order:g}"
