"""How far a network is from linear in a ball: the recursive bound of row B.x5."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nbsrc.audits.finding import Case as Result
from nbsrc.audits.finding import collect
from nbsrc.audits.power_methods.cases import Case
from nbsrc.audits.power_methods.objectives import candidates
from nbsrc.claims import Finding
from nbsrc.linear_region import jacobian
from nbsrc.operator_norm import exact_operator_norm, holder_conjugate, uniform_in_ball

__all__ = [
    "Linearised",
    "audit_bound",
    "audit_exact_gap",
    "ball_points",
    "exact_deviation_1d",
    "exact_maximum_1d",
    "linearised",
    "remainder",
]


@dataclass(frozen=True, eq=False)
class Linearised:
    """A fully connected ReLU network around a point.

    Attributes:
        weights: The weight matrices.
        z: Pre-activations of the hidden layers at the point.
        G: Their Jacobians with the point's own masks.
    """

    weights: list[Tensor]
    z: list[Tensor]
    G: list[Tensor]


def linearised(net: nn.Module, x: Tensor) -> Linearised:
    """Read a fully connected ReLU network and linearise it.

    Args:
        net: A sequence of linear layers and ReLUs, the last layer linear.
        x: ``[1, n]``.

    Returns:
        The pieces; masks are 1 where the pre-activation is at least 0, as printed.

    Raises:
        TypeError: If the network is anything else: convolutions, skip connections.
    """
    modules = list(net) if isinstance(net, nn.Sequential) else [net]
    kinds = [nn.ReLU if number % 2 else nn.Linear for number in range(len(modules))]
    if len(modules) % 2 == 0 or not all(map(isinstance, modules, kinds)):
        raise TypeError("the network must be Linear, ReLU, ..., Linear in one nn.Sequential")
    layers = [m for m in modules if isinstance(m, nn.Linear)]
    weights = [m.weight.detach() for m in layers]
    z, G = [], []
    value, J = x[0], torch.eye(x.shape[1], dtype=x.dtype)
    for layer in layers[:-1]:
        bias = 0 if layer.bias is None else layer.bias.detach()
        z.append(layer.weight.detach() @ value + bias)
        G.append(layer.weight.detach() @ J)
        mask = (z[-1] >= 0).to(x.dtype)
        value, J = mask * z[-1], mask[:, None] * G[-1]
    return Linearised(weights, z, G)


def remainder(around: Linearised, eps: float, p: float, *, sharp: bool = False) -> Tensor:
    r"""Return the bound ``|W_L| e_{L-1}`` of the deviation from linearity, entry by entry.

    For :math:`\|\delta\|_p\le\epsilon`, :math:`|f(x+\delta)-f(x)-J\delta|` is at most this.

    Args:
        around: The linearised network.
        eps: The radius.
        p: The order of the ball.
        sharp: For active units ``max(|W| e, (eps ||G|| - |z|)_+)`` instead of the sum in the row.

    Returns:
        ``[d]``.
    """
    e = torch.zeros(around.weights[0].shape[1], dtype=torch.float64)
    for W, z, G in zip(around.weights, around.z, around.G, strict=False):
        reach = eps * torch.linalg.vector_norm(G, holder_conjugate(p), dim=-1) - z.abs()
        carried = W.abs() @ e
        active = z >= 0
        crossing = (reach + carried).clamp(min=0)
        if sharp:
            e = torch.where(active, torch.maximum(carried, reach.clamp(min=0)), crossing)
        else:
            e = crossing + active * carried
    return around.weights[-1].abs() @ e


def ball_points(n: int, p: float, J: Tensor, seed: int, count: int = 100) -> Tensor:
    """Return points of the unit ball: inside, on the sphere, and those that are extreme for J.

    Args:
        n: Inputs.
        p: The order.
        J: The Jacobian.
        seed: Seed.
        count: Random points inside.

    Returns:
        ``[points, n]``.
    """
    g = torch.Generator().manual_seed(seed)
    inside = uniform_in_ball(torch.zeros(count, n, dtype=torch.float64), 1.0, p, g)
    sphere = inside / torch.linalg.vector_norm(inside, p, dim=-1, keepdim=True)
    extreme = candidates(n, p, J)[:200]
    return torch.cat([inside, sphere, extreme, -extreme])


def audit_bound(
    cases: Iterable[Case],
    p: float,
    q: float,
    sizes: Iterable[float],
    *,
    sharp: bool = False,
    share: float = 1.0,
) -> Finding:
    """Test the bound: deviations and attack values at points of the ball stay below it.

    Args:
        cases: Fully connected cases.
        p: The order of the ball.
        q: The order of the loss.
        sizes: Radii in units of the cell's.
        sharp: Whether the sharper recursion is tested.
        share: The bound is multiplied by this, for a control.

    Returns:
        The finding; the slack is in units of ``eps ||J||``.
    """
    sizes = list(sizes)

    def results() -> Iterator[Result]:
        for number, case in enumerate(cases):
            around = linearised(case.net, case.x)
            norm = float(exact_operator_norm(case.J, p, q))
            v = ball_points(case.x.numel(), p, case.J, number)
            for size in sizes:
                eps = size * case.radius(p) / 0.9
                limit = torch.linalg.vector_norm(remainder(around, eps, p, sharp=sharp), q)
                with torch.no_grad():
                    moved = case.net(case.x + eps * v) - case.net(case.x)
                apart = torch.linalg.vector_norm(moved - eps * v @ case.J.T, q, dim=-1).amax()
                value = torch.linalg.vector_norm(moved, q, dim=-1).amax() - eps * norm
                slack = float(share * limit - torch.maximum(apart, value)) / (eps * norm)
                shown = {**case.description, "eps / radius": size, "bound": float(limit)}
                yield slack, (*case.size, number), {**shown, "deviation": float(apart)}

    return collect(results(), tolerance=1e-9, family=f"p = {p:g}, q = {q:g}; eps/r in {sizes}")


def exact_maximum_1d(net: nn.Module, x: Tensor, eps: float, q: float) -> float:
    """Return ``max ||f(x*) - f(x)||_q`` over an interval, from all kinks of a two-layer network.

    Args:
        net: Linear, ReLU, linear, with one input.
        x: ``[1, 1]``.
        eps: Half the interval.
        q: The order.

    Returns:
        The maximum: the loss is convex between kinks.
    """
    moved = _at_kinks(net, x, eps)[1]
    return float(torch.linalg.vector_norm(moved, q, dim=-1).amax())


def exact_deviation_1d(net: nn.Module, x: Tensor, eps: float, q: float) -> float:
    """Return ``max ||f(x + z) - f(x) - J z||_q`` over an interval, from all kinks.

    Args:
        net: Linear, ReLU, linear, with one input.
        x: ``[1, 1]``.
        eps: Half the interval.
        q: The order.

    Returns:
        The maximum.
    """
    z, moved = _at_kinks(net, x, eps)
    apart = moved - z @ jacobian(net, x)[0].flatten(1).T
    return float(torch.linalg.vector_norm(apart, q, dim=-1).amax())


def _at_kinks(net: nn.Module, x: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    first = next(m for m in net.modules() if isinstance(m, nn.Linear))
    assert first.bias is not None
    kinks = (-first.bias / first.weight[:, 0]).detach() - x[0, 0]
    z = torch.cat([kinks.new_tensor([-eps, eps]), kinks[kinks.abs() <= eps]])[:, None]
    with torch.no_grad():
        return z, net(x + z) - net(x)


def audit_exact_gap(
    cases: Iterable[Case], q: float, sizes: Iterable[float], *, share: float = 1.0
) -> Finding:
    """Test ``|max - eps ||J||| <= bound`` with the exact maximum, on the line.

    Args:
        cases: Two-layer networks with one input.
        q: The order.
        sizes: Radii in units of the cell's.
        share: The bound is multiplied by this, for a control.

    Returns:
        The finding; the slack is in units of ``eps ||J||``.
    """
    sizes = list(sizes)

    def results() -> Iterator[Result]:
        for case in cases:
            around = linearised(case.net, case.x)
            norm = float(torch.linalg.vector_norm(case.J, q))
            for size in sizes:
                eps = size * case.radius(math.inf) / 0.9
                gap = abs(exact_maximum_1d(case.net, case.x, eps, q) - eps * norm)
                limit = float(torch.linalg.vector_norm(remainder(around, eps, 2.0), q))
                shown = {**case.description, "eps / radius": size, "gap": gap, "bound": limit}
                yield (share * limit - gap) / (eps * norm), case.size, shown

    return collect(results(), tolerance=1e-9, family=f"two layers, one input, q = {q:g}")
