"""Section 7.4: for which losses the logit gradient is prediction minus target."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import torch
from torch import Tensor

from nbsrc.audits.finding import Case as Result
from nbsrc.audits.finding import collect
from nbsrc.claims import Finding

__all__ = ["LINKS", "audit_link"]


def _half_squares(z: Tensor, t: Tensor) -> Tensor:
    half: Tensor = ((z - t) ** 2).sum() / 2
    return half


def _squares_of_softmax(z: Tensor, t: Tensor) -> Tensor:
    half: Tensor = ((z.softmax(-1) - t) ** 2).sum() / 2
    return half


def _probit(z: Tensor, t: Tensor) -> Tensor:
    p = torch.special.ndtr(z)
    total: Tensor = -(t * p.log() + (1 - t) * (1 - p).log()).sum()
    return total


#: Name to (negative log-likelihood, prediction, whether z is negative).
LINKS: Mapping[
    str, tuple[Callable[[Tensor, Tensor], Tensor], Callable[[Tensor], Tensor], bool]
] = {
    "half the sum of squares, identity": (_half_squares, lambda z: z, False),
    "cross-entropy, softmax": (
        lambda z, t: -(t * z.log_softmax(-1)).sum(), lambda z: z.softmax(-1), False),
    "Bernoulli, sigmoid": (
        lambda z, t: torch.nn.functional.binary_cross_entropy_with_logits(z, t, reduction="sum"),
        torch.sigmoid, False),
    "Poisson, exponential": (lambda z, t: (z.exp() - t * z).sum(), torch.exp, False),
    "Gamma, -1/z": (lambda z, t: (-t * z - torch.log(-z)).sum(), lambda z: -1 / z, True),
    "sum of squares, identity": (lambda z, t: ((z - t) ** 2).sum(), lambda z: z, False),
    "half the sum of squares of softmax": (_squares_of_softmax, lambda z: z.softmax(-1), False),
    "Bernoulli, probit": (_probit, torch.special.ndtr, False),
    "Gamma, 1/z": (lambda z, t: (t * z - torch.log(z)).sum(), lambda z: 1 / z, False),
}  # fmt: skip


def audit_link(names: Iterable[str], seed: int, count: int = 20) -> Finding:
    """Test that the gradient in the logits is prediction minus target.

    Args:
        names: Keys of :data:`LINKS`.
        seed: Seed.
        count: Draws per name, and one small whole case.

    Returns:
        The finding; targets are probabilities that sum to 1 (fit for all losses).
    """
    g = torch.Generator().manual_seed(seed)

    def results() -> Iterator[Result]:
        for name in names:
            loss, mean, negative = LINKS[name]
            for number in range(count + 1):
                z = torch.ones(2, dtype=torch.float64)
                t = torch.tensor([1.0, 0.0], dtype=torch.float64)
                if number:
                    z = torch.rand(3, generator=g, dtype=torch.float64) + 0.3
                    t = torch.rand(3, generator=g, dtype=torch.float64).softmax(0)
                z = (-z if negative else z).requires_grad_()
                true = torch.autograd.grad(loss(z, t), z)[0]
                z = z.detach()
                error = float((true - (mean(z) - t)).abs().max())
                shown = {"loss": name, "z": z.tolist(), "target": t.tolist(),
                         "gradient": true.tolist(), "prediction": mean(z).tolist()}  # fmt: skip
                yield -error, (number,), shown

    return collect(
        results(), tolerance=1e-12, family="logits and targets, 9 pairs of loss and mean"
    )
