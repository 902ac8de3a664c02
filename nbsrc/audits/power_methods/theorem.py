"""Theorem 1, iterate by iterate: projected gradient ascent against the power method (12)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor

from nbsrc.audits.finding import Case as Result
from nbsrc.audits.finding import collect
from nbsrc.audits.power_methods.cases import Case
from nbsrc.audits.power_methods.iteration import (
    Project,
    Step,
    enough,
    literal_pga,
    logit_norm,
    steepest,
)
from nbsrc.claims import Finding
from nbsrc.operator_norm import power_method, project_ball

__all__ = [
    "attack_path",
    "audit_each_step",
    "audit_same_gains",
    "audit_same_iterates",
    "compared",
    "family_of",
    "power_path",
    "word",
]


def attack_path(
    case: Case,
    p: float,
    q: float,
    steps: int,
    *,
    alpha: float | None = None,
    size: float = 1.0,
    starts: Tensor | None = None,
    step: Step = steepest,
    project: Project = project_ball,
) -> Tensor:
    """Return ``(x_k - x) / eps`` of the literal attack.

    Args:
        case: The case.
        p: The order of the ball.
        q: The order of the loss.
        steps: Iterations.
        alpha: Step size in units of eps; large enough for the limit if omitted.
        size: The radius in units of the case's.
        starts: ``(x_0 - x) / eps``; the case's if omitted.
        step: The direction of the step.
        project: The projection.

    Returns:
        ``[steps + 1, starts, n]``.
    """
    starts = case.starts(p) if starts is None else starts
    eps = torch.full((len(starts),), size * case.radius(p), dtype=torch.float64)
    points = case.x.expand(len(starts), *case.x.shape[1:])
    length = enough(p, starts.shape[-1]) if alpha is None else alpha
    return literal_pga(
        case.net, points, eps, p, logit_norm(q), length * eps, steps, eps[:, None] * starts,
        step=step, project=project,
    )  # fmt: skip


def power_path(case: Case, p: float, q: float, steps: int, limit: str) -> Tensor:
    """Return the iterates of the power method for the Jacobian at the point.

    Args:
        case: The case.
        p: The order in the domain.
        q: The order in the co-domain.
        steps: Iterations.
        limit: "printed" for (12), "projection" for the limit of (11).

    Returns:
        ``[steps + 1, starts, n]``.
    """
    found = power_method(case.J, p, q, case.starts(p), steps, limit=limit, keep_iterates=True)
    assert found.vs is not None
    return found.vs


def audit_same_iterates(
    cases: Iterable[Case],
    p: float,
    q: float,
    *,
    limit: str,
    steps: int = 4,
    tolerance: float = 1e-7,
    **attack: Any,
) -> Finding:
    """Test that ``(x_k - x) / eps`` is the k-th iterate of the power method.

    Args:
        cases: The cases.
        p: The order of the ball.
        q: The order of the loss.
        limit: "printed" for (12), "projection" for the limit of (11).
        steps: Iterations.
        tolerance: Largest difference.
        **attack: Passed to :func:`attack_path`.

    Returns:
        The finding; a trial is a start.
    """

    def results() -> Iterator[Result]:
        for case in cases:
            starts = case.starts(p)
            if len(starts):
                one = attack_path(case, p, q, steps, **attack)[1:]
                two = power_path(case, p, q, steps, limit)[1:]
                yield from compared(case, p, q, starts, one, two)

    return collect(results(), tolerance=tolerance, family=family_of(p, q))


def audit_each_step(
    cases: Iterable[Case], p: float, q: float, *, limit: str, steps: int = 4, **attack: Any
) -> Finding:
    """Test one step of the attack from each iterate of the power method: the limit step by step.

    Args:
        cases: The cases.
        p: The order of the ball.
        q: The order of the loss.
        limit: "printed" for (12), "projection" for the limit of (11).
        steps: Iterations.
        **attack: Passed to :func:`attack_path`.

    Returns:
        The finding; a trial is a start.
    """

    def results() -> Iterator[Result]:
        for case in cases:
            starts = case.starts(p)
            if len(starts):
                two = power_path(case, p, q, steps, limit)
                one = attack_path(case, p, q, 1, starts=two[:-1].flatten(0, 1), **attack)[1]
                yield from compared(case, p, q, starts, one.reshape(two[1:].shape), two[1:])

    return collect(results(), tolerance=1e-7, family=family_of(p, q))


def audit_same_gains(
    cases: Iterable[Case], p: float, q: float, *, limit: str, steps: int = 4
) -> Finding:
    """Test that attack and power method end with the same ``||J v||_q``.

    Args:
        cases: The cases.
        p: The order of the ball.
        q: The order of the loss.
        limit: "printed" or "projection".
        steps: Iterations.

    Returns:
        The finding.
    """

    def results() -> Iterator[Result]:
        for case in cases:
            starts = case.starts(p)
            if len(starts):
                ends = attack_path(case, p, q, steps)[-1], power_path(case, p, q, steps, limit)[-1]
                gains = [torch.linalg.vector_norm(v @ case.J.T, q, dim=-1) for v in ends]
                one, two = (g[None, :, None] for g in gains)
                yield from compared(case, p, q, starts, one, two)

    return collect(results(), tolerance=1e-6, family=family_of(p, q))


def compared(
    case: Case, p: float, q: float, starts: Tensor, one: Tensor, two: Tensor
) -> Iterator[Result]:
    """Yield a result per start for paths ``[steps, starts, ...]``.

    Args:
        case: The case.
        p: The order of the ball.
        q: The order of the loss.
        starts: The starts.
        one: The attack's path.
        two: The power method's.

    Yields:
        The results; the slack is minus the largest difference on the path.
    """
    errors = (one - two).abs().amax(-1)
    for number, start in enumerate(starts):
        wrong = int((errors[:, number] > 1e-6).to(torch.int8).argmax())
        shown = {
            **case.description, "p": word(p), "q": word(q), "start": start.tolist(),
            "step": wrong + 1, "attack": one[wrong, number].tolist(),
            "power method": two[wrong, number].tolist(),
        }  # fmt: skip
        yield -float(errors[:, number].amax()), (*case.size, number), shown


def family_of(p: float, q: float) -> str:
    """Return the words for a family.

    Args:
        p: The order of the ball.
        q: The order of the loss.

    Returns:
        The words.
    """
    return f"balls inside the cell, p = {word(p)}, q = {word(q)}"


def word(order: float) -> str:
    """Return an order as text.

    Args:
        order: The order.

    Returns:
        The text.
    """
    return "inf" if math.isinf(order) else f"{order:g}"
