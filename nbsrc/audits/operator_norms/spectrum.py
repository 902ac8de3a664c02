"""Spectra of Jacobians: section 5.2 (extraction, which way round it lies) and footnote 2."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch

from nbsrc.audits.connections.compare import audit_true
from nbsrc.audits.finding import Case, collect
from nbsrc.audits.operator_norms.matrices import MatrixCase
from nbsrc.audits.operator_norms.points import ReluPoint
from nbsrc.claims import Finding
from nbsrc.linear_region import jacobian

__all__ = ["audit_convention", "audit_simple_unless_zero", "audit_spectrum"]


def audit_convention(cases: Iterable[MatrixCase], *, transpose: bool) -> Finding:
    """Test that the right singular vectors of the extracted matrix are the v of (6).

    Args:
        cases: Jacobians ``[d, n]`` other than zero.
        transpose: Whether the matrix is input-dim x output-dim, as section 5.2 says.

    Returns:
        The finding; a vector of another length than the input is an error of 1.
    """

    def results() -> Iterator[Case]:
        for case in cases:
            matrix = case.J.T if transpose else case.J
            v = torch.linalg.svd(matrix, full_matrices=False).Vh[0]
            fits = len(v) == case.J.shape[1]
            gain = float((case.J @ v).norm()) if fits else 0.0
            shown = {**case.description, "v has length": len(v), "gain": gain}
            yield (gain - case.sigma) / case.sigma, case.size, {**shown, "sigma": case.sigma}

    return collect(results(), tolerance=1e-9, family="Jacobians other than zero")


def audit_spectrum(points: Iterable[ReluPoint], *, frozen_at: float = 0.0) -> Finding:
    """Test that the extracted matrix has all singular values, by another route.

    The other route are the eigenvalues of J J^T, with J from numerical derivatives along the
    inputs, and the transpose must have the same values.

    Args:
        points: Networks and inputs off kinks.
        frozen_at: A planted error: J at x plus this.

    Returns:
        The finding; the slack is minus the largest error, relative to one plus the largest value.
    """

    def results() -> Iterator[Case]:
        for point in points:
            net, x = point.module(), (point.x + frozen_at).unsqueeze(0)
            J = jacobian(net, x)[0]
            h = 0.1 * point.radius()
            moves = point.x + h * torch.eye(len(point.x), dtype=torch.float64)
            D = ((point.output(moves) - point.output()) / h).T
            gram = D @ D.T if D.shape[0] <= D.shape[1] else D.T @ D
            truth = torch.linalg.eigvalsh(gram).flip(0).clamp(min=0)
            both = [torch.linalg.svdvals(M) for M in (J, J.T)]
            scale = 1 + float(truth[0])
            error = max(float((values**2 - truth).abs().max()) for values in both) / scale
            yield -error, point.size, point.description

    return collect(results(), tolerance=1e-8, family="networks at points off kinks")


def audit_simple_unless_zero(points: Iterable[ReluPoint], gap: float = 1e-9) -> Finding:
    """Test that every Jacobian other than zero has a simple largest singular value.

    Args:
        points: Networks and inputs; it is so for almost all weights.
        gap: Smallest relative distance to the second value that counts as simple.

    Returns:
        The finding.
    """

    def simple(point: ReluPoint) -> bool:
        values = torch.linalg.svdvals(point.jacobian())
        return len(values) == 1 or float(values[0]) == 0 or float(values[1] / values[0]) < 1 - gap

    return audit_true(points, simple, family="ReLU networks at points on kinks and off them")
