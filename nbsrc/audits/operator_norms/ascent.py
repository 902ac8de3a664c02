"""What the operator norm iteration guarantees: ascent, finite termination, nonnegative J."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import product

import torch

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.operator_norms.iteration import on_sphere
from nbsrc.audits.operator_norms.matrices import NINE, MatrixCase, pair_name
from nbsrc.claims import Finding
from nbsrc.operator_norm import exact_operator_norm, holder_conjugate, power_method

__all__ = ["audit_ascent", "audit_climbs", "audit_finite", "audit_non_negative"]


def audit_ascent(cases: Iterable[MatrixCase], steps: int, *, reverse: bool = False) -> Finding:
    r"""Test :math:`\|J\|_{p,q}\ge\|Jv_k\|_q\ge\|J^\top u_k\|_{p^*}\ge\|Jv_{k-1}\|_q` for (12).

    Args:
        cases: Matrices with starts.
        steps: Number of steps.
        reverse: A planted error: the chain the other way round.

    Returns:
        The finding, over the nine pairs; the slack is relative to the norm.
    """

    def results() -> Iterator[Case]:
        for case in cases:
            for p, q in NINE:
                if not bool((case.J @ case.v0).any()):
                    continue
                run = power_method(case.J, p, q, on_sphere(case.v0, p), steps, keep_iterates=True)
                assert run.us is not None
                middle = torch.linalg.vector_norm(run.us @ case.J, holder_conjugate(p), dim=1)
                norm = float(exact_operator_norm(case.J, p, q))
                differences = torch.cat([
                    run.gains[1:] - middle, middle - run.gains[:-1], norm - run.gains
                ])  # fmt: skip
                slack = float((-differences if reverse else differences).min()) / norm
                yield slack, case.size, {**case.description, "pair": pair_name((p, q))}

    return collect(results(), tolerance=1e-12, family="matrices with starts, the nine pairs")


def audit_climbs(
    cases: Iterable[MatrixCase], steps: int, alphas: Iterable[float], *, factor: float = 1.0
) -> Finding:
    r"""Test that (11) with a finite step never lowers the gain, and by how much it rises.

    .. math:: \|Jv_k\|_q \ge \|Jv_{k-1}\|_q + \frac1{2\alpha}\|v_k-v_{k-1}\|_2^2

    Args:
        cases: Matrices with starts.
        steps: Number of steps.
        alphas: The step sizes.
        factor: A planted error: a factor on the rise.

    Returns:
        The finding, over the nine pairs; the slack is relative to the norm.
    """
    sizes = tuple(alphas)

    def results() -> Iterator[Case]:
        for case in cases:
            if not bool((case.J @ case.v0).any()):
                continue
            for (p, q), alpha in product(NINE, sizes):
                start = on_sphere(case.v0, p)
                run = power_method(case.J, p, q, start, steps, alpha, keep_iterates=True)
                assert run.vs is not None
                rise = (run.vs[1:] - run.vs[:-1]).square().sum(1) * factor / (2 * alpha)
                slack = float((run.gains[1:] - run.gains[:-1] - rise).min())
                shown = {**case.description, "pair": pair_name((p, q)), "alpha": alpha}
                yield slack / float(run.gains[-1]), case.size, shown

    return collect(results(), tolerance=1e-12, family="finite steps, the nine pairs")


def audit_finite(
    cases: Iterable[MatrixCase], steps: int, pairs: Iterable[tuple[float, float]]
) -> Finding:
    """Test that the gain takes its last value after finitely many steps.

    Args:
        cases: Matrices with starts.
        steps: The gain must not change after half of these steps, beyond rounding.
        pairs: The pairs; (2, 2) is the one that does not stop.

    Returns:
        The finding; the slack is minus the relative change.
    """
    chosen = tuple(pairs)

    def results() -> Iterator[Case]:
        for case in cases:
            for p, q in chosen:
                start = on_sphere(case.v0, p)
                gains = power_method(case.J, p, q, start, steps, on_zero="keep").gains
                change = float(gains[-1] - gains[steps // 2]) / max(float(gains[-1]), 1e-300)
                yield -abs(change), case.size, {**case.description, "pair": pair_name((p, q))}

    return collect(results(), tolerance=1e-13, family="matrices with starts")


def audit_non_negative(cases: Iterable[MatrixCase], *, absolute: bool = True) -> Finding:
    """Test that one step from a positive start is optimal, for J without negative entries.

    Args:
        cases: Matrices with starts; absolute values are taken of both.
        absolute: False leaves the signs of J: a control.

    Returns:
        The finding, for the three hard pairs; the slack is minus the relative gap.
    """
    hard = ((2.0, 1.0), (math.inf, 1.0), (math.inf, 2.0))

    def results() -> Iterator[Case]:
        for case in cases:
            J = case.J.abs() if absolute else case.J
            if not bool(J.any()):
                continue
            for p, q in hard:
                start = on_sphere(case.v0.abs(), p)
                found = float(power_method(J, p, q, start, 1, on_zero="keep").value)
                norm = float(exact_operator_norm(J, p, q))
                shown = {**case.description, "pair": pair_name((p, q)), "reached": found}
                yield (found - norm) / norm, case.size, {**shown, "norm": norm}

    return collect(results(), tolerance=1e-12, family="matrices with positive starts")
