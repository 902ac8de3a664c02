"""The cross-entropy sees the centred Jacobian; two classes need one step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product

import torch
from torch import Tensor, nn

from nbsrc.audits.finding import Case as Result
from nbsrc.audits.finding import collect
from nbsrc.audits.power_methods.cases import Case, linear_net
from nbsrc.audits.power_methods.iteration import label_loss, literal_pga
from nbsrc.audits.power_methods.objectives import candidates
from nbsrc.claims import Finding

__all__ = ["audit_centred", "audit_cosine", "audit_one_step", "whole_pairs"]


def audit_cosine(matrices: Iterable[Tensor], *, centred: bool, eps: float = 1e-3) -> Finding:
    """Test that the best l2 step for the cross-entropy is the dominant right singular vector.

    Args:
        matrices: Jacobians ``[2, n]`` or larger; logits are 0 and the label is 0.
        centred: Whether the singular vector is that of ``P J``, P the projection off the ones.
        eps: The radius.

    Returns:
        The finding; the slack is ``|cos| - 1``.
    """

    def results() -> Iterator[Result]:
        for J in matrices:
            n = J.shape[1]
            M = J - J.mean(0) if centred else J
            values = torch.linalg.svdvals(M)
            if len(values) > 1 and float(values[1]) > 0.9 * float(values[0]):
                continue  # no dominant singular vector
            best = literal_pga(
                linear_net(J), torch.zeros(1, n, dtype=torch.float64), torch.tensor([eps]).double(),
                2.0, label_loss(torch.zeros(1).long()),
                torch.tensor([eps]).double(), 3, torch.zeros(1, n, dtype=torch.float64),
            )[-1, 0]  # fmt: skip
            top = torch.linalg.svd(M).Vh[0]
            cosine = abs(float(best @ top) / float(best.norm()))
            size = (J.numel(), int(J.abs().sum()))
            yield cosine - 1, size, {"J": J.tolist(), "step": best.tolist(), "cosine": cosine}

    return collect(
        results(), tolerance=1e-6, family="two classes, logits 0, label 0; steps of the radius"
    )


def audit_centred(cases: Iterable[Case], seed: int, *, axis: int = 0) -> Finding:
    """Test that the cross-entropy sees J through P J only.

    Args:
        cases: The cases.
        seed: Seed of biases and steps.
        axis: 0 to centre the columns, over the classes; 1 the rows, for a control.

    Returns:
        The finding; relative error of the losses along random steps.
    """
    g = torch.Generator().manual_seed(seed)

    def results() -> Iterator[Result]:
        for case in cases:
            d, n = case.J.shape
            z = torch.randn(d, generator=g, dtype=torch.float64)
            steps = torch.randn(20, n, generator=g, dtype=torch.float64)
            labels = torch.randint(0, d, (20,), generator=g)
            one, two = (
                nn.functional.cross_entropy(z + steps @ M.T, labels, reduction="none")
                for M in (case.J, case.J - case.J.mean(axis, keepdim=True))
            )
            error = float(((one - two).abs() / (1 + one.abs())).max())
            yield -error, case.size, case.description

    return collect(results(), tolerance=1e-12, family="random logits, labels and steps")


def whole_pairs() -> Iterator[Tensor]:
    """Yield all 2x2 matrices with entries 0, 1, 2, -1 whose rows differ.

    Yields:
        The matrices.
    """
    for values in product((0.0, 1.0, 2.0, -1.0), repeat=4):
        J = torch.tensor(values, dtype=torch.float64).reshape(2, 2)
        if (J[0] != J[1]).any():
            yield J


def audit_one_step(count: int, classes: int, p: float, seed: int, *, steps: int = 1) -> Finding:
    """Test that one gradient step from the point finds the largest cross-entropy in the ball.

    Args:
        count: Random linear models.
        classes: Number of classes.
        p: The order of the ball.
        seed: Seed.
        steps: Steps of length eps.

    Returns:
        The finding; the slack is minus what is missing to the maximum over the candidates.
    """
    g = torch.Generator().manual_seed(seed)

    def results() -> Iterator[Result]:
        for number in range(count):
            n = 1 + number % 5
            J = torch.randn(classes, n, generator=g, dtype=torch.float64)
            z = torch.randn(classes, generator=g, dtype=torch.float64)
            y = torch.randint(0, classes, (1,), generator=g)
            net = linear_net(J)
            net[0].bias = nn.Parameter(z)
            one = torch.ones(1, dtype=torch.float64)
            found = literal_pga(
                net, torch.zeros(1, n, dtype=torch.float64), one, p,
                label_loss(y), one,
                steps, torch.zeros(1, n, dtype=torch.float64),
            )[-1]  # fmt: skip
            points = torch.cat([candidates(n, p, J - J[y], seed), found])
            losses = nn.functional.cross_entropy(
                z + points @ J.T, y.expand(len(points)), reduction="none"
            )
            missing = float(losses.max() - losses[-1])
            yield -missing, (n, number), {"J": J.tolist(), "z": z.tolist(), "y": int(y)}

    return collect(results(), tolerance=1e-10, family=f"{classes} classes, p = {p:g}")
