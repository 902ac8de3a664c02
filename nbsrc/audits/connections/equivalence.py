"""Proposition 3.4: penalising nu^2 / 2 and penalising mu^2, as two problems over all V."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from nbsrc.audits.connections.compare import relative_error
from nbsrc.audits.connections.trainings import Training, shifted_start, zero_start
from nbsrc.audits.finding import Case, collect
from nbsrc.claims import Finding

__all__ = ["audit_same_functions", "audit_same_minimisers"]


def audit_same_minimisers(trainings: Iterable[Training]) -> Finding:
    """Test eq. (13) literally: every minimiser of one objective minimises the other.

    The minimisers tried are those that Newton's method finds from 0 and from a common shift of 1.

    Args:
        trainings: The problems.

    Returns:
        The finding; the slack is minus the largest excess over the smallest value.
    """

    def cases() -> Iterator[Case]:
        for t in trainings:
            objectives = (t.cross_objective, t.jacobian_objective)
            found = [t.minimiser(f, s(t)) for f in objectives for s in (zero_start, shifted_start)]
            excess = max(
                float(f(W)) - min(float(f(U)) for U in found) for f in objectives for W in found
            )
            yield -excess, t.size, {**t.description, "excess": excess}

    return collect(cases(), tolerance=1e-9, family="minimisers found from two starts")


def audit_same_functions(
    trainings: Iterable[Training], factor: float = 1.0, *, antisymmetric: bool = True
) -> Finding:
    """Test the repair of eq. (13): one smallest value, one ``A (w_+ - w_-)`` on the examples.

    For every minimiser W of the cross-Lipschitz problem, W minus the mean of its columns minimises
    both problems, and ``A (w_+ - w_-)`` is that of the Jacobian problem.

    Args:
        trainings: Problems with lambda above 0.
        factor: Factor of lambda in the Jacobian problem; anything but 1 plants an error.
        antisymmetric: Centre the minimiser; if not, an error is planted.

    Returns:
        The finding.
    """

    def error(t: Training) -> float:
        other = t if factor == 1 else replace(t, weight=factor * t.weight)
        cross = t.minimiser(t.cross_objective, shifted_start(t))
        jacobian = other.minimiser(other.jacobian_objective, shifted_start(t))
        centred = cross - cross.mean(1, keepdim=True) if antisymmetric else cross
        margins = [t.features @ (W[:, 0] - W[:, 1]) for W in (cross, jacobian)]
        return max(
            relative_error(t.cross_objective(cross), other.jacobian_objective(jacobian)),
            relative_error(t.jacobian_objective(centred), t.cross_objective(cross)),
            float((margins[0] - margins[1]).abs().max()),
        )

    results = ((-error(t), t.size, t.description) for t in trainings)
    return collect(results, tolerance=1e-7, family="one layer, and last layers with a dead unit")
