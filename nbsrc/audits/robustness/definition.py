r"""Definition 2 on the line: robust accuracy as printed, and by the prediction it stands for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import product

import torch

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.robustness.line import LineCase, PiecewiseLinear, clipped, nearest_labels
from nbsrc.claims import Finding

__all__ = [
    "audit_ball_readings",
    "audit_definition",
    "audit_half",
    "random_line_cases",
    "robust_as_printed",
    "robust_by_prediction",
]


def robust_as_printed(case: LineCase) -> bool:
    """Return whether ``|g - y| < 1/2`` on the whole closed interval (Definition 2).

    Args:
        case: The case.

    Returns:
        The answer, exactly.
    """
    low, high = case.g.range_on(case.x - case.eps, case.x + case.eps)
    half = Fraction(1, 2)
    return case.label - half < low and high < case.label + half


def robust_by_prediction(case: LineCase) -> bool:
    """Return whether the nearest label is the right one, and no other, on the whole interval.

    Args:
        case: The case.

    Returns:
        The answer, exactly; labels at the two ends have one neighbour only.
    """
    low, high = case.g.range_on(case.x - case.eps, case.x + case.eps)
    half = Fraction(1, 2)
    first, last = case.label == 1, case.label == case.classes
    return (first or case.label - half < low) and (last or high < case.label + half)


def random_line_cases(count: int, seed: int) -> Iterator[LineCase]:
    """Yield classifiers with small fractional values, ties included.

    Args:
        count: Number of cases, at least two.
        seed: Seed of the generator.

    Yields:
        The constant classifier 0, then ``1.4 - 0.8 |x|``, then random ones.
    """
    zero = PiecewiseLinear((Fraction(0),), (Fraction(0),))
    yield LineCase(zero, Fraction(0), 1, 2, Fraction(0))
    ends, top = Fraction(3, 5), Fraction(7, 5)
    roof = PiecewiseLinear((Fraction(-1), Fraction(0), Fraction(1)), (ends, top, ends))
    yield LineCase(roof, Fraction(0), 1, 2, Fraction(1))
    generator = torch.Generator().manual_seed(seed)

    def draw(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (), generator=generator))

    for _ in range(count - 2):
        classes, knots = draw(2, 5), draw(1, 4)
        values = tuple(Fraction(draw(0, 4 * classes + 4), 4) for _ in range(knots))
        g = PiecewiseLinear(tuple(Fraction(k) for k in range(knots)), values)
        x, eps = Fraction(draw(-2, 8), 2), Fraction(draw(0, 3), 4)
        yield LineCase(g, x, draw(1, classes), classes, eps)


def audit_definition(
    cases: Iterable[LineCase], *, clip: bool = False, centre_only: bool = False
) -> Finding:
    """Compare Definition 2 with what the text says it measures: correct prediction on the ball.

    Args:
        cases: Classifiers and points.
        clip: Whether outputs are first clipped to [1, C].
        centre_only: Whether Definition 2 looks at the centre of the ball only.

    Returns:
        The finding; a slack of -1 where the two answers differ.
    """

    def judged() -> Iterator[Case]:
        for case in cases:
            used = case._replace(g=clipped(case.g, case.classes)) if clip else case
            used = used._replace(eps=Fraction(0)) if centre_only else used
            agree = robust_as_printed(used) == robust_by_prediction(case)
            yield 0.0 if agree else -1.0, (case.classes, len(case.g.knots)), _describe(case)

    return collect(judged(), tolerance=0, family="piecewise linear classifiers on the line")


def audit_half(*, strict: bool, radius: float = 0.5, classes: int = 6, steps: int = 8) -> Finding:
    """Test "at most 0.5 apart from the true label, hence the right label".

    Args:
        strict: Whether exactly 0.5 is left out.
        radius: In the place of 0.5.
        classes: Largest number of classes.
        steps: Outputs are multiples of 1/steps from 0 to one more than the largest label.

    Returns:
        The finding; the slack is -1 where a nearest label is not the true one.
    """
    allowed = Fraction(radius)

    def judged() -> Iterator[Case]:
        for count in range(1, classes + 1):
            for k in range(steps * (count + 1) + 1):
                value = Fraction(k, steps)
                for label in range(1, count + 1):
                    gap = abs(value - label)
                    if gap < allowed or (gap == allowed and not strict):
                        right = nearest_labels(value, count) == {label}
                        shown = {"C": count, "output": str(value), "label": label}
                        yield 0.0 if right else -1.0, (count, label), shown

    return collect(judged(), tolerance=0, family=f"outputs in steps of 1/{steps}")


def audit_ball_readings(
    *, inside: bool, radius: Fraction = Fraction(1, 2), largest: int = 4
) -> Finding:
    """Test that robust accuracy 1 is impossible when balls of different classes share a point.

    The data are the integers 0 to m with labels 1 to m + 1; the classifiers are constant near each
    of them and linear in between.

    Args:
        inside: Whether balls are taken inside the data set, as a metric on it has them, or on the
            line.
        radius: In the place of the 1/2 of Definition 2.
        largest: Largest m.

    Returns:
        The finding; a slack of -1 where all points are robust although 2 eps is at least their
        distance.
    """

    def judged() -> Iterator[Case]:
        for m, tenths, eps_tenths in product(range(1, largest + 1), range(5), range(1, 13)):
            eps, plateau = Fraction(eps_tenths, 10), Fraction(tenths, 10)
            knots = tuple(k + side for k in range(m + 1) for side in (-plateau, plateau))
            if plateau == 0:
                knots = tuple(Fraction(k) for k in range(m + 1))
            steps = tuple(Fraction(1 + round(x)) for x in knots)
            g = PiecewiseLinear(knots, steps)
            robust = True
            for k in range(m + 1):
                seen = [g(Fraction(t)) for t in range(m + 1) if abs(t - k) <= eps]
                low, high = (min(seen), max(seen)) if inside else g.range_on(k - eps, k + eps)
                robust = robust and k + 1 - radius < low and high < k + 1 + radius
            shown = {
                "X": [str(k) for k in range(m + 1)],
                "labels": [k + 1 for k in range(m + 1)],
                "eps": str(eps),
                "plateau": str(plateau),
            }
            order = (m, eps_tenths, tenths)
            yield -1.0 if robust and 2 * eps >= 1 else 0.0, order, shown

    return collect(judged(), tolerance=0, family="integers 0 to m on the line")


def _describe(case: LineCase) -> dict[str, object]:
    return {
        "g at its knots": [str(v) for v in case.g.values],
        "x": str(case.x),
        "label": case.label,
        "C": case.classes,
        "eps": str(case.eps),
        "as printed": robust_as_printed(case),
        "by prediction": robust_by_prediction(case),
    }
