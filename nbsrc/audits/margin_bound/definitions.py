"""Definitions 1, 2, 5 and 6 of paper C, and the risks, taken at their word."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor

from nbsrc.audits.connections.compare import audit_equal, audit_true
from nbsrc.audits.finding import Case, collect
from nbsrc.audits.margin_bound.networks import Example
from nbsrc.claims import Finding
from nbsrc.margins import margin

__all__ = [
    "audit_boundary_readings",
    "audit_exact_distance",
    "audit_guard_regions",
    "audit_keeps_label",
    "audit_positive_v",
    "robust_on_line",
]

GRID = 81


def robust_on_line(e: Example, eps: float, *, strict: bool = False) -> bool:
    """Whether Definition 2 holds for a network with one input.

    The gap of two scores is linear on each side of 0, so its minimum over a ball lies at an end or
    at 0: the test is exact.

    Args:
        e: The example; its support is the instance space.
        eps: The radius.
        strict: With ``> 0`` in place of ``>= 0``.

    Returns:
        The answer; of several largest scores the first one counts as the prediction.
    """
    for x in e.points:
        predicted = int(e.scores(x).argmax())
        ends = torch.cat([x - eps, x + eps, (0 * x).clamp(float(x) - eps, float(x) + eps)])
        u = margin(e.scores(ends[:, None]), torch.full((3,), predicted))
        if bool((u <= 0).any() if strict else (u < 0).any()):
            return False
    return True


def audit_keeps_label(
    examples: Iterable[Example], radii: tuple[float, ...], *, strict: bool, reach: float = 1.0
) -> Finding:
    """Test that Definition 2 makes the predicted label the only one in every ball.

    Args:
        examples: Networks with one input.
        radii: Radii.
        strict: With ``> 0`` in the definition.
        reach: Radius of the balls over the radius of robustness.

    Returns:
        The finding; labels are read off at many points of each ball, its ends and 0 among them.
    """

    def cases() -> Iterator[Case]:
        for e, eps in itertools.product(examples, radii):
            if not robust_on_line(e, eps, strict=strict):
                continue
            kept = True
            for x in e.points:
                far = reach * eps
                ball = x + far * torch.linspace(-1, 1, GRID, dtype=torch.float64)
                ball = torch.cat([ball, 0 * x] if float(x.abs()) <= far else [ball])[:, None]
                scores = e.scores(ball)
                winners = (scores == scores.amax(1, keepdim=True)).sum(1)
                kept &= bool((winners == 1).all())
                kept &= bool((scores.argmax(1) == int(e.scores(x).argmax())).all())
            yield 0.0 if kept else -1.0, e.size, {**e.description, "eps": eps}

    return collect(cases(), tolerance=0, family="networks with one input, robust by Definition 2")


def audit_guard_regions(
    examples: Iterable[Example],
    radii: tuple[float, ...],
    *,
    needed: bool = True,
    label: Callable[[Example, Tensor], int] | None = None,
) -> Finding:
    """Test that examples within the radius of each other have the same class.

    Args:
        examples: Networks with one input and several points.
        radii: Radii.
        needed: Whether the networks must be robust.
        label: The class of a point; the first one with the largest score if None.

    Returns:
        The finding.
    """

    def predicted(e: Example, x: Tensor) -> int:
        return int(e.scores(x).argmax())

    name = label or predicted

    def cases() -> Iterator[Case]:
        for e, eps in itertools.product(examples, radii):
            if needed and not robust_on_line(e, eps):
                continue
            same = all(
                name(e, x) == name(e, z)
                for x, z in itertools.combinations(e.points, 2)
                if float((x - z).norm()) <= eps
            )
            yield 0.0 if same else -1.0, e.size, {**e.description, "eps": eps}

    return collect(cases(), tolerance=0, family="examples in the guard regions of others")


def audit_boundary_readings(examples: Iterable[Example]) -> Finding:
    """Test that two readings of "decision boundary" give the same v(x), for one input.

    One reading: points where the two largest scores tie. The other: points at which the predicted
    class changes. On a line both can only be 0, a whole side, or nothing.

    Args:
        examples: Networks with one input.

    Returns:
        The finding.
    """

    def change(e: Example) -> float | Tensor:
        sides = e.scores(torch.tensor([[1.0], [-1.0], [0.0]], dtype=torch.float64)).argmax(1)
        return float(e.x.abs()) if len(set(sides.tolist())) > 1 else torch.inf

    return audit_equal(
        examples, change, lambda e: e.v(e.x), tolerance=1e-12, family="networks with one input"
    )


def audit_exact_distance(examples: Iterable[Example], factor: float = 1.0) -> Finding:
    """Test v(x): a tie at the nearest point, and none at the points of a grid nearer than that.

    Args:
        examples: Networks with two inputs.
        factor: Factor of the distance.

    Returns:
        The finding.
    """
    t = torch.linspace(-1, 1, 61, dtype=torch.float64)
    grid = torch.cartesian_prod(t, t)
    disc = grid[grid.norm(dim=1) < 1]

    def right(e: Example) -> bool:
        v = factor * e.v(e.x)
        top = e.scores(e.nearest).sort().values
        scale = float(e.scores(e.x).abs().max()) + 1e-300
        tie = float(top[-1] - top[-2]) <= 1e-9 * scale
        length = float((e.x - e.nearest).norm())
        inside = e.scores(e.x + v * (1 - 1e-9) * disc)
        free = v == 0 or bool((inside.argmax(1) == e.predicted).all())
        return tie and abs(length - v) <= 1e-9 * max(v, 1e-12) and free

    return audit_true(examples, right, family="networks on the plane, against a grid")


def audit_positive_v(
    examples: Iterable[Example], robust: Callable[[Example], bool], least: float = 0.0
) -> Finding:
    """Test that v_min is above a bound for the networks that a notion of robustness admits.

    Args:
        examples: Examples with one input.
        robust: The notion.
        least: The bound.

    Returns:
        The finding.
    """
    return audit_true(
        [e for e in examples if robust(e)], lambda e: e.v_min > least, family="robust networks"
    )
