"""Equations (5) and (7): the regularisers and their gradients."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace

import torch
from torch import Tensor

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.operator_norms.matrices import MatrixCase
from nbsrc.audits.operator_norms.points import ReluPoint
from nbsrc.audits.operator_norms.spectral import printed_iteration
from nbsrc.claims import Finding
from nbsrc.operator_norm import LinearMap, network_map

__all__ = [
    "audit_global_gradient",
    "audit_local_objective",
    "audit_subgradient",
    "leading_triple",
    "parameter_gradients",
    "point_map",
    "simple_points",
    "trainable",
]


def leading_triple(J: Tensor) -> tuple[float, Tensor, Tensor]:
    """Return the largest singular value and its vectors.

    Args:
        J: ``[d, n]``.

    Returns:
        The value, the left and the right vector.
    """
    U, values, rows = torch.linalg.svd(J, full_matrices=False)
    return float(values[0]), U[:, 0], rows[0]


def simple_points(points: Iterable[ReluPoint], gap: float = 1e-3) -> list[ReluPoint]:
    """Return the points off kinks whose Jacobian has a simple largest singular value.

    Args:
        points: Networks and inputs.
        gap: Smallest relative distance to the second singular value.

    Returns:
        The points, those with the Jacobian 0 left out.
    """
    found = []
    for point in points:
        values = torch.linalg.svdvals(point.jacobian())
        second = float(values[1]) if len(values) > 1 else 0.0
        if not point.on_kink and values[0] > 0 and second < (1 - gap) * float(values[0]):
            found.append(point)
    return found


def audit_global_gradient(
    cases: Iterable[MatrixCase], seed: int, *, factor: float = 1.0
) -> Finding:
    r"""Test :math:`\nabla_W\sigma(W)^2/2=\sigma uv^\top` against two-sided difference quotients.

    A quotient of both sides averages the two slopes of a kink; therefore the two one-sided
    quotients must agree with the formula, each.

    Args:
        cases: Matrices.
        seed: Seed of the directions.
        factor: A planted error: a factor on the formula.

    Returns:
        The finding; the slack is minus the error over ``1 + sigma^2``.
    """
    g = torch.Generator().manual_seed(seed)

    def results() -> Iterator[Case]:
        for case in cases:
            W, (sigma, u, v) = case.J, leading_triple(case.J)
            h = 1e-6 * max(sigma, 1e-3)
            units = torch.eye(W.numel(), dtype=W.dtype).reshape(-1, *W.shape)
            drawn = torch.randn(2, *W.shape, generator=g, dtype=W.dtype)
            for H in torch.cat([units, drawn]):
                slope = factor * sigma * float(u @ H @ v)
                here = sigma**2 / 2
                sides = [
                    (float(torch.linalg.matrix_norm(W + t * H, 2)) ** 2 / 2 - here) / t
                    for t in (h, -h)
                ]
                error = max(abs(side - slope) for side in sides) / (sigma + sigma**2 + 1e-3)
                shown = {**case.description, "direction": H.tolist(), "formula": slope}
                yield -error, case.size, {**shown, "slopes": sides}

    return collect(results(), tolerance=1e-3, family="matrices, unit and random directions")


def audit_subgradient(cases: Iterable[MatrixCase], seed: int, *, factor: float = 1.0) -> Finding:
    r"""Test that :math:`\sigma uv^\top` is a subgradient of :math:`\sigma^2/2` everywhere.

    Args:
        cases: Matrices, degenerate ones included.
        seed: Seed of the directions.
        factor: A planted error: a factor on the formula.

    Returns:
        The finding; the slack is relative to ``1 + sigma^2``.
    """
    g = torch.Generator().manual_seed(seed)

    def results() -> Iterator[Case]:
        for case in cases:
            W, (sigma, u, v) = case.J, leading_triple(case.J)
            for number in range(6):
                H = torch.randn(W.shape, generator=g, dtype=W.dtype) * 10.0 ** -(number % 3)
                rise = float(torch.linalg.matrix_norm(W + H, 2)) ** 2 / 2 - sigma**2 / 2
                slack = rise - factor * sigma * float(u @ H @ v)
                yield slack / (1 + sigma**2), case.size, case.description

    return collect(results(), tolerance=1e-12, family="matrices, degenerate ones included")


def parameter_gradients(point: ReluPoint, value: Tensor) -> Tensor:
    """Return the gradient of a value in all weights, one long vector.

    Args:
        point: A network whose weights require gradients.
        value: A number computed from them.

    Returns:
        The gradient; zeros where a weight has no influence.
    """
    found = torch.autograd.grad(value, point.weights, allow_unused=True)
    return torch.cat([
        (torch.zeros_like(W) if d is None else d).flatten()
        for W, d in zip(point.weights, found, strict=True)
    ])  # fmt: skip


def trainable(point: ReluPoint) -> ReluPoint:
    """Return the same network with weights that require gradients.

    Args:
        point: A network and an input.

    Returns:
        The copy.
    """
    return replace(point, weights=tuple(W.clone().requires_grad_() for W in point.weights))


def point_map(point: ReluPoint) -> LinearMap:
    """Return the products with the Jacobian by torch's forward and reverse mode, never formed.

    Args:
        point: A network and an input.

    Returns:
        The map, for single vectors.
    """
    batch = network_map(point.module(), point.x.unsqueeze(0))
    return LinearMap(
        forward=lambda v: batch.forward(v.unsqueeze(0))[0],
        backward=lambda u: batch.backward(u.unsqueeze(0))[0],
    )


def audit_local_objective(points: Iterable[ReluPoint], steps: int, seed: int) -> Finding:
    r"""Test (7): value by the power method (6), gradient with u and v held fixed.

    The truth is the singular value by LAPACK, and difference quotients of it in the weights. For
    one layer (7) must be (5): the Jacobian is W for every x.

    Args:
        points: Networks and inputs off kinks, with a simple largest singular value.
        steps: Power iterations.
        seed: Seed of starts and directions.

    Returns:
        The finding; the slack is minus the largest relative error.
    """
    g = torch.Generator().manual_seed(seed)

    def cases() -> Iterator[Case]:
        for point in points:
            v0 = torch.randn(len(point.x), generator=g, dtype=torch.float64)
            us, vs, values = printed_iteration(point_map(point), v0, steps)
            sigma = float(torch.linalg.matrix_norm(point.jacobian(), 2))
            error = abs(float(values[-1]) - sigma) / sigma
            own = trainable(point)
            mine = parameter_gradients(own, (us[-1] @ own.jacobian() @ vs[-1]) ** 2 / 2)
            move = [torch.randn(W.shape, generator=g, dtype=W.dtype) for W in point.weights]
            h = 1e-6
            ends = []
            for t in (h, -h):
                pairs = zip(point.weights, move, strict=True)
                near = replace(point, weights=tuple(W + t * H for W, H in pairs))
                J = near.jacobian(masks=point.masks())
                ends.append(float(torch.linalg.matrix_norm(J, 2)) ** 2 / 2)
            slope = float(mine @ torch.cat([H.flatten() for H in move]))
            scale = float(mine.norm()) * math.sqrt(len(mine))
            error = max(error, abs((ends[0] - ends[1]) / (2 * h) - slope) / scale)
            if len(point.weights) == 1:
                total = float(torch.linalg.matrix_norm(point.weights[0], 2)) ** 2 / 2
                error = max(error, abs(float(values[-1]) ** 2 / 2 - total) / total)
            yield -error, point.size, {**point.description, "sigma": sigma}

    return collect(cases(), tolerance=1e-5, family="networks off kinks, simple singular value")
