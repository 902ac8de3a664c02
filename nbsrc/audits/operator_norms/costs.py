"""Section 4.1: what the data-dependent regulariser costs, counted in products and operations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.operator_norms.digits import new_network
from nbsrc.claims import Finding
from nbsrc.operator_norm import LinearMap, LogitNorm, network_map, pga, power_method

__all__ = [
    "Cost",
    "audit_batch_factor",
    "audit_same_cost",
    "count_attack",
    "count_power",
    "per_pass",
]

#: Passes through the network or its Jacobian: forward and backward ones.
Cost = tuple[int, int]


def per_pass(widths: Iterable[int]) -> int:
    """Return the multiplications of one pass of one example, or of one product per layer.

    Args:
        widths: Inputs, hidden layers, outputs.

    Returns:
        The number of weights.
    """
    return sum(a * b for a, b in pairwise(widths))


class _CountedIdentity(torch.autograd.Function):
    """The identity, which notes every forward (0) and every backward (1) pass."""

    @staticmethod
    def forward(x: Tensor, note: Callable[[int], None]) -> Tensor:
        note(0)
        return x.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.note = inputs[1]

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        ctx.note(1)
        return grad, None


class _Counted(nn.Module):
    """A last layer that notes the passes of a network."""

    def __init__(self, note: Callable[[int], None]) -> None:
        super().__init__()
        self.note = note

    def forward(self, x: Tensor) -> Tensor:
        counted: Tensor = _CountedIdentity.apply(x, self.note)
        return counted


def count_attack(widths: tuple[int, ...], batch: int, steps: int) -> Cost:
    """Run projected gradient ascent and count its passes.

    Args:
        widths: The network.
        batch: Examples.
        steps: Iterations.

    Returns:
        Forward and backward passes of the whole batch, as a last layer counts them.
    """
    calls = [0, 0]

    def note(which: int) -> None:
        calls[which] += 1

    net = nn.Sequential(new_network(0, widths), _Counted(note))
    g = torch.Generator().manual_seed(0)
    x = torch.rand(batch, widths[0], generator=g)
    start = x + 0.01 * torch.rand(x.shape, generator=g) / widths[0]
    pga(net, x, 0.1, 2, LogitNorm(2), 0.1, steps, start, on_zero="keep")
    return calls[0] - 2, calls[1]  # the clean logits and the last loss are no steps


def count_power(widths: tuple[int, ...], batch: int, steps: int) -> Cost:
    """Run the power method (6) and count its products.

    Args:
        widths: The network.
        batch: Examples.
        steps: Iterations.

    Returns:
        Forward and backward products, per example.
    """
    net = new_network(0, widths)
    g = torch.Generator().manual_seed(0)
    x = torch.rand(batch, widths[0], generator=g)
    inner, calls = network_map(net, x), [0, 0]

    def counted(which: int, product: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        def run(vector: Tensor) -> Tensor:
            calls[which] += 1
            return product(vector)

        return run

    linear = LinearMap(counted(0, inner.forward), counted(1, inner.backward))
    v0 = torch.randn(batch, widths[0], generator=g)
    power_method(linear, 2, 2, v0, steps, on_zero="keep")
    return calls[0] - 1, calls[1]  # the last gain is no step


def audit_same_cost(
    widths: tuple[int, ...], batches: Iterable[int], steps: Iterable[int], *, extra: int = 0
) -> Finding:
    """Test that both take K forward and K backward passes per example, besides the first and last.

    Args:
        widths: The network.
        batches: Batch sizes.
        steps: The K.
        extra: A planted error: more iterations for the attack.

    Returns:
        The finding; the slack is minus the difference in passes.
    """
    sizes = tuple(steps)

    def cases() -> Iterator[Case]:
        for batch in batches:
            for K in sizes:
                attack, power = (
                    count_attack(widths, batch, K + extra),
                    count_power(widths, batch, K),
                )
                off = sum(abs(a - b) + abs(b - K) for a, b in zip(attack, power, strict=True))
                shown = {"batch": batch, "K": K, "attack": list(attack), "power": list(power)}
                yield -float(off), (K, batch), shown

    return collect(cases(), tolerance=0, family="fully connected networks")


def audit_batch_factor(
    widths: tuple[int, ...],
    batches: Iterable[int],
    steps: Iterable[int],
    factor: Callable[[int, int], int],
) -> Finding:
    """Test by how much (7) is more work than (5) with one iteration, in multiplications.

    Args:
        widths: The network.
        batches: Batch sizes B.
        steps: The K.
        factor: What the ratio is said to be, from K and B.

    Returns:
        The finding; the slack is minus the relative error.
    """
    sizes = tuple(steps)

    def cases() -> Iterator[Case]:
        for batch in batches:
            for K in sizes:
                forward, backward = count_power(widths, batch, K)
                local = batch * (forward + backward) * per_pass(widths)
                ratio = local / (2 * per_pass(widths))  # W v and W^T u once for every layer
                wanted = factor(K, batch)
                shown = {"batch": batch, "K": K, "ratio": ratio, "said": wanted}
                yield -abs(ratio - wanted) / ratio, (K, batch), shown

    return collect(cases(), tolerance=1e-12, family="fully connected networks")
