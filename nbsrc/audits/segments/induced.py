"""The matrices that a region induces: W with rows set to zero, and their singular values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from nbsrc.audits.connections.compare import audit_equal, audit_true
from nbsrc.audits.finding import Case, collect
from nbsrc.audits.segments.paths import Path, network
from nbsrc.claims import Finding

__all__ = [
    "audit_interlacing",
    "audit_neighbours_differ",
    "audit_product",
    "audit_recursion",
]


def audit_product(paths: Iterable[Path], *, frozen: bool = False) -> Finding:
    """Test that the Jacobian in every piece is the product of the row-zeroed matrices.

    Args:
        paths: The paths.
        frozen: Take the matrices of the first piece for all pieces.

    Returns:
        The finding; automatic differentiation in the middle of the piece against the product.
    """

    @dataclass(frozen=True)
    class Piece:
        path: Path
        j: int

        @property
        def size(self) -> tuple[int, ...]:
            return self.path.size

        @property
        def description(self) -> dict[str, Any]:
            return self.path.description

    def multiplied(piece: Piece) -> Tensor:
        J = torch.eye(len(piece.path.x), dtype=torch.float64)
        for W in piece.path.induced(0 if frozen else piece.j):
            J = W @ J
        return J

    def differentiated(piece: Piece) -> Tensor:
        ends = piece.path.regions.breakpoints[piece.j : piece.j + 2]
        point = piece.path.regions.points(ends.mean()[None])[0]
        found: Tensor = torch.autograd.functional.jacobian(piece.path.features, point)
        return found

    pieces = [Piece(path, j) for path in paths for j in range(len(path.regions))]
    return audit_equal(
        pieces, multiplied, differentiated, tolerance=1e-12, family="all pieces of all segments"
    )


def audit_neighbours_differ(paths: Iterable[Path]) -> Finding:
    """Test that neighbouring pieces move by different vectors ``W^{q_j} (x - x')``.

    Args:
        paths: The paths; true for one layer.

    Returns:
        The finding.
    """

    def different(path: Path) -> bool:
        jumps = path.steps.diff(dim=0).norm(dim=1)
        return bool((jumps > 1e-12 * path.steps.norm()).all())

    return audit_true(paths, different, family="segments of networks")


def audit_interlacing(paths: Iterable[Path], *, shift: bool, lower: bool = True) -> Finding:
    """Test Cauchy's interlacing for all induced matrices of all layers.

    With r rows set to zero, ``sigma_{k+r}(W) <= sigma_k(W^q) <= sigma_k(W)``; values with an index
    past the end count as 0.

    Args:
        paths: The paths.
        shift: False for r = 0, as if the law gave ``sigma_k(W) <= sigma_k(W^q)``.
        lower: Test the lower bound too.

    Returns:
        The finding; slack relative to the largest singular value.
    """

    def cases() -> Iterator[Case]:
        for path in paths:
            for j in range(len(path.regions)):
                for W, kept in zip(path.weights, path.induced(j), strict=True):
                    whole, part = torch.linalg.svdvals(W), torch.linalg.svdvals(kept)
                    removed = int(((kept != W).any(dim=1)).sum()) if shift else 0
                    slack = float((whole - part).min())
                    if lower and removed < len(whole):
                        slack = min(slack, float((part[: len(whole) - removed] - whole[removed:])
                                                 .min()))  # fmt: skip
                    shown = {"W": W.tolist() if W.numel() <= 6 else list(W.shape),
                             "rows set to 0": int((kept != W).any(dim=1).sum())}  # fmt: skip
                    yield slack / max(float(whole[0]), 1e-300), (W.numel(),), shown

    return collect(cases(), tolerance=1e-10, family="all induced matrices of all segments")


def audit_recursion(paths: Iterable[Path], factor: float, *, offset: float = 0.0) -> Finding:
    """Test ``T(c x) = c T(x)`` for c > 0 and ``T(0) = 0`` for ``x_i = g(W_i x_{i-1})``.

    Args:
        paths: The networks and points.
        factor: c.
        offset: A bias behind the first layer; none in the paper.

    Returns:
        The finding, for g = ReLU and for g = max-pooling over pairs of units.
    """

    def relu(path: Path, x: Tensor) -> Tensor:
        for W in path.weights:
            x = (W @ x + offset).relu()
        return x

    def pooled(path: Path, x: Tensor) -> Tensor:
        h = path.weights[0] @ x + offset
        return F.max_pool1d(h[None, None], min(2, len(h)))[0, 0]

    def cases() -> Iterator[Case]:
        for path in paths:
            for g in (relu, pooled):
                once, scaled = g(path, path.x), g(path, factor * path.x)
                zero = g(path, 0 * path.x).abs().amax()
                scale = max(1.0, float(once.abs().amax()))
                error = float((scaled - factor * once).abs().amax() + zero) / scale
                if g is relu:  # the same network as layers of torch
                    layers = network(path.weights, linear_top=False)(path.x[None])[0]
                    error = max(error, float((once - layers).abs().amax()) / scale)
                yield -error, path.size, {**path.description, "g": g.__name__}

    return collect(cases(), tolerance=1e-12, family="ReLU networks and max-pooled layers")
