"""Piecewise linear classifiers on the line, in exact fractions."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

__all__ = ["LineCase", "PiecewiseLinear", "clipped", "nearest_labels"]


class PiecewiseLinear(NamedTuple):
    """A continuous piecewise linear function on the line, constant outside its knots.

    Every such function is a ReLU network with one hidden layer.

    Attributes:
        knots: Increasing knots.
        values: Values at the knots.
    """

    knots: tuple[Fraction, ...]
    values: tuple[Fraction, ...]

    def __call__(self, x: Fraction) -> Fraction:
        """Return the value at a point.

        Args:
            x: The point.

        Returns:
            The value, exactly.
        """
        if x <= self.knots[0]:
            return self.values[0]
        for (a, b), (u, v) in zip(pairwise(self.knots), pairwise(self.values), strict=True):
            if x <= b:
                return u + (v - u) * (x - a) / (b - a)
        return self.values[-1]

    def range_on(self, low: Fraction, high: Fraction) -> tuple[Fraction, Fraction]:
        """Return the least and the largest value on a closed interval.

        Args:
            low: Left end.
            high: Right end.

        Returns:
            Minimum and maximum, exactly: they lie at the ends or at knots.
        """
        inside = [x for x in self.knots if low < x < high]
        values = [self(x) for x in (low, *inside, high)]
        return min(values), max(values)


class LineCase(NamedTuple):
    """A classifier on the line and one labelled point under attack.

    Attributes:
        g: The classifier.
        x: The point.
        label: Its label, 1 to ``classes``.
        classes: Number of classes C.
        eps: Radius of the closed interval around the point.
    """

    g: PiecewiseLinear
    x: Fraction
    label: int
    classes: int
    eps: Fraction


def nearest_labels(value: Fraction, classes: int) -> set[int]:
    """Return the labels nearest to an output: two of them at a tie.

    Args:
        value: The output.
        classes: Number of classes; labels are 1 to this number.

    Returns:
        The nearest labels.

    Example:
        >>> nearest_labels(Fraction(3, 2), 2), nearest_labels(Fraction(0), 2)
        ({1, 2}, {1})
    """
    distances = {label: abs(value - label) for label in range(1, classes + 1)}
    least = min(distances.values())
    return {label for label, distance in distances.items() if distance == least}


def clipped(g: PiecewiseLinear, classes: int) -> PiecewiseLinear:
    """Return a classifier with its outputs moved to the nearest point of [1, C].

    Args:
        g: The classifier.
        classes: Number of classes C.

    Returns:
        The clipped classifier, with knots where the clipping sets in.
    """
    knots, values = list(g.knots), list(g.values)
    for (a, b), (u, v) in zip(pairwise(g.knots), pairwise(g.values), strict=True):
        for level in (Fraction(1), Fraction(classes)):
            if min(u, v) < level < max(u, v):
                knots.append(a + (b - a) * (level - u) / (v - u))
                values.append(level)
    order = sorted(range(len(knots)), key=lambda k: knots[k])
    inside = [min(max(values[k], Fraction(1)), Fraction(classes)) for k in order]
    return PiecewiseLinear(tuple(knots[k] for k in order), tuple(inside))
