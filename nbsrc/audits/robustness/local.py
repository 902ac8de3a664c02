"""What a local Lipschitz constant is good for: linf balls of small networks, region by region."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import product
from typing import NamedTuple

import torch
from scipy.optimize import linprog
from torch import Tensor, nn

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.robustness.quotients import input_size, integer_layer, small_networks
from nbsrc.claims import Finding
from nbsrc.linear_region import enumerate_regions
from nbsrc.lipschitz import lipschitz_constant

__all__ = ["Ball", "audit_local_slope", "random_balls", "range_on_box"]


class Ball(NamedTuple):
    """A scalar classifier and a labelled linf ball.

    Attributes:
        network: The classifier.
        centre: ``[n]``.
        label: The label of the centre.
        eps: Radius.
    """

    network: nn.Sequential
    centre: Tensor
    label: int
    eps: float


def random_balls(count: int, seed: int) -> Iterator[Ball]:
    """Yield g(x) = 5/4 + relu(x) first, then random classifiers with balls of several sizes.

    Args:
        count: Number of networks; each gets nine balls.
        seed: Seed.

    Yields:
        The balls; labels are the nearest integer to the output at the centre, or one more.
    """
    one, zero = torch.tensor([[1.0]]), torch.tensor([0.0])
    layers = integer_layer(one, zero), nn.ReLU(), integer_layer(one, torch.tensor([1.25]))
    yield Ball(nn.Sequential(*layers), torch.zeros(1).double(), 1, 0.375)
    generator = torch.Generator().manual_seed(seed)
    for network in small_networks(count, seed, outputs=1):
        for eps, extra in product((0.03125, 0.125, 0.5), (0, 0, 1)):
            centre = torch.randint(-16, 17, (input_size(network),), generator=generator) / 8
            output = float(network(centre.double()[None])[0, 0])
            yield Ball(network, centre.double(), round(output) + extra, eps)


def range_on_box(network: nn.Sequential, centre: Tensor, eps: float) -> tuple[float, float]:
    """Return the extremes of a scalar network on a closed linf ball, region by region.

    Args:
        network: A scalar network.
        centre: ``[n]``.
        eps: Radius.

    Returns:
        Least and largest value: two linear programmes per region.

    Raises:
        RuntimeError: If a linear programme is not solved.
    """
    low, high = math.inf, -math.inf
    limits = [(float(c) - eps, float(c) + eps) for c in centre]
    for region in enumerate_regions(network, (centre - eps, centre + eps)):
        weight, bias = region.weight[0].numpy(), float(region.bias[0])
        for sign in (1.0, -1.0):
            found = linprog(
                sign * weight, region.normals.numpy(), region.offsets.numpy(), bounds=limits
            )
            if not found.success:
                raise RuntimeError(f"the linear programme was not solved: {found.message}")
            value = sign * float(found.fun) + bias
            low, high = min(low, value), max(high, value)
    return low, high


def audit_local_slope(balls: Iterable[Ball], *, centre: bool, slope_factor: float = 1.0) -> Finding:
    """Test that a small local Lipschitz constant makes a correctly classified point robust.

    Args:
        balls: Classifiers and balls; those with a wrong output at the centre are passed over.
        centre: Whether the output at the centre counts: ``L eps < 0.5 - |g(x) - y|``, or only
            ``L eps < 0.5``.
        slope_factor: A factor for the local constant (a control; 1 tests the statement).

    Returns:
        The finding; the slack is 0.5 minus the largest ``|g - y|`` on the ball where the condition
        holds.
    """

    def judged() -> Iterator[Case]:
        for ball in balls:
            box = (ball.centre - ball.eps, ball.centre + ball.eps)
            slope = slope_factor * lipschitz_constant(ball.network, math.inf, box).value
            output = float(ball.network(ball.centre[None])[0, 0])
            if abs(output - ball.label) >= 0.5:
                continue
            room = 0.5 - (abs(output - ball.label) if centre else 0.0)
            if slope * ball.eps >= room:
                continue
            low, high = range_on_box(ball.network, ball.centre, ball.eps)
            worst = max(high - ball.label, ball.label - low)
            shown = {
                "centre": ball.centre.tolist(),
                "output at the centre": output,
                "label": ball.label,
                "eps": ball.eps,
                "local constant": slope,
                "largest distance from the label": worst,
            }
            yield 0.5 - worst, (len(ball.centre), int(slope > 0)), shown

    return collect(judged(), tolerance=1e-9, family="linf balls of small integer networks")
