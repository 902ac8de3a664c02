"""Certified lower and upper values: what every iterative result of this package returns."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["Bracket"]


@dataclass(frozen=True)
class Bracket:
    r"""A number known only to lie in an interval, ``lower <= true value <= upper``.

    Both ends are proven, rounding errors included; ``value`` is the best estimate between them.

    Attributes:
        value: The best estimate, ``lower <= value <= upper``.
        lower: A certified lower bound.
        upper: A certified upper bound (``math.inf`` if none is known).
        iterations: Operator applications spent on the estimate (0 for a direct method).
        converged: Whether ``upper - lower <= rtol * upper`` for the requested ``rtol``.

    Example:
        >>> Bracket(value=1.0, lower=0.75, upper=1.0, iterations=3, converged=False).relative_width
        0.25
    """

    value: float
    lower: float
    upper: float
    iterations: int
    converged: bool

    def __post_init__(self) -> None:
        """Refuse an interval that is not one.

        Raises:
            ValueError: If not ``lower <= value <= upper`` (NaN included).
        """
        if not self.lower <= self.value <= self.upper:
            raise ValueError(
                f"a bracket needs lower <= value <= upper, got lower={self.lower}, "
                f"value={self.value}, upper={self.upper}"
            )

    @property
    def relative_width(self) -> float:
        """The width ``(upper - lower) / upper``, 0 for [0, 0] and 1 without an upper bound."""
        if self.upper == self.lower:
            return 0.0
        return 1.0 if self.upper == math.inf else (self.upper - self.lower) / self.upper
