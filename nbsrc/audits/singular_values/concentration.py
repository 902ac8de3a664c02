"""What concentrated margins of a test set say about small steps."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from nbsrc.audits.finding import Case, collect
from nbsrc.claims import Finding

__all__ = ["Zigzag", "audit_affine_change", "audit_concentration", "audit_pairs_identity",
           "zigzags"]  # fmt: skip


@dataclass(frozen=True)
class Zigzag:
    """A margin along a line: ``start + rise x``, minus hats to the right of 0, 2, 4 and 6.

    It is the margin of a network with one input, one hidden ReLU layer and the outputs M and 0.

    Attributes:
        start: Margin at 0.
        rise: Slope of the straight part.
        teeth: Height of the hats.
        half: Half the width of a hat, at most 1: its top is that far from the test point.
    """

    start: int
    rise: int
    teeth: int
    half: float = 1.0

    def margins(self, x: Tensor) -> Tensor:
        """Return the margins at the inputs.

        Args:
            x: Inputs.

        Returns:
            The margins.
        """
        value = self.start + self.rise * x
        for corner in range(0, 8, 2):
            hat = torch.relu(x - corner) - 2 * torch.relu(x - corner - self.half)
            hat = hat + torch.relu(x - corner - 2 * self.half)
            value = value - self.teeth / self.half * hat
        return value

    @property
    def test_margins(self) -> Tensor:
        """The margins of the test set, the inputs 0, 2, 4 and 6."""
        return self.margins(torch.tensor([0.0, 2.0, 4.0, 6.0], dtype=torch.float64))

    def change(self, step: float) -> float:
        """Return the mean size of the margin's change over the test set and both signs.

        Args:
            step: Size of the perturbation.

        Returns:
            The mean.
        """
        x = torch.tensor([0.0, 2.0, 4.0, 6.0], dtype=torch.float64)
        moved = torch.cat([self.margins(x + step), self.margins(x - step)])
        return float((moved - self.margins(x).repeat(2)).abs().mean())

    def upset(self, step: float) -> float:
        """Return the share of the test set of which a step to some side makes the margin negative.

        Args:
            step: Size of the perturbation.

        Returns:
            The share.
        """
        x = torch.tensor([0.0, 2.0, 4.0, 6.0], dtype=torch.float64)
        worst = torch.minimum(self.margins(x + step), self.margins(x - step))
        return float((worst < 0).double().mean())

    @property
    def description(self) -> dict[str, Any]:
        """The numbers."""
        return {"start": self.start, "rise": self.rise, "teeth": self.teeth, "half": self.half}


def zigzags(teeth: Iterable[int] = (0, 1, 2), half: float = 1.0) -> list[Zigzag]:
    """Return margins with small whole numbers.

    Args:
        teeth: Heights of the hats.
        half: Half the width of a hat.

    Returns:
        Them, the smallest first.
    """
    found = [Zigzag(1, rise, t, half) for rise in (0, 1, 2) for t in teeth]
    return sorted(found, key=lambda z: z.rise + z.teeth)


def audit_concentration(nets: Sequence[Zigzag], step: float = 1.0) -> Finding:
    """Test that the net with the smaller variance of test margins changes less under a step.

    Args:
        nets: Margins along a line, all pairs of which are compared.
        step: Size of the perturbation, smaller than the distance of test points.

    Returns:
        The finding; the slack is the difference of the mean changes.
    """

    def results() -> Iterator[Case]:
        for one, two in itertools.permutations(nets, 2):
            a, b = (float(z.test_margins.var(correction=0)) for z in (one, two))
            if a >= b:
                continue
            changes = [one.change(step), two.change(step)]
            shown = {"concentrated": one.description, "spread": two.description,
                     "variances": [a, b], "changes": changes}  # fmt: skip
            size = (one.rise + one.teeth + two.rise + two.teeth,)
            yield two.change(step) - one.change(step), size, shown

    return collect(results(), tolerance=1e-12, family="pairs of networks with one input")


def audit_pairs_identity(samples: Iterable[Tensor], factor: float = 2.0) -> Finding:
    """Test that independent pairs of test examples have ``E (M - M')^2 = 2 Var M``.

    Args:
        samples: Margins of a test set.
        factor: 2 for the statement.

    Returns:
        The finding; the slack is minus the relative error.
    """

    def results() -> Iterator[Case]:
        for M in samples:
            pairs = float((M[:, None] - M[None, :]).square().mean())
            variance = factor * float(M.var(correction=0))
            yield -abs(pairs - variance) / (pairs or 1.0), (len(M),), {"M": M.tolist()}

    return collect(results(), tolerance=1e-12, family="margins of test sets, all pairs")


def audit_affine_change(
    slopes: Iterable[Tensor], points: Tensor, shares: Sequence[float], *, bend: float = 0.0
) -> Finding:
    """Test that steps ``t (x - x')`` change an affine margin by ``2 t^2 Var M`` in mean square.

    Args:
        slopes: Gradients of the margin.
        points: The test examples, ``[k, n]``.
        shares: Values of t.
        bend: Added times ``sin(20 a . x)``: then the margin is not affine.

    Returns:
        The finding; the slack is minus the relative error.
    """
    steps = points[:, None] - points[None, :]

    def results() -> Iterator[Case]:
        for number, a in enumerate(slopes):

            def at(x: Tensor, a: Tensor = a) -> Tensor:
                return x @ a + bend * torch.sin(20 * (x @ a))

            variance = float(at(points).var(correction=0))
            for t in shares:
                # Steps of all pairs, from every example.
                moved = at(points[:, None, None] + t * steps) - at(points)[:, None, None]
                found = float(moved.square().mean())
                truth = 2 * t**2 * variance
                shown = {"slope": a.tolist(), "t": t, "mean square": found, "2 t^2 Var": truth}
                yield -abs(found - truth) / max(found, truth), (number,), shown

    return collect(results(), tolerance=1e-9, family="affine margins, steps between examples")
