"""Exact arithmetic with printed numbers: a number of so many decimals stands for an interval."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

__all__ = ["Interval", "rounded", "truncated", "units"]


@dataclass(frozen=True)
class Interval:
    """All numbers between two rational ends, the ends included.

    Attributes:
        low: Lower end.
        high: Upper end.
    """

    low: Fraction
    high: Fraction

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError(f"low must be at most high, got {self.low} and {self.high}")

    def __sub__(self, other: Interval) -> Interval:
        return Interval(self.low - other.high, self.high - other.low)

    def __mul__(self, other: Interval) -> Interval:
        ends = [a * b for a in (self.low, self.high) for b in (other.low, other.high)]
        return Interval(min(ends), max(ends))

    def __truediv__(self, other: Interval) -> Interval:
        if other.low <= 0:
            raise ValueError(f"the divisor must be positive, got {other.low} to {other.high}")
        return self * Interval(1 / other.high, 1 / other.low)

    def meets(self, other: Interval) -> bool:
        """Return whether the two have a number in common.

        Args:
            other: Another interval.

        Returns:
            The answer.
        """
        return self.low <= other.high and other.low <= self.high

    def whole_numbers(self) -> list[int]:
        """Return the whole numbers of the interval.

        Returns:
            The numbers, smallest first.

        Example:
            >>> Interval(Fraction(5, 2), Fraction(4)).whole_numbers()
            [3, 4]
        """
        return list(range(math.ceil(self.low), math.floor(self.high) + 1))

    def text(self, digits: int = 2) -> str:
        """Return the interval in decimals.

        Args:
            digits: Decimals shown.

        Returns:
            Such as ``"40.97 to 41.01"``.
        """
        return f"{float(self.low):.{digits}f} to {float(self.high):.{digits}f}"


def units(value: float | str, decimals: int) -> int:
    """Return a printed number in units of its last place.

    Args:
        value: The number.
        decimals: How many decimals are printed.

    Returns:
        The units.

    Raises:
        ValueError: If the number has more decimals.

    Example:
        >>> units(0.65, 3)
        650
    """
    scaled = Fraction(str(value)) * 10**decimals
    if scaled.denominator != 1:
        raise ValueError(f"value must have at most {decimals} decimals, got {value!r}")
    return int(scaled)


def rounded(count: int, decimals: int) -> Interval:
    """Return the numbers that round to a printed one.

    Args:
        count: The printed number in units of its last place.
        decimals: How many decimals are printed.

    Returns:
        Half a unit to either side.
    """
    scale = 2 * 10**decimals
    return Interval(Fraction(2 * count - 1, scale), Fraction(2 * count + 1, scale))


def truncated(count: int, decimals: int) -> Interval:
    """Return the numbers that give a printed one when digits are cut off.

    Args:
        count: The printed number in units of its last place, not negative.
        decimals: How many decimals are printed.

    Returns:
        From the number to the next one; the upper end itself would be printed as the next.
    """
    scale = 10**decimals
    return Interval(Fraction(count, scale), Fraction(count + 1, scale))
