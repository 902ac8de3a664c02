"""Section 4.2: the operator norm iteration (9) to (12), its ascent, and where it stops."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import product
from typing import Any

import torch
from torch import Tensor

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.operator_norms.matrices import NINE, MatrixCase, pair_name, small_matrices
from nbsrc.claims import Finding
from nbsrc.operator_norm import exact_operator_norm, power_method

__all__ = [
    "LOCAL_MAXIMA",
    "audit_reaches_norm",
    "local_maxima",
    "on_sphere",
    "shares",
    "smallest_failures",
    "stops_below",
]

#: What :func:`smallest_failures` finds: J, v0, and the pairs for which the iteration stays below.
LOCAL_MAXIMA: tuple[tuple[list[list[int]], list[int], tuple[tuple[float, float], ...]], ...] = (
    (
        [[1, 0], [0, 2]],
        [1, 0],
        ((1.0, 2.0), (1.0, math.inf), (2.0, math.inf), (math.inf, math.inf)),
    ),
    ([[-1, 1], [1, 2]], [1, 0], ((1.0, 1.0), (2.0, 1.0))),
    ([[2, 0], [1, 2]], [1, -1], ((math.inf, 1.0), (math.inf, 2.0))),
)
#: Relative distance to the norm from which on an iteration has not reached it.
GAP = 1e-6


def on_sphere(v: Tensor, p: float) -> Tensor:
    """Scale vectors to the unit sphere of the p-norm.

    Args:
        v: ``[..., n]``, not zero.
        p: The order.

    Returns:
        ``[..., n]``.
    """
    unit: Tensor = v / torch.linalg.vector_norm(v, p, dim=-1, keepdim=True)
    return unit


def local_maxima() -> list[MatrixCase]:
    """Return the cases of :data:`LOCAL_MAXIMA`, one per pair.

    Returns:
        Eight cases; (2, 2) has none.
    """
    return [
        MatrixCase(torch.tensor(J).double(), torch.tensor(v0).double(), pair)
        for J, v0, pairs in LOCAL_MAXIMA
        for pair in pairs
    ]


def _final(J: Tensor, pair: tuple[float, float], v0: Tensor, steps: int, alpha: float) -> Tensor:
    """Return the gains at the end; a start with a zero direction stays where it is."""
    start = on_sphere(v0, pair[0])
    return power_method(J, *pair, start, steps, alpha, on_zero="keep").gains[-1]


def audit_reaches_norm(
    cases: Iterable[MatrixCase], steps: int, alpha: float = math.inf, *, seed: int
) -> Finding:
    """Test that (9) ends at the operator norm from a random start, for the nine pairs.

    Args:
        cases: Matrices; those with a start and a pair are run with these.
        steps: Number of steps.
        alpha: The step size.
        seed: Seed of the starts.

    Returns:
        The finding; the slack is minus the relative gap.
    """
    g = torch.Generator().manual_seed(seed)

    def results() -> Iterator[Case]:
        for case in cases:
            drawn = torch.randn(case.J.shape[1], generator=g, dtype=torch.float64)
            for pair in NINE if case.pair is None else (case.pair,):
                start = on_sphere(drawn if case.start is None else case.start, pair[0])
                found = float(_final(case.J, pair, start, steps, alpha))
                norm = float(exact_operator_norm(case.J, *pair))
                own = replace(case, start=start, pair=pair)
                shown = {**own.description, "reached": found, "norm": norm}
                yield (found - norm) / max(norm, 1e-300), own.size, shown

    return collect(results(), tolerance=GAP, family="whole-number and normal matrices, nine pairs")


def stops_below(
    J: Tensor, pair: tuple[float, float], v0: Tensor, alpha: float = math.inf, steps: int = 60
) -> Tensor:
    """Say which iterations end below the norm, from v0 and from all starts near it.

    Args:
        J: ``[matrices, d, n]``.
        pair: p and q.
        v0: ``[starts, n]``.
        alpha: The step size.
        steps: Number of steps.

    Returns:
        ``[matrices, starts]``: whether v0 and 6 random starts within about a hundredth of it all
        stay below.
    """
    g = torch.Generator().manual_seed(0)
    noise = 0.01 * torch.randn(6, 1, v0.shape[-1], generator=g, dtype=torch.float64)
    starts = torch.cat([v0.unsqueeze(0), v0 + noise]).flatten(0, 1).expand(len(J), -1, -1)
    norm = exact_operator_norm(J, *pair)
    reached = _final(J.unsqueeze(1), pair, starts, steps, alpha)
    below = reached < (norm * (1 - GAP)).unsqueeze(-1)
    always: Tensor = below.unflatten(1, (7, len(v0))).all(1)
    return always


def smallest_failures(
    pairs: Iterable[tuple[float, float]] = NINE, alpha: float = math.inf
) -> list[MatrixCase]:
    """Return, for each pair, the smallest whole-number matrix and start that end below the norm.

    All matrices up to 2 x 2 with entries from -1 to 2 are tried, with all starts with entries from
    -1 to 1 that are not zero; not only the start, but all starts near it must stay below.

    Args:
        pairs: The pairs.
        alpha: The step size.

    Returns:
        A case per pair for which there is one.
    """
    failures = []
    for pair in pairs:
        found: list[MatrixCase] = []
        for d, n in ((1, 1), (1, 2), (2, 1), (2, 2)):
            cases = [c for c in small_matrices() if c.J.shape == (d, n) and c.sigma > 0]
            signs = [v for v in product((1, 0, -1), repeat=n) if v > (0,) * n]  # v, not -v
            starts = torch.tensor(signs, dtype=torch.float64)
            steps = 60 if pair == (2, 2) or alpha < math.inf else 25
            below = stops_below(torch.stack([c.J for c in cases]), pair, starts, alpha, steps)
            for row, column in below.nonzero().tolist():
                found.append(replace(cases[row], start=starts[column], pair=pair))
        failures += sorted(found, key=lambda case: case.size)[:1]
    return failures


def shares(
    shape: tuple[int, int], matrices: int, starts: int, seed: int, *, steps: int = 300
) -> list[dict[str, Any]]:
    """Return how often the iteration reaches the norm of normal matrices, for each pair.

    Args:
        shape: Outputs and inputs.
        matrices: Number of matrices.
        starts: Random starts of each.
        seed: Seed.
        steps: Power iterations.

    Returns:
        Rows with ``pair``, ``share of starts``, ``mean gap`` (relative, over all starts) and
        ``best of 10`` (the share of matrices of which one of the first ten starts reaches it).
    """
    g = torch.Generator().manual_seed(seed)
    drawn = [torch.randn(shape, generator=g, dtype=torch.float64) for _ in range(matrices)]
    first = torch.randn(matrices, starts, shape[1], generator=g, dtype=torch.float64)
    rows = []
    for pair in NINE:
        gaps = torch.stack([
            1 - _final(J, pair, v0, steps, math.inf) / exact_operator_norm(J, *pair, max_signs=20)
            for J, v0 in zip(drawn, first, strict=True)
        ])  # fmt: skip
        rows.append({
            "pair": pair_name(pair),
            "share of starts": float((gaps <= GAP).double().mean()),
            "mean gap": float(gaps.clamp(min=0).mean()),
            "best of 10": float((gaps[:, :10].amin(1) <= GAP).double().mean()),
        })  # fmt: skip
    return rows
