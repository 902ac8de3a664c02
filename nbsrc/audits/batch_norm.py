"""Audits of the batch-norm formulas of Appendix B.2 against torch's own layer."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.norms import matrix_norm
from nbsrc.batch_norm import batch_norm_norm
from nbsrc.claims import Finding

__all__ = [
    "BatchNormState",
    "audit_batch_norm_map",
    "audit_batch_norm_norm",
    "corrected_norm",
    "printed_norm",
    "random_states",
]

_NORMS: tuple[float, ...] = (1.0, 2.0, math.inf)


class BatchNormState(NamedTuple):
    """What a batch-norm layer computes with at inference, all ``[features]`` but eps."""

    gamma: Tensor
    beta: Tensor
    mean: Tensor
    variance: Tensor
    eps: float


def random_states(count: int, seed: int) -> Iterator[BatchNormState]:
    """Yield random states with one to four features.

    The first three are one feature each: variance 0, gamma = -1, and gamma = 0. A third of the
    others has gamma > 0 only.

    Args:
        count: Number of states.
        seed: Seed of a generator of its own.

    Yields:
        The states, in float64, with torch's default eps.
    """
    generator = torch.Generator().manual_seed(seed)
    one, zero = torch.ones(1, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
    for gamma, variance in ((one, zero), (-one, one), (zero, one)):
        yield BatchNormState(gamma, zero, zero, variance, 1e-5)
    for number in range(3, count):
        size = int(torch.randint(1, 5, (1,), generator=generator))
        draws = torch.randn(3, size, generator=generator, dtype=torch.float64)
        gamma = draws[0].abs() if number % 3 == 0 else draws[0]
        variance = torch.rand(size, generator=generator, dtype=torch.float64) * 4
        yield BatchNormState(gamma, draws[1], draws[2], variance, 1e-5)


def torch_layer(state: BatchNormState) -> torch.nn.BatchNorm1d:
    """Return torch's layer in eval mode with a given state.

    Args:
        state: The state.

    Returns:
        The layer.
    """
    layer = torch.nn.BatchNorm1d(len(state.gamma), eps=state.eps, dtype=torch.float64)
    layer.load_state_dict(
        {
            "weight": state.gamma, "bias": state.beta, "running_mean": state.mean,
            "running_var": state.variance, "num_batches_tracked": torch.tensor(0),
        }
    )  # fmt: skip
    return layer.eval().requires_grad_(requires_grad=False)


def audit_batch_norm_map(states: Iterable[BatchNormState], *, share: float) -> Finding:
    """Test eq. (11), ``gamma (x - mu) / sigma + beta``, against torch's layer.

    Args:
        states: States to test.
        share: Sigma is the square root of the variance plus this multiple of eps: 0 as printed,
            1 as torch computes it.

    Returns:
        The finding, tolerance 1e-12 relative; an error above 1 (a division by zero) counts as 1.
    """

    def cases() -> Iterator[Case]:
        for state in states:
            x = torch.linspace(-2, 2, 5, dtype=torch.float64)[:, None].expand(-1, len(state.gamma))
            sigma = (state.variance + share * state.eps).sqrt()
            value = state.gamma * (x - state.mean) / sigma + state.beta
            truth = torch_layer(state)(x)
            error = ((value - truth).abs() / truth.abs().clamp_min(1)).nan_to_num(math.inf).max()
            example = {"gamma": state.gamma.tolist(), "variance": state.variance.tolist()}
            yield -min(float(error), 1.0), (len(x[0]),), example

    return collect(cases(), tolerance=1e-12, family="random batch-norm states, eval mode")


def printed_norm(state: BatchNormState) -> float:
    """Return the printed norm, ``max gamma / sigma``.

    Args:
        state: The state.

    Returns:
        The value; ``inf`` where sigma is 0 and gamma is positive.
    """
    return float((state.gamma / state.variance.sqrt()).nan_to_num(0.0, posinf=math.inf).max())


def corrected_norm(state: BatchNormState) -> float:
    """Return the corrected norm, ``max |gamma| / sqrt(variance + eps)``.

    Args:
        state: The state.

    Returns:
        The value.
    """
    return float(batch_norm_norm(state.gamma, state.variance, ord=1, eps=state.eps))


def audit_batch_norm_norm(
    states: Iterable[BatchNormState],
    formula: Callable[[BatchNormState], float],
    tolerance: float,
) -> Finding:
    """Test a norm formula against the matrix of torch's layer, for l1, l2 and linf.

    Args:
        states: States to test.
        formula: The formula.
        tolerance: Allowed error relative to the norm (absolute below 1).

    Returns:
        The finding; the counterexample has as few features as possible.
    """

    def cases() -> Iterator[Case]:
        for state in states:
            layer, n = torch_layer(state), len(state.gamma)
            matrix = (
                layer(torch.eye(n, dtype=torch.float64)) - layer(torch.zeros(1, n).double())
            ).T
            value = formula(state)
            for order in _NORMS:
                truth = matrix_norm(matrix, order)
                error = min(abs(value - truth) / max(1.0, truth), 1e9)
                yield -error, (n,), {
                    "gamma": state.gamma.tolist(), "variance": state.variance.tolist(),
                    "formula": value if math.isfinite(value) else str(value), "matrix": truth,
                }  # fmt: skip

    return collect(cases(), tolerance=tolerance, family="random batch-norm states, eval mode")
