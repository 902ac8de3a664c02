"""Collecting the results of many cases into one finding."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from nbsrc.claims import Finding

__all__ = ["Case", "brief", "collect", "merge"]

Case = tuple[float, tuple[int, ...], Any]  # slack, size of the case, description


def collect(cases: Iterable[Case], *, tolerance: float, family: str) -> Finding:
    """Return the finding of many cases: the worst slack and the smallest violation.

    Args:
        cases: For every case its slack (bound minus value, or minus the error of an equality), its
            size as a tuple that orders the cases from small to large, and its description.
        tolerance: A slack below ``-tolerance`` is a violation.
        family: The family in words.

    Returns:
        The finding; ``counterexample`` is the description of the smallest violating case.

    Raises:
        ValueError: If ``tolerance`` is negative, or a slack is NaN.

    Example:
        >>> collect(
        ...     [(0.5, (1,), "a"), (-1.0, (3,), "b"), (-2.0, (2,), "c")],
        ...     tolerance=0.0,
        ...     family="three cases",
        ... ).counterexample
        'c'
    """
    if tolerance < 0:
        raise ValueError(f"tolerance must not be negative, got {tolerance}")
    trials, worst = 0, float("inf")
    smallest: tuple[tuple[int, ...], Any] | None = None
    for slack, size, description in cases:
        if slack != slack:
            raise ValueError(f"slack must be a number, got NaN for {description}")
        trials += 1
        worst = min(worst, slack)
        if slack < -tolerance and (smallest is None or size < smallest[0]):
            smallest = (size, description)
    return Finding(
        holds=trials > 0 and smallest is None,
        worst_slack=worst if trials else None,
        trials=trials,
        counterexample=None if smallest is None else smallest[1],
        family=family,
    )


def brief(finding: Finding) -> str:
    """Return a finding's smallest counterexample as a short text.

    Args:
        finding: The finding.

    Returns:
        The counterexample's entries with their names, numbers to four digits, true and false as
        yes and no; ``"none"`` if there is none.

    Example:
        >>> brief(Finding(False, -1.0, 3, counterexample={"h": 2, "norm": 1.23456, "tie": True}))
        'h 2, norm 1.235, tie yes'
    """

    def show(value: Any) -> str:
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, float):
            return f"{value + 0.0:.4g}"  # no minus before a zero
        if isinstance(value, list):
            return "[" + ", ".join(show(entry) for entry in value) + "]"
        return str(value)

    example = finding.counterexample
    if example is None:
        return "none"
    if not isinstance(example, dict):
        return show(example)
    return ", ".join(f"{name} {show(value)}" for name, value in example.items())


def merge(*findings: Finding) -> Finding:
    """Return the finding of several families together.

    Args:
        findings: At least one finding.

    Returns:
        It holds if all hold; the worst slack, the sum of the trials, the first counterexample.

    Raises:
        ValueError: If there is no finding.

    Example:
        >>> both = merge(Finding(True, 0.5, 2, family="a"), Finding(False, -1.0, 3, "x", "b"))
        >>> both.holds, both.worst_slack, both.trials, both.counterexample, both.family
        (False, -1.0, 5, 'x', 'a; b')
    """
    if not findings:
        raise ValueError("findings must not be empty")
    slacks = [f.worst_slack for f in findings if f.worst_slack is not None]
    examples = [f.counterexample for f in findings if f.counterexample is not None]
    return Finding(
        holds=all(f.holds for f in findings),
        worst_slack=min(slacks) if slacks else None,
        trials=sum(f.trials for f in findings),
        counterexample=examples[0] if examples else None,
        family="; ".join(f.family for f in findings),
    )
