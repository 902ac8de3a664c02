"""Affine pieces for hypothesis: every kind of V and of probabilities that the formulas meet."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from hypothesis import settings
from hypothesis import strategies as st
from torch import Tensor

QUICK = settings(max_examples=25, deadline=None)
THOROUGH = settings(max_examples=60, deadline=None)

KINDS = ("generic", "rank one", "equal columns", "zero", "shifted", "graded", "two columns")


@dataclass(frozen=True)
class Piece:
    """Logits, V and a label; the label is an arg-max."""

    z: Tensor
    V: Tensor
    y: int
    kind: str

    @property
    def p(self) -> Tensor:
        return torch.softmax(self.z, dim=-1)

    @property
    def K(self) -> int:
        return self.z.shape[-1]


def matrix(kind: str, n: int, K: int, seed: int) -> Tensor:
    """Return a matrix ``[n, K]`` of the kind."""
    draw = torch.Generator().manual_seed(seed)
    V = torch.randn(n, K, generator=draw, dtype=torch.float64)
    if kind == "rank one":
        return V[:, :1] * V[:1]
    if kind == "equal columns":
        return V[:, :1].expand(n, K).clone()
    if kind == "zero":
        return torch.zeros(n, K, dtype=torch.float64)
    if kind == "shifted":
        return V + 100 * torch.randn(n, 1, generator=draw, dtype=torch.float64)
    if kind == "graded":
        return V * 10.0 ** torch.arange(0, -K, -1, dtype=torch.float64)
    if kind == "two columns":  # only two classes depend on the input
        V[:, 2:] = 0
    return V


@st.composite
def logits(draw: st.DrawFn, K: int) -> Tensor:
    """Draw logits with the first class as an arg-max: confident, generic, or nearly uniform."""
    seed = draw(st.integers(0, 2**20))
    noise = torch.rand(K, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    scale = draw(st.sampled_from([0.0, 1e-9, 1e-3, 1.0, 5.0]))
    margin = draw(st.sampled_from([0.0, 0.5, 3.0, 27.6]))  # 27.6: 1 - p of about 1e-12
    z = -scale * noise - margin
    z[0] = 0.0
    return z


@st.composite
def pieces(
    draw: st.DrawFn, kinds: tuple[str, ...] = KINDS, classes: tuple[int, int] = (2, 12)
) -> Piece:
    """Draw an affine piece with 2 to 12 classes and 1 to 8 inputs."""
    K = draw(st.integers(*classes))
    n = draw(st.integers(1, 8))
    kind = draw(st.sampled_from(kinds))
    V = matrix(kind, n, K, draw(st.integers(0, 2**20)))
    z = draw(logits(K))
    y = draw(st.integers(0, K - 1))
    order = [*range(1, y + 1), 0, *range(y + 1, K)]  # the first class moves to place y
    return Piece(z[order], V, y, kind)


def dense_hessian(p: Tensor, V: Tensor) -> Tensor:
    """Return the Hessian as a sum over pairs of classes, the second form of Lemma 4.1."""
    K = p.shape[-1]
    H = torch.zeros(V.shape[0], V.shape[0], dtype=V.dtype)
    for i in range(K):
        for j in range(i):
            d = V[:, i] - V[:, j]
            H += p[i] * p[j] * torch.outer(d, d)
    return H


def dense_gradient(p: Tensor, V: Tensor, y: int) -> Tensor:
    """Return the gradient as it is printed, V (p - y)."""
    target = torch.zeros_like(p)
    target[y] = 1
    return V @ (p - target)


def uniform_slack(piece: Piece) -> float:
    """Return log K minus the loss, by plain arithmetic."""
    return math.log(piece.K) + float(torch.log_softmax(piece.z, -1)[piece.y])
