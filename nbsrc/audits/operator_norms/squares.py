"""Section 4.1: the sum-of-squares form of the data-dependent regulariser."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.operator_norms.points import ReluPoint
from nbsrc.audits.operator_norms.regularisers import (
    leading_triple,
    parameter_gradients,
    trainable,
)
from nbsrc.claims import Finding

__all__ = ["audit_squares_anywhere", "audit_sum_of_squares"]


def audit_squares_anywhere(points: Iterable[ReluPoint], *, inside: bool = True) -> Finding:
    r"""Test the value :math:`\|f(x+\epsilon v)-f(x)\|^2=\epsilon^2\sigma^2`, on kinks too.

    Steps of a thousandth and of 1 along v and -v are taken where the end has the pattern of x. No
    gap of the singular values is needed.

    Args:
        points: Networks and inputs, on kinks or with a multiple norm too.
        inside: False takes the ends in other cells instead: a control.

    Returns:
        The finding; the slack is minus the error over ``1 + sigma^2``.
    """

    def cases() -> Iterator[Case]:
        for point in points:
            sigma, _, v = leading_triple(point.jacobian())
            for eps in (1e-3, -1e-3, 1.0, -1.0):
                end = point.x + eps * v
                if torch.equal(point.pattern(end), point.pattern()) == inside:
                    change = (point.output(end) - point.output()) / eps
                    error = abs(float(change.square().sum()) - sigma**2) / (1 + sigma**2)
                    yield -error, point.size, {**point.description, "eps": eps, "sigma": sigma}

    return collect(cases(), tolerance=1e-9, family="steps along v within the cell, kinks included")


def audit_sum_of_squares(
    points: Iterable[ReluPoint], reach: float, *, exponent: float = 2.0, sign: float = 1.0
) -> Finding:
    r"""Test :math:`\frac\lambda2\|f(x+\epsilon v)-f(x)\|^2=\frac{\lambda\epsilon^2}2\sigma^2`.

    Values and gradients in all weights, v held fixed, for lambda 1.

    Args:
        points: Networks and inputs off kinks.
        reach: epsilon as a multiple of the radius of the cell.
        exponent: A planted error: of epsilon.
        sign: -1 for the step along -v.

    Returns:
        The finding; the slack is minus the relative error of value or gradient.
    """

    def cases() -> Iterator[Case]:
        for point in points:
            sigma, _, v = leading_triple(point.jacobian())
            eps = reach * point.radius()
            own = trainable(point)
            change = own.output(point.x + sign * eps * v) - own.output()
            squares, strength = change.square().sum() / 2, eps**exponent
            spectral = strength / 2 * (own.jacobian() @ v).square().sum()
            pair = [parameter_gradients(own, value) for value in (squares, spectral)]
            size = max(float(x.norm()) for x in pair)
            error = float((pair[0] - pair[1]).norm()) / size
            both = float(squares.detach()), strength / 2 * sigma**2
            error = max(error, abs(both[0] - both[1]) / max(both))
            shown = {**point.description, "eps": eps, "squares": both[0], "spectral": both[1]}
            yield -error, point.size, shown

    return collect(cases(), tolerance=1e-9, family=f"steps of {reach:g} cell radii along v")
