"""Equations (10) and (11): the gradient of the norm, and the forward and the backward pass."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.operator_norms.matrices import MatrixCase
from nbsrc.claims import Finding
from nbsrc.operator_norm import norm_gradient, power_method, project_sphere

__all__ = [
    "audit_gradient",
    "audit_norm_subgradient",
    "audit_two_forms",
    "differentiable",
    "printed_direction",
    "printed_gradient",
]


def printed_direction(u: Tensor, q: float) -> Tensor:
    r"""Return :math:`\mathrm{sign}(u)\odot|u|^{q-1}/\|u\|_q^{q-1}`, evaluated as it stands.

    Args:
        u: ``[d]``, not zero.
        q: A finite order; powers of large ones overflow.

    Returns:
        ``[d]``.
    """
    norm = torch.linalg.vector_norm(u, q)
    direction: Tensor = u.sign() * u.abs() ** (q - 1) / norm ** (q - 1)
    return direction


def printed_gradient(J: Tensor, v: Tensor, q: float, *, from_left: bool) -> Tensor | None:
    r"""Return (10).

    Args:
        J: ``[d, n]``.
        v: ``[n]`` with Jv not zero.
        q: A finite order.
        from_left: Read the product as it is printed, without parentheses: first
            :math:`J^\top\mathrm{sign}(u)`, then the entrywise product with :math:`|u|^{q-1}`.

    Returns:
        ``[n]``, or None where the shapes do not fit.
    """
    u = J @ v
    if not from_left:
        return J.T @ printed_direction(u, q)
    left, right = J.T @ u.sign(), u.abs() ** (q - 1)
    if left.shape != right.shape:
        return None
    gradient: Tensor = left * right / torch.linalg.vector_norm(u, q) ** (q - 1)
    return gradient


def differentiable(case: MatrixCase, q: float, room: float = 1e-3) -> bool:
    """Say whether the norm of Jv is differentiable at the start, with some room.

    Args:
        case: A matrix and a start.
        q: The order.
        room: Smallest distance to a kink, relative to the largest entry of Jv.

    Returns:
        Whether Jv is not zero, has no zero entry (q = 1) and no tie (q = inf).
    """
    u = (case.J @ case.v0).abs()
    top = float(u.max())
    if top == 0:
        return False
    if q == 1:  # an entry that is 0 for all v is no kink
        u = u[(case.J != 0).any(1)]
        return float(u.min()) > room * top
    if q == math.inf:
        return len(u) == 1 or float(u.topk(2).values.diff().abs()[0]) > room * top
    return q >= 2 or float(u.min()) > room * top


def audit_gradient(
    cases: Iterable[MatrixCase], orders: Iterable[float], *, from_left: bool, power: float = 1.0
) -> Finding:
    """Test (10) against difference quotients, where the norm is differentiable.

    Args:
        cases: Matrices with starts.
        orders: The q; for infinity the limit of the text after (11) is the formula.
        from_left: See :func:`printed_gradient`.
        power: A planted error: a factor on q - 1.

    Returns:
        The finding; shapes that do not fit are an error of 1.
    """

    def results() -> Iterator[Case]:
        for case in cases:
            J, v = case.J, case.v0
            for q in orders:
                if not differentiable(case, q):
                    continue
                if q == math.inf:
                    printed: Tensor | None = J.T @ norm_gradient(J @ v, q)
                else:
                    printed = printed_gradient(J, v, 1 + power * (q - 1), from_left=from_left)
                h = 1e-6 * float(v.norm())
                steps = h * torch.eye(len(v), dtype=v.dtype)
                ends = [torch.linalg.vector_norm((v + s * steps) @ J.T, q, dim=1) for s in (1, -1)]
                truth = (ends[0] - ends[1]) / (2 * h)
                shown = {**case.description, "q": f"{q:g}", "true": truth.tolist()}
                if printed is None:
                    yield -1.0, case.size, {**shown, "printed": "shapes do not fit"}
                    continue
                scale = float(torch.linalg.matrix_norm(J))
                error = float((printed - truth).abs().max()) / scale
                yield -error, case.size, {**shown, "printed": printed.tolist()}

    return collect(results(), tolerance=1e-5, family="matrices with starts off kinks")


def audit_norm_subgradient(
    cases: Iterable[MatrixCase], orders: Iterable[float], seed: int, *, factor: float = 1.0
) -> Finding:
    """Test that the formula is a subgradient wherever Jv is not zero, ties and zeros included.

    Args:
        cases: Matrices with starts.
        orders: The q.
        seed: Seed of the points of comparison.
        factor: A planted error: a factor on the formula.

    Returns:
        The finding; the slack is relative.
    """
    g = torch.Generator().manual_seed(seed)

    def results() -> Iterator[Case]:
        for case in cases:
            J, v = case.J, case.v0
            if not bool((J @ v).any()):
                continue
            for q in orders:
                slope = factor * J.T @ norm_gradient(J @ v, q)
                others = torch.randn(20, len(v), generator=g, dtype=torch.float64)
                others = torch.cat([others, v + 0.01 * others, torch.zeros_like(others[:1])])
                rise = torch.linalg.vector_norm(others @ J.T, q, dim=1)
                rise = rise - torch.linalg.vector_norm(J @ v, q) - (others - v) @ slope
                scale = float(torch.linalg.matrix_norm(J)) * (1 + float(v.norm()))
                shown = {**case.description, "q": f"{q:g}"}
                yield float(rise.min()) / scale, case.size, shown

    return collect(results(), tolerance=1e-12, family="matrices with starts, on kinks and off")


def audit_two_forms(
    cases: Iterable[MatrixCase],
    pairs: Iterable[tuple[float, float]],
    alphas: Iterable[float],
    *,
    factor: float = 1.0,
) -> Finding:
    """Test that (11) gives the iterates of (9), with the gradient by automatic differentiation.

    Args:
        cases: Matrices with starts.
        pairs: The pairs (p, q).
        alphas: Finite step sizes.
        factor: A planted error: a factor on the step size of (9).

    Returns:
        The finding, over three steps; the slack is minus the largest difference of the iterates.
    """
    chosen, sizes = tuple(pairs), tuple(alphas)

    def results() -> Iterator[Case]:
        for case in cases:
            for (p, q), alpha in ((pair, alpha) for pair in chosen for alpha in sizes):
                if not differentiable(case, q):
                    continue
                start = case.v0 / torch.linalg.vector_norm(case.v0, p)
                run = power_method(
                    case.J, p, q, start, 3, alpha, on_zero="keep", keep_iterates=True
                )
                assert run.vs is not None
                worst = 0.0
                for now, following in zip(run.vs[:-1], run.vs[1:], strict=True):
                    v = now.clone().requires_grad_()
                    length = torch.linalg.vector_norm(case.J @ v, q)
                    (slope,) = torch.autograd.grad(length, v)
                    moved = project_sphere(
                        now + factor * alpha * slope, torch.zeros_like(now), 1.0, p
                    )
                    worst = max(worst, float((moved - following).abs().max()))
                yield -worst, case.size, {**case.description, "alpha": alpha}

    return collect(results(), tolerance=1e-12, family="three steps from starts off kinks")
