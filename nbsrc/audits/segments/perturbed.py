"""What a perturbation does to one layer: ReLU(W dx), and the variance of the outputs' changes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

import torch
from torch import Tensor

from nbsrc.audits.connections.compare import audit_equal
from nbsrc.audits.finding import Case, collect
from nbsrc.claims import Finding

__all__ = [
    "Ensemble",
    "Perturbed",
    "audit_entrywise",
    "audit_identified",
    "audit_same_variance",
    "audit_variance_bound",
    "ensembles",
    "perturbed_layers",
    "share_identified",
]


@dataclass(frozen=True, eq=False)
class Perturbed:
    """One layer ``ReLU(W x)``, a point and a perturbation.

    Attributes:
        W: ``[h, n]``, float64.
        x: ``[n]``.
        dx: ``[n]``.
    """

    W: Tensor
    x: Tensor
    dx: Tensor

    @cached_property
    def change(self) -> Tensor:
        """``ReLU(W (x + dx)) - ReLU(W x)``."""
        change: Tensor = (self.W @ (self.x + self.dx)).relu() - (self.W @ self.x).relu()
        return change

    @property
    def size(self) -> tuple[int, ...]:
        """Entries, whole numbers before others, sum of the entries' sizes."""
        entries = torch.cat([self.W.flatten(), self.x, self.dx])
        whole = bool((entries == entries.round()).all())
        return entries.numel(), 1 - whole, int(entries.abs().sum())

    @property
    def description(self) -> dict[str, Any]:
        """The layer in numbers, if it is small."""
        if self.W.numel() > 6:
            return {"shape": list(self.W.shape)}
        return {"W": self.W.tolist(), "x": self.x.tolist(), "dx": self.dx.tolist()}


def perturbed_layers(count: int, seed: int, *, at_zero: bool = False) -> Iterator[Perturbed]:
    """Yield layers of one unit with whole numbers, then random ones.

    Args:
        count: How many random ones.
        seed: Seed.
        at_zero: Only with ``W x = 0``.

    Yields:
        The cases; perturbations are small, of the size of x, and large.
    """
    for w, x, dx in product((1, -1, 2), (1, -1, 0, 2), (1, -1, 0, 2, -2)):
        if not at_zero or x == 0:
            yield Perturbed(*(torch.full(s, float(v)).double()
                              for s, v in (((1, 1), w), ((1,), x), ((1,), dx))))  # fmt: skip
    g = torch.Generator().manual_seed(seed)
    for number in range(count):
        h, n = (int(torch.randint(1, 9, (), generator=g)) for _ in range(2))
        W = torch.randn(h, n, generator=g, dtype=torch.float64)
        x, dx = torch.randn(2, n, generator=g, dtype=torch.float64)
        yield Perturbed(W, 0 * x if at_zero else x, dx * (0.01, 0.3, 1.0, 10.0)[number % 4])


def audit_identified(cases: Iterable[Perturbed]) -> Finding:
    """Test ``ReLU(W (x + dx)) - ReLU(W x) = ReLU(W dx)``.

    Args:
        cases: The cases.

    Returns:
        The finding.
    """
    return audit_equal(
        cases,
        lambda c: c.change,
        lambda c: (c.W @ c.dx).relu(),
        tolerance=1e-10,
        family="one layer with ReLU, a point and a perturbation",
    )


def share_identified(cases: Iterable[Perturbed]) -> float:
    """Return the share of cases in which the two are equal up to rounding.

    Args:
        cases: The cases.

    Returns:
        The share.
    """
    known = list(cases)
    right = sum(
        bool(torch.allclose(c.change, (c.W @ c.dx).relu(), rtol=1e-9, atol=1e-12)) for c in known
    )
    return right / len(known)


def audit_entrywise(cases: Iterable[Perturbed], *, share: float = 1.0) -> Finding:
    """Test that each entry of the change has the sign of ``W dx`` and is at most as large.

    So the change is ``D W dx`` with a diagonal D of numbers from 0 to 1.

    Args:
        cases: The cases.
        share: The largest number allowed in D.

    Returns:
        The finding; slack relative to the largest entry.
    """

    def results() -> Iterator[Case]:
        for c in cases:
            moved = c.W @ c.dx
            scale = max(float(moved.abs().amax()), float((c.W @ c.x).abs().amax()), 1e-300)
            same = c.change * moved.sign()
            slack = torch.minimum(same, share * moved.abs() - c.change.abs()).amin()
            yield float(slack) / scale, c.size, c.description

    return collect(results(), tolerance=1e-12, family="one layer with ReLU")


@dataclass(frozen=True, eq=False)
class Ensemble:
    """A layer, an input of it that is not negative, and equally likely steps of one length.

    Attributes:
        W: ``[h, n]``.
        x: The layer's input ``[n]``, an output of a ReLU: not negative.
        steps: ``[k, n]``, rows of one length; ``x + steps`` is not negative either.
    """

    W: Tensor
    x: Tensor
    steps: Tensor

    @cached_property
    def lengths(self) -> Tensor:
        """The norms of the changes of the layer's output."""
        before, after = (self.W @ self.x).relu(), ((self.x + self.steps) @ self.W.T).relu()
        lengths: Tensor = torch.linalg.vector_norm(after - before, dim=1)
        return lengths

    @property
    def variance(self) -> float:
        """Their variance over the ensemble."""
        return float(self.lengths.var(correction=0))


def ensembles(count: int, seed: int) -> Iterator[tuple[Ensemble, Ensemble]]:
    """Yield pairs of layers with equal singular values, one input, and one set of perturbations.

    The first pair has whole numbers: ``[1, 0]`` and ``[0, 1]``, steps (5, 0) and (3, 4) from
    (1, 1), and all units stay on. The others are ``W`` and ``W Q`` with Q a random rotation.

    Args:
        count: How many random pairs.
        seed: Seed.

    Yields:
        The pairs.
    """
    x, steps = (torch.tensor(v).double() for v in ([1, 1], [[5, 0], [3, 4]]))
    one, other = (torch.tensor([row]).double() for row in ([1, 0], [0, 1]))
    yield Ensemble(one, x, steps), Ensemble(other, x, steps)
    g = torch.Generator().manual_seed(seed)
    for _ in range(count):
        n, h = (int(torch.randint(2, 7, (), generator=g)) for _ in range(2))
        W = torch.randn(h, n, generator=g, dtype=torch.float64)
        Q, _ = torch.linalg.qr(torch.randn(n, n, generator=g, dtype=torch.float64))
        steps = torch.rand(20, n, generator=g, dtype=torch.float64)  # not isotropic: all positive
        steps = steps / steps.norm(dim=1, keepdim=True)
        yield Ensemble(W, torch.ones(n).double(), steps), Ensemble(W @ Q, torch.ones(n).double(),
                                                                   steps)  # fmt: skip


def audit_same_variance(pairs: Iterable[tuple[Ensemble, Ensemble]]) -> Finding:
    """Test that layers with the same singular values give the changes the same variance.

    Args:
        pairs: Pairs of ensembles that differ in the layer only, with equal singular values.

    Returns:
        The finding; the slack is minus the relative difference of the variances.
    """

    def results() -> Iterator[Case]:
        for one, two in pairs:
            spectra = [torch.linalg.svdvals(e.W) for e in (one, two)]
            assert torch.allclose(*spectra)
            left, right = one.variance, two.variance
            shown: dict[str, Any] = {"variances": [left, right]}
            if one.W.numel() <= 4:
                shown |= {"W": [e.W.tolist() for e in (one, two)], "x": one.x.tolist(),
                          "dx": one.steps.tolist()}  # fmt: skip
            scale = max(left, right) or 1.0
            yield -abs(left - right) / scale, (one.W.numel(),), shown

    return collect(results(), tolerance=1e-9, family="two layers with equal singular values")


def audit_variance_bound(
    pairs: Iterable[tuple[Ensemble, Ensemble]], *, factor: float = 0.25
) -> Finding:
    """Test ``Var |dI| <= (sigma_max |dx|)^2 / 4`` for perturbations of one length.

    Args:
        pairs: Pairs of ensembles.
        factor: Another factor than 1/4.

    Returns:
        The finding; slack relative to the bound.
    """

    def results() -> Iterator[Case]:
        for e in (e for pair in pairs for e in pair):
            top = float(torch.linalg.svdvals(e.W)[0] * e.steps[0].norm()) ** 2
            yield factor - e.variance / top, (e.W.numel(),), {"shape": list(e.W.shape)}

    return collect(results(), tolerance=1e-12, family="perturbations of one length")
