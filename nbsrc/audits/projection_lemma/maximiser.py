"""Lemma 1 and its special cases: the maximiser of a linear function over an lp ball."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.projection_lemma.cases import Batch, whole_vectors
from nbsrc.claims import Finding
from nbsrc.operator_norm import dual_face, holder_conjugate

__all__ = [
    "audit_all_maximisers",
    "audit_convex_combinations",
    "audit_maximiser",
    "audit_norm_lines",
    "audit_special_cases",
    "conjugate_formula",
    "special_case",
    "unit_norms",
]

Formula = Callable[[Tensor, float], Tensor]


def unit_norms(v: Tensor, p: float) -> Tensor:
    """Return p-norms of rows.

    Args:
        v: ``[m, n]``.
        p: The order.

    Returns:
        ``[m]``.
    """
    norms: Tensor = torch.linalg.vector_norm(v, p, dim=-1)
    return norms


def conjugate_formula(z: Tensor, r: float) -> Tensor:
    """Return ``sign(z) |z|^(r-1) / ||z||_r^(r-1)``, the formula of eq. (34) as printed.

    Args:
        z: ``[m, n]``, no row zero.
        r: The conjugate order, finite.

    Returns:
        ``[m, n]``.
    """
    return z.sign() * z.abs() ** (r - 1) / unit_norms(z, r).unsqueeze(-1) ** (r - 1)


def special_case(z: Tensor, p: float) -> Tensor:
    """Return eq. (35) for p in {1, 2, inf}, and eq. (34) for other orders.

    Args:
        z: ``[m, n]``, no row zero.
        p: The order of the ball.

    Returns:
        ``[m, n]``.
    """
    if p == 2:
        return z / unit_norms(z, 2).unsqueeze(-1)
    if p == math.inf:
        return z.sign()
    if p == 1:
        tied = z.abs() == z.abs().amax(-1, keepdim=True)
        return z.sign() * tied / tied.sum(-1, keepdim=True)
    return conjugate_formula(z, holder_conjugate(p))


def _competitors(n: int, p: float, seed: int) -> Tensor:
    """Corners of the cube, of the cross-polytope and random vectors, scaled to p-norm 1."""
    generator = torch.Generator().manual_seed(seed)
    corners = whole_vectors(n, 1)
    random = torch.randn(40, n, generator=generator, dtype=torch.float64)
    both = torch.cat([corners[(corners != 0).any(1)], random])
    return both / unit_norms(both, p).unsqueeze(-1)


def audit_maximiser(batches: Sequence[Batch], formula: Formula = special_case) -> Finding:
    """Test Lemma 1: norm 1, the value of the dual norm, and no competitor does better.

    For 1.2 <= p <= 4 competitors that are not close must do strictly worse; for larger orders the
    lead, though positive, is below the rounding.

    Args:
        batches: Directions.
        formula: The maximiser.

    Returns:
        The finding; relative slack, 1 for a value that is not a number.
    """

    def results() -> Iterator[Case]:
        for b in batches:
            z, v = b.g, formula(b.g, b.p)
            dual = unit_norms(z, holder_conjugate(b.p))
            value = (v * z).sum(-1)
            errors = torch.maximum((unit_norms(v, b.p) - 1).abs(), (value - dual).abs() / dual)
            others = _competitors(z.shape[1], b.p, 0)
            lead = value.unsqueeze(-1) - z @ others.T
            apart = (others - v.unsqueeze(1)).abs().amax(-1) > 0.1
            least = torch.where(apart & (1.2 <= b.p <= 4), 1e-8, -1e-13)
            ahead = lead < least * dual.unsqueeze(-1)
            slack = torch.where(ahead.any(-1), -1.0, -errors).nan_to_num(nan=-1.0)
            for i, s in enumerate(slack.tolist()):
                yield s, b.size(i), {**b.description(i), "formula": v[i].tolist()}

    return collect(results(), tolerance=1e-12, family="directions, every order, competitors")


def audit_special_cases(batches: Sequence[Batch], formula: Formula = special_case) -> Finding:
    """Test that (35) is (34): the same at p = 2 and inf, and the limit of (34) at p = 1.

    The limit is taken at the conjugate order 2^13, against the proved bound of eq. (29).

    Args:
        batches: Directions with p in {1, 2, inf}.
        formula: The special cases.

    Returns:
        The finding.
    """

    def results() -> Iterator[Case]:
        for b in batches:
            special = formula(b.g, b.p)
            if b.p == 1:
                order, top = 2.0**13, b.g.abs().amax(-1, keepdim=True)
                share = b.g.abs() / top
                tied = (share == 1).sum(-1)
                second = torch.where(share < 1, share, torch.zeros_like(share)).amax(-1)
                room = torch.maximum(
                    tied.log() / order, (b.g.shape[1] - tied) * second ** (order - 1)
                )
                general = conjugate_formula(b.g / top, order)
            else:
                general = conjugate_formula(b.g, holder_conjugate(b.p))
                room = torch.zeros_like(b.g[:, 0])
            slack = room - (special - general).abs().amax(-1)
            for i, s in enumerate(slack.tolist()):
                yield s, b.size(i), {**b.description(i), "formula": special[i].tolist()}

    return collect(results(), tolerance=1e-12, family="directions, p = 1, 2 and inf")


def audit_convex_combinations(batches: Sequence[Batch], *, signed: bool, seed: int = 0) -> Finding:
    """Test that convex combinations of unit vectors at the largest entries are maximisers, p = 1.

    Args:
        batches: Directions, p = 1.
        signed: Whether each unit vector carries the sign of its entry.
        seed: Seed of the weights; single unit vectors are tried as well.

    Returns:
        The finding; the slack is minus the missing share of the dual norm.
    """
    generator = torch.Generator().manual_seed(seed)

    def results() -> Iterator[Case]:
        for b in batches:
            top = b.g.abs().amax(-1, keepdim=True)
            tied = b.g.abs() == top
            weights = torch.rand(*b.g.shape, generator=generator, dtype=torch.float64) * tied
            weights /= weights.sum(-1, keepdim=True)
            first = torch.zeros_like(weights)
            first[torch.arange(len(first)), tied.int().argmax(-1)] = 1
            for v in (first, weights):
                v = v * b.g.sign() if signed else v
                missing = 1 - (v * b.g).sum(-1) / top.squeeze(-1)
                for i, s in enumerate(missing.tolist()):
                    yield -abs(s), b.size(i), {**b.description(i), "combination": v[i].tolist()}

    return collect(results(), tolerance=1e-12, family="directions and convex weights")


def audit_all_maximisers(batches: Sequence[Batch]) -> Finding:
    """Test that the face lists all maximisers: a vector of the ball is optimal iff it is in it.

    Args:
        batches: Directions in at most three dimensions, p in {1, inf}.

    Returns:
        The finding; the slack is 0 or -1. The vectors are a grid of step 1/4 in the ball.
    """

    def results() -> Iterator[Case]:
        for b in batches:
            grid = whole_vectors(b.g.shape[1], 4) / 4
            grid = grid[unit_norms(grid, b.p) <= 1]
            dual = unit_norms(b.g, holder_conjugate(b.p))
            optimal = (b.g @ grid.T) >= dual.unsqueeze(-1) - 1e-12
            for i in range(len(b.g)):
                face = dual_face(b.g[i].expand_as(grid), b.p)
                same = bool((face.contains(grid, 1e-12) == optimal[i]).all())
                yield (0.0 if same else -1.0), b.size(i), b.description(i)

    return collect(results(), tolerance=0, family="directions against a grid of the ball")


def audit_norm_lines(
    batches: Sequence[Batch], divisor: Callable[[Tensor, float], Tensor] | None = None
) -> Finding:
    """Test that every line of (38) to (43) is 1.

    Args:
        batches: Directions.
        divisor: What replaces ``||z||_r^(r-1)`` with r the conjugate order; the print if omitted.

    Returns:
        The finding; the slack is minus the largest distance from 1.
    """

    def lines(z: Tensor, p: float) -> list[Tensor]:
        if p == math.inf:
            return [z.sign().abs().amax(-1)]
        if p == 1:
            tied = (z.abs() == z.abs().amax(-1, keepdim=True)).double()
            count = tied.sum(-1, keepdim=True)
            return [(z.sign() * tied / count).abs().sum(-1), (tied / count).abs().sum(-1)]
        r = holder_conjugate(p)
        below = (
            unit_norms(z, r) ** (r - 1) if divisor is None else divisor(z, r)
        ).unsqueeze(-1)  # fmt: skip
        first = ((z.sign() * z.abs() ** (r - 1) / below).abs() ** p).sum(-1) ** (1 / p)
        second = ((z.abs() ** (r - 1) / below) ** p).sum(-1) ** (1 / p)
        third = (z.abs() ** r / unit_norms(z, r).unsqueeze(-1) ** r).sum(-1) ** (1 / p)
        return [first, second, third]

    def results() -> Iterator[Case]:
        for b in batches:
            worst = torch.stack([(x - 1).abs() for x in lines(b.g, b.p)]).amax(0)
            for i, s in enumerate(worst.tolist()):
                yield -s, b.size(i), b.description(i)

    return collect(results(), tolerance=1e-12, family="directions, every order, each line")
