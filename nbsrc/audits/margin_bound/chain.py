"""The chain (17), (18) of the proof, over all samples of small distributions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import torch
from torch import Tensor

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.margin_bound.chance import Draw, cell_sums, multinomial
from nbsrc.audits.margin_bound.coverage import audit_failure
from nbsrc.claims import Finding
from nbsrc.margins import bhc_radius

__all__ = [
    "audit_definition_8",
    "audit_multinomial",
    "audit_remainder",
    "audit_split",
    "least_epsilon",
]


def audit_multinomial(family: Iterable[Draw], *, after: bool = False) -> Finding:
    """Test that the numbers of examples per cell are multinomial, over all ordered samples.

    Args:
        family: Draws with few atoms and examples.
        after: Whether the partition is chosen after the sample: the atom of the first example, and
            the rest.

    Returns:
        The finding; the slack is minus the largest difference of two probabilities.
    """

    def cases() -> Iterator[Case]:
        for d in family:
            orders = torch.cartesian_prod(*[torch.arange(len(d.mu))] * d.m).reshape(-1, d.m)
            chances = d.mu[orders].prod(1)
            K = 2 if after else d.K
            found: dict[tuple[int, ...], float] = {}
            for order, chance in zip(orders.tolist(), chances.tolist(), strict=True):
                cells = [int(a != order[0]) if after else int(d.cells[a]) for a in order]
                key = tuple(cells.count(i) for i in range(K))
                found[key] = found.get(key, 0.0) + chance
            share = cell_sums(d.mu, d.cells, d.K)
            if after:
                share = torch.stack([d.mu[0], 1 - d.mu[0]])
            counts = torch.tensor(list(found))
            error = multinomial(counts, share) - torch.tensor(
                list(found.values()), dtype=torch.float64
            )
            yield -float(error.abs().max()), d.size, d.description

    return collect(cases(), tolerance=1e-9, family="all ordered samples, exactly")


def audit_split(family: Iterable[Draw], *, conditional: bool, total: bool = False) -> Finding:
    """Test the step to (17): empirical risk against cell means weighted with the shares.

    Args:
        family: Draws; the loss of atom i is ``i / (N - 1)``.
        conditional: Means within the cells; else the mean over everything, as printed.
        total: Test ``|R - R_m| <= (17) + (18)`` instead of the step alone.

    Returns:
        The finding, over all samples.
    """

    def cases() -> Iterator[Case]:
        for d in family:
            loss = torch.linspace(0, 1, len(d.mu), dtype=torch.float64)
            shares, _ = d.samples
            mass = cell_sums(d.mu, d.cells, d.K)
            means = cell_sums(d.mu * loss, d.cells, d.K) / mass
            if not conditional:
                means = torch.full_like(means, float(d.mu @ loss))
            of_cell = cell_sums(shares, d.cells, d.K)
            same = d.cells[:, None] == d.cells[None]
            spread = ((loss[:, None] - loss[None]).abs() * same).amax(1)
            left = (of_cell @ means - shares @ loss).abs()
            right = shares @ spread
            if total:
                left = (shares @ loss - d.mu @ loss).abs()
                right = right + float(loss.max()) * (of_cell - mass).abs().sum(1)
            worst = int((right - left).argmin())
            counts = (shares[worst] * d.m).round().int().tolist()
            yield float((right - left)[worst]), d.size, {**d.description, "counts": counts}

    return collect(cases(), tolerance=1e-12, family="all samples, losses from 0 to 1")


def audit_remainder(family: Iterable[Draw], factor: float = 1.0) -> Finding:
    """Test (18): the second difference against ``max|l| sum_i |N_i/m - mu(C_i)|``, worst means.

    Args:
        family: Draws.
        factor: Factor of the right side.

    Returns:
        The finding; the means of the cells are any numbers in [0, 1].
    """

    def cases() -> Iterator[Case]:
        for d in family:
            shares, _ = d.samples
            gap = cell_sums(shares - d.mu, d.cells, d.K)
            worst = torch.maximum(gap.clamp(min=0).sum(1), (-gap).clamp(min=0).sum(1))
            slack = factor * gap.abs().sum(1) - worst
            yield float(slack.min()), d.size, d.description

    return collect(cases(), tolerance=1e-12, family="all samples, worst means of the cells")


def least_epsilon(d: Draw, losses: Tensor, seen: Tensor) -> Tensor:
    """Return the least ``epsilon(S)`` of Definition 8: training examples against their cells.

    Args:
        d: The draw.
        losses: The loss of every atom for every sample ``[samples, N]``.
        seen: Whether an atom is in the sample ``[samples, N]``.

    Returns:
        ``[samples]``.
    """
    differences = (losses[:, :, None] - losses[:, None]).abs()
    pairs = seen[:, :, None] & (d.cells[:, None] == d.cells)
    return torch.where(pairs, differences, 0.0).amax((1, 2))


def audit_definition_8(family: Iterable[Draw], factor: float = 1.0) -> Finding:
    """Test that the least ``epsilon(S)`` of Definition 8 does in (6) what it is defined for.

    Args:
        family: Draws.
        factor: Factor of ``epsilon(S)``.

    Returns:
        The finding, over all samples and three rules: a fixed loss, one that is 0 on the sample
        and 1 elsewhere, one that is 1 on the sample and 0 elsewhere; the slack is the allowed minus
        the exact probability that (6) fails.
    """

    def excess(d: Draw, shares: Tensor) -> Tensor:
        seen = shares > 0
        fixed = torch.linspace(0, 1, len(d.mu), dtype=torch.float64).expand_as(shares)
        loss = {"fixed": fixed, "memory": (~seen).double(), "spite": seen.double()}[str(d.rule)]
        error = ((d.mu - shares) * loss).sum(1).abs()
        return error - factor * least_epsilon(d, loss, seen)

    varied = [replace(d, rule=rule) for d in family for rule in ("fixed", "memory", "spite")]
    return audit_failure(
        varied, excess, lambda d: bhc_radius(d.K, d.m, d.eta),
        "all samples of small distributions, three rules, partitions fixed before",
    )  # fmt: skip
