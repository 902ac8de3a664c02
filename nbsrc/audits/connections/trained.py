"""A trained two-dimensional ReLU network: what the Taylor radius promises and what is true."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from nbsrc.audits.finding import Case, collect
from nbsrc.claims import Finding
from nbsrc.linear_region import region_radius
from nbsrc.perturbation import taylor_norm_from_margin
from nbsrc.perturbation.networks import local_piece, network_perturbation

__all__ = ["Judged", "apart", "audit_radius", "judge", "train_network", "two_arcs"]


def two_arcs(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Draw points of two interlocking half circles with noise.

    Args:
        count: Points per class.
        seed: Seed.

    Returns:
        Points ``[2 count, 2]`` in float64 and labels 0 and 1.
    """
    g = torch.Generator().manual_seed(seed)
    angle = math.pi * torch.rand(2, count, generator=g, dtype=torch.float64)
    upper = torch.stack([angle[0].cos(), angle[0].sin()], 1)
    lower = torch.stack([1 - angle[1].cos(), 0.5 - angle[1].sin()], 1)
    noise = 0.12 * torch.randn(2 * count, 2, generator=g, dtype=torch.float64)
    labels = torch.arange(2).repeat_interleave(count)
    return torch.cat([upper, lower]) + noise, labels


def train_network(seed: int, steps: int = 400, width: int = 16) -> nn.Sequential:
    """Train a ReLU network with two hidden layers on the two arcs.

    Args:
        seed: Seed of data and weights.
        steps: Full-batch Adam steps.
        width: Units per hidden layer.

    Returns:
        The network in float64, in evaluation mode, without gradients.
    """
    x, y = two_arcs(150, seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = nn.Sequential(
            nn.Linear(2, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 2)
        ).double()
    optimiser = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(steps):
        optimiser.zero_grad()
        nn.functional.cross_entropy(network(x), y).backward()
        optimiser.step()
    return network.eval().requires_grad_(requires_grad=False)


@dataclass(frozen=True)
class Judged:
    """One correctly classified point of the network.

    Attributes:
        number: Its number.
        x: The point.
        p: The probability of its class.
        taylor: The l2 size of Proposition 3.1 at this point.
        exact: Distance to the boundary of the affine piece.
        region: Radius of the linear region.
        certified: The smaller of the two.
        nearest: Length of the shortest class change found in the disc of radius ``taylor``;
            infinite if none was found.
    """

    number: int
    x: tuple[float, float]
    p: float
    taylor: float
    exact: float
    region: float
    certified: float
    nearest: float

    @property
    def size(self) -> tuple[int, ...]:
        """Its number."""
        return (self.number,)

    @property
    def description(self) -> dict[str, Any]:
        """The point, p, and the three radii."""
        return {
            "x": list(self.x), "p": self.p, "taylor": self.taylor, "exact in the piece": self.exact,
            "region": self.region,
            "class changes at": self.nearest if math.isfinite(self.nearest) else "nowhere found",
        }  # fmt: skip


def judge(network: nn.Module, x: Tensor, y: Tensor, *, rays: int = 90, rings: int = 60
          ) -> list[Judged]:  # fmt: skip
    """Judge the correctly classified points of a two-dimensional network.

    Class changes are looked for on a polar grid that fills the disc of radius ``taylor``, and
    along the step of the affine piece.

    Args:
        network: The network, two logits.
        x: Points ``[count, 2]``.
        y: Labels.
        rays: Directions of the grid.
        rings: Radii of the grid.

    Returns:
        One entry per correctly classified point.
    """
    right = network(x).argmax(1) == y
    x, y = x[right], y[right]
    logits, V = local_piece(network, x)
    margin = logits.gather(1, y[:, None])[:, 0] - logits.gather(1, 1 - y[:, None])[:, 0]
    taylor = taylor_norm_from_margin(margin, (V[..., 0] - V[..., 1]).norm(dim=-1))
    found = network_perturbation(network, x, y, 2)
    region = region_radius(network, x, 2)
    angle = torch.arange(rays, dtype=torch.float64) * (2 * math.pi / rays)
    disc = torch.linspace(0, 1 - 1e-9, rings + 1, dtype=torch.float64)[1:, None, None] * (
        torch.stack([angle.cos(), angle.sin()], -1)
    )
    certified = torch.minimum(region, found.norm)
    judged = []
    for i in range(len(x)):
        steps = torch.cat([
            (taylor[i] * disc).reshape(-1, 2), (1 + 1e-9) * found.perturbation[i][None]
        ])  # fmt: skip
        changed = network(x[i] + steps).argmax(1) != y[i]
        lengths = steps.norm(dim=1)[changed]
        near = float(lengths.min()) if len(lengths) else math.inf
        numbers = [float(v[i]) for v in (taylor, found.norm, region, certified)]
        here = (float(x[i, 0]), float(x[i, 1]))
        p = float(torch.sigmoid(margin[i]))
        judged.append(Judged(i, here, p, numbers[0], numbers[1], numbers[2], numbers[3], near))
    return judged


def apart(points: Iterable[Judged], count: int, largest: float) -> list[Judged]:
    """Choose points that are far from each other, among those with a small Taylor radius.

    Args:
        points: Judged points.
        count: How many to choose at most.
        largest: Largest Taylor radius.

    Returns:
        The points; the first is the first of the candidates.

    Raises:
        ValueError: If no point has so small a radius.
    """
    left = [q for q in points if q.taylor <= largest]
    if not left:
        raise ValueError(f"largest must be at least some point's Taylor radius, got {largest}")
    chosen = [left[0]]
    while len(chosen) < min(count, len(left)):
        chosen.append(max(left, key=lambda q: min(math.dist(q.x, c.x) for c in chosen)))
    return chosen


def audit_radius(points: Iterable[Judged], radius: str) -> Finding:
    """Test that no class change was found inside a radius.

    Args:
        points: Judged points.
        radius: ``"taylor"``, ``"exact"`` or ``"certified"``.

    Returns:
        The finding; relative slack, 1 where no class change was found at all.
    """

    def cases() -> Iterator[Case]:
        for point in points:
            value = float(getattr(point, radius))
            slack = 1.0 if math.isinf(point.nearest) else (point.nearest - value) / value
            yield slack, point.size, point.description

    return collect(cases(), tolerance=0, family="points of a trained two-dimensional network")
