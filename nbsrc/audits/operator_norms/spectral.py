"""Sections 3 and 4.1: the power method (4), (6), its fixed points, and degenerate norms."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise

import torch
from torch import Tensor

from nbsrc.audits.connections.compare import audit_equal
from nbsrc.audits.finding import Case, collect
from nbsrc.audits.operator_norms.matrices import MatrixCase
from nbsrc.claims import Finding
from nbsrc.operator_norm import LinearMap

__all__ = [
    "alignment",
    "audit_error_bound",
    "audit_one_limit",
    "audit_power_method",
    "audit_stationary",
    "audit_vector_converges",
    "printed_iteration",
    "top_space",
]


def printed_iteration(
    J: Tensor | LinearMap, v0: Tensor, steps: int
) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    """Run (4) or (6) letter by letter, divisions by zero included.

    Args:
        J: ``[d, n]``, or the products of a map.
        v0: ``[n]``.
        steps: Number of steps.

    Returns:
        The ``u_k``, the ``v_k`` (from k = 1) and the values ``u_k^T J v_k``.
    """
    forward = (lambda v: J @ v) if isinstance(J, Tensor) else J.forward
    backward = (lambda u: J.T @ u) if isinstance(J, Tensor) else J.backward
    us, vs, values, v = [], [], [], v0
    for _ in range(steps):
        raw = forward(v)
        u = raw / raw.norm()
        raw = backward(u)
        v = raw / raw.norm()
        us.append(u)
        vs.append(v)
        values.append((u * forward(v)).sum())
    return us, vs, values


def audit_power_method(
    cases: Iterable[MatrixCase],
    steps: int,
    *,
    products: Callable[[Tensor], Tensor | LinearMap] = lambda J: J,
    tolerance: float = 1e-9,
) -> Finding:
    """Test that the final value of the power method is the largest singular value.

    Args:
        cases: Matrices with starts.
        steps: Number of steps.
        products: What turns J into products, such as those of a network.
        tolerance: Largest relative error.

    Returns:
        The finding; a value that is not a number is an error of 1.
    """
    return audit_equal(
        cases,
        lambda case: printed_iteration(products(case.J), case.v0, steps)[2][-1],
        lambda case: case.sigma,
        tolerance=tolerance,
        family="matrices with random starts",
    )


def top_space(J: Tensor, rtol: float = 1e-9) -> Tensor:
    """Return an orthonormal basis of the right singular vectors of the largest singular value.

    Args:
        J: ``[d, n]``, not zero.
        rtol: Relative difference up to which singular values count as equal.

    Returns:
        ``[multiplicity, n]``.
    """
    _, values, rows = torch.linalg.svd(J, full_matrices=False)
    basis: Tensor = rows[values >= values[0] * (1 - rtol)]
    return basis


def alignment(J: Tensor, v: Tensor) -> float:
    """Return the cosine of the angle between a vector and the top right singular space.

    Args:
        J: ``[d, n]``.
        v: ``[n]``.

    Returns:
        From 0 to 1.
    """
    return float((top_space(J) @ (v / v.norm())).norm())


def audit_error_bound(
    cases: Iterable[MatrixCase], steps: int, *, power: float = 4.0, least: float = 0.0
) -> Finding:
    r"""Test what the power method guarantees from every start, degenerate norms included.

    .. math::
        0 \le 1 - \frac{(u_k^\top Jv_k)^2}{\sigma_1^2} \le
        \Big(\frac{\sigma'}{\sigma_1}\Big)^{4k-2} \tan^2\theta_0

    with :math:`\sigma'` the largest singular value below :math:`\sigma_1` (0 if there is none) and
    :math:`\theta_0` the angle between v0 and the top right singular space; the values never fall.

    Args:
        cases: Matrices other than zero, with starts.
        steps: Number of steps.
        power: A planted error: the 4 of the exponent.
        least: Cosines of at most this are left out.

    Returns:
        The finding; the slack is absolute, of quantities that are at most 1.
    """

    def results() -> Iterator[Case]:
        for case in cases:
            cosine = alignment(case.J, case.v0)
            if cosine <= least:
                continue
            tangent = max(0.0, 1 / cosine**2 - 1)
            lower = case.spectrum[case.spectrum < case.sigma * (1 - 1e-9)]
            ratio = float(lower[0]) / case.sigma if len(lower) else 0.0
            values = [float(v) for v in printed_iteration(case.J, case.v0, steps)[2]]
            slack = min(b - a for a, b in pairwise(values)) / case.sigma
            for k, value in enumerate(values, start=1):
                missing = 1 - (value / case.sigma) ** 2
                bound = ratio ** (power * k - 2) * tangent
                slack = min(slack, missing, bound - missing)
            yield slack, case.size, {**case.description, "cosine": cosine}

    return collect(results(), tolerance=1e-10, family="matrices with starts, degenerate ones too")


def audit_one_limit(
    cases: Iterable[MatrixCase], steps: int, seed: int, dtype: torch.dtype = torch.float64
) -> Finding:
    """Test that two random starts end at one vector, up to its sign, as a simple norm would have.

    Args:
        cases: Matrices other than zero.
        steps: Number of steps.
        seed: Seed of the starts.
        dtype: In which all is computed, rounding included.

    Returns:
        The finding; the slack is the cosine of the two vectors minus 1.
    """
    g = torch.Generator().manual_seed(seed)

    def results() -> Iterator[Case]:
        for case in cases:
            J = case.J.to(dtype)
            starts = torch.randn(2, J.shape[1], generator=g, dtype=torch.float64).to(dtype)
            ends = [printed_iteration(J, v0, steps)[1][-1] for v0 in starts]
            cosine = abs(float(ends[0] @ ends[1]))
            yield cosine - 1, case.size, {**case.description, "cosine": cosine}

    return collect(results(), tolerance=1e-3, family=f"two random starts, {dtype}")


def audit_vector_converges(cases: Iterable[MatrixCase], steps: int) -> Finding:
    """Test that v_k tends to the projection of v0 onto the top space, and its value to the norm.

    Args:
        cases: Matrices other than zero, with starts that are not orthogonal to the top space.
        steps: Number of steps.

    Returns:
        The finding.
    """

    def limit(case: MatrixCase) -> Tensor:
        basis = top_space(case.J)
        shadow = basis.T @ (basis @ case.v0)
        unit: Tensor = shadow / shadow.norm()
        return unit

    return audit_equal(
        cases,
        lambda case: printed_iteration(case.J, case.v0, steps)[1][-1],
        limit,
        tolerance=1e-6,
        family="matrices with a multiple largest singular value",
    )


def audit_stationary(cases: Iterable[MatrixCase], *, optimal: bool, every_step: int = 0) -> Finding:
    r"""Test :math:`\sigma = u^\top Jv = \|Jv\|_2` with :math:`u = Jv/\|Jv\|`.

    Args:
        cases: Matrices; starts are needed for steps only.
        optimal: Only at the dominant singular vector; else at every fixed point of (6), which are
            the right singular vectors of nonzero singular values.
        every_step: If positive, the equalities are tested with the ``u_k, v_k`` of so many steps.

    Returns:
        The finding; the slack is minus the relative error.
    """

    def results() -> Iterator[Case]:
        for case in cases:
            if case.sigma == 0:
                continue
            rows = torch.linalg.svd(case.J, full_matrices=False).Vh
            rows = rows[case.spectrum > 1e-9 * case.sigma][: 1 if optimal else None]
            pairs = [(case.J @ v / (case.J @ v).norm(), v) for v in rows]
            if every_step:
                us, vs, _ = printed_iteration(case.J, case.v0, every_step)
                pairs = list(zip(us, vs, strict=True))
            for u, v in pairs:
                value, length = float(u @ case.J @ v), float((case.J @ v).norm())
                error = max(abs(case.sigma - value), abs(length - value)) / case.sigma
                shown = {**case.description, "v": v.tolist(), "u^T J v": value, "|J v|": length}
                yield -error, case.size, {**shown, "sigma": case.sigma}

    return collect(results(), tolerance=1e-9, family="fixed points of the power method")
