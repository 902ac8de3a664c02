"""Walking a segment in rational numbers: an oracle that shares nothing with the library."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations, pairwise

import torch
from torch import Tensor, nn

Line = tuple[Fraction, Fraction]  # offset and slope of a value that is affine in t
Piece = tuple[Fraction, Fraction, list[Line]]  # from, to, values


def exact_pieces(net: nn.Sequential, x0: Tensor, x1: Tensor) -> list[Piece]:
    """The pieces of linear layers, ReLU, and max-pooling of pairs ``(1, 2)`` with any stride."""
    ends = zip(x0.flatten().tolist(), x1.flatten().tolist(), strict=True)
    lines = [(Fraction(a), Fraction(b) - Fraction(a)) for a, b in ends]
    pieces: list[Piece] = [(Fraction(0), Fraction(1), lines)]
    for layer in net:
        if isinstance(layer, nn.Linear):
            pieces = [(s, e, _affine(layer, values)) for s, e, values in pieces]
        elif isinstance(layer, nn.ReLU):
            pieces = [part for piece in pieces for part in _rectified(piece)]
        elif isinstance(layer, nn.MaxPool2d):
            pieces = [part for piece in pieces for part in _pooled(layer, piece)]
    return pieces


def breakpoints(pieces: list[Piece]) -> list[float]:
    return [0.0, *(float(end) for _, end, _ in pieces)]


def slopes(pieces: list[Piece]) -> Tensor:
    rows = [[float(slope) for _, slope in values] for _, _, values in pieces]
    return torch.tensor(rows, dtype=torch.float64)


def _affine(layer: nn.Linear, values: list[Line]) -> list[Line]:
    found = []
    bias = layer.bias.tolist() if layer.bias is not None else [0.0] * layer.out_features
    for row, constant in zip(layer.weight.tolist(), bias, strict=True):
        terms = [(Fraction(w), line) for w, line in zip(row, values, strict=True) if w]
        offset = sum((w * o for w, (o, _) in terms), Fraction(constant))
        found.append((offset, sum((w * d for w, (_, d) in terms), Fraction(0))))
    return found


def _split(piece: Piece, cuts: set[Fraction]) -> list[tuple[Fraction, Fraction, Fraction]]:
    """Start, end and middle of the parts."""
    start, end, _ = piece
    times = [start, *sorted(t for t in cuts if start < t < end), end]
    return [(s, e, (s + e) / 2) for s, e in pairwise(times)]


def _rectified(piece: Piece) -> list[Piece]:
    values = piece[2]
    zero = (Fraction(0), Fraction(0))
    return [
        (s, e, [(o, d) if o + m * d > 0 else zero for o, d in values])
        for s, e, m in _split(piece, {-o / d for o, d in values if d})
    ]


def _pooled(layer: nn.MaxPool2d, piece: Piece) -> list[Piece]:
    """Cut at all crossings of lines of a window, then join parts with the same winners."""
    values, step = piece[2], layer.stride[1]
    windows = [values[i : i + layer.kernel_size[1]]
               for i in range(0, len(values) - layer.kernel_size[1] + 1, step)]  # fmt: skip
    cuts = {
        (a[0] - b[0]) / (b[1] - a[1])
        for window in windows for a, b in combinations(window, 2) if a[1] != b[1]
    }  # fmt: skip
    joined: list[Piece] = []
    for s, e, m in _split(piece, cuts):
        winners = [max(window, key=lambda line: line[0] + m * line[1]) for window in windows]
        if joined and joined[-1][2] == winners:
            joined[-1] = (joined[-1][0], e, winners)
        else:
            joined.append((s, e, winners))
    return joined
