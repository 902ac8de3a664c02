"""The inequalities of appendix E between gradient, Hessian, V and the class probabilities."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise

import torch

from nbsrc.audits.connections.norm_bounds import column_norm
from nbsrc.audits.connections.points import Point
from nbsrc.audits.finding import Case, collect
from nbsrc.claims import Finding

__all__ = [
    "audit_chain",
    "chain_constant",
    "eq34_links",
    "eq36_links",
    "eq42_links",
    "eq43_links",
    "gradient_constant",
    "products_of_classes",
    "products_with_rest",
    "repaired_chain",
    "squared_chain",
    "unsquared_chain",
]

TOLERANCE = 1e-9
Quantity = Callable[[Point], float]
Links = Sequence[Quantity]


def audit_chain(
    points: Iterable[Point], links: Links, *, family: str = "correctly classified points"
) -> Finding:
    """Test a chain of inequalities.

    Args:
        points: The points.
        links: The quantities from the smallest to the largest.
        family: The family in words.

    Returns:
        The finding; the slack is the smallest relative one of the chain.
    """

    def results() -> Iterator[Case]:
        for x in points:
            values = [link(x) for link in links]
            steps = [
                ((large - small) / max(abs(small), abs(large), 1e-300), number)
                for number, (small, large) in enumerate(pairwise(values), start=1)
            ]
            slack, number = min(steps)
            shown = {"inequality": number, "left": values[number - 1], "right": values[number]}
            yield slack, x.size, {**x.description, **shown}

    return collect(results(), tolerance=TOLERANCE, family=family)


def eq34_links(constant: float = 2.0) -> Links:
    r"""Return :math:`\|\nabla\|_2 \le c(1-p_y)\|V\|_2 \le c(1-p_y)\|V\|_F`.

    Args:
        constant: c, 2 in the paper.

    Returns:
        The quantities.
    """
    return (
        lambda x: x.slope,
        lambda x: constant * x.rest * column_norm(x.V, 2),
        lambda x: constant * x.rest * x.frobenius,
    )


def products_of_classes(x: Point, *, columns: bool = False) -> float:
    r"""Return the bound of (35), or the middle of (36).

    Args:
        x: The point.
        columns: Replace :math:`\|v_i-v_j\|^2` by :math:`2\|v_i\|^2+2\|v_j\|^2`.

    Returns:
        :math:`\sum_{i<j}p_ip_j\|v_i-v_j\|^2`, or
        :math:`\sum_{i\ne j}p_ip_j(\|v_i\|^2+\|v_j\|^2)`.
    """
    i, j = torch.triu_indices(x.classes, x.classes, 1)
    squares = (x.V[:, i] - x.V[:, j]).square().sum(0)
    if columns:
        squares = 2 * (x.V[:, i].square() + x.V[:, j].square()).sum(0)
    return float((x.p[i] * x.p[j] * squares).sum())


def products_with_rest(x: Point, factor: float) -> float:
    """Return ``factor * p_y (1 - p_y)``.

    Args:
        x: The point.
        factor: The factor.

    Returns:
        The product.
    """
    return factor * x.p_y * x.rest


def eq36_links() -> Links:
    """Return (35) and (36): the Hessian, two sums over pairs, and ``2 p_y (1-p_y) |V|_F^2``.

    Returns:
        The quantities.
    """
    return (
        lambda x: x.curvature,
        products_of_classes,
        lambda x: products_of_classes(x, columns=True),
        lambda x: products_with_rest(x, 2 * x.frobenius**2),
    )


def gradient_constant(x: Point) -> float:
    r"""Return the best c with :math:`\|H\|_2 \ge c\,\|\nabla\|_2^2` for all V: ``p_y / (1 - p_y)``.

    Args:
        x: The point.

    Returns:
        The constant.
    """
    return x.p_y / x.rest


def eq42_links(last: Quantity = lambda x: 0.5) -> Links:
    r"""Return (42) from right to left.

    Args:
        last: The factor of the squared gradient in the last step, 1/2 in the paper.

    Returns:
        The quantities :math:`c\|\nabla\|^2`, :math:`p_y\|\nabla\|^2`,
        :math:`p_y\|v_y-\bar v\|^2`, :math:`\|H\|_2`.
    """
    return (
        lambda x: last(x) * x.slope**2,
        lambda x: x.p_y * x.slope**2,
        # v_y - V p as a sum of differences: near p_y = 1 it would cancel.
        lambda x: x.p_y * float(((x.V[:, [x.label]] - x.V) @ x.p).square().sum()),
        lambda x: x.curvature,
    )


def eq43_links(pairs: str = "ordered", *, count: Callable[[int], float] | None = None) -> Links:
    r"""Return (43): Hessian, sum over pairs, and the two bounds with :math:`\nu^2`.

    Args:
        pairs: The pairs in ``nu^2``.
        count: What replaces ``K(K-1)`` as a function of K; ``2K`` repairs it for ordered pairs.

    Returns:
        The quantities.
    """

    def factor(x: Point) -> float:
        K = x.classes
        return (K * (K - 1) if count is None else count(K)) * x.nu2(pairs)

    return (
        lambda x: x.curvature,
        products_of_classes,
        lambda x: products_with_rest(x, factor(x) / 2),
        lambda x: factor(x) / 8,
    )


def unsquared_chain() -> Links:
    """Return the chain of the main text: ``|grad|/2, |H|_2, |V|_F/2``.

    Returns:
        The quantities.
    """
    return (lambda x: x.slope / 2, lambda x: x.curvature, lambda x: x.frobenius / 2)


def squared_chain() -> Links:
    """Return the chain of appendix E: ``|grad|^2/2, |H|_2, |V|_F^2/2``.

    Returns:
        The quantities.
    """
    return (lambda x: x.slope**2 / 2, lambda x: x.curvature, lambda x: x.frobenius**2 / 2)


def repaired_chain() -> Links:
    r"""Return the repaired chain.

    .. math::
        \frac{p_y}{1-p_y}\|\nabla\|^2 \le \|H\|_2 \le 2p_y(1-p_y)\|V-\bar v\mathbf 1^\top\|_2^2
        \le \tfrac12\|V\|_F^2

    Returns:
        The quantities; the first two links hold with equality for two classes.
    """
    return (
        lambda x: gradient_constant(x) * x.slope**2,
        lambda x: x.curvature,
        lambda x: products_with_rest(x, 2 * column_norm(x.centred, 2) ** 2),
        lambda x: x.frobenius**2 / 2,
    )


def chain_constant(classes: int, p_y: float) -> float:
    r"""Return the largest :math:`\|\nabla\|^2/(2\|H\|_2)` over all V at a probability.

    Args:
        classes: Number of classes (kept for the range of ``p_y``).
        p_y: The label's probability, at least ``1 / classes``.

    Returns:
        ``(1 - p_y) / (2 p_y)``; the chain can fail where it exceeds 1.

    Raises:
        ValueError: If ``p_y`` cannot be the largest of that many probabilities.

    Example:
        >>> chain_constant(4, 0.25)
        1.5
    """
    if not 1 / classes <= p_y < 1:
        raise ValueError(f"p_y must be in [1/{classes}, 1), got {p_y}")
    return (1 - p_y) / (2 * p_y)
