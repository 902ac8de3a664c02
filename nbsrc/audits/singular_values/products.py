"""Rows set to zero, and products: what the layers' singular values say about them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.singular_values.cases import Layer
from nbsrc.audits.singular_values.interlacing import masks
from nbsrc.claims import Finding
from nbsrc.layer_spectra import spectrum

__all__ = [
    "Chain",
    "audit_lower_bound",
    "layers_hold",
    "never_widens_first",
    "product_of_blocks",
    "product_of_layers",
    "random_chains",
    "realised",
    "small_chains",
]


@dataclass(frozen=True, eq=False)
class Chain:
    """Matrices ``W_1 ... W_l`` of which each keeps some rows; the others are set to zero.

    Attributes:
        weights: The matrices, the first layer first.
        kept: For each matrix the rows that are kept (the units that are active).
    """

    weights: tuple[Tensor, ...]
    kept: tuple[tuple[int, ...], ...]

    @cached_property
    def product(self) -> Tensor:
        """``W_l^q ... W_1^q``."""
        P = torch.eye(self.weights[0].shape[1], dtype=torch.float64)
        for W, rows in zip(self.weights, self.kept, strict=True):
            masked = torch.zeros_like(W)
            masked[list(rows)] = W[list(rows)]
            P = masked @ P
        return P

    @cached_property
    def blocks(self) -> list[Tensor]:
        """The active blocks: kept rows, and the columns of the rows that were kept before."""
        columns = list(range(self.weights[0].shape[1]))
        found = []
        for W, rows in zip(self.weights, self.kept, strict=True):
            found.append(W[list(rows)][:, columns])
            columns = list(rows)
        return found

    @property
    def size(self) -> tuple[int, ...]:
        """Whole numbers first, layers, entries, negative entries, rows that are dropped."""
        every = torch.cat([W.flatten() for W in self.weights])
        whole = bool((every.round() == every).all())
        dropped = sum(len(W) - len(rows) for W, rows in zip(self.weights, self.kept, strict=True))
        sums = int(every.abs().sum())
        return 1 - whole, len(self.weights), len(every), sums, int((every < 0).sum()), dropped

    @property
    def description(self) -> dict[str, Any]:
        """The matrices and the rows kept."""
        return {"W": [W.tolist() for W in self.weights], "kept": [list(r) for r in self.kept]}


def small_chains(layers: Iterable[Layer], *, masked: bool, depth: int) -> Iterator[Chain]:
    """Yield the chains of small whole matrices.

    Args:
        layers: The matrices to combine.
        masked: With every mask; else all rows are kept.
        depth: Number of layers, 1 or 2.

    Yields:
        The chains.
    """
    for combined in itertools.product(list(layers), repeat=depth):
        weights = tuple(x.W for x in combined)
        if any(b.shape[1] != len(a) for a, b in itertools.pairwise(weights)):
            continue
        every = [masks(len(W)) if masked else [tuple(range(len(W)))] for W in weights]
        for kept in itertools.product(*every):
            yield Chain(weights, kept)


def random_chains(count: int, seed: int, *, masked: bool, orthogonal: bool = False) -> list[Chain]:
    """Return random chains of one to three layers, widths 1 to 5.

    Args:
        count: How many.
        seed: Seed.
        masked: Whether rows are dropped at random, at least one kept.
        orthogonal: Square orthogonal matrices of one size.

    Returns:
        The chains.
    """
    g = torch.Generator().manual_seed(seed)

    def whole(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (), generator=g))

    found = []
    for _ in range(count):
        depth = whole(1, 3)
        widths = [whole(2, 5)] * (depth + 1) if orthogonal else [whole(1, 5) for _ in range(4)]
        weights, kept = [], []
        for n, m in itertools.pairwise(widths[: depth + 1]):
            W = torch.randn(m, n, generator=g, dtype=torch.float64)
            weights.append(torch.linalg.qr(W)[0] if orthogonal else W)
            chosen = torch.randperm(m, generator=g)[: whole(1, m) if masked else m]
            kept.append(tuple(sorted(chosen.tolist())))
        found.append(Chain(tuple(weights), tuple(kept)))
    return found


def realised(weights: Sequence[Tensor], points: Iterable[Tensor]) -> Iterator[Chain]:
    """Yield the chains that a ReLU network really forms at points off its kinks.

    Args:
        weights: The matrices.
        points: Inputs.

    Yields:
        The chains in which every layer has an active unit.
    """
    for x in points:
        z, kept = x, []
        for W in weights:
            z = W @ z
            if (z == 0).any():
                break
            kept.append(tuple(torch.nonzero(z > 0)[:, 0].tolist()))
            z = z.clamp(min=0)
        if len(kept) == len(weights) and all(kept):
            yield Chain(tuple(weights), tuple(kept))


def product_of_layers(chain: Chain) -> float:
    """The product of the layers' smallest singular values, as eq. (14) has it.

    Args:
        chain: A chain.

    Returns:
        The product.
    """
    return math.prod(spectrum(W).minimum for W in chain.weights)


def product_of_blocks(chain: Chain) -> float:
    """The product of the smallest singular values of the active blocks.

    Args:
        chain: A chain.

    Returns:
        The product.
    """
    return math.prod(spectrum(B).minimum for B in chain.blocks)


def layers_hold(chain: Chain) -> bool:
    """Whether eq. (14) holds for every layer alone, with the rows that the chain keeps of it.

    Args:
        chain: A chain.

    Returns:
        Whether no layer breaks the inequality by itself.
    """
    for W, rows in zip(chain.weights, chain.kept, strict=True):
        kept = spectrum(W[list(rows)])
        if kept.rank and kept.smallest_positive < (1 - 1e-9) * spectrum(W).minimum:
            return False
    return True


def never_widens_first(matrices: Sequence[Tensor]) -> bool:
    """Whether no matrix with more rows than columns comes before one with fewer.

    Args:
        matrices: The matrices, the first layer first.

    Returns:
        Whether the widening ones, if any, come last.
    """
    widened = False
    for W in matrices:
        if len(W) < W.shape[1] and widened:
            return False
        widened |= len(W) > W.shape[1]
    return True


def audit_lower_bound(chains: Iterable[Chain], bound: Callable[[Chain], float]) -> Finding:
    """Test ``|P x| >= bound |x|`` for all x orthogonal to the null space of the product P.

    The largest such bound is the smallest positive singular value of P.

    Args:
        chains: Chains; those whose product is 0 say nothing.
        bound: The bound.

    Returns:
        The finding; the slack is relative to the larger side.
    """

    def cases() -> Iterator[Case]:
        for chain in chains:
            s = spectrum(chain.product)
            if not s.rank or s.maximum < 1e-9:
                continue
            x = torch.linalg.svd(chain.product)[2][s.rank - 1] + 0.0
            low, truth = bound(chain), s.smallest_positive
            shown = {**chain.description, "x": x.tolist(), "|Px|": truth, "bound": low}
            yield (truth - low) / max(truth, low), chain.size, shown

    return collect(cases(), tolerance=1e-8, family="whole and random matrices with rows dropped")
