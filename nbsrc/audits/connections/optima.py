"""The exact optimum of the Taylor problem: the secular equation for l2, vertices for linf."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from scipy.optimize import brentq
from torch import Tensor

from nbsrc.audits.connections.points import Point

__all__ = ["linf_optimum", "lower_bound", "quadratic_optimum", "taylor_optimum"]


def lower_bound(slope: float, curvature: float, xi: float) -> float:
    r"""Return Lemma 3.1's lower bound without cancellation.

    .. math:: \frac{2\xi}{G + \sqrt{G^2 + 2h\xi}} = \frac{G}{h}\Big(\sqrt{1+2h\xi/G^2}-1\Big)

    Args:
        slope: G, the length of the gradient or a bound of it.
        curvature: h, the norm of the Hessian or a bound of it.
        xi: The threshold minus the loss, at least 0.

    Returns:
        The bound; infinite where G and h are 0 and xi is not.

    Example:
        >>> lower_bound(1.0, 0.0, 3.0)
        3.0
    """
    if xi <= 0:
        return 0.0
    below = slope + math.sqrt(slope**2 + 2 * curvature * xi)
    return 2 * xi / below if below else math.inf


def quadratic_optimum(gradient: Tensor, hessian: Tensor, xi: float) -> Tensor:
    r"""Return a shortest r with ``g.r + r^T H r / 2 >= xi`` for a positive semidefinite H.

    The optimum is :math:`r = (\mu I - H)^{-1}g` with :math:`\mu > \|H\|_2` from a scalar equation,
    or, in the hard case (g has no part in the leading eigenspace), that part filled up.

    Args:
        gradient: g, shape ``[n]``.
        hessian: H, shape ``[n, n]``.
        xi: The level; at most 0 gives ``r = 0``.

    Returns:
        Shape ``[n]``; infinite entries where no r reaches the level.
    """
    if xi <= 0:
        return torch.zeros_like(gradient)
    values, vectors = torch.linalg.eigh(hessian)
    # Eigenvalues that are zero but for rounding would pretend to reach any level far away.
    values = torch.where(values > 1e-15 * values[-1].abs(), values, 0.0)
    parts, top = vectors.T @ gradient, float(values[-1])
    if top == 0 and not gradient.any():
        return torch.full_like(gradient, math.inf)
    gaps = top - values
    leading = gaps <= 1e-13 * top

    def surplus(excess: float) -> float:
        r = parts / (gaps + excess)
        return float(parts @ r + (values * r.square()).sum() / 2) - xi

    if float(parts[leading].norm()) <= 1e-14 * float(parts.norm()):
        r = torch.where(leading, 0.0, parts / torch.where(leading, 1.0, gaps))
        missing = xi - float(parts @ r + (values * r.square()).sum() / 2)
        if missing >= 0:
            r[-1] = math.sqrt(2 * missing / top)
            return torch.mv(vectors, r)
    high = float(parts.norm()) ** 2 / xi + top + 1e-300
    while surplus(high) > 0:
        high *= 4
    low = high
    while surplus(low) < 0:
        low /= 4
    root = brentq(lambda s: surplus(math.exp(s)), math.log(low), math.log(high), xtol=1e-14)
    return torch.mv(vectors, parts / (gaps + math.exp(root)))


@lru_cache(maxsize=10_000)  # several audits ask for the same points
def taylor_optimum(x: Point) -> float:
    """Return ``|r*|_2`` of the K-class Taylor problem with threshold log K.

    Args:
        x: The point.

    Returns:
        The length; 0 where the loss is at the threshold already.
    """
    return float(quadratic_optimum(x.gradient, x.hessian, x.xi).norm())


@lru_cache(maxsize=10_000)
def linf_optimum(x: Point) -> float:
    """Return the linf norm of the Taylor problem's linf optimum, for few inputs.

    A convex function has its maximum over a box at a vertex, so the smallest box that reaches the
    level is the smallest one over the ``2^n`` vertex directions, each a quadratic equation.

    Args:
        x: The point, at most ten inputs.

    Returns:
        The norm; 0 where the loss is at the threshold already, infinite where it cannot reach it.

    Raises:
        NotImplementedError: If there are more than ten inputs.
    """
    n = x.V.shape[0]
    if n > 10:
        raise NotImplementedError(f"vertex enumeration is for n <= 10 inputs, got {n}")
    if x.xi <= 0:
        return 0.0
    signs = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0], dtype=torch.float64)] * n)
    signs = signs.reshape(-1, n)
    first = signs @ x.gradient
    second = ((signs @ x.hessian) * signs).sum(1).clamp_min(0)
    below = first + (first.square() + 2 * second * x.xi).sqrt()
    largest = float(below.max())
    return 2 * x.xi / largest if largest > 0 else math.inf
