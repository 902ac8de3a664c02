"""Equation (13), and the q-th power of the norm in its place."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.operator_norms.matrices import NINE, MatrixCase, pair_name
from nbsrc.audits.operator_norms.points import ReluPoint
from nbsrc.claims import Finding
from nbsrc.operator_norm import exact_operator_norm, norm_gradient

__all__ = ["audit_norm_loss_in_cell", "audit_power_gradient", "audit_power_training"]


def audit_norm_loss_in_cell(
    points: Iterable[ReluPoint], reach: float, seed: int, *, exponent: float = 1.0
) -> Finding:
    r"""Test that in the cell the worst change of the logits is (13)'s penalty, lambda = 1.

    .. math::
        \max_{\|\delta\|_p\le\epsilon}\|f(x+\delta)-f(x)\|_q=\tilde\lambda\|J_f(x)\|_{p,q},
        \qquad\tilde\lambda=\epsilon

    Args:
        points: Networks and inputs off kinks, at most 8 inputs and outputs.
        reach: epsilon as a multiple of the radius of the cell in the p-norm.
        seed: Seed of the directions that are tried beside corners and rows of J.
        exponent: A planted error: of epsilon.

    Returns:
        The finding, over the nine pairs; the slack is minus the relative error.
    """
    g = torch.Generator().manual_seed(seed)

    def cases() -> Iterator[Case]:
        for point in points:
            J, n = point.jacobian(), len(point.x)
            drawn = torch.randn(50, n, generator=g, dtype=torch.float64)
            for p, q in NINE:
                eps = reach * point.radius(p)
                tried = torch.cat([_candidates(J, p, q), drawn])
                tried = tried / torch.linalg.vector_norm(tried, p, dim=1, keepdim=True)
                change = point.output(point.x + eps * tried) - point.output()
                worst = float(torch.linalg.vector_norm(change, q, dim=1).max())
                printed = eps**exponent * float(exact_operator_norm(J, p, q))
                error = abs(worst - printed) / max(worst, printed)
                shown = {**point.description, "pair": pair_name((p, q)), "eps": eps}
                yield -error, point.size, {**shown, "worst": worst, "penalty": printed}

    return collect(cases(), tolerance=1e-9, family="networks off kinks, nine pairs")


def _candidates(J: Tensor, p: float, q: float) -> Tensor:
    """Return directions among which one is a maximiser of the norm: corners, or dual vectors."""
    d, n = J.shape
    if p == 1:
        return torch.eye(n, dtype=J.dtype)
    if p == math.inf:
        return torch.cartesian_prod(*[torch.tensor([1.0, -1.0]).to(J)] * n).reshape(-1, n)
    if q == 2:
        right: Tensor = torch.linalg.svd(J, full_matrices=False).Vh
        return right
    if q == math.inf:
        return J[J.norm(dim=1) > 0]
    signs = torch.cartesian_prod(*[torch.tensor([1.0, -1.0]).to(J)] * d).reshape(-1, d)
    rows: Tensor = signs @ J
    return rows[rows.norm(dim=1) > 0]


def audit_power_gradient(
    cases: Iterable[MatrixCase], orders: Iterable[float], *, power: float = 1.0
) -> Finding:
    r"""Test that the gradient of the q-th power is a positive multiple of (10).

    .. math:: \nabla_v\tfrac1q\|Jv\|_q^q = \|Jv\|_q^{q-1}\,\nabla_v\|Jv\|_q

    Args:
        cases: Matrices with starts.
        orders: The q.
        power: A planted error: a factor on the exponent q - 1.

    Returns:
        The finding; where the power has no finite value the slack is -1.
    """

    def results() -> Iterator[Case]:
        for case in cases:
            v = case.v0.clone().requires_grad_()
            u = case.J @ case.v0
            if not bool(u.any()):
                continue
            for q in orders:
                shown = {**case.description, "q": f"{q:g}"}
                if q == math.inf:
                    value = float(torch.linalg.vector_norm(u, q)) ** q / q
                    shown["value"] = str(value)
                    yield (0.0 if math.isfinite(value) and value > 0 else -1.0), case.size, shown
                    continue
                value_of = (case.J @ v).abs().pow(q).sum() / q
                (mine,) = torch.autograd.grad(value_of, v)
                length = float(torch.linalg.vector_norm(u, q))
                printed = length ** (power * (q - 1)) * case.J.T @ norm_gradient(u, q)
                error = float((mine - printed).abs().max()) / max(1e-300, float(mine.abs().max()))
                yield -error if bool(mine.any()) else 0.0, case.size, shown

    return collect(results(), tolerance=1e-9, family="matrices with starts")


def audit_power_training(cases: Iterable[MatrixCase], *, same: bool, seed: int) -> Finding:
    r"""Test what the power does to the gradient in the parameters, here in J itself.

    Args:
        cases: Matrices.
        same: Whether the two gradients must be equal; else the one of the power must be
            :math:`\|J\|^{q-1}` times the other.
        seed: Seed of the directions.

    Returns:
        The finding, for p in {1, 2, inf} and q in {1, 2}; directional derivatives are compared.
    """
    g = torch.Generator().manual_seed(seed)

    def results() -> Iterator[Case]:
        for case in cases:
            H = torch.randn(case.J.shape, generator=g, dtype=torch.float64)
            for p, q in NINE:
                if q == math.inf:
                    continue
                now = float(exact_operator_norm(case.J, p, q))
                if now == 0:
                    continue
                h = 1e-7 * now / float(H.norm())
                ends = [float(exact_operator_norm(case.J + t * H, p, q)) for t in (h, -h)]
                norm = (ends[0] - ends[1]) / (2 * h)
                power = (ends[0] ** q - ends[1] ** q) / (2 * h * q)
                wanted = norm if same else now ** (q - 1) * norm
                scale = max(1.0, now ** (q - 1)) * float(H.norm())
                shown = {**case.description, "pair": pair_name((p, q)), "norm": now}
                yield -abs(power - wanted) / scale, case.size, shown

    return collect(results(), tolerance=1e-6, family="matrices, difference quotients")
