r"""Certified (p, q) operator norms of one matrix: an interval with all rounding errors in it.

Source: Roth, Kilcher & Hofmann (2020), equation (8) and Table 1.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from nbsrc.bracket import Bracket
from nbsrc.operator_norm._arguments import check_array, check_choice, check_order
from nbsrc.operator_norm.bounds import lower_bound, upper_bound
from nbsrc.operator_norm.duality import lp_norm
from nbsrc.operator_norm.exact import MAX_SIGNS, closed_form, enumerated_norm, signs_needed

__all__ = ["METHODS", "operator_norm"]

#: The values of ``method``.
METHODS = ("auto", "exact", "bracket")

_EPS = torch.finfo(torch.float64).eps


def operator_norm(
    J: Tensor,
    p: float,
    q: float,
    method: str = "auto",
    *,
    max_signs: int = MAX_SIGNS,
    steps: int = 50,
    rtol: float = 1e-8,
) -> Bracket:
    r"""The (p, q) operator norm as a certified interval.

    .. math:: \|J\|_{p,q} = \max_{\|v\|_p = 1} \|Jv\|_q

    Equation (8) of Roth et al.; p belongs to the domain. The six tractable entries of Table 1, and
    every (1, q) and (p, inf), are exact up to rounding. For the NP-hard (inf, 1), (inf, 2) and
    (2, 1) the sign vectors of :func:`nbsrc.operator_norm.exact_operator_norm` are tried if they are
    short; else a power iteration bounds the norm from below and
    :mod:`nbsrc.operator_norm.bounds` from above. Everything is computed in float64. The ends
    include rounding: error bounds of sums and products, and for eigenvalues and singular values the
    backward stability of LAPACK with a constant of 32 (d + n).

    Args:
        J: ``[d, n]``.
        p: The order in the domain, at least 1.
        q: The order in the co-domain, at least 1.
        method: "auto"; "exact" to insist on a closed form or enumeration; "bracket" for the
            bounds from below and above (for NP-hard pairs).
        max_signs: Longest sign vector that may be enumerated; the time doubles with each entry.
        steps: Most iterations of each of the two bounds.
        rtol: The relative width that counts as converged.

    Returns:
        The interval; ``iterations`` is 0 for exact methods and ``steps`` for bounds.

    Raises:
        NotImplementedError: If the pair has neither formula nor bound, "exact" needs longer sign
            vectors than allowed, or "bracket" is asked of a pair with a closed form.
        TypeError: If an argument has the wrong type.
        ValueError: If J is not a finite matrix, an order is less than 1 or NaN, or the method is
            unknown.

    Example:
        >>> J = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
        >>> [round(operator_norm(J, p, 1).value, 6) for p in (1, 2, math.inf)]
        [6.0, 7.211103, 10.0]
    """
    domain, codomain = check_order("p", p), check_order("q", q)
    check_choice("method", method, METHODS)
    matrix = check_array("J", J, 2).detach().cpu().double()
    if matrix.ndim != 2:
        raise ValueError(f"J must be one matrix [d, n], got shape {tuple(matrix.shape)}")
    scale = float(matrix.abs().max())
    if scale == 0:
        return Bracket(value=0.0, lower=0.0, upper=0.0, iterations=0, converged=True)
    matrix = matrix / scale  # nothing overflows or underflows from here on
    known = closed_form(matrix, domain, codomain)
    if method == "bracket" and known is not None:
        raise NotImplementedError(
            f"bounds are for pairs without closed form, (p, q) = ({domain:g}, {codomain:g}) of a "
            f"{matrix.shape[0]} x {matrix.shape[1]} matrix has one"
        )
    if known is not None:
        margin = _rounding(matrix, domain, codomain)
        return _bracket(float(known), -margin, margin, scale, rtol, 0)
    needed = signs_needed(matrix, domain, codomain)
    if needed is None:
        raise NotImplementedError(
            f"(p, q) = ({domain:g}, {codomain:g}) is not implemented: p = 1, q = inf and "
            "{2, inf} x {1, 2} are"
        )
    if method != "bracket" and needed <= max_signs:
        margin = _rounding(matrix, domain, codomain)
        found = float(enumerated_norm(matrix, domain, codomain))
        return _bracket(found, -margin, margin, scale, rtol, 0)
    if method == "exact":
        raise NotImplementedError(
            f"the exact ({domain:g}, {codomain:g}) norm of a {matrix.shape[0]} x {matrix.shape[1]} "
            f"matrix needs sign vectors of length {needed}, max_signs allows {max_signs}"
        )
    return _bounded(matrix, domain, codomain, scale, steps, rtol)


def _bounded(matrix: Tensor, p: float, q: float, scale: float, steps: Any, rtol: float) -> Bracket:
    """Lower and upper bound of an NP-hard norm."""
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
        raise ValueError(f"steps must be a positive integer, got {steps!r}")
    v = lower_bound(matrix, p, q, steps)
    value = float(lp_norm(matrix @ v, q))
    d, n = matrix.shape
    relative = 32 * (d + n) * min(d, n) * _EPS  # trace of the Gram matrix over its top eigenvalue
    upper = max(value, upper_bound(matrix, p, q, steps)) * (1 + relative)
    margin = _rounding(matrix, p, q)
    return _bracket(value, -margin, upper - value, scale, rtol, steps)


def _rounding(matrix: Tensor, p: float, q: float) -> float:
    r"""Bound the rounding error of a norm of :math:`Jv`, for all v of the unit ball.

    The error of :math:`Jv` is at most :math:`\gamma |J||v|` entry by entry, so the error of its
    norm is at most :math:`\gamma \| |J| \|_{p,q}`, which is bounded here from above.

    Args:
        matrix: ``[d, n]``.
        p: The order in the domain.
        q: The order in the co-domain.

    Returns:
        The bound.
    """
    d, n = matrix.shape
    size = matrix.abs()
    if p == 1 or q == math.inf:
        gain = closed_form(size, p, q)
        assert gain is not None
    elif p == math.inf:
        gain = lp_norm(size.sum(1), q)
    else:
        # |v|_2 <= n^(1/2 - 1/p) |v|_p for p > 2, |v|_2 <= |v|_p else; |w|_q <= d^(1/q - 1/2) |w|_2
        factor = n ** max(0.0, 0.5 - 1 / p) * d ** max(0.0, 1 / q - 0.5)
        gain = factor * torch.linalg.vector_norm(size)
    return 32 * (d + n) * _EPS * float(gain)


def _bracket(
    value: float, down: float, up: float, scale: float, rtol: float, iterations: int
) -> Bracket:
    lower, upper = max(0.0, value + down), value + up
    return Bracket(
        value=value * scale,
        lower=math.nextafter(lower * scale, 0.0),
        upper=math.nextafter(upper * scale, math.inf),
        iterations=iterations,
        converged=upper - lower <= rtol * upper,
    )
