"""The chain from layer norms to robustness, measured link by link on one data set."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import nn

from nbsrc.audits.finding import Case, collect
from nbsrc.claims import Finding
from nbsrc.constructions import (
    certify_robust,
    gentle_classifier,
    inflate_norms,
    robust_classifier,
    robust_classifier_with_lipschitz,
    steep_pairs,
)
from nbsrc.lipschitz import lipschitz_constant, product_of_norms

__all__ = [
    "Links",
    "arrows_broken_by",
    "audit_broken_arrows",
    "audit_norms_do_not_decide",
    "audit_norms_never_matter",
    "measured_chain",
]

LARGE = 1e6


@dataclass(frozen=True)
class Links:
    """The quantities of the chain for one network, in the linf norm.

    Attributes:
        name: The network.
        layer_norm: Largest norm of a layer.
        product: Product of all layer norms.
        global_constant: Exact Lipschitz constant.
        local_constant: Exact Lipschitz constant on the balls, the largest of them.
        clean_accuracy: Share of centres with the right output.
        robust_accuracy: Certified robust accuracy.
        decided: Whether certified and refuted points are all points.
    """

    name: str
    layer_norm: float
    product: float
    global_constant: float
    local_constant: float
    clean_accuracy: float
    robust_accuracy: float
    decided: bool


def measured_chain() -> list[Links]:
    """Measure the chain for seven networks on four points of two classes, eps = 3/4.

    Returns:
        Plain, inflated, steep in three places, gentle, and one with teeth inside that are too tall.
        All are right at the four points themselves.
    """
    points = torch.tensor([[0, 0], [4, 1], [1, 4], [5, 5]], dtype=torch.float64)
    labels = torch.tensor([1, 2, 2, 1])
    data = (points, labels, 0.75, math.inf)
    plain = robust_classifier(*data)
    networks = {
        "plain": plain,
        "inflated": inflate_norms(plain, LARGE),
        "cliff outside": robust_classifier_with_lipschitz(*data, LARGE, "outside"),
        "cliff between": robust_classifier_with_lipschitz(*data, LARGE, "shell"),
        "zigzag inside": robust_classifier_with_lipschitz(*data, LARGE, "inside"),
        "gentle": gentle_classifier(*data, shrink=1e-6),
    }
    networks["teeth too tall"] = _with_tall_teeth(networks["zigzag inside"])
    return [_links(name, network, *data) for name, network in networks.items()]


def _with_tall_teeth(network: nn.Sequential) -> nn.Sequential:
    """Double the height of the teeth, from 3/8 to 3/4: the last layer adds 3/8 minus a unit."""
    tall = copy.deepcopy(network).requires_grad_(False)
    last = tall[-1]
    assert isinstance(last, nn.Linear)
    weight = last.weight.detach().clone()
    weight[:, -1] *= 2
    last.weight = nn.Parameter(weight, requires_grad=False)
    last.bias = nn.Parameter(last.bias.detach() + 0.375, requires_grad=False)
    return tall


def _links(
    name: str,
    network: nn.Sequential,
    points: torch.Tensor,
    labels: torch.Tensor,
    eps: float,
    ord: float,
) -> Links:
    linear = [layer for layer in network if isinstance(layer, nn.Linear)]
    norms = [float(layer.weight.detach().abs().sum(dim=1).max()) for layer in linear]
    balls = [(point - eps, point + eps) for point in points]
    found = certify_robust(network, points, labels, eps, ord, pieces=1)
    # Teeth are too narrow for a search to find: the points where they would be highest are tried.
    witnesses = steep_pairs(points, labels, eps, ord, LARGE, "inside").ends
    in_balls = torch.linalg.vector_norm(witnesses - points, ord=ord, dim=-1) <= eps
    with torch.no_grad():
        right = (network(points)[:, 0] - labels).abs() < 0.5
        refuted = in_balls & ((network(witnesses)[:, 0] - labels).abs() >= 0.5)
    return Links(
        name=name,
        layer_norm=max(norms),
        product=product_of_norms(network, ord).value,
        global_constant=lipschitz_constant(network, ord).value,
        local_constant=max(lipschitz_constant(network, ord, ball).value for ball in balls),
        clean_accuracy=float(right.double().mean()),
        robust_accuracy=found.robust_accuracy.lower,
        decided=bool((found.certified | found.refuted | refuted).all()),
    )


def arrows_broken_by(links: Sequence[Links]) -> dict[str, str]:
    """Name, for each of the first three arrows, a network with its left side only.

    Args:
        links: Measured networks, the plain one among them.

    Returns:
        The network's name per arrow, or "none".
    """
    plain = next(x for x in links if x.name == "plain")
    tests = {
        "1 (layers to global)": lambda x: (
            x.layer_norm >= LARGE and x.global_constant <= plain.global_constant * (1 + 1e-9)
        ),
        "2 (global to local)": lambda x: x.global_constant >= LARGE and x.local_constant <= 1e-6,
        "3 (local to wrong)": lambda x: x.local_constant >= LARGE and x.robust_accuracy == 1,
    }
    return {
        arrow: next((x.name for x in links if test(x)), "none") for arrow, test in tests.items()
    }


def audit_broken_arrows(links: Sequence[Links], *, backwards: bool = False) -> Finding:
    """Test that the first two arrows are no implications, as the paper says.

    Args:
        links: Measured networks.
        backwards: Whether to look for counterexamples to the true inequalities instead, global at
            most product and local at most global (a control: there must be none).

    Returns:
        The finding; a slack of -1 for an arrow without a counterexample network.
    """
    broken = dict(list(arrows_broken_by(links).items())[:2])
    if backwards:
        above = {
            "global at most product": lambda x: x.global_constant > x.product * (1 + 1e-9),
            "local at most global": lambda x: x.local_constant > x.global_constant * (1 + 1e-9),
        }
        broken = {k: next((x.name for x in links if test(x)), "none") for k, test in above.items()}
    cases = (
        (-1.0 if name == "none" else 0.0, (number,), {"statement": arrow, "broken by": name})
        for number, (arrow, name) in enumerate(broken.items())
    )
    return collect(cases, tolerance=0, family="two arrows, networks on four points")


def audit_norms_never_matter(*, steps: int) -> Finding:
    """Test "large norms do not matter" on F(x) = 1 + T x.

    The points are 0 and 1 with labels 1 and 2, eps = 1/4; the nearest label counts.

    Args:
        steps: T takes this many values up to 4.

    Returns:
        The finding; the slack is the robust accuracy minus that of T = 1, which is 1.
    """
    half, eps = Fraction(1, 2), Fraction(1, 4)

    def judged() -> Iterator[Case]:
        for k in range(1, steps + 1):
            t = Fraction(4 * k, steps)
            # Nearest labels: below 3/2 on the ball of 0, above 3/2 on that of 1.
            robust = [1 + t * eps < 1 + half, 1 + t * (1 - eps) > 1 + half]
            share = sum(robust) / 2
            if t >= 1:  # large norms, compared with those of T = 1
                shown = {"F": f"1 + {t} x", "norm": float(t), "robust accuracy": share}
                yield share - 1, (int(1000 * t),), shown

    return collect(judged(), tolerance=0, family="one linear layer on two points")


def audit_norms_do_not_decide(links: Sequence[Links]) -> Finding:
    """Test that layer norms alone do not decide robustness, in either direction.

    Args:
        links: Measured networks; those that are wrong at a data point, or whose robust accuracy is
            not decided at every point, do not count.

    Returns:
        The finding: two networks with robust accuracy 1 whose largest norms differ by a factor of
        10^5 or more, and two with equal largest norms and robust accuracies 1 and 0; a slack of -1
        where there are none.
    """
    links = [x for x in links if x.clean_accuracy == 1 and x.decided]
    perfect = [x.layer_norm for x in links if x.robust_accuracy == 1]
    apart = bool(perfect) and max(perfect) >= 1e5 * min(perfect)
    equal = any(
        math.isclose(a.layer_norm, b.layer_norm) and a.robust_accuracy - b.robust_accuracy == 1
        for a in links
        for b in links
    )
    cases = [
        (0.0 if apart else -1.0, (0,), {"missing": "robust networks with norms far apart"}),
        (0.0 if equal else -1.0, (1,), {"missing": "equal norms, one robust, one not at all"}),
    ]
    return collect(cases, tolerance=0, family="networks on four points")
