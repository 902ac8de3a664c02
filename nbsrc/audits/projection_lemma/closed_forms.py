"""Equations (71) to (94): the projections for p = 2 and p = inf, and their limits line by line."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.projection_lemma.cases import whole_vectors
from nbsrc.audits.projection_lemma.second_part import BallBatch
from nbsrc.audits.projection_lemma.solver import far_step, optimality_gap
from nbsrc.claims import Finding

__all__ = [
    "audit_clip_lines",
    "audit_is_projection",
    "audit_scaling_lines",
    "clip",
    "scale_always",
    "scale_inside",
    "scale_to_cube",
]

Projection = Callable[[Tensor, Tensor, float], Tensor]


def scale_inside(w: Tensor, x: Tensor, eps: float) -> Tensor:
    """Return eq. (71): ``x + eps (w - x) / max(eps, |w - x|)``.

    Args:
        w: Points, ``[m, n]``.
        x: Centre, ``[n]``.
        eps: Radius.

    Returns:
        ``[m, n]``; NaN for 0/0 (radius 0 at the centre).
    """
    d = w - x
    moved: Tensor = x + eps * d / d.norm(dim=-1, keepdim=True).clamp(min=eps)
    return moved


def scale_always(w: Tensor, x: Tensor, eps: float) -> Tensor:
    """Return eq. (71) without the max: points inside are moved to the boundary.

    Args:
        w: Points.
        x: Centre.
        eps: Radius.

    Returns:
        ``[m, n]``.
    """
    d = w - x
    moved: Tensor = x + eps * d / d.norm(dim=-1, keepdim=True)
    return moved


def clip(w: Tensor, x: Tensor, eps: float) -> Tensor:
    """Return eq. (80): ``x + max(-eps, min(eps, w - x))`` entry by entry.

    Args:
        w: Points.
        x: Centre.
        eps: Radius.

    Returns:
        ``[m, n]``.
    """
    return x + (w - x).clamp(max=eps).clamp(min=-eps)


def scale_to_cube(w: Tensor, x: Tensor, eps: float) -> Tensor:
    """Return what scaling makes of a point outside the cube: feasible, but not nearest.

    Args:
        w: Points.
        x: Centre.
        eps: Radius.

    Returns:
        ``[m, n]``.
    """
    d = w - x
    return x + d * eps / d.abs().amax(-1, keepdim=True).clamp(min=eps)


def audit_is_projection(
    projection: Projection, p: float, *, count: int, seed: int, radii: Sequence[float]
) -> Finding:
    """Test that a map gives the nearest point of the ball.

    y is nearest to w if and only if it is in the ball and ``(w - y).(c - y) <= 0`` for every c of
    the ball. For p = inf the corners of the cube are enough; for p = 2 the one c in the direction
    of ``w - y``.

    Args:
        projection: The map, from points, centre and radius.
        p: 2 or infinity.
        count: Random points for each radius.
        seed: Seed.
        radii: The radii.

    Returns:
        The finding; minus the distance outside the ball or the violated product, -1 for NaN.
    """
    generator = torch.Generator().manual_seed(seed)
    groups = []
    for n in (1, 2, 3):
        random = 2 * torch.randn(count, n, generator=generator, dtype=torch.float64)
        groups.append(torch.cat([whole_vectors(n, 3 if n < 3 else 1), random]))

    def results() -> Iterator[Case]:
        for eps in radii:
            for group in groups:
                n = group.shape[1]
                x = torch.arange(n).double()
                w = group + x
                y = projection(w, x, eps)
                outside = torch.linalg.vector_norm(y - x, p, dim=-1) - eps
                if p == 2:
                    step = w - y
                    gap = eps * step.norm(dim=-1) - (step * (y - x)).sum(-1)
                else:
                    corners = whole_vectors(n, 1)
                    gap = optimality_gap(y, w, x + eps * corners)
                slack = -torch.maximum(outside, gap).nan_to_num(nan=1.0)
                for i, s in enumerate(slack.tolist()):
                    shown = {"eps": eps, "x": x.tolist(), "point": w[i].tolist()}
                    size = (n, int(eps > 0), int(1000 * float(group[i].abs().sum())))
                    yield s, size, shown

    return collect(results(), tolerance=1e-12, family="points in and out of balls")


def audit_scaling_lines(batches: Sequence[BallBatch]) -> Finding:
    """Test (72) to (78) for p = 2: every line at finite steps, and the distance to the limit.

    Lines (73), (74), (75) must equal the projection; (76), without the max, once the point is
    outside; and the distance to ``x + eps v_k / |v_k|`` is at most ``2 eps |x_{k-1} - x| / (alpha
    |v_k|)`` from then on.

    Args:
        batches: Balls, p = 2.

    Returns:
        The finding; minus the error of a line, or what is missing to the bound.
    """

    def results() -> Iterator[Case]:
        for b in batches:
            back = b.previous - b.x
            length = b.g.norm(dim=-1, keepdim=True)
            limit = b.x + b.eps * b.g / length
            for alpha in (0.1, 1.0, 10.0, 1e3, 1e6):
                truth = b.step(alpha)
                inner = b.g + back / alpha
                size = alpha * inner.norm(dim=-1, keepdim=True)
                line75 = b.x + b.eps * alpha * inner / size.clamp(min=b.eps)
                errors = [(scale_inside(b.previous + alpha * b.g, b.x, b.eps) - truth).abs()]
                errors.append((line75 - truth).abs())
                out = size >= b.eps
                line76 = b.x + b.eps * alpha * inner / size.clamp(min=1e-300)
                errors.append(((line76 - truth) * out).abs())
                error = torch.stack(errors).nan_to_num(nan=1.0).amax((0, -1)) - 1e-12
                bound = 2 * b.eps * back.norm(dim=-1) / (alpha * length.squeeze(-1)) + 1e-12
                late = ((truth - limit).norm(dim=-1) - bound) * out.squeeze(-1)
                for i, s in enumerate(torch.maximum(error, late).tolist()):
                    yield -s, b.size(i), {**b.description(i), "alpha": alpha}

    return collect(results(), tolerance=1e-12, family="balls, p = 2, five steps")


def audit_clip_lines(batches: Sequence[BallBatch], *, keep_zeros: bool) -> Finding:
    """Test (81) to (93) for p = inf: the split by signs, and the result ``x + eps sign(v_k)``.

    Args:
        batches: Balls, p = inf.
        keep_zeros: Whether the entries with v_k = 0 get a third term, ``x_{k-1} - x``.

    Returns:
        The finding; minus the largest difference of a line from the truth, over the radius.
    """

    def results() -> Iterator[Case]:
        for b in batches:
            alpha, back = far_step(math.inf), b.previous - b.x
            up = (b.g.abs() * alpha + back).clamp(max=b.eps).clamp(min=-b.eps)
            down = (-b.g.abs() * alpha + back).clamp(max=b.eps).clamp(min=-b.eps)
            third = (b.g == 0) * back * keep_zeros
            truth = b.next - b.x
            line83 = (b.g > 0) * up + (b.g < 0) * down + third
            line91 = b.eps * (b.g > 0) - b.eps * (b.g < 0) + third
            line92 = b.eps * b.g.sign() + third
            lines = torch.stack([line83, line91, line92])
            error = (lines - truth).abs().amax((0, -1)) / b.eps
            for i, s in enumerate(error.tolist()):
                shown = {"(82)": truth[i].tolist(), "(83)": line83[i].tolist()}
                yield -s, b.size(i), {**b.description(i), **shown}

    return collect(results(), tolerance=1e-12, family="balls, p = inf")
