"""A gap of zero, and what a smaller hypothesis space does to gap and bias."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.singular_values.cases import Scores
from nbsrc.audits.singular_values.ramp import ramp_values
from nbsrc.audits.singular_values.scores import margin
from nbsrc.claims import Finding

__all__ = [
    "audit_constant_gap",
    "audit_nested",
    "constant_gaps",
    "expected_errors",
]


def constant_gaps(
    scores: Sequence[float], *, draws: int, m: int, seed: int, gamma: float = 1.0
) -> Tensor:
    """Gaps ``|R - R_m|`` of the ramp loss for a classifier with the same scores everywhere.

    Args:
        scores: The scores; labels are uniform over the classes.
        draws: Number of training sets.
        m: Size of a training set.
        seed: Seed.
        gamma: Parameter of the ramp loss.

    Returns:
        One gap per draw.
    """
    g = torch.Generator().manual_seed(seed)
    s = tuple(map(float, scores))
    losses = [ramp_values(-margin(Scores(s, y)), gamma)[0] for y in range(len(s))]
    known = torch.tensor(losses, dtype=torch.float64)
    labels = torch.randint(0, len(s), (draws, m), generator=g)
    return (known[labels].mean(1) - known.mean()).abs()


def audit_constant_gap(scores: Sequence[float], *, draws: int, m: int, seed: int) -> Finding:
    """Test that a constant classifier has gap 0 on every draw and is right on 1/L of the examples.

    Args:
        scores: Its scores.
        draws: Number of training sets.
        m: Size of a training set.
        seed: Seed.

    Returns:
        The finding; the slack is minus the gap, -1 if the accuracy is not low.
    """
    L = len(scores)
    top = next(i for i, v in enumerate(scores) if v == max(scores))
    accuracy = sum(y == top for y in range(L)) / L
    gaps = constant_gaps(scores, draws=draws, m=m, seed=seed)
    shown = {"scores": list(scores), "accuracy": accuracy}
    results = (
        (-float(gap) if accuracy <= 1 / L else -1.0, (number,), {**shown, "gap": float(gap)})
        for number, gap in enumerate(gaps)
    )
    return collect(results, tolerance=1e-12, family=f"{draws} training sets of {m} examples")


def expected_errors(truth: Tensor, basis: Tensor, noise: float) -> dict[str, float]:
    """Expected errors of least squares in a subspace, on the inputs of the training.

    The targets are ``truth`` plus noise of variance ``noise^2``; P is the projection on the span
    of the basis. Training error ``(|truth - P truth|^2 + noise^2 (m - k)) / m``, error on new
    targets ``(|truth - P truth|^2 + noise^2 (m + k)) / m``.

    Args:
        truth: Expected targets, ``[m]``.
        basis: Independent columns, ``[m, k]``.
        noise: Standard deviation of the noise.

    Returns:
        ``train``, ``test``, ``gap`` and ``bias`` (the squared distance over m).
    """
    m, k = basis.shape
    Q = torch.linalg.qr(basis)[0]
    bias = float((truth - Q @ (Q.T @ truth)).square().sum()) / m
    train, test = bias + noise**2 * (m - k) / m, bias + noise**2 * (m + k) / m
    return {"train": train, "test": test, "gap": test - train, "bias": bias}


def audit_nested(truths: Iterable[Tensor], noise: float, *, strict: bool) -> Finding:
    """Test that a smaller space of polynomials has a smaller gap and a larger bias.

    Also some pair must have the smaller gap together with the larger test error.

    Args:
        truths: Expected targets at equidistant inputs in [-1, 1].
        noise: Standard deviation of the noise.
        strict: Whether the bias must rise; else it may not fall.

    Returns:
        The finding; the slack is the smaller of the two changes, the bias's set to 0 if it stays
        and need not rise; -1 if it stays and must.
    """

    def results() -> Iterator[Case]:
        worse = False
        for truth in truths:
            m = len(truth)
            x = torch.linspace(-1, 1, m, dtype=torch.float64)
            powers = torch.stack([x**j for j in range(m)], 1)
            found = [expected_errors(truth, powers[:, :k], noise) for k in range(1, m)]
            for k, (small, large) in enumerate(itertools.pairwise(found), start=1):
                rise = small["bias"] - large["bias"]
                stays = abs(rise) < 1e-10
                slack = large["gap"] - small["gap"]
                slack = min(slack, (-1.0 if strict else 0.0) if stays else rise)
                worse |= small["test"] > large["test"]
                shown = {"truth": truth.tolist(), "dimensions": [k + 1, k],
                         "bias": [large["bias"], small["bias"]]}  # fmt: skip
                yield slack, (m, int(truth.abs().sum() * 100), k), shown
        yield (0.0 if worse else -1.0), (999,), {"a smaller space": "is never worse"}

    return collect(results(), tolerance=0, family="least squares with polynomials, fixed inputs")
