"""Brute force for operator norms and projections, and small families of matrices and networks."""

from __future__ import annotations

import math
from itertools import pairwise, product

import numpy as np
import torch
from scipy.optimize import minimize
from torch import Tensor, nn

ORDERS = (1, 2, math.inf)
PAIRS = [(p, q) for p in ORDERS for q in ORDERS]
HARD = [(math.inf, 1), (math.inf, 2), (2, 1)]


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def gaussian(*shape: int, seed: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(shape, generator=generator(seed), dtype=dtype)


def integers(*shape: int, seed: int, most: int = 2) -> Tensor:
    """Small integers: ties and zeros are common."""
    drawn = torch.randint(-most, most + 1, shape, generator=generator(seed))
    return drawn.double()


def corners(n: int) -> Tensor:
    return torch.tensor(list(product((1.0, -1.0), repeat=n)), dtype=torch.float64)


def brute_force_norm(J: Tensor, p: float, q: float) -> float:
    """The norm without Table 1: corners of the domain's ball or of the co-domain's dual ball."""
    d, n = J.shape
    if p in {1, math.inf}:  # a convex function is maximal at a corner of the ball
        points = torch.cat([torch.eye(n), -torch.eye(n)]).double() if p == 1 else corners(n)
        return max(float(np.linalg.norm((J @ v).numpy(), q)) for v in points)
    if q == 2:
        return float(np.linalg.svd(J.numpy(), compute_uv=False)[0])
    # ||Jv||_q is the maximum of u^T J v over the corners u of the dual ball
    duals = corners(d) if q == 1 else torch.eye(d, dtype=torch.float64)
    return max(float(np.linalg.norm((J.T @ u).numpy(), 2)) for u in duals)


def numerical_projection(x: Tensor, eps: float, p: float) -> Tensor:
    """The projection onto the ball around 0 by a general constrained solver."""
    n, goal = len(x), x.numpy()
    if p == 2:
        constraint = {"type": "ineq", "fun": lambda y: eps**2 - y @ y, "jac": lambda y: -2 * y}
        found = minimize(
            lambda y: ((y - goal) ** 2).sum(), np.zeros(n), jac=lambda y: 2 * (y - goal),
            constraints=[constraint], method="SLSQP", options={"ftol": 1e-15, "maxiter": 500},
        )  # fmt: skip
        return torch.from_numpy(found.x)
    if p == math.inf:
        found = minimize(
            lambda y: ((y - goal) ** 2).sum(), np.zeros(n), jac=lambda y: 2 * (y - goal),
            bounds=[(-eps, eps)] * n, method="L-BFGS-B", options={"ftol": 1e-16, "gtol": 1e-12},
        )  # fmt: skip
        return torch.from_numpy(found.x)
    # p = 1: y = a - b with a, b >= 0 and sum(a + b) <= eps
    rows = {"type": "ineq", "fun": lambda z: eps - z.sum(), "jac": lambda z: -np.ones(2 * n)}

    def distance(z: np.ndarray) -> float:
        return float(((z[:n] - z[n:] - goal) ** 2).sum() + 1e-12 * (z**2).sum())

    def slope(z: np.ndarray) -> np.ndarray:
        gap = 2 * (z[:n] - z[n:] - goal)
        return np.concatenate([gap, -gap]) + 2e-12 * z

    found = minimize(
        distance, np.zeros(2 * n), jac=slope, bounds=[(0, None)] * (2 * n), constraints=[rows],
        method="SLSQP", options={"ftol": 1e-15, "maxiter": 500},
    )  # fmt: skip
    return torch.from_numpy(found.x[:n] - found.x[n:])


def mlp(widths: tuple[int, ...], seed: int, dtype: torch.dtype = torch.float64) -> nn.Sequential:
    source = generator(seed)
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layer = nn.Linear(before, after, dtype=dtype)
        for entry in layer.parameters():
            entry.data.normal_(generator=source).div_(before**0.5)
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers[:-1]).eval()


def linear_net(J: Tensor) -> nn.Linear:
    """f(x) = Jx."""
    net = nn.Linear(J.shape[1], J.shape[0], bias=False, dtype=J.dtype)
    net.weight.data.copy_(J)
    return net
