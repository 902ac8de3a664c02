"""Section 3 of the paper: the linearisation (1), the Jacobian (2) and the ratio (3)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.operator_norms.points import ReluPoint
from nbsrc.claims import Finding
from nbsrc.linear_region import segment_regions

__all__ = [
    "audit_change_in_cell",
    "audit_derivative",
    "audit_ratio_is_bounded",
    "audit_segment_bound",
    "cell_moves",
    "numerical_derivative",
    "ratio_rows",
]


def cell_moves(
    point: ReluPoint, seed: int, count: int = 6, rule: str = ">="
) -> Iterator[ReluPoint]:
    """Yield the same network at points of the same cell, the point on its boundary included.

    Args:
        point: A network and an input x.
        seed: Seed of the directions.
        count: How many directions are tried.
        rule: When a unit counts as active.

    Yields:
        Points with the pattern of x: small steps and, with whole numbers, large ones.
    """
    g = torch.Generator().manual_seed(seed)
    pattern, radius = point.pattern(rule=rule), point.radius()
    for number in range(count):
        step = torch.randn(len(point.x), generator=g, dtype=torch.float64)
        step = step if number % 2 else step.sign()
        for size in (1.0, 0.999 * radius / float(step.norm())):
            moved = point.x + size * step
            if size > 0 and torch.equal(point.pattern(moved, rule), pattern):
                yield point.at(moved)


def audit_change_in_cell(
    points: Iterable[ReluPoint], seed: int, *, rule: str = ">=", jacobian_rule: str = ">="
) -> Finding:
    """Test that (1) is an equality for all moves inside the cell of x.

    Args:
        points: Networks and inputs.
        seed: Seed of the moves.
        rule: The rule that makes the cells.
        jacobian_rule: The rule of the masks in the Jacobian.

    Returns:
        The finding.
    """

    def cases() -> Iterator[Case]:
        for point in points:
            J, now = point.jacobian(jacobian_rule), point.output()
            for moved in cell_moves(point, seed, rule=rule):
                step = moved.x - point.x
                scale = 1 + float(moved.output().abs().max())
                error = float((moved.output() - now - J @ step).abs().max()) / scale
                yield -error, point.size, {**point.description, "step": step.tolist()}

    return collect(cases(), tolerance=1e-12, family=f"moves within the cell ({rule})")


def numerical_derivative(point: ReluPoint) -> Tensor | None:
    """Return the derivative of the network at x, or nothing where there is none.

    One-sided difference quotients along axes and random directions: the network is piecewise
    affine, so they are exact for short steps; it is differentiable exactly if they are linear.

    Args:
        point: A network and an input.

    Returns:
        ``[d, n]`` or None.
    """
    n = len(point.x)
    g = torch.Generator().manual_seed(0)
    extra = torch.randn(8, n, generator=g, dtype=torch.float64)
    directions = torch.cat([torch.eye(n, dtype=torch.float64), -torch.eye(n).double(), extra])
    h = 1e-5 if point.on_kink else min(1e-5, 0.2 * point.radius())
    quotients = (point.output(point.x + h * directions) - point.output()) / h
    derivative = quotients[:n].T
    linear = directions @ derivative.T
    return derivative if float((linear - quotients).abs().max()) < 1e-6 else None


def audit_derivative(points: Iterable[ReluPoint], rule: str = ">=") -> Finding:
    """Test that the product (2) is the derivative wherever there is one.

    Args:
        points: Networks and inputs; those without a derivative are left out.
        rule: When a unit counts as active.

    Returns:
        The finding; difference quotients limit the tolerance.
    """

    def cases() -> Iterator[Case]:
        for point in points:
            truth = numerical_derivative(point)
            if truth is None:
                continue
            J = point.jacobian(rule)
            scale = 1 + float(truth.abs().max())
            error = float((J - truth).abs().max()) / scale
            shown = {**point.description, "printed": J.tolist(), "true": truth.tolist()}
            yield -error, point.size, shown

    return collect(cases(), tolerance=1e-6, family="points where the network is differentiable")


def audit_ratio_is_bounded(
    points: Iterable[ReluPoint], step: float | None, seed: int, *, rule: str = ">="
) -> Finding:
    """Test ``|f(x + step) - f(x)| <= sigma(J) |step|`` for steps of a given length.

    Args:
        points: Networks and inputs.
        step: The length; None for 0.999 of the radius of the cell (points on kinks are left out),
            where the left side must equal ``|J step|`` as well.
        seed: Seed of the directions; the axes are tried as well.
        rule: When a unit counts as active.

    Returns:
        The finding; the slack is relative.
    """
    g = torch.Generator().manual_seed(seed)

    def cases() -> Iterator[Case]:
        for point in points:
            length = 0.999 * point.radius() if step is None else step
            n = len(point.x)
            drawn = torch.randn(8, n, generator=g, dtype=torch.float64)
            directions = torch.cat([torch.eye(n).double(), -torch.eye(n).double(), drawn])
            if length == 0:
                continue
            moves = length * directions / directions.norm(dim=1, keepdim=True)
            ratios = (point.output(point.x + moves) - point.output()).norm(dim=1) / length
            J = point.jacobian(rule)
            sigma = float(torch.linalg.matrix_norm(J, 2))
            ratio, place = float(ratios.max()), int(ratios.argmax())
            slack = sigma - ratio
            if step is None:
                linear = (moves @ J.T).norm(dim=1) / length
                slack = min(slack, -float((ratios - linear).abs().max()))
            shown = {**point.description, "step": moves[place].tolist(), "ratio": ratio}
            yield slack / (1 + sigma), point.size, {**shown, "sigma": sigma}

    return collect(cases(), tolerance=1e-9, family="steps along axes and random directions")


def audit_segment_bound(points: Iterable[ReluPoint], length: float, seed: int) -> Finding:
    """Test ``|f(x + step) - f(x)| <= max sigma(J) |step|`` over the cells on the segment.

    Args:
        points: Networks and inputs, on kinks too.
        length: The length of the steps.
        seed: Seed of the directions; one axis is tried as well.

    Returns:
        The finding; the slack is relative.
    """
    g = torch.Generator().manual_seed(seed)

    def cases() -> Iterator[Case]:
        for point in points:
            n = len(point.x)
            drawn = torch.randn(2, n, generator=g, dtype=torch.float64)
            for direction in torch.cat([torch.eye(n).double()[:1], drawn]):
                end = point.x + length * direction / direction.norm()
                times = segment_regions(point.module(), point.x, end).breakpoints
                inner = [torch.lerp(point.x, end, t) for t in (times[1:] + times[:-1]) / 2]
                sigma = max(float(torch.linalg.matrix_norm(point.at(y).jacobian(), 2))
                            for y in inner)  # fmt: skip
                ratio = float((point.output(end) - point.output()).norm()) / length
                shown = {**point.description, "ratio": ratio, "largest sigma": sigma}
                yield (sigma - ratio) / (1 + sigma), point.size, shown

    return collect(cases(), tolerance=1e-9, family=f"segments of length {length:g}")


def ratio_rows(
    points: Sequence[ReluPoint], radii: Iterable[float], seed: int
) -> list[dict[str, Any]]:
    r"""Return the ratio of (3) over its bound, for steps of a given number of cell radii.

    The steps go along the dominant singular vector, its negative, and two random directions.

    Args:
        points: Networks and inputs off kinks whose Jacobian is not zero.
        radii: Lengths of the steps in cell radii.
        seed: Seed of the directions.

    Returns:
        Rows with ``radii``, ``median``, ``p90``, ``largest`` and ``above`` (the share above 1).
    """
    rows = []
    for length in radii:
        g = torch.Generator().manual_seed(seed)
        found: list[float] = []
        for point in points:
            _, values, right = torch.linalg.svd(point.jacobian(), full_matrices=False)
            drawn = torch.randn(2, len(point.x), generator=g, dtype=torch.float64)
            directions = torch.cat([right[:1], -right[:1], drawn])
            moves = directions / directions.norm(dim=1, keepdim=True) * length * point.radius()
            change = (point.output(point.x + moves) - point.output()).norm(dim=1)
            found += (change / moves.norm(dim=1) / values[0]).tolist()
        found.sort()
        rows.append({
            "radii": length,
            "median": found[len(found) // 2],
            "p90": found[int(0.9 * len(found))],
            "largest": found[-1],
            "above": sum(v > 1 + 1e-9 for v in found) / len(found),
        })
    return rows
