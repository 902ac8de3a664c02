"""Lemma 3.1: bounds on the shortest step at which a quadratic reaches a level."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor

from nbsrc.audits.connections.quadratic import Quadratic, shortest_step
from nbsrc.audits.finding import Case, collect
from nbsrc.claims import Finding
from nbsrc.perturbation import lemma31_bounds

__all__ = [
    "audit_bounds",
    "audit_gap",
    "bounds_by_top_eigenvalue",
    "limit_bounds",
    "printed_bounds",
    "random_quadratics",
    "small_quadratics",
]


def printed_bounds(problem: Quadratic) -> tuple[float, float]:
    """Return the two sides of eq. (6) as printed, with the spectral norm of H.

    Args:
        problem: The problem.

    Returns:
        Lower and upper bound; NaN where the print is 0/0: H = 0, or a factor in front of the root
        that is 0.
    """
    h = torch.linalg.matrix_norm(problem.H, 2)

    def side(G: Tensor) -> float:
        return float(G / h * (torch.sqrt(1 + 2 * h * problem.xi / G**2) - 1))

    return side(problem.g.norm()), side(_alignment(problem))


def limit_bounds(problem: Quadratic) -> tuple[float, float]:
    """Return the two sides of eq. (6) with their limits where the print is 0/0.

    Args:
        problem: The problem.

    Returns:
        Lower and upper bound, in the form free of cancellation.
    """
    return _bounds(problem, float(torch.linalg.matrix_norm(problem.H, 2)))


def bounds_by_top_eigenvalue(problem: Quadratic) -> tuple[float, float]:
    """Return the bounds of eq. (6) with the largest eigenvalue in place of the spectral norm.

    Args:
        problem: A problem whose largest eigenvalue is not negative.

    Returns:
        Lower and upper bound.
    """
    return _bounds(problem, max(float(torch.linalg.eigvalsh(problem.H)[-1]), 0.0))


def _bounds(problem: Quadratic, curvature: float) -> tuple[float, float]:
    lower, upper = lemma31_bounds(
        float(problem.g.norm()), float(_alignment(problem)), curvature, problem.xi
    )
    return float(lower), float(upper)


def _alignment(problem: Quadratic) -> Tensor:
    top = torch.linalg.eigh(problem.H).eigenvectors[:, -1]
    component: Tensor = (problem.g @ top).abs()
    return component


def audit_bounds(
    problems: Iterable[Quadratic], bounds: Callable[[Quadratic], tuple[float, float]]
) -> Finding:
    """Test ``lower <= shortest step <= upper``.

    Args:
        problems: The problems.
        bounds: Lower and upper bound of a problem.

    Returns:
        The finding; relative slack, -1 where the step or a bound alone is infinite, or a bound is
        not defined.
    """

    def cases() -> Iterator[Case]:
        for problem in problems:
            lower, upper = bounds(problem)
            length = shortest_step(problem)
            ends = [lower, length, upper]
            shown = {
                name: _in_words(value)
                for name, value in zip(("lower", "shortest", "upper"), ends, strict=True)
            }
            slack = min(_slack(lower, length), _slack(length, upper))
            yield slack, problem.size, {**problem.description, **shown}

    return collect(cases(), tolerance=1e-8, family="gradients and symmetric matrices")


def _in_words(value: float) -> float | str:
    if math.isnan(value):
        return "not defined: 0/0"
    return value if math.isfinite(value) else "none: no step reaches the level"


def _slack(small: float, large: float) -> float:
    if math.isnan(small) or math.isnan(large):
        return -1.0
    if math.isinf(small) or math.isinf(large):
        return 0.0 if small == large else (-1.0 if math.isinf(small) else 1.0)
    return (large - small) / max(small, large) if max(small, large) else 0.0


def audit_gap(problems: Iterable[Quadratic]) -> Finding:
    """Test that both bounds of eq. (6) are equal.

    Args:
        problems: The problems.

    Returns:
        The finding; the slack is minus the relative gap.
    """

    def cases() -> Iterator[Case]:
        for problem in problems:
            lower, upper = limit_bounds(problem)
            shown = {**problem.description, "lower": lower, "upper": upper}
            yield -abs(upper - lower) / max(upper, lower), problem.size, shown

    return collect(cases(), tolerance=1e-9, family="gradient and Hessian of the loss")


def small_quadratics(least: int) -> Iterator[Quadratic]:
    """Yield small problems in whole numbers, in one and two dimensions.

    Args:
        least: Smallest diagonal entry of H: 0 for H without negative eigenvalues.

    Yields:
        The problems; H is diagonal, slopes and H are not both zero.
    """
    for n in (1, 2):
        for diagonal in itertools.product(range(least, 3), repeat=n):
            for g in itertools.product(range(3), repeat=n):
                for xi in (0.0, 1.0, 2.0):
                    if any(g) or max(diagonal) > 0:
                        H = torch.diag(torch.tensor(diagonal, dtype=torch.float64))
                        yield Quadratic(torch.tensor(g, dtype=torch.float64), H, xi)


def random_quadratics(count: int, seed: int, *, definite: bool = True) -> Iterator[Quadratic]:
    """Yield random problems: H of every rank, repeated top eigenvalues, gradients orthogonal to u.

    Args:
        count: How many.
        seed: Seed.
        definite: No negative eigenvalue; otherwise signs are drawn, at least one positive.

    Yields:
        The problems.
    """
    g = torch.Generator().manual_seed(seed)
    for number in range(count):
        n = int(torch.randint(2, 7, (), generator=g))
        basis, _ = torch.linalg.qr(torch.randn(n, n, generator=g, dtype=torch.float64))
        values = torch.rand(n, generator=g, dtype=torch.float64) * 3
        values[torch.randint(1, n + 1, (), generator=g) :] = 0
        if not definite:
            values[1:] *= torch.randint(-2, 2, (n - 1,), generator=g)
        top = int(values.argmax())
        if number % 4 == 1:
            values[(top + 1) % n] = values[top]
        slope = torch.randn(n, generator=g, dtype=torch.float64)
        if number % 4 == 2:
            slope = slope - (slope @ basis[:, top]) * basis[:, top]
        if number % 4 == 3:
            slope = 0 * slope
        xi = float(torch.rand((), generator=g)) * 2
        yield Quadratic(slope, (basis * values) @ basis.T, xi)
