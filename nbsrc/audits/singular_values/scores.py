"""Definitions on scores: the classifier, the margin, ties."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence

import torch

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.singular_values.cases import Scores
from nbsrc.claims import Finding
from nbsrc.margins import margin as library_margin

__all__ = [
    "audit_boundary",
    "audit_largest_magnitude",
    "audit_margin_definition",
    "audit_one_classifier_one_margin",
    "audit_plateau",
    "audit_sign",
    "margin",
    "relative_margin",
    "winners",
]

Margin = Callable[[Scores], float]


def margin(case: Scores) -> float:
    """The margin of Definition 3, by the library.

    Args:
        case: Scores and label; at least two classes.

    Returns:
        The label's score minus the largest other one.

    Example:
        >>> margin(Scores((1.0, 3.0, 2.0), 1))
        1.0
    """
    s = torch.tensor([case.s], dtype=torch.float64)
    return float(library_margin(s, torch.tensor([case.label])))


def relative_margin(case: Scores) -> float:
    """The margin over the standard deviation of the scores; 0 if all scores are equal.

    Args:
        case: Scores and label.

    Returns:
        The quotient, the same for ``c f`` as for f.
    """
    mean = sum(case.s) / len(case.s)
    spread = math.sqrt(sum((v - mean) ** 2 for v in case.s) / len(case.s))
    return margin(case) / spread if spread else 0.0


def winners(s: Sequence[float], *, magnitude: bool = False) -> list[int]:
    """All coordinates with the largest value, or with the largest magnitude.

    Args:
        s: Scores.
        magnitude: Compare absolute values.

    Returns:
        The coordinates, several in a tie.
    """
    values = [abs(v) if magnitude else v for v in s]
    return [i for i, v in enumerate(values) if v == max(values)]


def audit_largest_magnitude(cases: Iterable[Scores]) -> Finding:
    """Test that the coordinates of largest magnitude are those of largest value.

    Args:
        cases: Scores.

    Returns:
        The finding; the slack is 0 or -1.
    """
    results = (
        (
            0.0 if winners(x.s) == winners(x.s, magnitude=True) else -1.0,
            x.size,
            {"s": list(x.s), "largest": winners(x.s), "in size": winners(x.s, magnitude=True)},
        )
        for x in cases
    )
    return collect(results, tolerance=0, family="small whole score vectors, ties included")


def audit_margin_definition(cases: Iterable[Scores], rule: Margin = margin) -> Finding:
    """Test a margin against pairwise differences, and that it is homogeneous and shift-invariant.

    ``s_y - max_i s_i`` is the smallest of the differences ``s_y - s_i`` to the other classes.

    Args:
        cases: Scores with labels.
        rule: The margin.

    Returns:
        The finding; the slack is minus the error.
    """

    def results() -> Iterator[Case]:
        for x in cases:
            truth = min(x.s[x.label] - v for i, v in enumerate(x.s) if i != x.label)
            doubled = Scores(tuple(2 * v for v in x.s), x.label)
            moved = Scores(tuple(v + 1 for v in x.s), x.label)
            error = max(
                abs(rule(x) - truth), abs(rule(doubled) - 2 * truth), abs(rule(moved) - truth)
            )
            yield -error, x.size, {**x.description, "margin": rule(x), "truth": truth}

    return collect(results(), tolerance=0, family="small whole score vectors with every label")


def audit_sign(cases: Iterable[Scores], *, ties: bool = True, rule: Margin = margin) -> Finding:
    """Test that the margin is positive exactly where the label wins alone, negative where it loses.

    Args:
        cases: Scores with labels.
        ties: Whether a margin of 0 must mean that the label shares the first place.
        rule: The margin.

    Returns:
        The finding; the slack is 0 or -1.
    """

    def right(x: Scores) -> bool:
        top, value = winners(x.s), rule(x)
        if value > 0:
            return top == [x.label]
        if value < 0:
            return x.label not in top
        return not ties or (x.label in top and len(top) > 1)

    results = (
        (0.0 if right(x) else -1.0, x.size, {**x.description, "margin": rule(x)}) for x in cases
    )
    return collect(results, tolerance=0, family="small whole score vectors with every label")


def audit_one_classifier_one_margin(
    cases: Iterable[Scores], rule: Margin = margin, factor: float = 2.0
) -> Finding:
    """Test that scores f and c f, which classify alike everywhere, have the same margin.

    Args:
        cases: Scores with labels.
        rule: The margin.
        factor: The factor c, above 0.

    Returns:
        The finding; the slack is minus the difference.
    """

    def results() -> Iterator[Case]:
        for x in cases:
            scaled = Scores(tuple(factor * v for v in x.s), x.label)
            one, two = rule(x), rule(scaled)
            shown = {**x.description, "margin of f": one, f"margin of {factor:g}f": two}
            yield -abs(one - two), x.size, shown

    return collect(results(), tolerance=1e-12, family="small whole score vectors with every label")


def audit_boundary(cases: Iterable[Scores], *, predicted: bool, first_of_two: bool) -> Finding:
    """Test that the margin is 0 exactly where two classes share the first place.

    Args:
        cases: Scores with labels.
        predicted: Take the margin of a winner in place of the label's.
        first_of_two: Whether exactly two classes may share it; else two or more.

    Returns:
        The finding; the slack is 0 or -1.
    """

    def results() -> Iterator[Case]:
        for x in cases:
            top = winners(x.s)
            value = margin(Scores(x.s, top[0])) if predicted else margin(x)
            boundary = len(top) == 2 if first_of_two else len(top) >= 2
            shown = {**x.description, "margin": value, "winners": top}
            yield (0.0 if (value == 0) == boundary else -1.0), x.size, shown

    return collect(results(), tolerance=0, family="small whole score vectors with every label")


def audit_plateau(biases: Iterable[int], points: Iterable[int], *, converse: bool) -> Finding:
    """Test that the class changes in every neighbourhood of a point of margin 0, or the converse.

    The network has one input and two outputs, ``ReLU(x)`` and ``ReLU(b x)``; in a tie the first
    class is taken.

    Args:
        biases: Values of b.
        points: Inputs x.
        converse: Test that the margin is 0 wherever the class changes nearby.

    Returns:
        The finding; the slack is 0 or -1.
    """

    def at(b: int, x: float) -> tuple[float, float]:
        return max(x, 0.0), max(b * x, 0.0)

    def results() -> Iterator[Case]:
        for number, (b, x) in enumerate((b, x) for b in biases for x in points):
            zero = margin(Scores(at(b, x), 0)) == 0
            classes = {winners(at(b, x + s * 1e-3))[0] for s in (-2, -1, 1, 2)}
            changes = len(classes) > 1
            right = (zero or not changes) if converse else (changes or not zero)
            shown = {"b": b, "x": x, "scores": list(at(b, x)), "classes near x": sorted(classes)}
            yield (0.0 if right else -1.0), (abs(x), abs(b), number), shown

    return collect(results(), tolerance=0, family="networks with one input and two outputs")
