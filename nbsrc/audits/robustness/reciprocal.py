r"""The example f(x) = 1/x on (0.5, 1): how well a function of bounded slope can follow it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import diags, eye, hstack, vstack

from nbsrc.audits.finding import Case, collect
from nbsrc.claims import Finding

__all__ = ["audit_best_error", "audit_slope", "best_error", "best_error_on_grid"]


def best_error(slope: float) -> float:
    r"""Return the least sup-norm error of an L-Lipschitz function to 1/x on [1/2, 1].

    .. math:: E(L) = \tfrac12 \max_{a < b} \bigl(1/a - 1/b - L (b - a)\bigr)
              = \begin{cases} (1 - L/2)/2 & L \le 1 \\ (2 - \sqrt L)^2/4 & 1 \le L \le 4 \end{cases}

    and zero beyond: two values that differ by more than L allows share the excess between them,
    and the McShane extension shows that nothing else stands in the way. Beyond the paper.

    Args:
        slope: The Lipschitz constant L.

    Returns:
        The error E(L).

    Raises:
        ValueError: If ``slope`` is negative or not finite.

    Example:
        >>> best_error(0.0), best_error(1.0), best_error(4.0)
        (0.5, 0.25, 0.0)
    """
    if not 0 <= slope < math.inf:
        raise ValueError(f"slope must be a finite number >= 0, got {slope}")
    if slope <= 1:
        return (1 - slope / 2) / 2
    return (2 - math.sqrt(min(slope, 4.0))) ** 2 / 4


def best_error_on_grid(slope: float, points: int) -> float:
    """Return the same error on an equidistant grid, as the value of a linear programme.

    Unknowns are the values on the grid and the error; neighbours differ by at most the slope
    times their distance, which in one dimension bounds all pairs.

    Args:
        slope: The Lipschitz constant.
        points: Number of grid points on [1/2, 1], at least two.

    Returns:
        The least largest error on the grid; at most that on the interval.

    Raises:
        ValueError: If there are fewer than two points.
        RuntimeError: If the solver does not reach the optimum.
    """
    if points < 2:
        raise ValueError(f"points must be at least 2, got {points}")
    x = np.linspace(0.5, 1.0, points)
    target = 1 / x
    one = np.ones((points, 1))
    identity = eye(points, format="csr")
    differences = diags([-1.0, 1.0], [0, 1], shape=(points - 1, points), format="csr")
    nothing = np.zeros((points - 1, 1))
    matrix = vstack([
        hstack([identity, -one]),
        hstack([-identity, -one]),
        hstack([differences, nothing]),
        hstack([-differences, nothing]),
    ])
    step = np.full(points - 1, slope * (x[1] - x[0]))
    cost = np.zeros(points + 1)
    cost[-1] = 1
    solution = linprog(
        cost, matrix, np.concatenate([target, -target, step, step]), bounds=(None, None)
    )
    if not solution.success:
        raise RuntimeError(f"the linear programme was not solved: {solution.message}")
    return float(solution.fun)


def audit_best_error(slopes: Iterable[float], points: int, *, tolerance: float) -> Finding:
    """Compare the closed form with the linear programme.

    Args:
        slopes: Lipschitz constants.
        points: Number of grid points.
        tolerance: Largest difference allowed.

    Returns:
        The finding.
    """

    def cases() -> Iterator[Case]:
        for slope in slopes:
            difference = abs(best_error_on_grid(slope, points) - best_error(slope))
            yield -difference, (0,), {"slope": slope, "difference": difference}

    return collect(cases(), tolerance=tolerance, family=f"slopes on a grid of {points} points")


def audit_slope(points: int) -> Finding:
    """Test whether the slope of 1/x reaches 4 inside the open interval (0.5, 1).

    Args:
        points: Number of points, closing in on 0.5 by halves.

    Returns:
        The finding on "some slope is at least 4"; the slack is the number of such points minus 1.
        At the dyadic points 1/2 + h the excess (1/x^2 - 4) = -4 (4h + 4h^2)/(1 + 2h)^2 has no
        rounding error in its sign.
    """
    steps = [2.0**-k for k in range(2, points + 2)]
    excess = [-4 * (4 * h + 4 * h * h) / (1 + 2 * h) ** 2 for h in steps]
    reached = sum(value >= 0 for value in excess)
    nearest = {"x": "any point of (0.5, 1)", "slope": "1/x^2 < 4", "largest seen": 4 + max(excess)}
    return Finding(
        holds=reached > 0,
        worst_slack=reached - 1.0,
        trials=points,
        counterexample=None if reached else nearest,
        family="points 1/2 + 2^-k of the open interval",
    )
