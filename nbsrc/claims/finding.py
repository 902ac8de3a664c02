"""The result of testing one statement over a family of cases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nbsrc.claims.plain import plain, plain_number

__all__ = ["Finding"]


@dataclass(frozen=True)
class Finding:
    """What testing one statement over a family of cases gave.

    Attributes:
        holds: Whether no case violated the statement beyond the tolerance.
        worst_slack: The smallest "bound minus value" over all cases (negative: violated); for an
            equality minus the largest error. ``None`` if the statement has no such number.
        trials: How many cases were tested.
        counterexample: The smallest violating case found, as text, numbers or a mapping of them.
        family: What the cases were drawn from, in words.
    """

    holds: bool
    worst_slack: float | None
    trials: int
    counterexample: Any = None
    family: str = ""

    def record(self) -> dict[str, Any]:
        """Return the finding as plain JSON values.

        Returns:
            A mapping with the fields of this class.

        Raises:
            TypeError: If ``holds``, ``trials`` or ``family`` has the wrong type.
            ValueError: If ``trials`` is negative or a number is not finite.
        """
        holds, trials = plain(self.holds, "holds"), plain(self.trials, "trials")
        if not isinstance(holds, bool):
            raise TypeError(f"holds must be True or False, got {self.holds!r}")
        if isinstance(trials, bool) or not isinstance(trials, int):
            raise TypeError(f"trials must be an integer, got {self.trials!r}")
        if trials < 0:
            raise ValueError(f"trials must not be negative, got {trials}")
        if not isinstance(self.family, str):
            raise TypeError(f"family must be text, got {self.family!r}")
        slack = None if self.worst_slack is None else plain_number(self.worst_slack, "worst_slack")
        return {
            "holds": holds,
            "worst_slack": slack,
            "trials": trials,
            "counterexample": plain(self.counterexample, "counterexample"),
            "family": self.family,
        }
