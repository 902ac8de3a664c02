"""Bounds that hold with a probability: exact failure over all samples, worst classifier each."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import torch
from torch import Tensor

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.margin_bound.chance import Draw, cell_sums
from nbsrc.claims import Finding
from nbsrc.margins import any_classes_radius, bhc_radius, repaired_radius, xu_mannor_bound

__all__ = [
    "any_classes",
    "audit_failure",
    "audit_repaired",
    "audit_xu_mannor",
    "by_classes",
    "displayed",
    "final_radius",
    "l1_deviation",
    "repaired_excess",
    "worst_error",
]


def audit_failure(
    family: Iterable[Draw],
    statistic: Callable[[Draw, Tensor], Tensor],
    bound: Callable[[Draw], float],
    words: str,
) -> Finding:
    """Test that a statistic of the sample exceeds a bound with probability at most eta.

    Args:
        family: Draws.
        statistic: From a draw and shares ``[samples, N]`` to numbers.
        bound: The bound.
        words: The family in words.

    Returns:
        The finding; the slack is eta minus the exact probability.
    """

    def cases() -> Iterator[Case]:
        for d in family:
            limit = bound(d)
            shares, chances = d.samples
            fails = float(chances[statistic(d, shares) > limit + 1e-12].sum())
            shown = {**d.description, "bound": limit, "probability": fails}
            yield d.eta - fails, d.size, shown

    return collect(cases(), tolerance=1e-9, family=words)


def l1_deviation(d: Draw, shares: Tensor) -> Tensor:
    """Return ``sum_i |N_i / m - mu(C_i)|`` over the cells.

    Args:
        d: The draw.
        shares: ``[samples, N]``.

    Returns:
        ``[samples]``.
    """
    return cell_sums(shares - d.mu, d.cells, d.K).abs().sum(1)


def worst_error(d: Draw, shares: Tensor, variation: float, M: float, least: float = 0.0) -> Tensor:
    """Return the largest generalisation error of a loss that is chosen after the sample.

    The loss is between ``least`` and M, and in a cell its values differ by at most ``variation``;
    in a cell without an example of the sample they are free. The maximum is taken cell by cell: in
    a cell the loss is b or b + variation, and b is at one of its ends.

    Args:
        d: The draw.
        shares: ``[samples, N]``.
        variation: Largest variation in a cell.
        M: Upper end of the loss.
        least: Lower end of the loss.

    Returns:
        ``[samples]``.
    """
    seen = cell_sums(shares, d.cells, d.K) > 0
    worst = shares.new_zeros(len(shares))
    for sign in (1.0, -1.0):
        gap = sign * (d.mu - shares)
        total = cell_sums(gap, d.cells, d.K)
        up = cell_sums(gap.clamp(min=0), d.cells, d.K)
        span = torch.where(seen, variation, M - least)
        low = least * total
        high = (M - span) * total
        worst = torch.maximum(worst, (torch.maximum(low, high) + span * up).sum(1))
    return worst


def audit_xu_mannor(
    family: Iterable[Draw],
    variations: tuple[float, ...],
    *,
    M: float = 1.0,
    least: float = 0.0,
    cells: float = 1.0,
) -> Finding:
    """Test Theorem C.1 with the worst loss for every sample.

    Args:
        family: Draws with at most two atoms per cell.
        variations: Variations of the loss in a cell.
        M: Upper bound of the loss in the theorem.
        least: Lower end of the loss.
        cells: Factor of the number of cells in the bound.

    Returns:
        The finding.
    """
    varied = [
        replace(d, extra={**d.extra, "variation": v})
        for d, v in itertools.product(family, variations)
    ]
    return audit_failure(
        varied, lambda d, s: worst_error(d, s, d.extra["variation"], M, least),
        lambda d: xu_mannor_bound(d.extra["variation"], cells * d.K, d.m, d.eta, M),
        "all samples of small distributions, worst loss for each",
    )  # fmt: skip


def repaired_excess(d: Draw, shares: Tensor, *, mean: bool) -> Tensor:
    """Return the largest generalisation error minus the repaired first term, per sample.

    For every sample the classifier is the worst one: in each cell it predicts some label; the
    losses of examples with another label are 1; those with this label lie in [0, A] if one of them
    is in the sample, else in [0, 1]. A is ``max(0, 1 - u / gamma)`` of the true minimal margin u.
    The excess is linear in A for fixed labels, so A is 0 or 1.

    Args:
        d: The draw, with labels.
        shares: ``[samples, N]``.
        mean: First term: A of each cell, averaged over the training examples that are right (A may
            differ from cell to cell); else the same A for all.

    Returns:
        ``[samples]``.
    """
    assert d.labels is not None
    classes = int(d.labels.max()) + 1
    best = shares.new_full((len(shares),), -math.inf)
    for sign in (1.0, -1.0):
        gap = sign * (d.mu - shares)
        for common in (0.0, 1.0):
            options = []
            for label in range(classes):
                mine = (d.labels == label).double()
                wrong = cell_sums(gap * (1 - mine), d.cells, d.K)
                up = cell_sums(gap.clamp(min=0) * mine, d.cells, d.K)
                right = cell_sums(shares * mine, d.cells, d.K)
                if mean:
                    gain = torch.where(right > 0, (up - right).clamp(min=0), up)
                else:
                    gain = torch.where(right > 0, common * up, up)
                options.append(wrong + gain)
            value = torch.stack(options).amax(0).sum(1) - (0.0 if mean else common)
            best = torch.maximum(best, value)
    return best


def by_classes(d: Draw) -> float:
    """Return the second term of the repaired bound by the union bound.

    Args:
        d: The draw, with labels.

    Returns:
        `repaired_radius`.
    """
    assert d.labels is not None
    return repaired_radius(d.K, int(d.labels.max()) + 1, d.m, d.eta)


def any_classes(d: Draw) -> float:
    """Return the second term of the repaired bound that does not contain the number of classes.

    Args:
        d: The draw.

    Returns:
        `any_classes_radius`.
    """
    return any_classes_radius(d.K, d.m, d.eta)


def displayed(d: Draw) -> float:
    """Return the second term of (4) with the number of cells for ``(C / eps)^k``.

    Args:
        d: The draw.

    Returns:
        `bhc_radius`.
    """
    return bhc_radius(d.K, d.m, d.eta)


def audit_repaired(
    family: Iterable[Draw],
    radius: Callable[[Draw], float],
    *,
    mean: bool,
    factor: float = 1.0,
) -> Finding:
    """Test the repaired bound with the worst classifier for every sample.

    Args:
        family: Draws with labels.
        radius: Second term.
        mean: See `repaired_excess`.
        factor: Factor of the second term.

    Returns:
        The finding.
    """
    return audit_failure(
        family, lambda d, s: repaired_excess(d, s, mean=mean), lambda d: factor * radius(d),
        "all samples of small distributions with mixed labels, worst classifier for each",
    )  # fmt: skip


def final_radius(d: Draw, *, printed: bool) -> float:
    """Return the last line of the proof for a draw with ``k``, ``C / eps`` and ``gamma / eps``.

    Args:
        d: The draw.
        printed: With ``2^(k+1)`` and gamma; else ``2`` and eps.

    Returns:
        The radius.
    """
    ratio, k = d.extra["C / eps"], int(d.extra["k"])
    if printed:
        ratio = 2 * ratio / d.extra["gamma / eps"]
    return bhc_radius(ratio**k, d.m, d.eta)
