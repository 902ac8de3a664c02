"""The proof of Lemma 1: Hölder's inequality, when it is an equality, and the constant gamma."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import torch
from mpmath import mp, mpf  # type: ignore[import-untyped]
from torch import Tensor

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.projection_lemma.cases import Batch
from nbsrc.audits.projection_lemma.maximiser import special_case, unit_norms
from nbsrc.claims import Finding
from nbsrc.operator_norm import dual_face, holder_conjugate

__all__ = [
    "aligned",
    "attained",
    "audit_equality_condition",
    "audit_gamma",
    "audit_gamma_at_one",
    "exposed",
    "gap",
    "proportional",
    "with_proportional",
]

Condition = Callable[[Batch], Tensor]


def gap(b: Batch) -> Tensor:
    """Return what is missing to equality in ``v.z <= ||v||_p ||z||_p*``, over the right side.

    Args:
        b: v and z (the directions).

    Returns:
        ``[m]``; 0 where v is 0.
    """
    bound = unit_norms(b.v, b.p) * unit_norms(b.g, holder_conjugate(b.p))
    return (bound - (b.v * b.g).sum(-1)) / bound.clamp(min=1e-300)


def attained(b: Batch) -> Tensor:
    """Return where Hölder's inequality is an equality.

    Args:
        b: v and z.

    Returns:
        Booleans ``[m]``.
    """
    return gap(b) <= 1e-11


def proportional(b: Batch) -> Tensor:
    """Return where ``|v|^p = gamma |z|^p*`` for some gamma, the condition of eq. (36).

    Args:
        b: v and z, 1 < p < inf.

    Returns:
        Booleans ``[m]``.
    """
    left, right = b.v.abs() ** b.p, b.g.abs() ** holder_conjugate(b.p)
    scale = left.sum(-1, keepdim=True) / right.sum(-1, keepdim=True)
    room = 1e-11 * left.amax(-1, keepdim=True)
    return ((left - scale * right).abs() <= room).all(-1)


def aligned(b: Batch) -> Tensor:
    """Return the repaired condition of equality, for every order.

    No entries of opposite sign, and: for 1 < p < inf proportional powers; for p = 1 no weight but
    on the largest entries of z; for p = inf entries of size ``||v||`` wherever z is not 0.

    Args:
        b: v and z.

    Returns:
        Booleans ``[m]``.
    """
    same_signs = (b.v * b.g >= 0).all(-1)
    if 1 < b.p < math.inf:
        return proportional(b) & same_signs
    if b.p == 1:
        return same_signs & ((b.v == 0) | (b.g.abs() == b.g.abs().amax(-1, keepdim=True))).all(-1)
    length = unit_norms(b.v, math.inf).unsqueeze(-1)
    return ((b.v == length * b.g.sign()) | (b.g == 0)).all(-1)


def exposed(b: Batch) -> Tensor:
    """Return where v is a multiple, not negative, of a point of the face that z exposes.

    Args:
        b: v and z.

    Returns:
        Booleans ``[m]``.
    """
    length = unit_norms(b.v, b.p)
    unit = b.v / length.clamp(min=1e-300).unsqueeze(-1)
    return (length == 0) | dual_face(b.g, b.p).contains(unit, 1e-12)


def with_proportional(batches: Sequence[Batch], multiples: Sequence[float]) -> list[Batch]:
    """Return the pairs, and for every z the vectors ``t |z|^(p*/p) sign(z)``, mixed signs too.

    Args:
        batches: v and z, any p.
        multiples: The factors t.

    Returns:
        More batches.
    """
    more = []
    for b in batches:
        if b.p == 1:
            base = special_case(b.g, 1)
        else:
            base = b.g.sign() * b.g.abs() ** (holder_conjugate(b.p) / b.p)
        flip = torch.ones_like(base)
        flip[:, -1] = -1
        more += [Batch(b.p, t * base, b.g) for t in multiples]
        more.append(Batch(b.p, flip * base, b.g))
    return [*batches, *more]


def audit_equality_condition(
    batches: Sequence[Batch], condition: Condition, *, only_if: bool = True, if_: bool = True
) -> Finding:
    """Test that Hölder's inequality holds, with equality if and only if a condition holds.

    Args:
        batches: v and z.
        condition: The condition.
        only_if: Whether equality must imply the condition.
        if_: Whether the condition must imply equality.

    Returns:
        The finding; -1 where a direction fails, else the slack of the inequality, at most 0.
    """

    def results() -> Iterator[Case]:
        for b in batches:
            equal, true, missing = attained(b), condition(b), gap(b)
            wrong = (equal & ~true & only_if) | (true & ~equal & if_)
            slack = torch.where(wrong, -1.0, missing.clamp(max=0))
            for i, s in enumerate(slack.tolist()):
                words = {"equality": bool(equal[i]), "condition": bool(true[i])}
                yield s, b.size(i), {**b.description(i), **words}

    return collect(results(), tolerance=1e-12, family="pairs of vectors, every order")


def audit_gamma(
    batches: Sequence[Batch], exponent: Callable[[float], float] = lambda r: -r
) -> Finding:
    """Test (37): with gamma = ||z||_r^(-r), r conjugate, v has norm 1 and is ``|z|^(r/p)`` scaled.

    Args:
        batches: Directions, 1 < p < inf.
        exponent: The exponent of the norm, as a function of r.

    Returns:
        The finding; the slack is minus the largest error of norm and entries.
    """

    def results() -> Iterator[Case]:
        for b in batches:
            r, z = holder_conjugate(b.p), b.g.abs()
            length = unit_norms(z, r).unsqueeze(-1)
            v = (length ** exponent(r) * z**r) ** (1 / b.p)
            shown = z ** (r / b.p) / length ** (r / b.p)
            lemma = z ** (r - 1) / length ** (r - 1)
            entries = torch.maximum((v - shown).abs(), (v - lemma).abs()).amax(-1)
            worst = torch.maximum(entries, (unit_norms(v, b.p) - 1).abs())
            for i, s in enumerate(worst.tolist()):
                yield -s, b.size(i), b.description(i)

    return collect(results(), tolerance=1e-12, family="directions, 1 < p < inf")


def audit_gamma_at_one(batches: Sequence[Batch], reading: str) -> Finding:
    r"""Test ``gamma = 1 / (|I| max|z|)`` for p = 1, in one of three readings.

    Args:
        batches: Directions, p = 1.
        reading: "limit": gamma is the limit of (37) for p to 1, taken at p* = 10^9. "three
            limits": that limit is 0, ``1/|I|`` or infinite as ``max|z|`` is above, at or below 1.
            "on I": gamma makes ``|v| = gamma |z|`` on I and 0 elsewhere a vector of norm 1, the one
            in (35). "everywhere": ``|v| = gamma |z|`` in all entries.

    Returns:
        The finding; minus the error relative to the larger of both.

    Raises:
        ValueError: If the reading is another one.
    """
    readings = ("limit", "three limits", "on I", "everywhere")
    if reading not in readings:
        raise ValueError(f"reading must be one of {readings}, got {reading!r}")

    def error(z: Tensor) -> tuple[float, float]:
        top = float(z.abs().max())
        tied = z.abs() == top
        printed = 1 / (int(tied.sum()) * top)
        if reading == "three limits":
            printed = 1 / int(tied.sum()) if top == 1 else 1e300 if top < 1 else 0.0
        if reading in {"limit", "three limits"}:
            with mp.workdps(20):
                order = 10**9
                power = mpf(1) / sum(abs(mpf(float(a))) ** order for a in z)
                shown = float(power) if power < mpf(10) ** 300 else 1e300
            return abs(shown - printed) / max(shown, printed, 1e-300), shown
        v = printed * z.abs() * (tied if reading == "on I" else 1)
        wanted = special_case(z.unsqueeze(0), 1).squeeze(0).abs()
        return float((v - wanted).abs().max()), float(v.sum())

    def results() -> Iterator[Case]:
        for b in batches:
            for i in range(len(b.g)):
                wrong, shown = error(b.g[i])
                name = "limit of (37)" if "limit" in reading else "norm of v"
                yield -wrong, b.size(i), {**b.description(i), name: shown}

    return collect(results(), tolerance=1e-12, family=f"directions, p = 1, {reading}")
