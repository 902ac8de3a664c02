"""The forward pass of (11) for q = 1 and 2, and its limit for q to infinity."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from torch import Tensor

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.operator_norms.matrices import MatrixCase
from nbsrc.audits.operator_norms.passes import printed_direction
from nbsrc.claims import Finding

__all__ = ["audit_limit", "audit_special_cases", "distance_bound"]


def audit_special_cases(vectors: Iterable[MatrixCase]) -> Finding:
    r"""Test that (11)'s formula is :math:`\tilde u/\|\tilde u\|_2` for q = 2, the signs for q = 1.

    Args:
        vectors: The starts of these cases are the vectors; zero ones are left out.

    Returns:
        The finding.
    """

    def results() -> Iterator[Case]:
        for case in vectors:
            u = case.v0
            if bool(u.any()):
                errors = (
                    printed_direction(u, 2) - u / u.norm(),
                    printed_direction(u, 1) - u.sign(),
                )
                worst = max(float(e.abs().max()) for e in errors)
                yield -worst, case.size, {"u": u.tolist()}

    return collect(results(), tolerance=1e-14, family="whole-number vectors, ties, zeros")


def distance_bound(u: Tensor, q: float) -> float:
    r"""Return a bound of the distance of the formula at q from its limit.

    With r the second-largest absolute value over the largest, I the entries of largest absolute
    value and :math:`S=\sum_i(|u_i|/\|u\|_\infty)^q`, the entries of I have the size
    :math:`S^{-(q-1)/q}` with :math:`|I|\le S\le|I|+(n-|I|)r^q`, and the others at most
    :math:`r^{q-1}`.

    Args:
        u: ``[n]``, not zero.
        q: The order.

    Returns:
        The bound; it tends to 0.
    """
    size = u.abs() / u.abs().max()
    top, rest = int((size == 1).sum()), size[size < 1]
    r = float(rest.max()) if len(rest) else 0.0
    above = (float(top ** (1 / q)) - 1) / top
    below = 1 / top - 1 / (top + len(rest) * float(r**q))
    return max(above, below, float(r ** (q - 1)))


def audit_limit(vectors: Iterable[MatrixCase], q: float, *, divide: bool = True) -> Finding:
    r"""Test that the formula at a large q is near its limit :math:`|I|^{-1}\mathrm{sign}\odot1_I`.

    Args:
        vectors: The starts of these cases are the vectors; zero ones are left out.
        q: The order.
        divide: A planted error: without the factor ``1 / |I|``.

    Returns:
        The finding; the distance must be within :func:`distance_bound`, and that at most ``20 / q``
        (which vectors with near ties break).
    """

    def results() -> Iterator[Case]:
        for case in vectors:
            u = case.v0
            if not bool(u.any()):
                continue
            top = u.abs() == u.abs().max()
            limit = u.sign() * top / (float(top.sum()) if divide else 1.0)
            scaled = u / u.abs().max()  # the formula does not depend on the scale
            error = float((printed_direction(scaled, q) - limit).abs().max())
            bound = distance_bound(u, q)
            yield min(bound - error, 20 / q - bound), case.size, {"u": u.tolist(), "q": q}

    return collect(results(), tolerance=1e-12, family="whole-number vectors, ties, zeros")
