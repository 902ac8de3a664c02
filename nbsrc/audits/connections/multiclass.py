"""Section 4's definitions and Lemma 4.1: derivatives for K classes, as printed and as meant."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import product

import torch
from torch import Tensor, nn

from nbsrc.audits.connections.compare import relative_error
from nbsrc.audits.connections.networks import NetworkPoint
from nbsrc.audits.connections.points import Point
from nbsrc.audits.finding import collect
from nbsrc.claims import Finding

__all__ = [
    "READINGS",
    "audit_lemma41",
    "audit_nu2",
    "audit_pair_sum",
    "audit_xi",
    "loss_derivatives",
    "printed_hessian",
    "with_classes",
]

READINGS = ("scalar times identity", "scalar from every entry", "outer product")


def with_classes(
    points: Iterable[NetworkPoint], classes: Iterable[int], seed: int
) -> Iterator[NetworkPoint]:
    """Give networks new last layers, with any number of classes.

    Args:
        points: Networks.
        classes: Their numbers of classes, in turn.
        seed: Seed of the last layers.

    Yields:
        The networks at the same points.
    """
    g = torch.Generator().manual_seed(seed)
    counts = list(classes)
    for number, x in enumerate(points):
        rows = x.weights[-1].shape[0]
        last = torch.randn(rows, counts[number % len(counts)], generator=g, dtype=torch.float64)
        yield replace(x, weights=(*x.weights[:-1], last))


def printed_hessian(x: Point, reading: str) -> Tensor:
    """Return ``V (diag(p) - p^T p) V^T`` of Lemma 4.1 under a reading of ``p^T p``.

    Args:
        x: The point.
        reading: One of :data:`READINGS`. With p a column, as ``V(p - y)`` needs it, ``p^T p`` is a
            number; the third reading is what the proof means.

    Returns:
        Shape ``[n, n]``.

    Raises:
        ValueError: If the reading is unknown.
    """
    if reading not in READINGS:
        raise ValueError(f"reading must be one of {READINGS}, got {reading!r}")
    square = (x.p @ x.p).expand(x.classes, x.classes)
    if reading == READINGS[0]:
        square = square * torch.eye(x.classes, dtype=torch.float64)
    elif reading == READINGS[2]:
        square = torch.outer(x.p, x.p)
    return x.V @ (torch.diag(x.p) - square) @ x.V.T


def loss_derivatives(x: Point) -> tuple[Tensor, Tensor, Tensor]:
    """Return Jacobian ``[K, n]``, gradient ``[n]`` and Hessian of the loss by autograd.

    Args:
        x: The point.

    Returns:
        The three derivatives at the point.
    """
    start = torch.zeros(x.V.shape[0], dtype=torch.float64)

    def logits(r: Tensor) -> Tensor:
        return r @ x.V + x.weights.log()

    def loss(r: Tensor) -> Tensor:
        return -torch.log_softmax(logits(r), -1)[x.label]

    return (
        torch.autograd.functional.jacobian(logits, start),
        torch.autograd.functional.jacobian(loss, start),
        torch.autograd.functional.hessian(loss, start),
    )


def audit_lemma41(points: Iterable[Point], reading: str) -> Finding:
    """Test Lemma 4.1 against automatic differentiation.

    Args:
        points: Points, right and wrong.
        reading: How ``p^T p`` is read.

    Returns:
        The finding; the slack is minus the largest relative error of J (transposed), the gradient
        ``V(p - y)`` and the two expressions of H.
    """

    def error(x: Point) -> float:
        J, gradient, H = loss_derivatives(x)
        onehot = nn.functional.one_hot(torch.tensor(x.label), x.classes).double()
        scale = float(x.V.abs().amax())
        return max(
            relative_error(x.V.T, J),
            float((x.V @ (x.p - onehot) - gradient).abs().max()) / scale,
            float((printed_hessian(x, reading) - H).abs().max()) / scale**2,
            float((x.hessian - H).abs().max()) / scale**2,
        )

    cases = ((-error(x), x.size, x.description) for x in points)
    return collect(cases, tolerance=1e-12, family="two to ten classes, right and wrong points")


def audit_nu2(points: Iterable[Point], pairs: str, factor: float = 1.0) -> Finding:
    """Test that ``nu^2`` of section 4 is the one of section 3 for two classes, up to a factor.

    Args:
        points: Two-class points.
        pairs: The pairs of the sum.
        factor: ``nu_K^2 = factor * |v_+ - v_-|^2``.

    Returns:
        The finding.
    """

    def error(x: Point) -> float:
        return relative_error(x.nu2(pairs), factor * (x.V[:, 0] - x.V[:, 1]).square().sum())

    cases = ((-error(x), x.size, x.description) for x in points)
    return collect(cases, tolerance=1e-10, family="two classes")


def audit_pair_sum(points: Iterable[Point], spread: Callable[[Point], float]) -> Finding:
    """Test an expression for the sum of ``|v_i - v_j|^2`` over all ordered pairs.

    Args:
        points: Points.
        spread: The expression.

    Returns:
        The finding.
    """

    def error(x: Point) -> float:
        columns = x.V.T.tolist()
        pairs = product(columns, repeat=2)
        total = sum((a - b) ** 2 for one, two in pairs for a, b in zip(one, two, strict=True))
        return relative_error(spread(x), total)

    cases = ((-error(x), x.size, x.description) for x in points)
    return collect(cases, tolerance=1e-10, family="two to ten classes")


def audit_xi(points: Iterable[Point], formula: Callable[[int, float], float]) -> Finding:
    """Test a formula for ``xi = log K - L`` in terms of K and ``p_y``.

    Args:
        points: Points.
        formula: Maps K and ``p_y`` to xi.

    Returns:
        The finding; absolute errors.
    """

    def error(x: Point) -> float:
        loss = -torch.log_softmax(x.weights.log(), 0)[x.label]
        truth = float(torch.tensor(float(x.classes)).double().log() - loss)
        return abs(formula(x.classes, x.p_y) - truth)

    cases = ((-error(x), x.size, x.description) for x in points)
    return collect(cases, tolerance=1e-12, family="two to ten classes")
