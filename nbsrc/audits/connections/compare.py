"""Comparing two quantities over many cases."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor

from nbsrc.audits.finding import Case, collect
from nbsrc.claims import Finding

__all__ = [
    "ROUNDING",
    "Sample",
    "audit_at_most",
    "audit_defined",
    "audit_equal",
    "audit_rises",
    "audit_true",
    "combine",
    "entrywise_error",
    "relative_error",
]


class Sample(Protocol):
    """A case: its size orders the cases, its description is shown as a counterexample."""

    @property
    def size(self) -> tuple[int, ...]:
        """Orders the cases from small to large."""

    @property
    def description(self) -> dict[str, Any]:
        """The case in words and numbers."""


#: Units of rounding that a sum of some terms of size 1 may lose in float64, generously.
ROUNDING = 64 * 2.0**-53

S = TypeVar("S", bound=Sample)
Quantity = Callable[[S], Tensor | float]


def relative_error(left: Tensor | float, right: Tensor | float, *, rounding: float = 0.0) -> float:
    """Return the largest difference over the largest entry of both.

    Two arrays of different shape, and a value that is not finite beside one that is, or NaN, count
    as error 1: the formula does not give the quantity.

    Args:
        left: A number or an array.
        right: The same, of the same shape.
        rounding: A difference that the arithmetic of one side explains, where terms cancel: it
            does not count.

    Returns:
        The error; 0 when both are zero.

    Example:
        >>> relative_error(1.0, 0.75), relative_error(0.0, 0.0)
        (0.25, 0.0)
    """
    one = torch.as_tensor(left, dtype=torch.float64)
    two = torch.as_tensor(right, dtype=torch.float64)
    if one.shape != two.shape or one.isnan().any() or two.isnan().any():
        return 1.0
    if not (one.isfinite().all() and two.isfinite().all()):
        return 0.0 if torch.equal(one, two) else 1.0
    largest = float(torch.maximum(one.abs(), two.abs()).amax()) if one.numel() else 0.0
    return max(float((one - two).abs().amax()) - rounding, 0.0) / largest if largest else 0.0


def entrywise_error(left: Tensor, right: Tensor) -> float:
    """Return the largest relative error of the entries, each on its own scale.

    Args:
        left: A vector.
        right: A vector of the same length.

    Returns:
        The error.

    Example:
        >>> entrywise_error(torch.tensor([100.0, 1.0]), torch.tensor([100.0, 2.0]))
        0.5
    """
    return max(relative_error(one, two) for one, two in zip(left, right, strict=True))


def audit_equal(
    cases: Iterable[S],
    left: Quantity[S],
    right: Quantity[S],
    *,
    tolerance: float,
    family: str,
    rounding: Callable[[S], float] = lambda _: 0.0,
) -> Finding:
    """Test that two quantities are equal.

    Args:
        cases: The cases.
        left: The printed quantity.
        right: The truth.
        tolerance: Largest relative error.
        family: The family in words.
        rounding: As in `relative_error`.

    Returns:
        The finding; the slack is minus the relative error.
    """

    def results() -> Iterator[Case]:
        for case in cases:
            one, two = left(case), right(case)
            shown = {**case.description, "left": _shown(one), "right": _shown(two)}
            error = relative_error(one, two, rounding=rounding(case))
            yield -error, case.size, shown

    return collect(results(), tolerance=tolerance, family=family)


def audit_at_most(
    cases: Iterable[S], small: Quantity[S], large: Quantity[S], *, tolerance: float, family: str
) -> Finding:
    """Test that one number is at most another.

    Args:
        cases: The cases.
        small: The smaller quantity.
        large: The larger quantity.
        tolerance: Relative room for rounding.
        family: The family in words.

    Returns:
        The finding; the slack is ``(large - small) / max(|small|, |large|)``, -1 where a value is
        undefined.
    """

    def results() -> Iterator[Case]:
        for case in cases:
            one, two = float(small(case)), float(large(case))
            shown = {**case.description, "left": one, "right": two}
            scale = max(abs(one), abs(two))
            if one != one or two != two or one == float("inf"):
                yield -1.0, case.size, {k: _shown(v) for k, v in shown.items()}
            elif two == float("inf"):
                yield 1.0, case.size, {k: _shown(v) for k, v in shown.items()}
            else:
                yield ((two - one) / scale if scale else 0.0), case.size, shown

    return collect(results(), tolerance=tolerance, family=family)


def audit_true(cases: Iterable[S], statement: Callable[[S], bool], *, family: str) -> Finding:
    """Test a statement that is true or false.

    Args:
        cases: The cases.
        statement: The statement.
        family: The family in words.

    Returns:
        The finding; the slack is 0 where the statement is true and -1 where it is false.
    """
    results = ((0.0 if statement(x) else -1.0, x.size, x.description) for x in cases)
    return collect(results, tolerance=0, family=family)


def combine(*findings: Finding, family: str = "") -> Finding:
    """Return the finding that all of several statements hold.

    Args:
        *findings: The findings.
        family: The family in words; those of the findings if empty.

    Returns:
        Holds if all hold; the worst slack, all trials, the first counterexample.

    Example:
        >>> combine(Finding(True, 0.0, 2), Finding(False, -1.0, 3, counterexample="x")).trials
        5
    """
    slacks = [f.worst_slack for f in findings if f.worst_slack is not None]
    wrong = [f.counterexample for f in findings if not f.holds]
    return Finding(
        holds=all(f.holds for f in findings),
        worst_slack=min(slacks, default=None),
        trials=sum(f.trials for f in findings),
        counterexample=wrong[0] if wrong else None,
        family=family or "; ".join(dict.fromkeys(f.family for f in findings)),
    )


def _shown(value: Any) -> Any:
    """Return a value as plain numbers, with words for those that JSON cannot hold."""
    if isinstance(value, Tensor):
        return _shown(value.tolist())
    if isinstance(value, list):
        return [_shown(v) for v in value]
    if isinstance(value, float):
        if value != value:
            return "undefined"
        return "infinite" if abs(value) == float("inf") else value
    return value


def audit_rises(curve: Callable[[float], float], arguments: list[float]) -> Finding:
    """Test that a curve rises from each argument to the next.

    Args:
        curve: The curve.
        arguments: The arguments, in order.

    Returns:
        The finding; the slack is the smallest relative rise.
    """

    def cases() -> Iterator[Case]:
        for number, (one, two) in enumerate(itertools.pairwise(arguments)):
            low, high = curve(one), curve(two)
            yield (high - low) / abs(high), (number,), {"from": one, "to": two}

    return collect(cases(), tolerance=0, family="a grid of probabilities or margins")


def audit_defined(curve: Callable[[float], float], arguments: list[float]) -> Finding:
    """Test that a curve has a finite value at every argument.

    Args:
        curve: The curve; NaN where it has no value.
        arguments: The arguments.

    Returns:
        The finding; the slack is 0 or -1.
    """
    results = (
        (0.0 if math.isfinite(curve(v)) else -1.0, (n,), {"at": v}) for n, v in enumerate(arguments)
    )
    return collect(results, tolerance=0, family="a grid of probabilities")
