"""Cells: exact radii and exits, and the condition of Theorem 1."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
from torch import Tensor, nn

from nbsrc.audits.finding import Case as Result
from nbsrc.audits.finding import collect
from nbsrc.audits.power_methods.bound import Linearised, ball_points, linearised
from nbsrc.audits.power_methods.cases import Case, affine, dense_net
from nbsrc.claims import Finding
from nbsrc.linear_region import activation_pattern, jacobian, region_halfspaces
from nbsrc.operator_norm import dual_vector

__all__ = [
    "audit_cell_formula",
    "audit_constant_jacobian",
    "audit_ray",
    "audit_touching",
    "cell_radius",
    "masked_jacobian",
    "torch_jacobian",
    "wide_cases",
]


def cell_radius(around: Linearised, p: float, *, skip_constant: bool = True) -> float:
    """Return ``min |z_i| / ||grad z_i||_{p*}`` of row B.x4, with code of its own.

    Args:
        around: The linearised network.
        p: The order.
        skip_constant: Whether units with gradient 0 are left out; else they give 0/0 or infinity.

    Returns:
        The radius; NaN for 0/0.
    """
    conjugate = {1.0: math.inf, 2.0: 2.0, math.inf: 1.0}[p]
    z = torch.cat(around.z)
    norms = torch.linalg.vector_norm(torch.cat(around.G), conjugate, dim=-1)
    ratios = z.abs() / norms
    if skip_constant:
        ratios = ratios[norms > 0]
    return float(ratios.min()) if len(ratios) else math.inf


def wide_cases(widths: Sequence[int], seed: int) -> Iterator[Case]:
    """Yield networks with two wide hidden layers, 8 inputs and 3 outputs, at a random point.

    Args:
        widths: The width of both hidden layers, one network each.
        seed: Seed.

    Yields:
        The cases, with one start.
    """
    g = torch.Generator().manual_seed(seed)
    for width in widths:
        net = dense_net([8, width, width, 3], g)
        x = torch.randn(1, 8, generator=g, dtype=torch.float64)
        yield Case(net, x, torch.ones_like(x), f"8-{width}-{width}-3")


def audit_cell_formula(
    cases: Iterable[Case],
    p: float,
    *,
    share: float = 1.0,
    skip_constant: bool = True,
    margin: float = 1e-9,
) -> Finding:
    """Test the radius: all tested points inside keep the pattern, and one just outside loses it.

    Inside are random points, corners, and for each unit the point nearest to its hyperplane.

    Args:
        cases: Fully connected cases.
        p: The order.
        share: The radius is multiplied by this, for a control.
        skip_constant: Passed to :func:`cell_radius`.
        margin: How far inside and outside the points are, relative to the radius; rounding has to
            be smaller, so wide networks need more.

    Returns:
        The finding; -1 for a wrong pattern.
    """

    def results() -> Iterator[Result]:
        for number, case in enumerate(cases):
            around = linearised(case.net, case.x)
            radius = share * cell_radius(around, p, skip_constant=skip_constant)
            shown = {**case.description, "p": p, "radius": str(radius)}
            if math.isnan(radius):
                yield -1.0, case.size, shown
                continue
            G, z = torch.cat(around.G), torch.cat(around.z)
            moving = G.any(-1)
            if not moving.any():
                continue
            toward = dual_vector(-z.sign()[moving, None] * G[moving], p)
            norms = z[moving].abs() / (-(toward * G[moving]).sum(-1) * z[moving].sign())
            inside = torch.cat([ball_points(case.x.numel(), p, case.J, number, 40), toward])
            same = activation_pattern(case.net, case.x + (1 - margin) * radius * inside).same_as(
                activation_pattern(case.net, case.x)
            )
            outside = case.x + (1 + margin) * radius * toward[norms.argmin()][None]
            left = not bool(
                activation_pattern(case.net, outside).same_as(activation_pattern(case.net, case.x))
            )
            good = bool(same.all()) and left
            yield (0.0 if good else -1.0), case.size, shown

    return collect(
        results(), tolerance=0, family=f"points inside (1 - {margin:g}) r and at (1 + {margin:g}) r"
    )


def audit_ray(cases: Iterable[Case], seed: int, *, share: float = 1.0) -> Finding:
    """Test the exact exit along rays: the pattern holds up to it and changes behind it.

    Args:
        cases: The cases, of any kind.
        seed: Seed of the directions.
        share: The exit is multiplied by this, for a control.

    Returns:
        The finding.
    """
    g = torch.Generator().manual_seed(seed)

    def results() -> Iterator[Result]:
        for case in cases:
            G, h = region_halfspaces(case.net, case.x)
            direction = torch.randn(case.x.numel(), generator=g, dtype=torch.float64)
            speed, room = G @ direction, h - G @ case.x.flatten()
            if not bool((speed > 0).any()):
                continue
            leaves = share * float((room[speed > 0] / speed[speed > 0]).min())
            ends = case.x + direction.reshape(case.x.shape) * leaves * torch.tensor(
                [1 - 1e-9, 1 + 1e-9], dtype=torch.float64
            ).reshape(-1, *[1] * (case.x.ndim - 1))
            same = activation_pattern(case.net, ends).same_as(activation_pattern(case.net, case.x))
            good = bool(same[0]) and not bool(same[1])
            yield (0.0 if good else -1.0), case.size, {**case.description, "exit": leaves}

    return collect(results(), tolerance=0, family="one ray per case")


def masked_jacobian(net: nn.Module, x: Tensor) -> Tensor:
    """Return eq. (2) as printed, with masks that are 1 where the pre-activation is at least 0.

    Args:
        net: Fully connected.
        x: ``[1, n]``.

    Returns:
        ``[d, n]``.
    """
    around = linearised(net, x)
    if not around.z:
        return around.weights[0]
    return around.weights[-1] @ ((around.z[-1] >= 0).to(x.dtype)[:, None] * around.G[-1])


def audit_constant_jacobian(cases: Iterable[Case], p: float, *, size: float = 0.9) -> Finding:
    """Test ``J_f(x*) = J_f(x)`` on the ball, with J by eq. (2).

    Args:
        cases: Fully connected cases.
        p: The order.
        size: The radius in units of the cell's.

    Returns:
        The finding; minus the largest difference.
    """

    def results() -> Iterator[Result]:
        for number, case in enumerate(cases):
            eps = size / 0.9 * case.radius(p)
            at = masked_jacobian(case.net, case.x)
            points = case.x + eps * ball_points(case.x.numel(), p, case.J, number, 20)[:60]
            error = max(
                float((masked_jacobian(case.net, y[None]) - at).abs().max()) for y in points
            )
            yield -error, case.size, {**case.description, "p": p}

    return collect(results(), tolerance=1e-12, family=f"60 points per ball of {size} radii")


def audit_touching(derivative: Callable[[nn.Module, Tensor], Tensor] = masked_jacobian) -> Finding:
    """Test the edge: balls that touch the boundary of the cell from its closed (active) side.

    ``f(x) = relu(x)`` at x = 1, 2, 3 with ``eps = x``: the ball lies in ``X = [0, inf)``.

    Args:
        derivative: How the Jacobian is found.

    Returns:
        The finding.
    """
    net = nn.Sequential(affine([[1.0]], [0.0]), nn.ReLU(), affine([[1.0]]))

    def results() -> Iterator[Result]:
        for x in (1.0, 2.0, 3.0):
            for y in (0.0, x, 2 * x):
                values = [float(derivative(net, torch.tensor([[t]]).double())) for t in (x, y)]
                shown = {"x": x, "x*": y, "J(x)": values[0], "J(x*)": values[1]}
                yield -abs(values[0] - values[1]), (int(x),), shown

    return collect(results(), tolerance=0, family="f = relu, balls that touch 0")


def torch_jacobian(net: nn.Module, x: Tensor) -> Tensor:
    """Return the Jacobian with torch's convention at kinks.

    Args:
        net: The network.
        x: ``[1, n]``.

    Returns:
        ``[d, n]``.
    """
    return jacobian(net, x)[0].flatten(1)
