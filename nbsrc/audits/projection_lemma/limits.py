"""Lemma 2, first part: the limit of projected steps, and what it depends on."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.projection_lemma.cases import Batch
from nbsrc.audits.projection_lemma.maximiser import special_case
from nbsrc.audits.projection_lemma.solver import far_step
from nbsrc.claims import Finding
from nbsrc.operator_norm import dual_face, dual_vector, holder_conjugate

__all__ = [
    "audit_fixed_point",
    "audit_idempotence",
    "audit_leading_term",
    "audit_limit",
    "audit_memory",
    "audit_products",
    "audit_twice",
]

Claim = Callable[[Batch], Tensor]


def audit_limit(batches: Sequence[Batch], claim: Claim) -> Finding:
    """Test a claimed limit of the projection of ``v + alpha g`` onto the sphere, as a limit.

    At three growing steps the distance must be below ``100 (alpha / 8)^(-1/max(1, p-1))``, and
    below 1e-9 at the last; for p in {1, inf}, where every step tried is past the exact one, always
    below 1e-9.

    Args:
        batches: Starts and directions.
        claim: The claimed limit of a batch, ``[m, n]``.

    Returns:
        The finding; the slack is the smallest bound minus distance.
    """

    def results() -> Iterator[Case]:
        for b in batches:
            claimed, far = claim(b), far_step(b.p)
            slack = 1e-9 - (b.limit - claimed).abs().amax(-1)
            for part in (3, 2):
                exact = b.p in {1, math.inf}
                alpha = far / part if exact else far ** (1 / part)
                rate = -1 / max(1.0, b.p - 1)
                bound = 1e-9 if exact else 100 * (alpha / 8) ** rate
                error = (b.after(alpha) - claimed).abs().amax(-1)
                slack = torch.minimum(slack, bound - error)
            for i, s in enumerate(slack.tolist()):
                shown = {"limit": b.limit[i].tolist(), "claim": claimed[i].tolist()}
                yield s, b.size(i), {**b.description(i), **shown}

    return collect(results(), tolerance=0, family="starts, directions and growing steps")


def audit_memory(batches: Sequence[Batch], measure: Callable[[Batch, Tensor], Tensor]) -> Finding:
    """Test that a quantity of the limit is the same from two starts: v and the next v in line.

    Args:
        batches: Starts and directions.
        measure: From the batch and its limits to the quantity, ``[m, ...]``.

    Returns:
        The finding; the slack is minus the largest difference.
    """

    def results() -> Iterator[Case]:
        for b in batches:
            other = Batch(b.p, b.v.roll(1, 0), b.g)
            one, two = measure(b, b.limit), measure(other, other.limit)
            difference = (one - two).abs().reshape(len(one), -1).amax(-1)
            for i, s in enumerate(difference.tolist()):
                shown = {
                    "other v": other.v[i].tolist(),
                    "limits": [one[i].tolist(), two[i].tolist()],
                }
                yield -s, b.size(i), {**b.description(i), **shown}

    return collect(results(), tolerance=1e-9, family="pairs of starts")


def audit_leading_term(batches: Sequence[Batch], *, seed: int, nearest: bool = True) -> Finding:
    """Test what is true of (48) to (55): the limit minimises the leading term ``-v*.g``.

    Among the minimisers it has the smallest ``|v*|^2 - 2 v*.v``, the terms that were dropped.

    Args:
        batches: Starts and directions.
        seed: Seed of the points of each face that are compared.
        nearest: Whether the second sentence is tested for the limit, or for the printed maximiser.

    Returns:
        The finding; the slack is the smaller lead, or minus what is missing to the largest product.
    """
    generator = torch.Generator().manual_seed(seed)

    def results() -> Iterator[Case]:
        for b in batches:
            dual = torch.linalg.vector_norm(b.g, holder_conjugate(b.p), dim=-1)
            missing = (dual - (b.limit * b.g).sum(-1)).abs() / dual
            chosen = b.limit if nearest else b.printed
            kept = chosen.square().sum(-1) - 2 * (chosen * b.v).sum(-1)
            leads = []
            for _ in range(6):
                around = 3 * torch.randn(b.v.shape, generator=generator, dtype=torch.float64)
                point = dual_face(b.g, b.p).project(around)
                leads.append(point.square().sum(-1) - 2 * (point * b.v).sum(-1) - kept)
            slack = torch.minimum(torch.stack(leads).amin(0), -missing)
            for i, s in enumerate(slack.tolist()):
                yield s, b.size(i), b.description(i)

    return collect(results(), tolerance=1e-9, family="starts, directions, points of the face")


def audit_fixed_point(batches: Sequence[Batch], claim: Claim | None = None) -> Finding:
    """Test 'Moreover': for g of the form F(z) the limit is g itself.

    Args:
        batches: Starts and directions z.
        claim: The claimed limit of a batch whose directions are F(z); g itself if omitted.

    Returns:
        The finding.
    """
    formed = [Batch(b.p, b.v, special_case(b.g, b.p)) for b in batches]
    return audit_limit(formed, claim or (lambda b: b.g))


def audit_idempotence(batches: Sequence[Batch]) -> Finding:
    """Test ``F(F(z)) = F(z)``.

    Args:
        batches: Directions.

    Returns:
        The finding; the slack is minus the largest difference.
    """
    return audit_twice(batches, special_case)


def audit_twice(batches: Sequence[Batch], right: Callable[[Tensor, float], Tensor]) -> Finding:
    """Test that a formula gives ``F(F(z))``.

    Args:
        batches: Directions.
        right: The formula, from z and p.

    Returns:
        The finding; the slack is minus the largest difference.
    """

    def results() -> Iterator[Case]:
        for b in batches:
            left = dual_vector(special_case(b.g, b.p), b.p)
            found = right(b.g, b.p)
            errors = (left - found).abs().amax(-1).nan_to_num(nan=1.0)
            for i, s in enumerate(errors.tolist()):
                shown = {"F(F(z))": left[i].tolist(), "formula": found[i].tolist()}
                yield -s, b.size(i), {**b.description(i), **shown}

    return collect(results(), tolerance=1e-11, family="directions")


def audit_products(batches: Sequence[Batch]) -> Finding:
    """Test the text after (56): equal exponents, and equal products of norms in the denominator.

    For p* in {1, 2}: ``|z|^((p*-1)^2) = |z|^(p*-1)`` and ``||z||^(p*-1) ||z||^(p*-1) =
    ||z||^(p*-1)``. For p* = inf the entries of largest size of z and of F(z) are compared.

    Args:
        batches: Directions, p in {1, 2, inf}.

    Returns:
        The finding; minus the largest error.
    """

    def error(z: Tensor, p: float) -> Tensor:
        if p == 1:
            f = special_case(z, 1).abs()
            one = z.abs() == z.abs().amax(-1, keepdim=True)
            return (one != (f == f.amax(-1, keepdim=True))).any(-1).double()
        r = holder_conjugate(p)
        above = (z.abs() ** ((r - 1) ** 2) - z.abs() ** (r - 1)).abs().amax(-1)
        length = torch.linalg.vector_norm(z, r, dim=-1) ** (r - 1)
        return torch.maximum(above, (length * length - length).abs())

    def results() -> Iterator[Case]:
        for b in batches:
            for i, s in enumerate(error(b.g, b.p).tolist()):
                yield -s, b.size(i), b.description(i)

    return collect(results(), tolerance=1e-11, family="directions, p = 1, 2 and inf")
