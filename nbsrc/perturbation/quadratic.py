r"""The smallest perturbation that lifts a quadratic model by a given amount, solved exactly.

.. math:: \min\|r\|\quad\text{s.t.}\quad \nabla^\top r+\tfrac12 r^\top Hr\ge\xi

In l2 this is a trust-region problem read backwards: the best point in a ball of any radius is
:math:`r(\mu)=(\mu I-H)^{-1}\nabla` with :math:`\mu\ge\max(\lambda_1,0)`, so the minimiser is the
root of a decreasing scalar function of :math:`\mu`, or, in the hard case, has a free part in the
leading eigenspace. Indefinite H is allowed. In l1 and linf a convex model is largest in a vertex of
the ball.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from nbsrc.perturbation._arguments import Real, as_real

__all__ = ["LARGEST_BOX", "QuadraticSolution", "minimal_quadratic", "solve_in_eigenbasis"]

#: Largest n for which the 2^n vertices of the linf ball are tried.
LARGEST_BOX = 16

_ROUNDS = 80  # halvings of a logarithmic interval of 650: finer than float64 resolves


@dataclass(frozen=True)
class QuadraticSolution:
    r"""The smallest perturbation that lifts a quadratic model by :math:`\xi`.

    Attributes:
        norm: Its norm, ``[...]``; infinite where no perturbation is enough.
        perturbation: A minimiser, ``[..., n]`` (NaN where the norm is infinite); in the
            hard case, and in l1 and linf, there can be others.
        hard_case: Whether the leading eigenspace of H is needed and orthogonal to the gradient, up
            to rounding, ``[...]``: the minimisers then are at least two. False in l1 and linf.
    """

    norm: Tensor
    perturbation: Tensor
    hard_case: Tensor


def minimal_quadratic(
    gradient: Tensor, hessian: Tensor, xi: Real, ord: float = 2
) -> QuadraticSolution:
    r"""Solve the problem for a dense Hessian.

    Source of the problem: Guo et al., Section 3.1 before Lemma 3.1 (l2) and before Proposition 3.2
    (linf).

    Args:
        gradient: ``[..., n]``.
        hessian: Symmetric, ``[..., n, n]``; positive semidefinite for l1 and linf.
        xi: How much the model must rise, at least 0, ``[...]``.
        ord: 1, 2 or ``math.inf``, the norm that is minimised.

    Returns:
        The norm and a minimiser. No gradients flow through it.

    Raises:
        NotImplementedError: If ``ord`` is infinite and n is above :data:`LARGEST_BOX`, or H is not
            positive semidefinite in l1 or linf.
        TypeError: If an argument has the wrong type.
        ValueError: If shapes disagree, H is not symmetric, ``xi`` negative or ``ord`` another one.

    Example:
        >>> H = torch.diag(torch.tensor([2.0, 0.0], dtype=torch.float64))
        >>> found = minimal_quadratic(torch.zeros(2, dtype=torch.float64), H, 1.0)
        >>> float(found.norm), bool(found.hard_case)
        (1.0, True)
    """
    slack = as_real("xi", xi, minimum=0.0).detach()
    _check_model(gradient, hessian)
    gradient, hessian = gradient.detach(), hessian.detach()
    if ord == 2:
        values, vectors = torch.linalg.eigh(hessian)
        coefficients = (vectors.mT @ gradient.unsqueeze(-1)).squeeze(-1)
        found = solve_in_eigenbasis(coefficients, values, slack.to(values.dtype))
        step = (vectors @ found.perturbation.unsqueeze(-1)).squeeze(-1)
        return QuadraticSolution(found.norm, step, found.hard_case)
    if ord not in {1, math.inf}:
        raise ValueError(f"ord must be 1, 2 or inf, got {ord!r}")
    values = torch.linalg.eigvalsh(hessian)
    if bool((values[..., 0] < -1e-10 * values.abs().amax(-1)).any()):
        raise NotImplementedError(
            f"ord={ord} needs a positive semidefinite Hessian (its maximum over a ball is then in "
            f"a vertex), got the eigenvalue {values.min().item():g}"
        )
    vertices = _vertices(gradient.shape[-1], ord, gradient)
    slopes = gradient @ vertices.mT
    bends = ((vertices @ hessian) * vertices).sum(-1).clamp_min(0)
    return best_vertex(slopes, bends, slack.unsqueeze(-1), vertices)


def solve_in_eigenbasis(g: Tensor, eigenvalues: Tensor, xi: Tensor) -> QuadraticSolution:
    r"""Solve the l2 problem in coordinates in which H is diagonal.

    With :math:`\mu=\max(\lambda_1,0)+\delta` the model at :math:`r(\mu)` is
    :math:`\sum_ig_i^2(\mu-\lambda_i/2)/(\mu-\lambda_i)^2`, a sum of positive terms that decrease
    in :math:`\delta`; its root is bracketed from above by Lemma 3.1's lower bound and found by
    bisection of :math:`\log\delta`.

    Args:
        g: Coefficients of the gradient, ``[..., m]``.
        eigenvalues: ``[..., m]``, in any order and of any sign.
        xi: How much the model must rise, at least 0, broadcast against ``[...]``.

    Returns:
        The solution; its perturbation is in the same coordinates.
    """
    g, eigenvalues = torch.broadcast_tensors(g, eigenvalues)
    base, first = eigenvalues.max(dim=-1)
    base = base.clamp_min(0)
    xi = xi.expand(base.shape)
    gaps = base.unsqueeze(-1) - eigenvalues

    def lift(delta: Tensor) -> tuple[Tensor, Tensor]:
        below = delta.unsqueeze(-1) + gaps
        step = g / below
        return (step * g + step**2 * eigenvalues / 2).sum(-1), step

    G2 = (g**2).sum(-1)
    top = (G2 + torch.sqrt(G2**2 + 2 * xi * G2 * base)) / (2 * xi)
    high = torch.where((top > 0) & torch.isfinite(top), top, torch.ones_like(top)).log()
    low = (high - 650).clamp_min(-650)
    too_little = lift(low.exp())[0] < xi
    for _ in range(_ROUNDS):
        middle = (low + high) / 2
        enough = lift(middle.exp())[0] >= xi
        low, high = torch.where(enough, middle, low), torch.where(enough, high, middle)
    delta = torch.where(too_little, torch.full_like(low, -650), (low + high) / 2).exp()
    value, step = lift(delta)
    missing = torch.sqrt((2 * (xi - value) / base).clamp_min(0))  # inf where base is 0
    extra = torch.where(too_little, missing, torch.zeros_like(missing)).unsqueeze(-1)
    # Away from 0: adding to the entry of the leading eigenvector in its own direction.
    unit = torch.nn.functional.one_hot(first, g.shape[-1]).to(g.dtype)
    step = step + torch.where(unit > 0, extra * torch.where(step < 0, -unit, unit), 0.0)
    solved = xi > 0
    step = torch.where(solved.unsqueeze(-1), step, torch.zeros_like(step))
    norm = torch.linalg.vector_norm(step, dim=-1)
    step = torch.where(torch.isfinite(norm).unsqueeze(-1), step, torch.full_like(step, math.nan))
    # Below the rounding of the eigenvalue, delta is fixed by rounding errors of g, not by g.
    hard = delta <= 8 * torch.finfo(g.dtype).eps * base
    return QuadraticSolution(norm, step, hard & solved & torch.isfinite(norm))


def best_vertex(slopes: Tensor, bends: Tensor, xi: Tensor, vertices: Tensor) -> QuadraticSolution:
    r"""Solve the problem along each vertex direction of a ball, and take the shortest.

    The root of :math:`a\rho+b\rho^2/2=\xi` is :math:`2\xi/(a+\sqrt{a^2+2b\xi})` for
    :math:`a\ge0`; the opposite vertex has the slope -a and a larger root, so a < 0 is never best.

    Args:
        slopes: a, ``[..., directions]``.
        bends: b, at least 0, ``[..., directions]``.
        xi: ``[..., 1]``.
        vertices: ``[directions, n]``, for each direction also its opposite.

    Returns:
        The solution.
    """
    below = slopes + torch.sqrt(slopes**2 + 2 * bends * xi)
    reach = torch.where(slopes >= 0, 2 * xi / below, torch.full_like(below, math.inf))
    reach = torch.where(xi > 0, reach, torch.zeros_like(reach))
    norm, index = reach.min(dim=-1)
    step = torch.where(
        torch.isfinite(norm).unsqueeze(-1), norm.unsqueeze(-1) * vertices[index], math.nan
    )
    return QuadraticSolution(norm, step, torch.zeros_like(norm, dtype=torch.bool))


def _vertices(n: int, ord: float, like: Tensor) -> Tensor:
    """Return the vertices of the l1 or linf unit ball, ``[directions, n]``."""
    if ord == 1:
        eye = torch.eye(n, dtype=like.dtype, device=like.device)
        return torch.cat([eye, -eye])
    if n > LARGEST_BOX:
        raise NotImplementedError(
            f"ord=inf tries all 2^n vertices of the box and is limited to n <= {LARGEST_BOX}, "
            f"got n = {n}"
        )
    bits = torch.arange(2**n, device=like.device).unsqueeze(-1) >> torch.arange(
        n, device=like.device
    )
    return (bits % 2 * 2 - 1).to(like.dtype)


def _check_model(gradient: Tensor, hessian: Tensor) -> None:
    """Refuse what is no gradient ``[..., n]`` with a symmetric Hessian ``[..., n, n]``."""
    for name, value in (("gradient", gradient), ("hessian", hessian)):
        if not isinstance(value, Tensor):
            raise TypeError(f"{name} must be a torch.Tensor, got {type(value).__name__}")
        if not bool(torch.isfinite(value).all()):
            raise ValueError(f"{name} must be finite, got {value[~torch.isfinite(value)][0]}")
    n = gradient.shape[-1] if gradient.ndim else 0
    if n < 1 or tuple(hessian.shape[-2:]) != (n, n):
        raise ValueError(
            "gradient [..., n] and hessian [..., n, n] must have the same n >= 1, got shapes "
            f"{tuple(gradient.shape)} and {tuple(hessian.shape)}"
        )
    asymmetry = float((hessian - hessian.mT).abs().max())
    if asymmetry > 1e-8 * float(hessian.abs().max()):
        raise ValueError(f"hessian must be symmetric, got an asymmetry of {asymmetry:g}")
