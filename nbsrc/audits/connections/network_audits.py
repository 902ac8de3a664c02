"""Eqs. (3) to (5) on networks: piecewise linear, masks, and the linear map of a region."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch

from nbsrc.audits.connections.compare import relative_error
from nbsrc.audits.connections.networks import NetworkPoint
from nbsrc.audits.finding import Case, collect
from nbsrc.claims import Finding

__all__ = [
    "audit_derivatives",
    "audit_last_layer",
    "audit_linear_map",
    "audit_masks",
    "audit_piecewise_linear",
    "audit_weight_decay",
]


def audit_piecewise_linear(points: Iterable[NetworkPoint], seed: int) -> Finding:
    """Test that g has no second difference inside a region, and that ``g(t x) = t g(x)``.

    Args:
        points: Networks and points.
        seed: Seed of the directions.

    Returns:
        The finding; absolute errors over the largest logit.
    """
    generator = torch.Generator().manual_seed(seed)

    def cases() -> Iterator[Case]:
        for point in points:
            step = torch.randn(len(point.x), generator=generator, dtype=torch.float64)
            while not (point.same_region(point.x + step) and point.same_region(point.x - step)):
                step = step / 2
            g, x = point.logits, point.x
            bend = (g(x + step) - 2 * g(x) + g(x - step)).abs().max()
            scaled = (g(3 * x) - 3 * g(x)).abs().max()
            scale = max(1e-6, float(g(x).abs().max()))
            yield -float(torch.maximum(bend, scaled)) / scale, point.size, point.description

    return collect(cases(), tolerance=1e-8, family="random networks of one to four layers")


def audit_masks(points: Iterable[NetworkPoint], *, slopes: bool) -> Finding:
    """Test eq. (4): ``s(h_j) = D_j h_j`` for the pre-activations of every hidden layer.

    Args:
        points: Networks and points.
        slopes: Masks of slopes instead of the printed 0 and 1.

    Returns:
        The finding.
    """

    def error(point: NetworkPoint) -> float:
        pairs = zip(point.hidden(point.x), point.masks(slopes=slopes), strict=True)
        return max((relative_error(point.activation(h), mask * h) for h, mask in pairs), default=0)

    results = ((-error(p), p.size, p.description) for p in points)
    return collect(results, tolerance=1e-12, family="general ReLUs of several slopes")


def audit_linear_map(points: Iterable[NetworkPoint], seed: int, *, slopes: bool) -> Finding:
    """Test eq. (5): V is the Jacobian, and ``g(x') = V^T x'`` throughout the region.

    The points x' are ``x / 3``, ``5 x`` and random ones of the same activation pattern.

    Args:
        points: Networks and points.
        seed: Seed of the points.
        slopes: Masks of slopes instead of the printed 0 and 1.

    Returns:
        The finding.
    """
    generator = torch.Generator().manual_seed(seed)

    def error(point: NetworkPoint) -> float:
        V = point.map(slopes=slopes)
        worst = relative_error(V.T, torch.autograd.functional.jacobian(point.logits, point.x))
        others = [point.x / 3, 5 * point.x]
        for scale in (1.0, 0.3, 0.1):
            step = torch.randn(len(point.x), generator=generator, dtype=torch.float64)
            others.append(point.x + scale * step)
        for other in others:
            if point.same_region(other):
                worst = max(worst, relative_error(V.T @ other, point.logits(other)))
        return worst

    results = ((-error(p), p.size, p.description) for p in points)
    return collect(results, tolerance=1e-9, family="random networks, points of the same region")


def audit_last_layer(points: Iterable[NetworkPoint]) -> Finding:
    """Test eq. (4) at ``j = d``: ``a_d = s(W_d^T a_{d-1})`` is the output g(x) of eq. (3).

    Args:
        points: Networks and points.

    Returns:
        The finding.
    """
    results = (
        (-relative_error(p.activation(p.logits(p.x)), p.logits(p.x)), p.size, p.description)
        for p in points
    )
    return collect(results, tolerance=1e-12, family="outputs of both signs")


def audit_derivatives(points: Iterable[NetworkPoint], step: float = 1e-6) -> Finding:
    """Test that gradient and Jacobian exist: differences to either side agree with autograd.

    Args:
        points: Networks and points, label 0.
        step: Step of the one-sided differences.

    Returns:
        The finding; absolute error over the largest entry, tolerance 1e-3.
    """

    def error(point: NetworkPoint) -> float:
        def both(x: torch.Tensor) -> torch.Tensor:
            z = point.logits(x)
            return torch.cat([z, -torch.log_softmax(z, -1)[:1]])

        x, worst = point.x, 0.0
        exact = torch.autograd.functional.jacobian(both, x)
        scale = max(1.0, float(exact.abs().max()))
        for i, unit in enumerate(torch.eye(len(x), dtype=torch.float64)):
            for side in (step, -step):
                slope = (both(x + side * unit) - both(x)) / side
                worst = max(worst, float((slope - exact[:, i]).abs().max()) / scale)
        return worst

    results = ((-error(p), p.size, p.description) for p in points)
    return collect(results, tolerance=1e-3, family="random points of random networks")


def audit_weight_decay(points: Iterable[NetworkPoint]) -> Finding:
    """Test that ``mu^2`` is the sum of the squares of all weights.

    Args:
        points: Networks and points.

    Returns:
        The finding.
    """
    results = (
        (
            -relative_error(
                torch.autograd.functional.jacobian(p.logits, p.x).square().sum(),
                torch.stack([w.square().sum() for w in p.weights]).sum(),
            ),
            p.size,
            p.description,
        )
        for p in points
    )
    return collect(results, tolerance=1e-12, family="bias-free networks")
