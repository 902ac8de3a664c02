"""Appendix D: the steps of the proof of Proposition 3.4, and the convexity it rests on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor

from nbsrc.audits.connections.compare import relative_error
from nbsrc.audits.connections.trainings import Training, shifted_start
from nbsrc.audits.finding import Case, collect
from nbsrc.claims import Finding

__all__ = [
    "audit_antisymmetric",
    "audit_chain",
    "audit_difference_only",
    "audit_equal_at_optimum",
    "audit_one_combination",
    "audit_split",
    "audit_strongly_convex",
    "audit_symmetrising",
]

Objective = Callable[[Training], Callable[[Tensor], Tensor]]
FAMILY = "small and random training problems"


def jacobian(training: Training) -> Callable[[Tensor], Tensor]:
    """Return L', the Jacobian-regularised objective.

    Args:
        training: The problem.

    Returns:
        The objective.
    """
    return training.jacobian_objective


def cross(training: Training) -> Callable[[Tensor], Tensor]:
    """Return L'', the cross-Lipschitz objective with lambda'' = lambda' / 2.

    Args:
        training: The problem.

    Returns:
        The objective.
    """
    return training.cross_objective


def _points(training: Training, seed: int = 0, count: int = 3) -> Iterator[Tensor]:
    g = torch.Generator().manual_seed(seed)
    for _ in range(count):
        yield torch.randn(training.features.shape[1], 2, generator=g, dtype=torch.float64)


def _audit(
    trainings: Iterable[Training], error: Callable[[Training], float], tolerance: float
) -> Finding:
    results: Iterator[Case] = ((-error(t), t.size, t.description) for t in trainings)
    return collect(results, tolerance=tolerance, family=FAMILY)


def audit_strongly_convex(
    trainings: Iterable[Training], objective: Objective = jacobian
) -> Finding:
    """Test that the Hessian of an objective in W has only positive eigenvalues.

    Args:
        trainings: The problems.
        objective: The objective.

    Returns:
        The finding; the slack is the smallest eigenvalue minus 1e-9.
    """

    def smallest(t: Training) -> float:
        values = []
        for W in _points(t):
            H = torch.autograd.functional.hessian(objective(t), W)
            values.append(float(torch.linalg.eigvalsh(H.reshape(W.numel(), -1))[0]))
        return min(values)

    return _audit(trainings, lambda t: 1e-9 - smallest(t), 0)


def audit_antisymmetric(trainings: Iterable[Training], objective: Objective) -> Finding:
    """Test that the minimiser found from a shifted start has ``v_+ + v_- = 0``.

    Args:
        trainings: The problems.
        objective: The objective.

    Returns:
        The finding; the slack is minus the root mean square of ``|v_+ + v_-|``.
    """

    def sum_of_columns(t: Training) -> float:
        W = t.minimiser(objective(t), shifted_start(t))
        return float(t.squared(W.sum(1)).sqrt())

    return _audit(trainings, sum_of_columns, 1e-6)


def audit_difference_only(trainings: Iterable[Training], shift: float = 1.0) -> Finding:
    """Test eqs. (26)-(27): the loss depends on ``v_+ - v_-`` alone, and is convex in it.

    Args:
        trainings: The problems.
        shift: Factor of the shift of the second column; anything but 1 plants an error.

    Returns:
        The finding.
    """

    def error(t: Training) -> float:
        worst, points = 0.0, list(_points(t, count=4))
        for W, step in zip(points[:2], points[2:], strict=True):
            moved = W + torch.stack([step[:, 0], shift * step[:, 0]], 1)
            worst = max(worst, relative_error(t.loss(moved), t.loss(W)))
            middle = t.loss((W + step) / 2)
            worst = max(worst, float(middle - (t.loss(W) + t.loss(step)) / 2))
        return worst

    return _audit(trainings, error, 1e-10)


def audit_split(trainings: Iterable[Training], *, last_term: bool = True) -> Finding:
    """Test eq. (28): ``L' = h + lambda nu^2 / 2 + lambda |v_+ + v_-|^2 / 2``.

    Args:
        trainings: The problems.
        last_term: Keep the last term; if not, an error is planted.

    Returns:
        The finding.
    """

    def error(t: Training) -> float:
        return max(
            relative_error(
                t.jacobian_objective(W),
                t.cross_objective(W) + last_term * t.weight * t.squared(W.sum(1)) / 2,
            )
            for W in _points(t)
        )

    return _audit(trainings, error, 1e-12)


def audit_symmetrising(trainings: Iterable[Training], *, keep_difference: bool = True) -> Finding:
    """Test eq. (29) at every V: ``L'(V^) - L'(V) <= -lambda |v_+ + v_-|^2 / 2 <= 0``.

    Args:
        trainings: The problems.
        keep_difference: Use ``(v_+ - v_-)/2`` and its negative; if not, twice that (an error).

    Returns:
        The finding; the slack is bound minus difference.
    """

    def error(t: Training) -> float:
        worst = -float("inf")
        for W in _points(t):
            half = (W[:, 0] - W[:, 1]) * (0.5 if keep_difference else 1.0)
            change = t.jacobian_objective(torch.stack([half, -half], 1)) - t.jacobian_objective(W)
            bound = -t.weight * t.squared(W.sum(1)) / 2
            worst = max(worst, float(change - bound), float(bound))
        return worst

    return _audit(trainings, error, 1e-10)


def audit_equal_at_optimum(trainings: Iterable[Training], factor: float = 0.5) -> Finding:
    """Test eq. (30): ``L'(V') = L''(V')`` at the minimiser of L', with ``lambda'' = lambda' / 2``.

    Args:
        trainings: Problems with lambda above 0.
        factor: lambda'' over lambda'; anything but 1/2 plants an error.

    Returns:
        The finding.
    """

    def error(t: Training) -> float:
        W = t.minimiser(t.jacobian_objective, shifted_start(t))
        other = t.loss(W) + factor * t.weight * t.squared(W[:, 0] - W[:, 1])
        return relative_error(t.jacobian_objective(W), other)

    return _audit(trainings, error, 1e-9)


def audit_one_combination(trainings: Iterable[Training], sign: int) -> Finding:
    """Test the line before eq. (31): L'' depends on ``v_+ + sign v_-`` alone, and eq. (31).

    Args:
        trainings: Problems with lambda above 0.
        sign: +1 as printed, -1 as it must be.

    Returns:
        The finding.
    """

    def error(t: Training) -> float:
        worst = 0.0
        for W in [*_points(t), torch.ones_like(shifted_start(t))]:
            step = torch.ones(len(W), dtype=torch.float64)
            moved = W + torch.stack([step, -sign * step], 1)  # leaves v_+ + sign v_- as it is
            worst = max(worst, relative_error(t.cross_objective(moved), t.cross_objective(W)))
        W = t.minimiser(t.cross_objective, shifted_start(t))
        half = (W[:, 0] + sign * W[:, 1]) / 2
        V = torch.stack([half, -half], 1)
        values = t.jacobian_objective(V), t.cross_objective(V), t.cross_objective(W)
        return max(worst, *(relative_error(values[0], other) for other in values[1:]))

    return _audit(trainings, error, 1e-9)


def audit_chain(trainings: Iterable[Training], *, antisymmetric: bool = True) -> Finding:
    """Test eq. (32): ``L'(V') = L''(V') >= L''(V'') = L'(V'') >= L'(V')``, so all are equal.

    Args:
        trainings: Problems with lambda above 0.
        antisymmetric: Take the antisymmetric minimiser ``V''`` of L'', as the proof does; if not,
            the one that a shifted start leads to.

    Returns:
        The finding; the slack is minus the largest relative difference.
    """

    def error(t: Training) -> float:
        one = t.minimiser(t.jacobian_objective, shifted_start(t))
        two = t.minimiser(t.cross_objective, shifted_start(t))
        if antisymmetric:
            two = two - two.mean(1, keepdim=True)
        first = t.jacobian_objective(one)
        others = (t.cross_objective(one), t.cross_objective(two), t.jacobian_objective(two))
        return max(relative_error(first, other) for other in others)

    return _audit(trainings, error, 1e-9)
