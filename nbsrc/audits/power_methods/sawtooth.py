"""Networks that are almost linear in value and not at all in slope."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn

from nbsrc.audits.finding import Case as Result
from nbsrc.audits.finding import collect
from nbsrc.audits.power_methods.bound import exact_maximum_1d
from nbsrc.audits.power_methods.cases import affine
from nbsrc.audits.power_methods.iteration import literal_pga, logit_norm
from nbsrc.claims import Finding

__all__ = [
    "audit_iterates_agree",
    "audit_not_decided",
    "audit_values_agree",
    "deviation",
    "flat_and_steep",
    "sawtooth",
    "slopes",
]


def sawtooth(teeth: int, slope: float = 0.5, height: float | None = None) -> nn.Sequential:
    r"""Return :math:`f(x) = \mathrm{slope}\cdot x + s(x)` on [-1, 1] with an odd sawtooth s.

    s is 0 up to ``height``, then alternates between slopes 1 and -1 and values up to ``height``;
    it ends on a tooth at x = 1. So J(0) is the slope, the deviation from linearity at most the
    height, and J takes the values slope, slope + 1 and slope - 1.

    Args:
        teeth: Number of pieces with slope -1 on each side.
        slope: J(0).
        height: The largest deviation; ``1 / (4 teeth + 2)`` if omitted.

    Returns:
        The network, float64.
    """
    h = 1 / (4 * teeth + 2) if height is None else height
    knots = [h, *(h * (2 + 2 * k) for k in range(2 * teeth))]
    changes = [1.0, *(-2.0 if k % 2 == 0 else 2.0 for k in range(2 * teeth))]
    t, c = torch.tensor(knots, dtype=torch.float64), torch.tensor(changes, dtype=torch.float64)
    one = torch.ones(len(knots), dtype=torch.float64)
    first = affine(torch.cat([one, -one, one[:1]])[:, None], torch.cat([-t, -t, 8 * one[:1]]))
    last = affine(torch.cat([c, -c, slope * one[:1]])[None], [-8 * slope])
    return nn.Sequential(first, nn.ReLU(), last)


def deviation(net: nn.Module, points: int = 4001) -> float:
    """Return the largest deviation from linearity at 0 on a grid of [-1, 1].

    Args:
        net: A network with one input.
        points: Points of the grid.

    Returns:
        The deviation.
    """
    grid = torch.linspace(-1, 1, points, dtype=torch.float64)[:, None]
    zero = torch.zeros(1, 1, dtype=torch.float64)
    at = zero.clone().requires_grad_()
    slope = torch.autograd.grad(net(at).sum(), at)[0]
    with torch.no_grad():
        return float((net(grid) - net(zero) - slope * grid).abs().max())


def audit_iterates_agree(nets: Iterable[tuple[int, nn.Module]]) -> Finding:
    """Test the inference: deviation at most a third of ``eps |J|``, so the iterates agree.

    One step of the attack, from 40 starts, against the power method of J(0), which keeps the side
    of the start.

    Args:
        nets: Number of teeth, network.

    Returns:
        The finding; the slack is minus the largest difference of ``(x_1 - x) / eps``.
    """
    starts = torch.linspace(0.025, 1, 40, dtype=torch.float64)[:, None]
    one = torch.ones(40, dtype=torch.float64)

    def results() -> Iterator[Result]:
        for teeth, net in nets:
            path = literal_pga(
                net, torch.zeros(40, 1, dtype=torch.float64), one, math.inf, logit_norm(2.0),
                2 * one, 1, starts,
            )[-1]  # fmt: skip
            wrong = (path - 1).abs().squeeze(-1)
            first = int(wrong.argmax())
            shown = {"teeth": teeth, "deviation": deviation(net), "start": float(starts[first]),
                     "attack": float(path[first]), "power method": 1.0}  # fmt: skip
            yield -float(wrong.max()), (teeth,), shown

    return collect(results(), tolerance=0.5, family="sawteeth, J(0) = 1/2, eps = 1")


def audit_values_agree(nets: Iterable[tuple[int, nn.Module]], share: float = 1.0) -> Finding:
    """Test that the largest change of the output is within the deviation of ``eps |J|``.

    Args:
        nets: Number of teeth, network.
        share: The deviation is multiplied by this, for a control.

    Returns:
        The finding.
    """

    def results() -> Iterator[Result]:
        zero = torch.zeros(1, 1, dtype=torch.float64)
        for teeth, net in nets:
            at = zero.clone().requires_grad_()
            slope = abs(float(torch.autograd.grad(net(at).sum(), at)[0]))
            gap = abs(exact_maximum_1d(net, zero, 1.0, 2.0) - slope)
            yield share * deviation(net) - gap, (teeth,), {"teeth": teeth, "gap": gap}

    return collect(results(), tolerance=1e-9, family="sawteeth, exact maximum over the interval")


def flat_and_steep() -> tuple[nn.Sequential, nn.Sequential]:
    """Return two networks with equal J = 1 and radius 1 at 0, one flat and one steep beyond.

    Returns:
        ``clip(x, -1, 1)`` and ``2 x - clip(x, -1, 1)``.
    """
    one, two = (
        nn.Sequential(
            affine([[1.0], [1.0], [-1.0]], [8.0, -1.0, -1.0]), nn.ReLU(),
            affine([[1.0, change, -change]], [-8.0]),
        )
        for change in (-1.0, 1.0)
    )  # fmt: skip
    return one, two


def slopes(net: nn.Module, points: int = 400) -> Tensor:
    """Return the slopes of a network at points between those of a grid of [-1, 1].

    Args:
        net: A network with one input.
        points: How many.

    Returns:
        The slopes.
    """
    grid = torch.linspace(-1, 1, points, dtype=torch.float64)[:, None].requires_grad_()
    return torch.autograd.grad(net(grid).sum(), grid)[0].squeeze(-1)


def audit_not_decided(sizes: Iterable[float]) -> Finding:
    """Test that J and the radius of the cell do not decide the maximum in a ball.

    Args:
        sizes: Radii; the cell of both networks has radius 1.

    Returns:
        The finding; the slack is the difference of the two maxima minus 0.1.
    """
    zero = torch.zeros(1, 1, dtype=torch.float64)
    flat, steep = flat_and_steep()

    def results() -> Iterator[Result]:
        for number, eps in enumerate(sizes):
            values = [exact_maximum_1d(net, zero, eps, 2.0) for net in (flat, steep)]
            yield abs(values[0] - values[1]) - 0.1, (number,), {"eps": eps, "maxima": values}

    return collect(results(), tolerance=0, family="clip(x) and 2x - clip(x), equal J and radius")
