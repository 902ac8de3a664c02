"""Table 1: mean and standard deviation of the largest change of the loss in a ball."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from nbsrc import claims
from nbsrc.audits.finding import Case, collect
from nbsrc.audits.margin_tables.intervals import Interval, rounded, units
from nbsrc.claims import Finding

__all__ = [
    "Variation", "audit_doubling", "audit_falls_with_strength", "audit_grows_with_radius",
    "audit_logarithm", "audit_ratio", "audit_spread", "largest_at_least", "planted",
    "read_variations"
]  # fmt: skip

_DECIMALS = 4


@dataclass(frozen=True)
class Variation:
    """A cell of Table 1.

    Attributes:
        dataset: The data set.
        radius: Radius of the attack.
        strength: Strength of the adversarial training.
        mean: Mean over the test images, in units of the last place.
        std: Standard deviation, in units of the last place.
    """

    dataset: str
    radius: int
    strength: int
    mean: int
    std: int

    @property
    def means(self) -> Interval:
        """The means that round to the cell."""
        return rounded(self.mean, _DECIMALS)

    @property
    def stds(self) -> Interval:
        """The standard deviations that round to the cell."""
        return rounded(self.std, _DECIMALS)

    @property
    def ratio(self) -> float:
        """Standard deviation over mean."""
        return self.std / self.mean

    @property
    def words(self) -> str:
        """The cell in words."""
        numbers = f"{self.mean / 10**4:.4f} +- {self.std / 10**4:.4f}"
        return f"{self.dataset}, radius {self.radius}, AR {self.strength}: {numbers}"


def read_variations() -> list[Variation]:
    """Read Table 1 from the ledger.

    Returns:
        The cells in printed order.

    Raises:
        ValueError: If the row holds no table of this form.
    """
    data = claims.row("C.tab1").data
    if not isinstance(data, Mapping):
        raise ValueError("the row C.tab1 must hold the table")
    return [
        Variation(dataset, int(radius[3:]), int(strength[2:]), *(units(x, _DECIMALS) for x in pair))
        for dataset, block in data.items()
        for radius, line in block.items()
        for strength, pair in line.items()
    ]


def _chains(
    cells: Sequence[Variation], along: str, *held: str
) -> Iterator[tuple[Variation, Variation]]:
    """Yield neighbours along one attribute, the others held."""
    for one, two in itertools.product(cells, repeat=2):
        if any(getattr(one, name) != getattr(two, name) for name in held):
            continue
        values = sorted({getattr(x, along) for x in cells})
        if values.index(getattr(two, along)) == values.index(getattr(one, along)) + 1:
            yield one, two


def audit_falls_with_strength(cells: Sequence[Variation]) -> Finding:
    """Test that mean and standard deviation fall from each strength to the next.

    Args:
        cells: The cells.

    Returns:
        A finding over neighbours; the slack is the smaller fall less one unit, in units.
    """
    cases: list[Case] = []
    for one, two in _chains(cells, "strength", "dataset", "radius"):
        slack = min(one.mean - two.mean, one.std - two.std) - 1
        cases.append((float(slack), (len(cases),), f"{one.words}; {two.words}"))
    return collect(cases, tolerance=0, family="neighbouring strengths in Table 1")


def audit_grows_with_radius(cells: Sequence[Variation]) -> Finding:
    """Test that the mean grows with the radius: a larger ball holds the smaller one.

    Args:
        cells: The cells.

    Returns:
        A finding over neighbours; the slack is the growth less one unit.
    """
    cases: list[Case] = []
    for one, two in _chains(cells, "radius", "dataset", "strength"):
        cases.append((float(two.mean - one.mean - 1), (len(cases),), f"{one.words}; {two.words}"))
    return collect(cases, tolerance=0, family="neighbouring radii in Table 1")


def audit_spread(cells: Iterable[Variation], *, images: int = 10_000) -> Finding:
    """Test that numbers in the unit interval can have such a mean and standard deviation.

    Changes of a loss in a ball around the image are not negative, since the image lies in it. They
    may exceed 1; numbers from 0 to 1 with mean m have a variance of at most m(1 - m), and so
    have changes of a probability. Numbers that are not negative and average to m have a variance
    of at most m^2 (images - 1).

    Args:
        cells: The cells.
        images: Number of test images.

    Returns:
        A finding over the cells; the slack is the smaller bound less the variance.
    """
    cases: list[Case] = []
    for number, cell in enumerate(cells):
        m, s = cell.means.high, cell.stds.low
        room = min(m * (1 - m), m * m * (images - 1)) - s * s
        good = cell.mean > 0 and cell.std > 0
        cases.append((float(room) if good else -1.0, (number,), cell.words))
    return collect(cases, tolerance=0, family="cells of Table 1")


def audit_ratio(cells: Iterable[Variation], low: float, high: float) -> Finding:
    """Test that standard deviation over mean lies between two numbers.

    Args:
        cells: The cells.
        low: Smallest ratio.
        high: Largest ratio.

    Returns:
        A finding over the cells; the slack is the room.
    """
    cases: list[Case] = [
        (min(cell.ratio - low, high - cell.ratio), (number,), f"{cell.words}: {cell.ratio:.2f}")
        for number, cell in enumerate(cells)
    ]
    return collect(cases, tolerance=0, family="standard deviation over mean, Table 1")


def audit_logarithm(loss: Callable[[float], float]) -> Finding:
    """Test that a function of the label's probability is the cross-entropy loss.

    Args:
        loss: The function, such as the logarithm that the paper names.

    Returns:
        A finding over probabilities 1, 1/2, 1/3, ...; the truth is computed from the scores.
    """
    cases: list[Case] = []
    for n in range(1, 41):
        scores = [0.0, *([0.0] * (n - 1))]
        truth = math.log(sum(math.exp(s) for s in scores)) - scores[0]
        cases.append((-abs(loss(1 / n) - truth), (n,), f"probability 1/{n}: loss {truth:.3f}"))
    return collect(cases, tolerance=1e-12, family="equal scores of 1 to 40 classes")


def largest_at_least(cell: Variation) -> Fraction:
    """Return a number that some image's change of the loss must reach.

    For numbers X that are not negative, mean of X^2 is at most the largest times mean of X. So the
    largest is at least mean + variance / mean.

    Args:
        cell: The cell.

    Returns:
        The bound, from the ends of the rounding intervals.
    """
    mean, std = cell.means, cell.stds
    ends = [m + std.low**2 / m for m in (mean.low, mean.high)]
    return min(ends)


def audit_doubling(cells: Sequence[Variation]) -> Finding:
    """Test that twice the radius gives at least twice the mean, within the rounding.

    Args:
        cells: The cells.

    Returns:
        A finding over pairs of a radius and its double; the slack is the largest mean the rounding
        allows less twice the smallest.
    """
    cases: list[Case] = []
    for one, two in _chains(cells, "radius", "dataset", "strength"):
        if two.radius != 2 * one.radius:
            continue
        slack = two.means.high - 2 * one.means.low
        cases.append((float(slack), (len(cases),), f"{one.words}; {two.words}"))
    return collect(cases, tolerance=0, family="radius and double radius in Table 1")


def planted(cells: Sequence[Variation], at: tuple[str, int, int], mean: float) -> list[Variation]:
    """Return the cells with another mean in one of them, for negative controls.

    Args:
        cells: The cells.
        at: Data set, radius and strength of the cell.
        mean: The new mean.

    Returns:
        The changed cells.

    Raises:
        ValueError: If there is no such cell.
    """
    if at not in {(x.dataset, x.radius, x.strength) for x in cells}:
        raise ValueError(f"at must name a cell of Table 1, got {at}")
    return [
        replace(x, mean=units(mean, _DECIMALS)) if (x.dataset, x.radius, x.strength) == at else x
        for x in cells
    ]
