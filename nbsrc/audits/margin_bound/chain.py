"""The chain (17), (18) of the proof, over all samples of small distributions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.margin_bound.chance import Draw, cell_sums, multinomial
from nbsrc.claims import Finding

__all__ = ["audit_definition_8", "audit_multinomial", "audit_remainder", "audit_split"]


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


def audit_definition_8(family: Iterable[Draw], factor: float = 1.0) -> Finding:
    """Test Definition 8 with the least ``epsilon(S)``: pair by pair, and finer is not larger.

    Args:
        family: Draws; the loss of atom i is ``i / (N - 1)``.
        factor: Factor of the least ``epsilon(S)``.

    Returns:
        The finding, over all samples; the slack is the smallest room in a pair.
    """

    def least(seen: list[int], cells: list[int], loss: list[float]) -> float:
        pairs = [(i, j) for i in seen for j in range(len(loss)) if cells[i] == cells[j]]
        return max(abs(loss[i] - loss[j]) for i, j in pairs)

    def cases() -> Iterator[Case]:
        for d in family:
            N = len(d.mu)
            loss = torch.linspace(0, 1, N, dtype=torch.float64).tolist()
            cells = d.cells.tolist()
            for shares in d.samples[0]:
                seen = shares.nonzero()[:, 0].tolist()
                epsilon = factor * least(seen, cells, loss)
                rooms = [
                    epsilon - abs(loss[i] - loss[j])
                    for i in seen for j in range(N) if cells[i] == cells[j]
                ]  # fmt: skip
                finest = least(seen, list(range(N)), loss)
                slack = min(*rooms, epsilon - finest, 0.0) if finest == 0 else -1.0
                yield slack, d.size, {**d.description, "seen": seen}

    return collect(cases(), tolerance=1e-12, family="all samples, partitions fixed before")
