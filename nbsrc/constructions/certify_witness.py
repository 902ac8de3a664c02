"""Points of a closed ball at which a network breaks Definition 2: searched, then proven.

The search is an attack and proves nothing by failing. A point counts only after two proofs: it
lies in the closed ball (rational arithmetic), and the network's value there is wrong (interval
bounds at the point, or rational arithmetic for small piecewise linear networks).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

import torch
from torch import Tensor, nn

from nbsrc.constructions.certify_goals import Goals
from nbsrc.constructions.certify_intervals import Region, input_interval, step_interval
from nbsrc.constructions.certify_network import Affine, Step, first_step
from nbsrc.constructions.halfspaces import dual_vectors

__all__ = ["Search", "exact_output", "in_closed_ball"]

_ROUNDS = 12
_STARTS = 4
_NEAR = 1e-9  # candidates this close are tried: the proof decides
_TRIES = 8  # proofs tried per ball: each may need rational arithmetic
_EXACT_WEIGHTS = 20_000  # rational arithmetic takes about a second for these


def in_closed_ball(point: Tensor, centre: Tensor, eps: float, ord: float) -> bool:
    """Whether a point lies in a closed ball, decided in rational arithmetic.

    Args:
        point: ``[n]`` floating point numbers, taken as exact.
        centre: ``[n]``.
        eps: Radius.
        ord: Order of the norm: 1, 2 or inf.

    Returns:
        Whether ``||point - centre|| <= eps``.

    Example:
        >>> in_closed_ball(torch.tensor([0.6, 0.8]).double(), torch.zeros(2), 1.0, 2)
        False
    """
    pairs = zip(point.tolist(), centre.tolist(), strict=True)
    gaps = [abs(Fraction(a) - Fraction(b)) for a, b in pairs]
    radius = Fraction(eps)
    if ord == math.inf:
        return max(gaps) <= radius
    if ord == 1:
        return sum(gaps) <= radius
    return sum(gap * gap for gap in gaps) <= radius * radius


def exact_output(steps: Sequence[Step], point: Tensor) -> list[Fraction] | None:
    """The network's real value at a point, in rational arithmetic.

    Args:
        steps: The network.
        point: ``[n]``.

    Returns:
        One fraction per output; None if an activation is not ReLU or leaky ReLU, or there are more
        than 20,000 weights.
    """
    weights = sum(int((s.weight != 0).sum()) for s in steps if isinstance(s, Affine))
    if weights > _EXACT_WEIGHTS:
        return None
    units = [Fraction(value) for value in point.tolist()]
    for step in steps:
        if isinstance(step, Affine):
            units = [
                sum((Fraction(w) * h for w, h in zip(row, units, strict=True) if w), Fraction(b))
                for row, b in zip(step.weight.tolist(), step.bias.tolist(), strict=True)
            ]
        elif step.slope is None:
            return None
        else:
            slope = Fraction(step.slope)
            units = [unit if unit >= 0 else slope * unit for unit in units]
    return units


def candidates(
    loss: Callable[[Tensor], Tensor],
    centres: Tensor,
    eps: float,
    ord: float,
    dtype: torch.dtype,
    towards: Tensor,
    seed: int = 0,
) -> Iterator[Tensor]:
    """Points at which a loss may be large: centres, other classes, vertices along the gradient.

    Every round jumps from the current point to the point of the ball that maximises the linear
    part of the loss there. Each point comes twice: on the boundary up to rounding, and shrunk
    towards the centre so that rounding cannot push it out.

    Args:
        loss: Maps ``[m, n]`` float64 points to ``[m]`` values to be maximised.
        centres: ``[m, n]`` float64.
        eps: Radius of the balls.
        ord: Order of the norm: 1, 2 or inf.
        dtype: The points are rounded to this dtype.
        towards: ``[m, n]`` from each centre to where the network should change its mind.
        seed: Seed of the random starts.

    Yields:
        ``[m, n]`` float64 points, each equal to its value in ``dtype``.
    """
    yield centres
    if eps == 0:
        return
    generator = torch.Generator().manual_seed(seed)
    inner = 1 - 64 * (centres.shape[1] + 4) * torch.finfo(dtype).eps

    def at(directions: Tensor, share: float) -> Tensor:
        return (centres + (eps * share) * directions).to(dtype).double()

    length = torch.linalg.vector_norm(towards, ord, dim=1, keepdim=True)
    for part in (0.5, 1.0):  # the middle between the two, and the other centre, or the boundary
        yield at(part * towards / torch.clamp(part * length, min=eps), 1.0)
    start = centres
    for restart in range(_STARTS):
        if restart:
            noise = torch.randn(centres.shape, generator=generator, dtype=torch.float64)
            start = at(_maximiser(noise, ord), 0.5**restart)
            yield start
        point = start
        for _ in range(_ROUNDS):
            directions = _maximiser(_gradient(loss, point), ord)
            point = at(directions, 1.0)
            yield point
            yield at(directions, inner)


def _gradient(loss: Callable[[Tensor], Tensor], points: Tensor) -> Tensor:
    """Return the gradients of a loss, one per point."""
    with torch.enable_grad():
        leaf = points.detach().clone().requires_grad_()
        (gradient,) = torch.autograd.grad(loss(leaf).sum(), leaf)
    return torch.nan_to_num(gradient)


def _maximiser(gradients: Tensor, ord: float) -> Tensor:
    """Return the point of the unit ball that maximises each row, 0 for a zero row."""
    zero = (gradients == 0).all(1, keepdim=True)
    safe = torch.where(zero, torch.ones_like(gradients), gradients)
    # The maximiser over the ball of a norm is the dual vector for the dual norm.
    dual = {1.0: math.inf, 2.0: 2.0, math.inf: 1.0}[float(ord)]
    return torch.where(zero, torch.zeros_like(gradients), dual_vectors(safe, dual))


class Search:
    """Witnesses against the balls around points.

    Args:
        steps: The network.
        goals: What each point must satisfy.
        region: The balls.
        dtype: The network's dtype, in which every witness is exact.

    Attributes:
        witnesses: ``[m, n]`` the proven witnesses, NaN where none is known.
    """

    def __init__(
        self, steps: Sequence[Step], goals: Goals, region: Region, dtype: torch.dtype
    ) -> None:
        self.steps, self.goals, self.region, self.dtype = steps, goals, region, dtype
        self.witnesses = torch.full_like(region.centre, math.nan)
        self._tries: Counter[int] = Counter()
        self._sides = (1.0, -1.0) if goals.output == "label" else (1.0,)

    def found(self, row: int) -> bool:
        """Whether a witness against a ball is known.

        Args:
            row: Which ball.

        Returns:
            Whether it is refuted.
        """
        return not bool(self.witnesses[row].isnan().any())

    def attack(self, rows: Tensor) -> None:
        """Attack balls, and keep every proven witness.

        Args:
            rows: Which balls.
        """
        if len(rows) == 0:
            return
        centres, eps, ord = self.region.centre[rows], self.region.eps, self.region.ord
        for side in self._sides:

            def loss(points: Tensor, side: float = side) -> Tensor:
                return self._loss(rows, points, side)

            towards = self._nearest_others(rows) - centres
            for points in candidates(loss, centres, eps, ord, self.dtype, towards):
                with torch.no_grad():
                    near = (loss(points) >= -_NEAR).nonzero()[:, 0]
                for index in near.tolist():
                    self.attempt(int(rows[index]), points[index : index + 1])

    def attempt(self, row: int, points: Tensor) -> None:
        """Try points as witnesses against one ball.

        Args:
            row: Which ball.
            points: ``[k, n]`` candidates.
        """
        for point in points.to(self.dtype).double():
            if self.found(row) or self._tries[row] >= _TRIES:
                return
            with torch.no_grad():
                losses = [self._loss(torch.tensor([row]), point[None], s) for s in self._sides]
            near = float(torch.cat(losses).max()) >= -_NEAR
            region = self.region
            if near and in_closed_ball(point, region.centre[row], region.eps, region.ord):
                self._tries[row] += 1
                if _is_broken(self.steps, self.goals, row, point):
                    self.witnesses[row] = point

    def _nearest_others(self, rows: Tensor) -> Tensor:
        """Return, per ball, the nearest centre of another class, or its own centre if none is."""
        centres, codes = self.region.centre, self.goals.codes
        distances = torch.cdist(centres[rows], centres, p=self.region.ord)
        distances[codes[rows, None] == codes] = math.inf
        nearest = distances.argmin(1)
        alone = distances.amin(1) == math.inf
        return centres[torch.where(alone, rows, nearest)]

    def _loss(self, rows: Tensor, points: Tensor, side: float) -> Tensor:
        """Return how far points break their goals, from a plain float64 evaluation."""
        return self.goals.loss(rows, _evaluate(self.steps, points), side)


def _is_broken(steps: Sequence[Step], goals: Goals, row: int, point: Tensor) -> bool:
    """Whether the network's real value at a point is proven to break the goal of a ball."""
    found = input_interval(first_step(steps), Region(point[None], 0.0, 2.0))
    for step in steps[1:]:
        found = step_interval(step, found)
    code = int(goals.codes[row])
    low, high = found.lower[0], found.upper[0]
    others = torch.arange(goals.width) != code
    if goals.output == "label":
        if float(low[0]) >= code + 0.5 or float(high[0]) <= code - 0.5:
            return True
    elif float(low[others].max()) >= float(high[code]):
        return True
    exact = exact_output(steps, point)
    if exact is None:
        return False
    if goals.output == "label":
        return abs(exact[0] - code) >= Fraction(1, 2)
    return max(v for c, v in enumerate(exact) if c != code) >= exact[code]


def _evaluate(steps: Sequence[Step], points: Tensor) -> Tensor:
    """Return the outputs in float64, without the network's modules and their hooks."""
    units = points
    for step in steps:
        if isinstance(step, Affine):
            units = torch.addmm(step.bias, units, step.weight.mT)
        elif isinstance(step.module, nn.ReLU):
            units = units.relu()
        else:
            units = step.module(units.clone())
    return units
