"""Equations (11) and (12) on matrices, and the iterates of both methods side by side."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.projection_lemma.cases import Batch, whole_vectors
from nbsrc.claims import Finding
from nbsrc.operator_norm import LogitNorm, norm_gradient, pga, power_method, uniform_in_ball

__all__ = ["Iteration", "audit_side_by_side", "iterations", "matrices", "networks"]

CODOMAIN = (1.0, 2.0, math.inf)


@dataclass(frozen=True, eq=False)
class Iteration(Batch):
    """One iteration of eq. (11): the directions are ``J^T u_k``.

    Attributes:
        J: The matrices, ``[m, d, n]``.
        q: The order in the co-domain.
    """

    J: Tensor
    q: float

    def description(self, i: int) -> dict[str, Any]:
        """Return a case in words and numbers.

        Args:
            i: Its number.

        Returns:
            Orders, matrix, iterate and direction.
        """
        q = "inf" if self.q == math.inf else self.q
        return {**super().description(i), "q": q, "J": self.J[i].tolist()}

    def size(self, i: int) -> tuple[int, ...]:
        """Return what orders the cases: the size of the matrix first.

        Args:
            i: Its number.

        Returns:
            The key.
        """
        minus = int((self.J[i] < 0).sum())
        return self.J[i].numel(), int(self.J[i].abs().sum()), minus, *super().size(i)


def iterations(count: int, seed: int, orders: Sequence[float]) -> list[Iteration]:
    """Return one iteration on small matrices with whole entries, from starts on the sphere.

    Args:
        count: Random matrices per pair of orders.
        seed: Seed.
        orders: The orders in the domain.

    Returns:
        The batches; pairs with ``J v = 0``, where eq. (11) has no direction, are left out.
    """
    generator = torch.Generator().manual_seed(seed)
    pairs: list[tuple[Tensor, Tensor]] = []
    for n in (1, 2):
        rows, starts = whole_vectors(n, 1), whole_vectors(n, 1)
        pairs.append((
            rows.repeat_interleave(len(starts), 0).unsqueeze(1),
            starts.repeat(len(rows), 1),
        ))
    for d, n in ((2, 2), (2, 3), (3, 4)):
        J = torch.randint(-1, 2, (count, d, n), generator=generator).double()
        if n > 2:
            J[::2, :, 1] = J[::2, :, 0]  # duplicate columns: ties
            J[1::2, :, 0] = 0  # an input without influence: zeros
        pairs.append((J, torch.randint(-2, 3, (count, n), generator=generator).double()))
    found = []
    for p in map(float, orders):
        for q in CODOMAIN:
            for J, v in pairs:
                image = (J @ v.unsqueeze(-1)).squeeze(-1)
                keep = (image != 0).any(-1)
                kept, start = J[keep], v[keep]
                start = start / torch.linalg.vector_norm(start, p, dim=-1, keepdim=True)
                u = norm_gradient(image[keep], q)
                g = (kept.mT @ u.unsqueeze(-1)).squeeze(-1)
                found.append(Iteration(p, start, g, kept, q))
    return found


def matrices(count: int, seed: int) -> list[nn.Module]:
    """Return linear maps with whole entries, duplicate columns and zero columns.

    Args:
        count: How many.
        seed: Seed.

    Returns:
        Modules without bias, float64.
    """
    generator = torch.Generator().manual_seed(seed)
    found: list[nn.Module] = []
    for i in range(count):
        d, n = 1 + i % 3, 2 + i % 3
        J = torch.randint(-2, 3, (d, n), generator=generator).double()
        J[0, -1] = 1  # not the zero map
        if i % 2:
            J[:, 0] = J[:, 1]
        elif n > 2:
            J[:, 0] = 0
        layer = nn.Linear(n, d, bias=False, dtype=torch.float64)
        layer.weight.data.copy_(J)
        found.append(layer)
    return found


def networks(count: int, seed: int) -> list[nn.Module]:
    """Return ReLU networks with a dead input and two equal ones, one region around the origin.

    Args:
        count: How many.
        seed: Seed.

    Returns:
        Networks of 4 inputs, 5 units (some off) and 3 outputs; no unit changes in the unit cube.
    """
    generator = torch.Generator().manual_seed(seed)
    found: list[nn.Module] = []
    for _ in range(count):
        first = nn.Linear(4, 5, dtype=torch.float64)
        last = nn.Linear(5, 3, dtype=torch.float64)
        W = torch.randint(-2, 3, (5, 4), generator=generator).double()
        W[:, 1], W[:, 3] = W[:, 0], 0.0
        on = torch.rand(5, generator=generator) < 0.7
        on[0] = True
        first.weight.data.copy_(W)
        first.bias.data.copy_(torch.where(on, 16.0, -16.0))
        last.weight.data.copy_(torch.randint(-2, 3, (3, 5), generator=generator).double())
        last.bias.data.zero_()  # torch's own start is no binary fraction, and would break ties
        found.append(nn.Sequential(first, nn.ReLU(), last))
    return found


def audit_side_by_side(
    nets: Sequence[nn.Module],
    *,
    steps: int,
    seed: int,
    limit: str = "projection",
    attack_limit: str | None = None,
    alpha: float = math.inf,
) -> Finding:
    """Test that iterates of gradient ascent in a ball are those of the operator norm iteration.

    The ball around 0 has radius 1/2, the starts are in it, and ``v_0 = (x_0 - x) / eps``. Ties and
    zeros are kept where the arithmetic is exact, which it is on binary fractions. Where an iterate
    is none (for p = 2 hardly ever one is; for other p a tie of three has thirds), a tie (q = inf)
    or zero (q = 1) of ``J v``, where u jumps, or a tie of ``J^T u``, would be broken by rounding:
    cases with such an image, or with thirds, are left out.

    Args:
        nets: Networks that are affine on the cube of half side 1/2.
        steps: Iterations.
        seed: Seed of the starts.
        limit: What an infinite step means in the operator norm iteration.
        attack_limit: The same for the attack; as ``limit`` if omitted.
        alpha: The step of the attack; for p = 2 always infinite.

    Returns:
        The finding; minus the largest difference of an iterate, in units of the radius.
    """
    generator, eps = torch.Generator().manual_seed(seed), 0.5

    def results() -> Iterator[Case]:
        for net in nets:
            J = _jacobian(net)
            x = torch.zeros(1, J.shape[1], dtype=torch.float64)
            for p in (1.0, 2.0, math.inf):
                start = uniform_in_ball(x, eps, p, generator)
                start = (start * 64).round() / 64 * (31 / 32)  # binary fractions: exact ties stay
                for q in CODOMAIN:
                    step = math.inf if p == 2 else alpha
                    attack = pga(
                        net, x, eps, p, LogitNorm(q), step, steps, start,
                        limit=attack_limit or limit, on_zero="keep", keep_iterates=True,
                    )  # fmt: skip
                    power = power_method(
                        J, p, q, start / eps, steps, limit=limit, on_zero="keep",
                        keep_iterates=True,
                    )  # fmt: skip
                    assert attack.xs is not None
                    assert power.vs is not None
                    if p == 2 and _jumps(power.vs @ J.T, q):
                        continue
                    if p != 2 and not (_binary(power.vs) and _binary(attack.xs / eps)):
                        continue
                    error = float((attack.xs / eps - power.vs).abs().max())
                    shown: dict[str, Any] = {"p": _order(p), "q": _order(q), "J": J.tolist()}
                    error = round(error, 12)  # matrix products depend on memory alignment
                    yield -error, (J.numel(), int(J.abs().sum())), shown

    return collect(results(), tolerance=1e-9, family="maps with ties and zeros, nine (p, q)")


def _jumps(images: Tensor, q: float) -> bool:
    size = images.abs().flatten(0, -2)
    if q == 1:
        return bool((size < 1e-9).any())
    if q == 2 or size.shape[-1] == 1:
        return bool((size.amax(-1) < 1e-9).any())
    top = size.topk(2).values
    return bool((top[:, 0] - top[:, 1] < 1e-9).any())


def _binary(iterates: Tensor) -> bool:
    """Return whether all entries are binary fractions of few digits."""
    scaled = iterates * 2.0**24
    return bool((scaled == scaled.round()).all())


def _jacobian(net: nn.Module) -> Tensor:
    layers = list(net.children()) or [net]
    inputs = getattr(layers[0], "in_features", 0)
    jacobian: Tensor = torch.func.jacrev(net)(torch.zeros(inputs, dtype=torch.float64))
    return jacobian.detach()


def _order(p: float) -> float | str:
    return "inf" if p == math.inf else p
