"""One step of the proof of Theorem 1, (109) to (111), and why the gradient never vanishes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor

from nbsrc.audits.finding import Case as Result
from nbsrc.audits.finding import collect
from nbsrc.audits.power_methods.cases import Case, linear_net
from nbsrc.audits.power_methods.theorem import (
    attack_path,
    compared,
    family_of,
    power_path,
    word,
)
from nbsrc.claims import Finding
from nbsrc.operator_norm import power_method

__all__ = ["audit_cell_step", "audit_gains_rise", "audit_iteration_limit", "audit_run_of_limits"]


def audit_cell_step(cases: Iterable[Case], p: float, q: float, *, size: float = 1.0) -> Finding:
    """Test (109) and (110): at ``x + eps v`` both passes are those of J at x, for all v.

    The starts are taken for v; for whole maps they contain ties and zeros. The direction u at
    ``J v`` and at ``eps J v`` has to be the same.

    Args:
        cases: The cases.
        p: The order of the ball.
        q: The order of the loss.
        size: The radius in units of the case's; above 1 / 0.9 the ball leaves the cell.

    Returns:
        The finding.
    """

    def results() -> Iterator[Result]:
        for case in cases:
            v, eps = case.starts(p), size * case.radius(p)
            if not len(v):
                continue
            points = (case.x.flatten(1) + eps * v).reshape(-1, *case.x.shape[1:])
            points.requires_grad_()
            logits = case.net(points).flatten(1)
            moved = logits.detach() - case.net(case.x).flatten(1).detach()
            image = v @ case.J.T
            u, again = (_norm_direction(z, q) for z in (moved, image))
            backward = torch.autograd.grad(logits, points, u)[0].flatten(1)
            one = torch.cat([moved / eps, u, backward], 1)
            two = torch.cat([image, again, again @ case.J], 1)
            yield from compared(case, p, q, v, one[None], two[None])

    return collect(results(), tolerance=1e-7, family=family_of(p, q))


def audit_gains_rise(cases: Iterable[Case], p: float, q: float, **attack: Any) -> Finding:
    """Test that ``||J v_k||_q`` does not fall, so that the gradient never vanishes.

    Args:
        cases: The cases.
        p: The order of the ball.
        q: The order of the loss.
        **attack: Passed to `attack_path`.

    Returns:
        The finding; the slack is the smallest growth in a step.
    """

    def results() -> Iterator[Result]:
        for case in cases:
            starts = case.starts(p)
            if len(starts):
                path = attack_path(case, p, q, 4, **attack) @ case.J.T
                gains = torch.linalg.vector_norm(path, q, dim=-1)
                for number, growth in enumerate((gains[1:] - gains[:-1]).amin(0).tolist()):
                    shown = {"start": starts[number].tolist(), "gains": gains[:, number].tolist()}
                    yield growth, (*case.size, number), {**case.description, **shown}

    return collect(results(), tolerance=1e-9, family=family_of(p, q))


def _norm_direction(z: Tensor, q: float) -> Tensor:
    z = z.detach().requires_grad_()
    return torch.autograd.grad(torch.linalg.vector_norm(z, q, dim=-1).sum(), z)[0]


def audit_iteration_limit(cases: Iterable[Case], p: float, q: float, *, limit: str) -> Finding:
    """Test one step of (11), on the sphere with a huge step, from each iterate of the limits.

    Args:
        cases: The cases.
        p: The order in the domain.
        q: The order in the co-domain.
        limit: "printed" for (12), "projection" for the nearest point of the exposed face.

    Returns:
        The finding; a trial is a start.
    """

    def results() -> Iterator[Result]:
        for case in cases:
            starts = case.starts(p)
            if len(starts):
                two = power_path(case, p, q, 4, limit)
                one = power_method(case.J, p, q, two[:-1].flatten(0, 1), 1, alpha=1e9).v
                yield from compared(case, p, q, starts, one.reshape(two[1:].shape), two[1:])

    return collect(results(), tolerance=1e-6, family=f"(11), {family_of(p, q)}")


def audit_run_of_limits(J: list[list[float]], start: list[float], q: float) -> Finding:
    """Test for p = 2 that the runs with large steps tend to the run of the limits.

    Args:
        J: A matrix for which a later iterate of the limits lies on a kink of the q-norm.
        start: The start.
        q: The order of the loss.

    Returns:
        The finding over steps from 1e4 to 1e12; the tolerance 1e-3 is far above ``eps / alpha``.
    """
    point = torch.zeros(1, len(start), dtype=torch.float64)
    first = torch.tensor([start], dtype=torch.float64)
    case = Case(linear_net(J), point, first, "linear", whole=True)

    def results() -> Iterator[Result]:
        end = power_path(case, 2.0, q, 2, "projection")[-1, 0]
        for exponent in (4, 6, 8, 10, 12):
            run = attack_path(case, 2.0, q, 2, alpha=10.0**exponent)[-1, 0]
            shown = {"J": J, "start": start, "q": word(q), "alpha / eps": f"1e{exponent}",
                     "attack": run.tolist(), "power method": end.tolist()}  # fmt: skip
            yield -float((run - end).abs().amax()), (exponent,), shown

    return collect(results(), tolerance=1e-3, family="second iterate, steps 1e4 to 1e12 eps")
