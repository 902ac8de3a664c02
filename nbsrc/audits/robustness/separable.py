r"""Assumption 2 against "the balls do not overlap": finite, infinite, and inside the data set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import sympy

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.robustness.sets import LabelledSet, shared_point
from nbsrc.claims import Finding
from nbsrc.constructions import certify_robust, robust_classifier

__all__ = [
    "K",
    "PointAndSequence",
    "audit_assumption_decides",
    "audit_disjoint_balls",
    "sequences",
]

K = sympy.Symbol("k", integer=True, positive=True)


def audit_assumption_decides(
    sets: Iterable[LabelledSet], *, strict: bool = True, tolerance: float = 1e-10
) -> Finding:
    """Test that a finite set has a robust classifier exactly if Assumption 2 holds.

    If it holds, a network is built and certified. If not, the midpoint of the closest pair lies in
    two balls, which rules out every classifier.

    Args:
        sets: Sets on both sides of the assumption.
        strict: Whether the assumption asks for "more than 2 eps" as printed, or for "at least".
        tolerance: Rounding allowed for the midpoint.

    Returns:
        The finding; the slack is the certified share minus one, or minus the midpoint's excess.
    """

    def judged() -> Iterator[Case]:
        for data in sets:
            assumed = data.separation > 2 * data.eps
            if not strict:
                assumed = data.separation >= 2 * data.eps
            if assumed and data.separation > 2 * data.eps:
                network = robust_classifier(data.points, data.labels, data.eps, data.ord)
                found = certify_robust(
                    network, data.points, data.labels, data.eps, data.ord, pieces=1
                )
                slack = found.robust_accuracy.lower - 1
            elif assumed:
                slack = -0.5 if shared_point(data) <= tolerance else 0.0
            else:
                slack = min(0.0, -shared_point(data))
            yield slack, data.size, data.description | {"separation": data.separation}

    return collect(judged(), tolerance=tolerance, family="finite sets, norm balls in R^n")


@dataclass(frozen=True)
class PointAndSequence:
    """The set of 0, of class 1, and a sequence of points d(k) > 0, k = 1, 2, ..., of class 2.

    Attributes:
        distance: d(k) as an expression in the positive integer ``K``, monotone in k.
        eps: Radius of the balls.
    """

    distance: sympy.Expr
    eps: sympy.Rational

    @property
    def balls_disjoint(self) -> bool:
        """Whether the closed interval around 0 meets none around a d(k): d(k) > 2 eps for all k."""
        return bool((self.distance - 2 * self.eps).is_positive)

    @property
    def infimum(self) -> sympy.Expr:
        """The infimum of the distances: the first term or the limit, as d is monotone."""
        return sympy.Min(self.distance.subs(K, 1), sympy.limit(self.distance, K, sympy.oo))

    @property
    def separable(self) -> bool:
        """Whether Assumption 2 holds."""
        return bool(self.infimum > 2 * self.eps)


def sequences() -> list[PointAndSequence]:
    """Return sets on the line that are separable, not separable, and in between.

    Returns:
        The sets, the simplest first.
    """
    half, one = sympy.Rational(1, 2), sympy.Integer(1)
    return [
        PointAndSequence(one + 1 / K, half),
        PointAndSequence(one + K, half),
        PointAndSequence(one + 1 / K, sympy.Rational(1, 4)),
        PointAndSequence(one + 1 / K, sympy.Rational(3, 4)),
        PointAndSequence(2 + 1 / K**2, one),
        PointAndSequence(sympy.Rational(3, 2) + 1 / K, half),
        PointAndSequence(2 - 1 / K, half),
    ]


def audit_disjoint_balls(
    sets: Iterable[PointAndSequence], *, enlarged: bool, fixed_growth: float | None = None
) -> Finding:
    """Test "Assumption 2 states that balls of different classes do not overlap", as an equivalence.

    Args:
        sets: Infinite sets on the line.
        enlarged: Whether to test the repaired reading instead: the balls still do not overlap
            after all radii have grown by one and the same rho > 0.
        fixed_growth: Ask for this rho in every set instead of one that suits the set.

    Returns:
        The finding; a slack of -1 where the two sides of the equivalence differ.
    """

    def judged() -> Iterator[Case]:
        for number, data in enumerate(sets):
            reading = data.balls_disjoint
            if enlarged:
                room = (data.infimum - 2 * data.eps) / 4  # if any rho > 0 works, this one does
                if fixed_growth is not None:
                    room = sympy.nsimplify(fixed_growth)
                grown = PointAndSequence(data.distance, data.eps + room)
                reading = bool(room > 0) and grown.balls_disjoint
            agree = reading == data.separable
            shown = {
                "class 1": "0",
                "class 2": f"{data.distance}, k = 1, 2, ...",
                "eps": str(data.eps),
                "balls disjoint": data.balls_disjoint,
                "infimum of distances": str(data.infimum),
            }
            yield 0.0 if agree else -1.0, (number,), shown

    return collect(judged(), tolerance=0, family="a point and a sequence on the line")
