"""Section 4.2.2's weights, eq. (7), and Lemma 3.1 as a bare statement of existence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from nbsrc.audits.connections.compare import audit_equal, audit_true
from nbsrc.audits.finding import Case, collect
from nbsrc.audits.segments.lengths import FAMILY, TOLERANCE, Weighting, chord
from nbsrc.audits.segments.paths import Path
from nbsrc.claims import Finding

__all__ = [
    "audit_exists",
    "audit_mean_jacobian",
    "audit_path_weights",
    "audit_weighted_terms",
    "inverse_shares",
    "two_piece_choice",
    "without_shares",
]


def inverse_shares(shares: Tensor) -> Tensor:
    """Return the printed weights ``1 / (e_j - s_j)`` of section 4.2.2.

    Args:
        shares: ``e_j - s_j``.

    Returns:
        The weights.
    """
    return 1 / shares


def without_shares(shares: Tensor) -> Tensor:
    """Return weights 1: printed weights if the terms still contain their integrals.

    Args:
        shares: ``e_j - s_j``.

    Returns:
        Ones.
    """
    return torch.ones_like(shares)


def audit_mean_jacobian(paths: Iterable[Path], *, sign: int) -> Finding:
    """Test eq. (7): ``|I_l(x) - I_l(x')| = |int_0^1 J(x + sign t (x' - x)) dt (x - x')|``.

    Args:
        paths: The paths.
        sign: -1 as printed, which runs from x away from x'; 1 for the segment.

    Returns:
        The finding; the integral is exact, over the pieces of the line that is named.
    """

    def mean(path: Path) -> float:
        end = path.x + sign * (path.end - path.x)
        named = Path(path.weights, path.x, end, path.linear_top)
        maps = []
        for j in range(len(named.regions)):
            J = torch.eye(len(path.x), dtype=torch.float64)
            for W in named.induced(j):
                J = W @ J
            maps.append(J)
        average = torch.einsum("j,joi->oi", named.shares, torch.stack(maps))
        return float((average @ path.delta).norm())

    def cases() -> Iterator[Case]:
        for path in paths:
            left, right = chord(path), mean(path)
            scale = max(left, right, path.path_length) or 1.0
            shown = {**path.description, "left": left, "right": right}
            yield -abs(left - right) / scale, path.size, shown

    return collect(cases(), tolerance=TOLERANCE, family=FAMILY)


def audit_weighted_terms(paths: Iterable[Path], weighting: Weighting) -> Finding:
    """Test that weighted terms ``|W_1^{q_j} dx|`` sum to the norm of the perturbation.

    Args:
        paths: Paths of networks with one layer.
        weighting: The weights.

    Returns:
        The finding; relative error.
    """
    return audit_equal(
        paths,
        lambda p: float(weighting(p.shares) @ p.steps.norm(dim=1)),
        chord,
        tolerance=TOLERANCE,
        family="networks of one layer",
    )


def audit_path_weights(paths: Iterable[Path], weighting: Weighting) -> Finding:
    """Test that weighted terms sum to the length of the image path, walked point by point.

    The length is found from the network's values at the breakpoints, without matrices.

    Args:
        paths: Paths of networks with one layer.
        weighting: The weights.

    Returns:
        The finding; error relative to the size of the features.
    """

    def cases() -> Iterator[Case]:
        for path in paths:
            corners = path.features(path.regions.points(path.regions.breakpoints))
            walked = float(corners.diff(dim=0).norm(dim=1).sum())
            total = float(weighting(path.shares) @ path.steps.norm(dim=1))
            scale = max(total, float(corners.norm(dim=1).amax())) or 1.0
            shown = {**path.description, "left": total, "right": walked}
            yield -abs(total - walked) / scale, path.size, shown

    return collect(cases(), tolerance=TOLERANCE, family="networks of one layer")


def two_piece_choice(path: Path) -> tuple[float, float]:
    """Return a choice of ``n = 2`` for which Lemma 3.1 is true, whatever the network.

    The first set is that of the region with the longest step, the second has all rows set to 0;
    the first piece is as long as it has to be.

    Args:
        path: The path.

    Returns:
        ``e_1``, and the right side of the lemma.
    """
    longest = float(path.steps.norm(dim=1).amax())
    share = chord(path) / longest if longest else 0.0
    return share, share * longest


def audit_exists(paths: Iterable[Path]) -> Finding:
    """Test that the bare existence statement of Lemma 3.1 is true by the choice of two pieces.

    Args:
        paths: The paths.

    Returns:
        The finding.
    """

    def possible(path: Path) -> bool:
        share, total = two_piece_choice(path)
        close = abs(total - chord(path)) <= TOLERANCE * max(total, 1e-300)
        return 0 <= share <= 1 + TOLERANCE and (close or chord(path) == 0)

    return audit_true(paths, possible, family=FAMILY)
