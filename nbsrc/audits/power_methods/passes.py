"""Passes of an attack, counted, and what autograd does on the kinks of a norm."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor, nn

from nbsrc.audits.finding import Case as Result
from nbsrc.audits.finding import collect
from nbsrc.audits.power_methods.cases import Case
from nbsrc.audits.power_methods.iteration import literal_pga, logit_norm
from nbsrc.claims import Finding
from nbsrc.operator_norm import dual_vector, holder_conjugate

__all__ = ["audit_kinks", "audit_passes"]


def audit_kinks(q: float, gradient: Callable[[Tensor], Tensor] | None = None) -> Finding:
    """Test that autograd of torch's norm follows the printed convention at ties and zeros.

    Args:
        q: The order.
        gradient: Replaces autograd, for a control.

    Returns:
        The finding; all vectors with entries -1, 0, 1, 2 and up to three of them.
    """

    def auto(z: Tensor) -> Tensor:
        z = z.clone().requires_grad_()
        return torch.autograd.grad(torch.linalg.vector_norm(z, q), z)[0]

    def results() -> Iterator[Result]:
        for n in (1, 2, 3):
            for z in torch.cartesian_prod(*[torch.tensor([0.0, 1, -1, 2]).double()] * n):
                z = z.reshape(n)
                printed = dual_vector(z, holder_conjugate(q)) if z.any() else torch.zeros_like(z)
                error = float(((gradient or auto)(z) - printed).abs().max())
                yield -error, (n, int(z.abs().sum())), {"u": z.tolist(), "q": q}

    return collect(results(), tolerance=1e-12, family="whole vectors with ties and zeros, and 0")


def audit_passes(cases: Iterable[Case], steps: int, expected: int) -> Finding:
    """Count the backward passes through the network that an attack makes.

    Args:
        cases: The cases.
        steps: Iterations.
        expected: Backward passes expected.

    Returns:
        The finding; minus the difference of the numbers.
    """

    def results() -> Iterator[Result]:
        for case in cases:
            starts = case.starts(2.0)[:1]
            if not len(starts):
                continue
            count = {"forward": 0, "backward": 0}

            class Counted(nn.Module):
                def __init__(self, net: nn.Module, seen: dict[str, int]) -> None:
                    super().__init__()
                    self.net, self.seen = net, seen

                def forward(self, x: Tensor) -> Tensor:
                    self.seen["forward"] += 1
                    y: Tensor = self.net(x)
                    if y.requires_grad and x.requires_grad:
                        y.register_hook(self._back)
                    return y

                def _back(self, _: Tensor) -> None:
                    self.seen["backward"] += 1

            eps = torch.ones(1, dtype=torch.float64)
            literal_pga(
                Counted(case.net, count), case.x, eps, 2.0, logit_norm(2.0), eps, steps, starts
            )
            wrong = abs(count["backward"] - expected) + abs(count["forward"] - expected - 1)
            yield -float(wrong), case.size, {**case.description, **count}

    return collect(results(), tolerance=0, family=f"attacks of {steps} steps; one clean pass")
