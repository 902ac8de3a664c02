"""Robust optimisation against regularisation: the worst case found by enumeration."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import product

import torch
from torch import Tensor

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.projection_lemma.regression import Problem, perturbation
from nbsrc.claims import Finding
from nbsrc.operator_norm import holder_conjugate

__all__ = [
    "audit_equivalence",
    "audit_hinge_per_point",
    "audit_hinge_total",
    "curves",
    "extreme_perturbations",
    "worst_loss",
]

WEIGHTS = tuple(k / 4 for k in range(-12, 13))


def extreme_perturbations(n: int, d: int, p: float, q: float, budget: float) -> Tensor:
    """Return the corners of the set of matrices of (p, q) norm at most lambda.

    (1, inf): all entries at most lambda, so the signs; (1, 1): every column in the cross-polytope;
    (inf, inf): every row in it. For (2, 2) and up to two rows and columns the orthogonal matrices,
    on a grid of angles; for one row or column other norms of vectors are covered by (1, q).

    Args:
        n: Rows.
        d: Columns.
        p: Order of the domain.
        q: Order of the co-domain.
        budget: lambda.

    Returns:
        ``[corners, n, d]``.

    Raises:
        NotImplementedError: If the pair is another one.
    """
    if (p, q) == (1, math.inf):
        signs = list(product((1.0, -1.0), repeat=n * d))
        return budget * torch.tensor(signs, dtype=torch.float64).reshape(-1, n, d)
    if (p, q) in {(1, 1), (math.inf, math.inf)}:
        length, count = (n, d) if q == 1 else (d, n)
        units = torch.cat([torch.eye(length), -torch.eye(length)]).double()
        picks = torch.tensor(list(product(range(2 * length), repeat=count)))
        corners = budget * units[picks]
        return corners.mT if q == 1 else corners
    if (p, q) == (2, 2) and n == d == 2:
        t = torch.arange(720).double() * math.pi / 360
        a, b = t.cos(), t.sin()
        turns = torch.stack([torch.stack([a, -b], -1), torch.stack([b, a], -1)], -2)
        return budget * torch.cat([turns, turns * torch.tensor([1.0, -1.0]).double()])
    raise NotImplementedError(f"no corners are listed for (p, q) = ({p:g}, {q:g}), {n} x {d}")


def worst_loss(problem: Problem) -> float:
    """Return the worst loss over U: a convex function has its maximum at a corner.

    Args:
        problem: The problem, with a pair of orders that :func:`extreme_perturbations` knows.

    Returns:
        ``max h(y - (X + Delta) w)``.
    """
    n, d = problem.X.shape
    corners = extreme_perturbations(n, d, problem.p, problem.q, problem.budget)
    return float(problem.h(problem.y - (problem.X + corners) @ problem.w).max())


def _printed_worst(problem: Problem) -> float:
    if float(problem.h(problem.residual)) < 1e-12:
        return problem.budget * problem.g
    D = perturbation(problem, 1)
    return float(problem.h(problem.y - (problem.X + D) @ problem.w))


def audit_equivalence(count: int, seed: int, *, printed: bool = False) -> Finding:
    """Test that the worst loss is ``h(y - Xw) + lambda g(w)`` for every w of a grid.

    Then minimal values and minimisers agree as well, and these are compared too (not for (2, 2),
    where the worst case is known up to the grid of angles).

    Args:
        count: Data sets per pair of norms.
        seed: Seed.
        printed: Take the loss at the printed perturbation of (22) for the worst one.

    Returns:
        The finding; minus the largest difference, -1 if the minimisers on the grid differ.
    """
    generator = torch.Generator().manual_seed(seed)
    pairs = [(1.0, 1.0), (1.0, math.inf), (math.inf, math.inf), (2.0, 2.0)]
    find: Callable[[Problem], float] = _printed_worst if printed else worst_loss

    def results() -> Iterator[Case]:
        for p, q in pairs:
            for i in range(count):
                n, d = ((1, 1), (2, 1), (1, 2), (2, 2))[i % 4] if p != 2 else (2, 2)
                X = torch.randint(-2, 3, (n, d), generator=generator).double()
                y = torch.randint(-2, 3, (n,), generator=generator).double()
                if i == 0 and p != 2:
                    X, y = torch.zeros(1, 1).double(), torch.ones(1).double()
                grid = list(product(WEIGHTS[:: 1 if d == 1 else 6], repeat=d))
                M, budget = torch.eye(n).double(), float(1 + i % 2) / (1 + i // 4)
                robust, plain = [], []
                for w in grid:
                    x = Problem(X, y, torch.tensor(w).double(), M, p, q, budget)
                    robust.append(find(x))
                    plain.append(float(x.h(x.residual)) + budget * x.g)
                error = max(abs(a - b) for a, b in zip(robust, plain, strict=True))
                room = 3e-5 * max(plain) if p == 2 else 1e-11  # angles in steps of half a degree
                same = _minimisers(robust, room) == _minimisers(plain, room)
                shown = {"p": p, "q": q, "X": X.tolist(), "y": y.tolist(), "lambda": budget}
                words = {"minimum": [min(robust), min(plain)]}
                slack = (room - error) if same or p == 2 else -1.0
                yield slack, (n * d, int(X.abs().sum())), {**_plain(shown), **words}

    return collect(results(), tolerance=1e-10, family="data sets and weights, corners of U")


def _minimisers(values: Sequence[float], room: float) -> list[int]:
    return [i for i, v in enumerate(values) if v <= min(values) + room]


def _plain(values: dict[str, object]) -> dict[str, object]:
    return {k: "inf" if v == math.inf else v for k, v in values.items()}


def curves(y: float, x: float, budget: float, weights: Sequence[float]) -> dict[str, list[float]]:
    """Return losses of a one-dimensional regression over the weight.

    Args:
        y: The target.
        x: The input.
        budget: lambda.
        weights: The weights.

    Returns:
        "worst" over the interval, "regularised", "printed" and "repaired" perturbation.
    """
    found: dict[str, list[float]] = {k: [] for k in ("worst", "regularised", "printed", "repaired")}
    for w in weights:
        r = y - x * w
        step = budget * math.copysign(1.0, r) * math.copysign(1.0, w)
        found["worst"].append(max(abs(y - (x + s * budget) * w) for s in (1, -1)))
        found["regularised"].append(abs(r) + budget * abs(w))
        found["printed"].append(abs(y - (x + step) * w))
        found["repaired"].append(abs(y - (x - step) * w))
    return found


def _hinge_data(number: int, generator: torch.Generator) -> tuple[Tensor, Tensor, float]:
    n, d = 2 + number % 3, 1 + number % 2
    rows = torch.randint(-2, 3, (n, d + 1), generator=generator).double()
    w = rows[-1, :d] + 0.5
    margins = rows[:, :d] @ w * torch.where(rows[:, d] < 0, -1.0, 1.0).double()
    return margins + rows[0, d] / 2, w, 0.5 + 0.5 * (number % 3)


def _points_on_sphere(d: int, p: float) -> Tensor:
    if d == 1:
        return torch.tensor([[1.0], [-1.0]], dtype=torch.float64)
    t = torch.arange(2880).double() * math.pi / 1440
    circle = torch.stack([t.cos(), t.sin()], -1)
    scaled: Tensor = circle / torch.linalg.vector_norm(circle, p, dim=-1, keepdim=True)
    return scaled


def audit_hinge_per_point(count: int, seed: int, *, same_norm: bool = False) -> Finding:
    """Test: hinge losses under perturbations of each point are those with every margin reduced.

    The margins are ``y_i (w.x_i + b)``, the reduction ``eps ||w||_{p*}``; the worst perturbation is
    searched on the sphere of the p-norm.

    Args:
        count: Data sets.
        seed: Seed.
        same_norm: Reduce by ``eps ||w||_p`` instead.

    Returns:
        The finding; minus the difference, beyond the grid's error.
    """
    generator = torch.Generator().manual_seed(seed)

    def results() -> Iterator[Case]:
        for i in range(count):
            margins, w, eps = _hinge_data(i, generator)
            for p in (1.0, 2.0, math.inf):
                order = p if same_norm else holder_conjugate(p)
                reach = eps * float((_points_on_sphere(len(w), p) @ w).max())
                true = float((1 - margins + reach).clamp(min=0).sum())
                bound = eps * float(torch.linalg.vector_norm(w, order))
                claim = float((1 - margins + bound).clamp(min=0).sum())
                shown = {"p": p, "w": w.tolist(), "margins": margins.tolist(), "eps": eps}
                yield 1e-4 - abs(true - claim), (len(margins), len(w)), _plain(shown)

    return collect(results(), tolerance=0, family="margins and weights, a grid of directions")


def audit_hinge_total(count: int, seed: int, *, separable: bool = False) -> Finding:
    """Test: with one budget c for all points the worst hinge loss is the loss plus ``c ||w||``.

    The worst moves are searched: one point takes the budget, in any direction, or all share it at
    random. Needed: some margin is at most 1, as for data that is not separable.

    Args:
        count: Data sets.
        seed: Seed.
        separable: Shift all margins above 1 plus the reach of the budget.

    Returns:
        The finding; minus the difference, beyond the grid's error.
    """
    generator = torch.Generator().manual_seed(seed)

    def results() -> Iterator[Case]:
        for i in range(count):
            margins, w, c = _hinge_data(i, generator)
            margins = margins - margins.min() + (4 if separable else -(i % 3) / 2)
            shares = torch.rand(20, len(margins), generator=generator, dtype=torch.float64)
            shares = torch.cat([torch.eye(len(margins)), shares / shares.sum(1, keepdim=True)])
            for p in (1.0, 2.0, math.inf):
                falls = c * (_points_on_sphere(len(w), p) @ w)
                moved = 1 - margins + shares.unsqueeze(1) * falls.unsqueeze(-1)
                true = float(moved.clamp(min=0).sum(-1).max())
                reach = c * float(torch.linalg.vector_norm(w, holder_conjugate(p)))
                claim = float((1 - margins).clamp(min=0).sum()) + reach
                shown = {"p": p, "w": w.tolist(), "margins": margins.tolist(), "budget": c}
                yield 1e-4 - abs(true - claim), (len(margins), len(w)), _plain(shown)

    return collect(results(), tolerance=0, family="margins and weights, one budget")
