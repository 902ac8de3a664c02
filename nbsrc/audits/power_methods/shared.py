"""Fractions of shared activations (Sec. 5.5), and what they say of the size of cells."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn

from nbsrc.audits.finding import Case as Result
from nbsrc.audits.finding import collect
from nbsrc.audits.power_methods.cases import affine
from nbsrc.claims import Finding
from nbsrc.linear_region import activation_pattern, region_radius

__all__ = [
    "agreement",
    "audit_curve_decides",
    "audit_shared",
    "hinge_net",
    "intersection",
    "jaccard",
    "shared_curve",
]


def intersection(one: Tensor, two: Tensor) -> float:
    """Return Sec. 5.5's fraction as printed: units active in both, over all units.

    Args:
        one: 0/1 vector.
        two: 0/1 vector.

    Returns:
        The fraction.
    """
    return float((one * two).sum()) / len(one)


def agreement(one: Tensor, two: Tensor) -> float:
    """Return the share of units in the same state: 1 minus the Hamming distance over m.

    Args:
        one: 0/1 vector.
        two: 0/1 vector.

    Returns:
        The share.
    """
    return float((one == two).double().mean())


def jaccard(one: Tensor, two: Tensor) -> float:
    """Return the units active in both over those active in one of them, 1 if there is none.

    Args:
        one: 0/1 vector.
        two: 0/1 vector.

    Returns:
        The ratio.
    """
    union = float(torch.maximum(one, two).sum())
    return float((one * two).sum()) / union if union else 1.0


def audit_shared(fraction: Callable[[Tensor, Tensor], float]) -> Finding:
    """Test that a fraction of shared activations is 1 if and only if the patterns are equal.

    Args:
        fraction: The fraction.

    Returns:
        The finding, over all pairs of patterns of up to three units.
    """

    def results() -> Iterator[Result]:
        for m in (1, 2, 3):
            every = torch.cartesian_prod(*[torch.tensor([0, 1])] * m).reshape(-1, m)
            for one in every:
                for two in every:
                    value = fraction(one, two)
                    good = (value == 1) == bool((one == two).all())
                    shown = {"phi_x": one.tolist(), "phi_x+z": two.tolist(), "fraction": value}
                    equal = bool((one == two).all())
                    yield (0.0 if good else -1.0), (m, 1 - equal, int(one.sum())), shown

    return collect(results(), tolerance=0, family="all pairs of patterns of 1 to 3 units")


def hinge_net(hinges: Sequence[float]) -> nn.Sequential:
    """Return ``x -> sum relu(x - t_i)``.

    Args:
        hinges: The places t.

    Returns:
        The network, float64.
    """
    one = torch.ones(len(hinges), 1, dtype=torch.float64)
    shift = -torch.tensor(list(hinges), dtype=torch.float64)
    return nn.Sequential(affine(one, shift), nn.ReLU(), affine(one.T))


def shared_curve(net: nn.Module, points: Sequence[float], sizes: Sequence[float]) -> list[float]:
    """Return the mean agreement of patterns for noise ``+size`` and ``-size``, each size.

    Args:
        net: A network with one input.
        points: The data.
        sizes: Sizes of the noise.

    Returns:
        The curve.
    """
    x = torch.tensor(list(points), dtype=torch.float64)[:, None]
    at = activation_pattern(net, x).codes
    found = []
    for size in sizes:
        shares = [
            (activation_pattern(net, x + s * size).codes == at).double().mean() for s in (1, -1)
        ]
        found.append(float(sum(shares)) / 2)
    return found


def audit_curve_decides(sizes: Sequence[float]) -> Finding:
    """Test that networks with the same curve of shared activations have the same mean radius.

    All pairs of two-hinge networks with hinges 1 and 2, at the data 0 and 3.

    Args:
        sizes: Sizes of the noise.

    Returns:
        The finding over pairs with equal curves; minus the difference of the mean radii.
    """
    data = torch.tensor([[0.0], [3.0]], dtype=torch.float64)
    hinges = [(1, 1), (1, 2), (2, 2)]
    nets = [hinge_net(h) for h in hinges]
    curves = [shared_curve(net, [0.0, 3.0], sizes) for net in nets]
    means = [float(region_radius(net, data, 2).mean()) for net in nets]

    def results() -> Iterator[Result]:
        for i in range(3):
            for j in range(i + 1, 3):
                if curves[i] == curves[j]:
                    shown = {"hinges": [list(hinges[i]), list(hinges[j])], "data": [0, 3],
                             "mean radii": [means[i], means[j]]}  # fmt: skip
                    yield -abs(means[i] - means[j]), (i, j), shown

    return collect(results(), tolerance=0, family=f"pairs with equal curves at {list(sizes)}")
