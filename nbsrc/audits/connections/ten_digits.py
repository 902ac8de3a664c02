"""A trained network with ten classes: Taylor distance and bounds against the exact distance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

from nbsrc.audits.connections.compare import audit_at_most
from nbsrc.claims import Finding
from nbsrc.perturbation import (
    network_perturbation,
    prop41_bounds,
    taylor_perturbation_from_logits,
)
from nbsrc.perturbation.networks import local_piece

__all__ = ["Distances", "audit_below_exact", "distances", "train_digits"]


@dataclass(frozen=True)
class Distances:
    """What is known about one image.

    Attributes:
        number: Its place in the data.
        exact: Exact l2 distance of the affine piece to the next class.
        certified: Whether that is the network's own distance.
        taylor: Size of the Taylor perturbation with threshold log K.
        eq17: The bound (17).
        sharpened: The sharpened bound.
        p_y: The label's probability.
    """

    number: int
    exact: float
    certified: bool
    taylor: float
    eq17: float
    sharpened: float
    p_y: float

    @property
    def size(self) -> tuple[int, ...]:
        """Orders the images."""
        return (self.number,)

    @property
    def description(self) -> dict[str, Any]:
        """The image's number and the label's probability."""
        return {"image": self.number, "p_y": self.p_y}


def train_digits(seed: int, steps: int, hidden: int = 32) -> nn.Sequential:
    """Train a network with one hidden layer on the first 1,000 of scikit-learn's digits.

    Args:
        seed: Seed of the weights.
        steps: Steps of Adam on the whole data.
        hidden: Hidden units.

    Returns:
        The network in float64.
    """
    images, names = load_digits(return_X_y=True)
    x, y = torch.from_numpy(images[:1000] / 16.0), torch.from_numpy(names[:1000])
    with torch.random.fork_rng(devices=[]):  # torch's own initialisation draws globally
        torch.manual_seed(seed)
        net = nn.Sequential(nn.Linear(64, hidden), nn.ReLU(), nn.Linear(hidden, 10)).double()
    optimiser = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(steps):
        optimiser.zero_grad()
        F.cross_entropy(net(x), y).backward()
        optimiser.step()
    return net


def distances(net: nn.Module, count: int) -> list[Distances]:
    """Return distances and bounds of correctly classified images that it was not trained on.

    Args:
        net: A network for the digits.
        count: How many images to look at.

    Returns:
        One entry per correctly classified image.
    """
    images, names = load_digits(return_X_y=True)
    x = torch.from_numpy(images[1000 : 1000 + count] / 16.0)
    y = torch.from_numpy(names[1000 : 1000 + count])
    with torch.no_grad():
        keep = net(x).argmax(1) == y
    x, y, numbers = x[keep], y[keep], (1000 + torch.arange(len(keep)))[keep]
    logits, V = local_piece(net, x)
    p = torch.softmax(logits, -1)
    exact = network_perturbation(net, x, y)
    known = torch.zeros(len(y)).bool() if exact.is_network is None else exact.is_network
    taylor = taylor_perturbation_from_logits(logits, V, y).norm
    bounds = prop41_bounds(p, V, y)
    own = p.gather(1, y[:, None])[:, 0]
    columns = (numbers, exact.norm, known, taylor, bounds.eq17, bounds.sharpened, own)
    return [Distances(*row) for row in zip(*(c.tolist() for c in columns), strict=True)]


def audit_below_exact(points: Sequence[Distances], bound: Callable[[Distances], float]) -> Finding:
    """Test that a number is at most the exact distance: whether it could serve as a guarantee.

    Args:
        points: The images.
        bound: The number.

    Returns:
        The finding.
    """
    return audit_at_most(
        points, bound, lambda x: x.exact, tolerance=1e-9,
        family="correctly classified digits, affine pieces of a trained network",
    )  # fmt: skip
