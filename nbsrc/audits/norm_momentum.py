"""The momentum of norm decay: a moving average as printed, or a copied sparse gradient."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch

from nbsrc.audits.finding import Case, collect
from nbsrc.claims import Finding

__all__ = ["audit_copy_is_the_same", "audit_copy_mean", "copy_mean"]


def copy_mean(gamma: float, active: float) -> float:
    r"""Return the mean of h when the sparse gradient is copied, in the steady state.

    For an entry whose gradient is 1 with probability q, independently, and else 0:
    :math:`m = q + (1-q)\gamma m`, so :math:`m = q/(1-\gamma(1-q))`. The moving average of
    Algorithm 1 has the mean q.

    Args:
        gamma: Momentum, in [0, 1).
        active: Probability q.

    Returns:
        The mean m.

    Example:
        >>> copy_mean(0.5, 1.0), round(copy_mean(0.5, 0.01) / 0.01, 3)
        (1.0, 1.98)
    """
    return active / (1 - gamma * (1 - active))


def audit_copy_is_the_same(gammas: Sequence[float], *, allowed: float = 0.1) -> Finding:
    """Test "basically the same": the total effect of one gradient on h, over all later steps.

    Args:
        gammas: Momenta.
        allowed: Largest relative difference that still counts as basically the same.

    Returns:
        The finding; the slack is what is allowed minus the relative difference of the totals, for
        a gradient 1 at the first step and 0 afterwards.
    """

    def judged() -> Iterator[Case]:
        for number, gamma in enumerate(gammas):
            average = copied = average_total = copied_total = 0.0
            for p in (1.0, *[0.0] * 400):
                average = gamma * average + (1 - gamma) * p
                copied = p if p != 0 else gamma * copied
                average_total, copied_total = average_total + average, copied_total + copied
            shown = {"gamma": gamma, "gradient": "1, 0, 0, ...",
                     "total of Algorithm 1": round(average_total, 9),
                     "total of the copy": round(copied_total, 9)}  # fmt: skip
            yield allowed - abs(copied_total / average_total - 1), (number,), shown

    return collect(judged(), tolerance=0, family="one gradient, then none")


def audit_copy_mean(
    gammas: Sequence[float], shares: Sequence[float], seed: int, steps: int, *,
    tolerance: float, formula: Callable[[float, float], float] = copy_mean,
) -> Finding:  # fmt: skip
    """Compare the closed form of the mean with a simulation.

    Args:
        gammas: Momenta.
        shares: Probabilities that an entry is active.
        seed: Seed of the simulation.
        steps: Number of steps, for a thousand entries at once.
        tolerance: Largest relative difference.
        formula: The closed form.

    Returns:
        The finding; the slack is minus the relative difference.
    """
    generator = torch.Generator().manual_seed(seed)

    def judged() -> Iterator[Case]:
        for gamma in gammas:
            for share in shares:
                h, total = torch.zeros(1000, dtype=torch.float64), 0.0
                for step in range(steps):
                    active = torch.rand(1000, generator=generator) < share
                    h = torch.where(active, 1.0, gamma * h)
                    total += float(h.mean()) if step >= steps // 10 else 0.0
                mean = total / (steps - steps // 10)
                off = abs(mean / formula(gamma, share) - 1)
                yield -off, (0,), {"gamma": gamma, "active": share, "mean": mean, "off": off}

    return collect(judged(), tolerance=tolerance, family="independent sparse gradients")
