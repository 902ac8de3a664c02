"""A ReLU network that meets every hypothesis of Theorem 3.1 and memorises its sample."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from nbsrc.margins import generalisation_error, margin, printed_margin, ramp_risk

__all__ = ["Memory", "arc", "drawn", "memorise"]


@dataclass(frozen=True, eq=False)
class Memory:
    r"""The network, its sample and what the theorem asks about both.

    The inputs are points of the unit circle with angles from -45 to 45 degrees, all with the first
    label, equally likely. The scores have no biases:
    ``f_1 = c (relu(a) + |b|) + bumps`` and ``f_2 = c relu(-a)`` at the input (a, b). A bump is
    ``relu(b - (t-h) a) - 2 relu(b - t a) + relu(b - (t+h) a)`` times a number; it is even, not
    negative, and on the arc not zero only next to the sample point with ``b / a = t``.

    Attributes:
        weights: ``W_1`` and ``W_2``.
        points: The N inputs ``[N, 2]``.
        sample: Indices of the m examples.
        gamma: Width of the ramp.
    """

    weights: tuple[Tensor, Tensor]
    points: Tensor
    sample: Tensor
    gamma: float

    def scores(self, x: Tensor) -> Tensor:
        """Return the scores; they are not negative, so eq. (2) changes nothing.

        Args:
            x: ``[batch, 2]``.

        Returns:
            ``[batch, 2]``.
        """
        return (x @ self.weights[0].T).relu() @ self.weights[1].T

    @cached_property
    def margins(self) -> Tensor:
        """The margins of all inputs, label 1."""
        return self.margin(self.points)

    def margin(self, x: Tensor) -> Tensor:
        """Return the margins of label 1.

        Args:
            x: ``[batch, 2]``.

        Returns:
            ``[batch]``.
        """
        return margin(self.scores(x), torch.zeros(len(x), dtype=torch.long))

    @cached_property
    def error(self) -> float:
        """The generalisation error of the ramp loss, exact."""
        labels = torch.zeros(len(self.points), dtype=torch.long)
        scores = self.scores(self.points)
        risk = ramp_risk(scores, labels, self.gamma)
        seen = ramp_risk(scores[self.sample], labels[self.sample], self.gamma)
        return generalisation_error(risk, seen)

    @cached_property
    def kink_angles(self) -> Tensor:
        """The angles of all kinks: between two of them the margin is linear on rays."""
        W = self.weights[0]
        angles = torch.atan2(W[:, 1], W[:, 0])
        right = math.pi / 2
        both = torch.cat([angles + right, angles - right])
        return torch.remainder(both + math.pi, 2 * math.pi) - math.pi

    def positive_within(self, degrees: float) -> bool:
        """Whether the margin is positive at all angles up to a bound.

        Exact: the margin is linear on the cone between two neighbouring kinks, so it is positive on
        a cone if it is so on both its rays.

        Args:
            degrees: The bound, for both signs.

        Returns:
            The answer.
        """
        end = math.radians(degrees)
        inner = self.kink_angles[self.kink_angles.abs() < end]
        angles = torch.cat([inner, torch.tensor([end, -end], dtype=torch.float64)])
        return bool((self.margin(torch.stack([angles.cos(), angles.sin()], 1)) > 0).all())

    @cached_property
    def nearest_boundary(self) -> float:
        """The distance of every input to the decision boundary: 1 if this is certain, else nan.

        The margin is homogeneous, so the boundary is the origin and rays. Inputs have angles up to
        45 degrees. If the margin is positive within 135 degrees, every boundary ray makes an angle
        of at least 90 degrees with each input, and the nearest boundary point is the origin.
        """
        return 1.0 if self.positive_within(135 - 1e-6) else math.nan

    @cached_property
    def monotone(self) -> bool:
        """Assumption 3.1: the margin falls on the way to the origin, from every input."""
        t = torch.linspace(1, 0, 9, dtype=torch.float64)
        rays = torch.stack([self.margin(s * self.points) for s in t])
        return bool((rays.diff(dim=0) < 0).all())

    @cached_property
    def robust(self) -> bool:
        """Definition 2 with radius 1, tested at points of the balls around the inputs."""
        g = torch.Generator().manual_seed(0)
        steps = torch.randn(64, 2, generator=g, dtype=torch.float64)
        steps = steps / steps.norm(dim=1, keepdim=True)
        steps = torch.cat([steps, steps * torch.rand(64, 1, generator=g, dtype=torch.float64)])
        near = (self.points[:: max(1, len(self.points) // 50), None] + steps).reshape(-1, 2)
        return bool((self.margin(near) >= -1e-12).all())

    @cached_property
    def one_ball(self) -> bool:
        """Whether the ball of radius 1 around the middle input covers all inputs."""
        return bool((self.points - self.points[len(self.points) // 2]).norm(dim=1).max() <= 1)

    @cached_property
    def printed(self) -> float:
        """Eq. (5), with v_min = 1."""
        return printed_margin(self.weights, self.nearest_boundary)

    @cached_property
    def true_margin(self) -> float:
        """The smallest true margin over the cell, which is all of the inputs."""
        return float(self.margins.min())


def arc(count: int) -> Tensor:
    """Return points of the unit circle between -45 and 45 degrees.

    Args:
        count: How many.

    Returns:
        ``[count, 2]``, in order.
    """
    angles = torch.linspace(-math.pi / 4, math.pi / 4, count, dtype=torch.float64)
    return torch.stack([angles.cos(), angles.sin()], 1)


def drawn(m: int, count: int, seed: int) -> Tensor:
    """Return an i.i.d. sample of inputs.

    Args:
        m: Size.
        count: Number of inputs.
        seed: Seed.

    Returns:
        Indices ``[m]``.
    """
    g = torch.Generator().manual_seed(seed)
    return torch.randint(0, count, (m,), generator=g)


def memorise(
    sample: Tensor, count: int, *, gamma: float = 1.0, base: float = 0.01, scale: float = 1.0
) -> Memory:
    """Build the network for a sample.

    Args:
        sample: Indices of the examples.
        count: Number of inputs.
        gamma: Width of the ramp.
        base: c, the margin away from the sample.
        scale: Factor of all scores.

    Returns:
        The network.
    """
    points = arc(count)
    t = points[:, 1] / points[:, 0]
    h = float(t.diff().min()) / 2
    seen = t[sample.unique()]
    ones = torch.ones_like(seen)
    rows = [torch.stack([-(seen + shift), ones], 1) for shift in (-h, 0.0, h)]
    signs = torch.tensor([[1.0, 0], [-1, 0], [0, 1], [0, -1]], dtype=torch.float64)
    height = gamma * math.sqrt(2) / h
    first = torch.cat([torch.tensor([base, 0, base, base], dtype=torch.float64),
                       height * ones, -2 * height * ones, height * ones])  # fmt: skip
    second = torch.zeros_like(first)
    second[1] = base
    last = scale * torch.stack([first, second])
    return Memory((torch.cat([signs, *rows]), last), points, sample, gamma)
