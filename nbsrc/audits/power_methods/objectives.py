"""What is maximised: objective (14), equations (112) and (113)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import product

import torch
from torch import Tensor, nn

from nbsrc.audits.finding import Case as Result
from nbsrc.audits.finding import collect
from nbsrc.audits.power_methods.cases import Case
from nbsrc.audits.power_methods.iteration import forward_product
from nbsrc.claims import Finding
from nbsrc.operator_norm import exact_operator_norm, uniform_in_ball

__all__ = [
    "audit_attained",
    "audit_inner_maximum",
    "audit_parameter_gradients",
    "audit_printed_v",
    "best_in_ball",
    "candidates",
]


def candidates(n: int, p: float, J: Tensor | None = None, seed: int = 0) -> Tensor:
    """Return points of the unit ball among which a convex function of J v is largest.

    Args:
        n: Inputs.
        p: 1 or infinity: all corners. For 2, 4000 points of the sphere and the singular vectors
            and normed rows of J.
        J: The matrix.
        seed: Seed of the points.

    Returns:
        ``[points, n]``.
    """
    eye = torch.eye(n, dtype=torch.float64)
    if p == 1:
        return torch.cat([eye, -eye])
    if math.isinf(p):
        return torch.tensor(list(product((1.0, -1.0), repeat=n)), dtype=torch.float64)
    g = torch.Generator().manual_seed(seed)
    points = torch.randn(4000, n, generator=g, dtype=torch.float64)
    if J is not None:
        signs = torch.tensor(list(product((1.0, -1.0), repeat=len(J))), dtype=torch.float64)
        special = torch.cat([torch.linalg.svd(J).Vh, J, signs @ J])
        points = torch.cat([special[special.any(-1)], points])
        points = torch.cat([points, -points[: len(special)]])
    unit: Tensor = points / points.norm(dim=-1, keepdim=True)
    return unit


def best_in_ball(case: Case, p: float, q: float, eps: float) -> float:
    """Return ``max ||f(x) - f(x*)||_q`` over the candidates, by running the network.

    Args:
        case: The case.
        p: The order of the ball.
        q: The order of the loss.
        eps: The radius.

    Returns:
        The maximum.
    """
    points = case.x.flatten(1) + eps * candidates(case.x.numel(), p, case.J)
    with torch.no_grad():
        moved = case.net(points.reshape(-1, *case.x.shape[1:])).flatten(1)
        moved = moved - case.net(case.x).flatten(1)
    return float(torch.linalg.vector_norm(moved, q, dim=-1).amax())


def audit_inner_maximum(cases: Iterable[Case], p: float, q: float, *, size: float = 1.0) -> Finding:
    """Test ``max_B ||f(x) - f(x*)||_q = eps ||J||_{p,q}``.

    Args:
        cases: Cases with at most 10 inputs for p = inf.
        p: The order of the ball.
        q: The order of the loss.
        size: The radius in units of the case's.

    Returns:
        The finding; relative error.
    """

    def results() -> Iterator[Result]:
        for case in cases:
            if case.x.numel() > 10:
                continue
            eps = size * case.radius(p)
            largest = best_in_ball(case, p, q, eps)
            norm = eps * float(exact_operator_norm(case.J, p, q))
            shown = {**case.description, "maximum": largest, "eps times norm": norm}
            yield -abs(largest - norm) / norm, case.size, shown

    return collect(
        results(), tolerance=1e-9, family="balls inside the cell; maximum by enumeration"
    )


def audit_printed_v(cases: Iterable[Case], p: float, q: float) -> Finding:
    """Test (113) as typeset: the maximum runs over v*, but ``||J v||_q`` is maximised.

    Every v of the case's starts, divided by its norm, is put for the free letter.

    Args:
        cases: The cases.
        p: The order of the ball.
        q: The order of the loss.

    Returns:
        The finding.
    """

    def results() -> Iterator[Result]:
        for case in cases:
            norm = float(exact_operator_norm(case.J, p, q))
            v = case.starts(p)
            v = v / torch.linalg.vector_norm(v, p, dim=-1, keepdim=True)
            gains = torch.linalg.vector_norm(v @ case.J.T, q, dim=-1)
            for number, gain in enumerate(gains.tolist()):
                shown = {**case.description, "v": v[number].tolist(), "(113)": gain, "(112)": norm}
                yield -abs(gain - norm) / norm, (*case.size, number), shown

    return collect(results(), tolerance=1e-9, family="eps = lambda = 1, v on the sphere")


def audit_parameter_gradients(cases: Iterable[Case], *, size: float = 1.0) -> Finding:
    """Test that both objectives have the same gradient in the parameters, at a fixed direction.

    ``||f(x + eps v) - f(x)||_2`` against ``eps ||J v||_2`` with J v by two backward passes.

    Args:
        cases: The cases.
        size: The radius in units of the case's.

    Returns:
        The finding; error relative to the largest entry.
    """

    def results() -> Iterator[Result]:
        for case in cases:
            v = case.starts(2.0)[:1].reshape(case.x.shape)
            if not len(v):
                continue
            eps = size * case.radius(2.0)
            weights = list(case.net.parameters())
            one = (case.net(case.x + eps * v) - case.net(case.x)).norm()
            tangent = forward_product(case.net, case.x, v)
            two = eps * tangent.norm()
            grads = [torch.autograd.grad(a, weights, allow_unused=True) for a in (one, two)]
            flat = [
                torch.cat([(torch.zeros_like(w) if g is None else g).flatten()
                           for g, w in zip(found, weights, strict=True)])
                for found in grads
            ]  # fmt: skip
            error = float((flat[0] - flat[1]).abs().max()) / float(flat[0].abs().max())
            yield -error, case.size, case.description

    return collect(results(), tolerance=1e-7, family="one direction per case, all parameters")


def audit_attained(cases: Iterable[Case], p: float, *, closed: bool = True) -> Finding:
    """Test that the maximum in (14) exists: a point of the ball has the largest cross-entropy.

    The network is the linear one; the loss is convex, so a corner is largest; 200 random points of
    the ball must not be above it, and the corner has to lie in the ball.

    Args:
        cases: The cases.
        p: 1 or infinity.
        closed: Whether the ball has its boundary.

    Returns:
        The finding; the slack is the room between corner and random points, -1 if the corner is no
        point of the ball.
    """

    def results() -> Iterator[Result]:
        for case in cases:
            if case.J.shape[0] == 1 or case.J.shape[1] > 10:
                continue
            n, label = case.J.shape[1], torch.tensor([0])
            corners = candidates(n, p)
            inside = uniform_in_ball(
                torch.zeros(200, n, dtype=torch.float64), 1.0, p, torch.Generator().manual_seed(0)
            )
            losses = [
                nn.functional.cross_entropy(v @ case.J.T, label.expand(len(v)), reduction="none")
                for v in (corners, inside)
            ]
            best = corners[losses[0].argmax()]
            is_point = closed or float(torch.linalg.vector_norm(best, p)) < 1
            room = float(losses[0].max() - losses[1].max())
            moves = bool((case.J - case.J.mean(0)).any())
            yield (room if is_point or not moves else -1.0), case.size, case.description

    return collect(
        results(), tolerance=1e-12, family="linear maps, label 0, 200 points of the ball"
    )
