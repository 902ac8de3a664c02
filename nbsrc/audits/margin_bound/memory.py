"""A ReLU network that meets every hypothesis of Theorem 3.1 and memorises its sample."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from nbsrc.margins import generalisation_error, margin, printed_margin, ramp_loss

__all__ = ["ARC_CONSTANT", "Memory", "arc", "drawn", "memorise"]

# The smallest C such that the arc has at most C / eps balls of radius eps, centres on it, for all
# eps <= C: n balls need 2 sin(pi / (8 n)) <= eps, and the worst radius is just too small for one.
ARC_CONSTANT = 4 * math.sin(math.pi / 8)


@dataclass(frozen=True, eq=False)
class Memory:
    r"""The network, its sample and what the theorem asks about both.

    The instance space is the arc of the unit circle with angles from -45 to 45 degrees; all inputs
    have the first label, and the distribution gives equal weight to N points of the arc. The scores
    have no biases:
    ``f_1 = c (relu(a) + |b|) + bumps`` and ``f_2 = c relu(-a)`` at the input (a, b). A bump is
    ``relu(b - (t-h) a) - 2 relu(b - t a) + relu(b - (t+h) a)`` times a number; it is even, not
    negative, and on the arc not zero only next to the sample point with ``b / a = t``.

    Attributes:
        weights: ``W_1`` and ``W_2``.
        points: The N inputs of positive probability ``[N, 2]``.
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
        losses = ramp_loss(-self.margins, self.gamma)
        return generalisation_error(losses.mean(), losses[self.sample].mean())

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
        of at least 90 degrees with each input, and the nearest boundary point is the origin. A ten
        thousandth of a degree is left for rounding; it changes the distance by 2e-12.
        """
        return 1.0 if self.positive_within(135 - 1e-4) else math.nan

    @cached_property
    def monotone(self) -> bool:
        """Assumption 3.1: the margin falls on the way to the origin, from every input.

        Without biases ``u(t x) = t u(x)``, so it falls where u(x) is positive.
        """
        ways = torch.stack([self.margin(t * self.points[::97]) for t in (1.0, 0.7, 0.2, 0.0)])
        return bool((self.margins > 0).all() and (ways.diff(dim=0) < 0).all())

    def robust(self, radius: float) -> bool:
        """Definition 2 with the strict inequality, at every input of the arc.

        A ball around a point of the unit circle is seen from the origin under the angle
        ``arcsin(radius)`` to both sides, so positive margins on this wider cone are enough.

        Args:
            radius: The radius, below 1.

        Returns:
            Whether this is certain.
        """
        return self.positive_within(45 + math.degrees(math.asin(radius)))

    def one_ball(self, radius: float) -> bool:
        """Whether the ball around the middle of the arc covers it.

        Args:
            radius: The radius.

        Returns:
            The answer; the ends of the arc are its points farthest from the middle.
        """
        return 2 * math.sin(math.pi / 8) <= radius

    @cached_property
    def printed(self) -> float:
        """Eq. (5), with v_min = 1."""
        return printed_margin(self.weights, self.nearest_boundary)

    @cached_property
    def true_margin(self) -> float:
        """The smallest true margin over the inputs; one cell holds them all."""
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
