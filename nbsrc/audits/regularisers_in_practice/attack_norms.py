r"""Which norm each attack controls, on two-class linear networks, where the optimum is known.

For :math:`f(x)=w^\top x+b` the nearest point of the boundary lies at distance
:math:`|f(x)|/\|w\|_q` in the norm p, q the conjugate exponent: in l2 along w, in linf along its
signs. An attack that is *l2 norm-based* stops near the l2 distance, and one that is *linf
norm-based* uses all of its budget in linf.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from nbsrc.attacks import carlini_wagner, deepfool, fgsm, pgd
from nbsrc.audits.finding import Case, collect
from nbsrc.claims import Finding

__all__ = ["ATTACKERS", "WEIGHTS", "audit_norms", "linear_network"]

#: Weights in two to four dimensions; with (1, 0) the distances in l2 and linf are the same.
WEIGHTS: tuple[tuple[int, ...], ...] = ((3, 4), (1, 2), (1, 0), (2, 3, 6), (1, 2, 2, 4))

Attacker = Callable[[nn.Module, Tensor, Tensor], Tensor]


def _fgsm(net: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    return fgsm(net, x, y, 0.125).x


def _pgd(net: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    return pgd(net, x, y, 0.125, steps=40, alpha=0.0125).x


def _deepfool(net: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    return deepfool(net, x, y).x


def _carlini_wagner(net: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    return carlini_wagner(
        net, x, y, steps=200, binary_search_steps=9, initial_const=1.0, stepsize=0.01
    ).x


#: The attacks with the norm that the paper says; the budget in linf is 1/8.
ATTACKERS: dict[str, tuple[float, Attacker]] = {
    "FGSM": (math.inf, _fgsm),
    "PGD": (math.inf, _pgd),
    "DeepFool": (2.0, _deepfool),
    "C&W": (2.0, _carlini_wagner),
}


def linear_network(weights: Sequence[int], margin: float) -> tuple[nn.Module, Tensor, Tensor]:
    """Return a network of two classes, the middle of the cube, and its label.

    Args:
        weights: w, integers.
        margin: The l2 distance from the middle to the boundary.

    Returns:
        The network with logits f/2 and -f/2, an image of one row, its label 0.
    """
    w = torch.tensor(weights, dtype=torch.float32)
    length = float(w.norm())
    linear = nn.Linear(len(weights), 2)
    with torch.no_grad():
        linear.weight.copy_(torch.stack([w, -w]) / 2)
        level = (margin * length - float(w.sum()) / 2) / 2
        linear.bias.copy_(torch.tensor([level, -level]))
    return (
        nn.Sequential(nn.Flatten(), linear).eval(),
        torch.full((1, 1, 1, len(weights)), 0.5),
        (torch.zeros(1, dtype=torch.long)),
    )


def audit_norms(
    norms: dict[str, float] | None = None,
    *,
    weights: Sequence[Sequence[int]] = WEIGHTS,
    margin: float = 0.125,
    only: Sequence[str] | None = None,
) -> Finding:
    """Test every attack on every network against the optimum of its norm.

    An linf attack must spend exactly its budget in linf and lower f by the most possible there,
    ``budget * |w|_1``. An l2 attack must cross the boundary at 1 to 1.03 times the l2 distance
    (DeepFool overshoots by 0.02).

    Args:
        norms: Norms to test in place of those of the paper.
        weights: Weights of the networks.
        margin: l2 distance to the boundary, and the budget in linf.
        only: Names of the attacks to test, None for all.

    Returns:
        The finding; the slack is what is left of the tolerances, relative.
    """
    cases: list[Case] = []
    for place, w in enumerate(weights):
        net, x, y = linear_network(w, margin)
        vector = torch.tensor(w, dtype=torch.float64)
        for number, (name, (claimed, attack)) in enumerate(ATTACKERS.items()):
            if only is not None and name not in only:
                continue
            p = (norms or {}).get(name, claimed)
            r = (attack(net, x, y) - x).flatten().double()
            best = margin * float(vector.norm() if p == 2 else vector.abs().sum())
            drop = -float(vector @ r)
            size = float(torch.linalg.vector_norm(r, p))
            if claimed == math.inf:
                slack = 1e-4 - max(abs(size / margin - 1), abs(drop / best - 1))
            else:
                distance = (
                    margin
                    * float(vector.norm())
                    / float(torch.linalg.vector_norm(vector, 2 if p == 2 else 1))
                )
                ratio = size / distance
                slack = min(ratio - 1 + 1e-4, 1.03 - ratio)
            words = f"{name}, w = {tuple(w)}: size {size:.4f} in l{p:g}, f lower by {drop:.4f}"
            cases.append((slack, (len(w), place, number), words))
    return collect(cases, tolerance=0.0, family=f"{len(weights)} linear networks, four attacks")
