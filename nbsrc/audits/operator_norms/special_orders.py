"""The forward pass of (11) for q = 1 and 2, and its limit for q to infinity."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.operator_norms.matrices import MatrixCase
from nbsrc.audits.operator_norms.passes import printed_direction
from nbsrc.claims import Finding

__all__ = ["audit_limit", "audit_special_cases"]


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


def audit_limit(vectors: Iterable[MatrixCase], q: float, *, divide: bool = True) -> Finding:
    r"""Test that the formula at a large q is near its limit :math:`|I|^{-1}\mathrm{sign}\odot1_I`.

    Args:
        vectors: The starts of these cases are the vectors; zero ones are left out.
        q: The order. The distance is about ``log |I| / q``, and ``r^(q-1)`` for a second-largest
            entry that is r times the largest.
        divide: A planted error: without the factor ``1 / |I|``.

    Returns:
        The finding; the tolerance is ten over q.
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
            yield -error, case.size, {"u": u.tolist(), "q": q}

    return collect(results(), tolerance=10 / q, family="whole-number vectors, ties, zeros")
