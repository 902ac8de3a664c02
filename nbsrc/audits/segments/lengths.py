"""Lemma 3.1, Corollary C.1 and section 4.2.2: length of the image path against the chord.

``x``, ``x'`` and ``dx = x - x'`` are as in the paper; the pieces are exact.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor

from nbsrc.audits.connections.compare import audit_at_most, audit_equal, audit_true, combine
from nbsrc.audits.finding import Case, collect
from nbsrc.audits.segments.paths import Path
from nbsrc.claims import Finding

__all__ = [
    "audit_at_most_path",
    "audit_delta",
    "audit_equality_case",
    "audit_lemma",
    "audit_one_norm",
    "audit_root_bound",
    "audit_root_sharp",
    "audit_vector_identity",
    "chord",
    "kept_shares",
    "staircase",
    "straight",
]

TOLERANCE = 1e-10
FAMILY = "small whole networks first, then random ones of 1 to 4 layers"
#: Weights of the terms, from the shares ``e_j - s_j``.
Weighting = Callable[[Tensor], Tensor]


def chord(path: Path) -> float:
    """Return ``|I_l(x) - I_l(x')|`` by evaluation.

    Args:
        path: The path.

    Returns:
        The distance.
    """
    return float(path.change.norm())


def kept_shares(shares: Tensor) -> Tensor:
    """Return the weights ``e_j - s_j``, that of the integral.

    Args:
        shares: ``e_j - s_j``.

    Returns:
        The same.
    """
    return shares


def audit_lemma(paths: Iterable[Path], *, family: str = FAMILY) -> Finding:
    """Test ``|I_l(x) - I_l(x')| = sum_j (e_j - s_j) |prod_i W_i^{q_j} (x - x')|``.

    The matrices are those of the regions that the segment meets, as the proof defines them.

    Args:
        paths: The paths.
        family: The family in words.

    Returns:
        The finding; relative error.
    """
    return audit_equal(paths, chord, lambda p: p.path_length, tolerance=TOLERANCE, family=family)


def audit_at_most_path(paths: Iterable[Path], *, share: float = 1.0) -> Finding:
    """Test that the chord is at most a share of the path.

    Args:
        paths: The paths.
        share: 1 for the triangle inequality.

    Returns:
        The finding.
    """
    return audit_at_most(
        paths, chord, lambda p: share * p.path_length, tolerance=TOLERANCE, family=FAMILY
    )


def audit_vector_identity(paths: Iterable[Path], weighting: Weighting = kept_shares) -> Finding:
    """Test ``I_l(x) - I_l(x') = sum_j (e_j - s_j) prod_i W_i^{q_j} (x - x')``, entry by entry.

    Args:
        paths: The paths.
        weighting: Weights in place of ``e_j - s_j``.

    Returns:
        The finding; error relative to the path's length.
    """

    def cases() -> Iterator[Case]:
        for path in paths:
            total = weighting(path.shares) @ path.steps
            scale = max(path.path_length, float(path.change.norm())) or 1.0
            shown = {**path.description, "left": path.change.tolist(), "right": total.tolist()}
            yield -float((total - path.change).norm()) / scale, path.size, shown

    return collect(cases(), tolerance=TOLERANCE, family=FAMILY)


def straight(path: Path, room: float = 1e-7) -> bool:
    """Decide whether all pieces that move at all move in one direction.

    Args:
        path: The path.
        room: Largest distance of two unit vectors that count as equal.

    Returns:
        Whether the steps are non-negative multiples of one vector.
    """
    lengths = path.steps.norm(dim=1)
    moving = lengths > 1e-12 * float(lengths.amax())
    if not bool(moving.any()):
        return True
    units = path.steps[moving] / lengths[moving, None]
    return bool(((units - units[0]).norm(dim=1) <= room).all())


def audit_equality_case(paths: Iterable[Path], *, opposite_counts: bool = False) -> Finding:
    """Test that chord and path agree if and only if all moving pieces have one direction.

    Args:
        paths: The paths.
        opposite_counts: Also call opposite directions one direction (wrong).

    Returns:
        The finding.
    """

    def agrees(path: Path) -> bool:
        same = straight(path)
        if opposite_counts and not same:
            same = torch.linalg.matrix_rank(path.steps, rtol=1e-7).item() <= 1
        gap = path.path_length - chord(path)
        return same == (gap <= TOLERANCE * path.path_length)

    return audit_true(paths, agrees, family=FAMILY)


def audit_one_norm(paths: Iterable[Path]) -> Finding:
    """Test Lemma 3.1 with the 1-norm: ``|dI|_1 = sum_j (e_j - s_j) |W_1^{q_j} dx|_1``.

    Args:
        paths: The paths; it holds for one layer.

    Returns:
        The finding; relative error.
    """
    return audit_equal(
        paths,
        lambda p: float(p.change.abs().sum()),
        lambda p: float(p.shares @ p.steps.abs().sum(dim=1)),
        tolerance=TOLERANCE,
        family="networks of one layer",
    )


def audit_root_bound(paths: Iterable[Path], *, factor: float = 1.0) -> Finding:
    """Test that the path is at most ``sqrt(h)`` times the chord, h the number of moving units.

    Args:
        paths: The paths; it holds for one layer.
        factor: A smaller factor breaks it.

    Returns:
        The finding.
    """

    def bound(path: Path) -> float:
        moving = int((path.change.abs() > 0).sum())
        return factor * math.sqrt(moving) * chord(path)

    return audit_at_most(
        paths, lambda p: p.path_length, bound, tolerance=TOLERANCE, family="networks of one layer"
    )


def staircase(units: int, ratio: float = 100.0) -> Path:
    """Return a path of one layer whose units go down from 1 to 0 one after the other.

    From (0, 1) to (1, 1) unit k is ``ReLU(1 - ratio^k t)``: it is off from ``t = ratio^-k`` on.

    Args:
        units: The number of units.
        ratio: How much faster each unit falls than the one before.

    Returns:
        The path; with growing ratio its length over the chord goes to ``sqrt(units)``.
    """
    rows = [[-(ratio**k), 1.0] for k in range(1, units + 1)]
    ends = torch.tensor([[0, 1], [1, 1]], dtype=torch.float64)
    return Path((torch.tensor(rows, dtype=torch.float64),), ends[0], ends[1])


def audit_root_sharp(most_units: int, *, share: float = 0.99, ratio: float = 200.0) -> Finding:
    """Test that for every number m of moving units a path exceeds ``share sqrt(m)`` chords.

    Args:
        most_units: Largest m.
        share: How close to the bound.
        ratio: As in :func:`staircase`; near 1 the units fall together and the bound is far.

    Returns:
        The finding.
    """

    def close(path: Path) -> bool:
        units = len(path.weights[0])
        moving = int((path.change.abs() > 0).sum())
        return moving == units and path.path_length > share * math.sqrt(units) * chord(path)

    stairs = (staircase(m, ratio) for m in range(1, most_units + 1))
    return audit_true(stairs, close, family=f"one layer of 1 to {most_units} units")


def audit_delta(paths: Iterable[Path]) -> Finding:
    """Test what holds of section 4.2.2's formula for the perturbation.

    Args:
        paths: The paths.

    Returns:
        The finding: the vector identity, and the triangle inequality.
    """
    known = list(paths)
    return combine(audit_vector_identity(known), audit_at_most_path(known), family=FAMILY)
