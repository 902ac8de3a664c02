"""When the bound of row B.x5 is 0, and its sum for one hidden layer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch

from nbsrc.audits.finding import Case as Result
from nbsrc.audits.finding import collect
from nbsrc.audits.power_methods.bound import linearised, remainder
from nbsrc.audits.power_methods.cases import Case
from nbsrc.claims import Finding
from nbsrc.operator_norm import holder_conjugate

__all__ = ["audit_one_layer", "audit_zero"]


def audit_zero(cases: Iterable[Case], p: float, sizes: Iterable[float], *, only: bool) -> Finding:
    """Test when the bound is 0: if ``eps <= r``, and, if asked, only then.

    Args:
        cases: Fully connected cases.
        p: The order of the ball.
        sizes: Radii in units of the cell's.
        only: Whether the converse is tested as well.

    Returns:
        The finding; the slack is minus the bound, or -1 where it is 0 beyond the cell.
    """
    sizes = list(sizes)

    def results() -> Iterator[Result]:
        for case in cases:
            around = linearised(case.net, case.x)
            for size in sizes:
                bound = float(remainder(around, size * case.radius(p) / 0.9, p).sum())
                inside = size <= 1
                slack = -bound if inside else (0.0 if bound > 0 or not only else -1.0)
                weights = (
                    [W.tolist() for W in around.weights] if case.J.numel() == 1 else case.words
                )
                shown = {"weights": weights, "eps / radius": size, "bound": bound}
                yield slack, (sum(W.numel() for W in around.weights),), shown

    return collect(results(), tolerance=1e-12, family=f"p = {p:g}; eps/r in {sizes}")


def audit_one_layer(cases: Iterable[Case], p: float, q: float, sizes: Iterable[float]) -> Finding:
    """Test the sum for one hidden layer: at least the recursion, and equal to it for q = 1.

    Args:
        cases: Two-layer networks.
        p: The order of the ball.
        q: The order of the loss.
        sizes: Radii in units of the cell's.

    Returns:
        The finding.
    """
    sizes = list(sizes)

    def results() -> Iterator[Result]:
        for case in cases:
            around = linearised(case.net, case.x)
            lengths = torch.linalg.vector_norm(around.weights[-1], q, dim=0)
            reach = torch.linalg.vector_norm(around.weights[0], holder_conjugate(p), dim=-1)
            for size in sizes:
                eps = size * case.radius(p) / 0.9
                total = float(lengths @ (eps * reach - around.z[0].abs()).clamp(min=0))
                limit = float(torch.linalg.vector_norm(remainder(around, eps, p), q))
                slack = -abs(total - limit) if q == 1 else total - limit
                yield slack / (1 + total), case.size, {**case.description, "eps / radius": size}

    return collect(results(), tolerance=1e-9, family=f"one hidden layer, p = {p:g}, q = {q:g}")
