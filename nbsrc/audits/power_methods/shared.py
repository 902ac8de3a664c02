"""Fractions of shared activations (Sec. 5.5), and what they say of the size of cells."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
from torch import Tensor, nn

from nbsrc.audits.finding import Case as Result
from nbsrc.audits.finding import collect
from nbsrc.audits.power_methods.cases import Case, affine
from nbsrc.claims import Finding
from nbsrc.linear_region import activation_pattern, region_halfspaces, region_radius

__all__ = [
    "agreement",
    "audit_curve_decides",
    "audit_shared",
    "audit_stay",
    "hinge_net",
    "intersection",
    "jaccard",
    "shared_curve",
    "stay_curve",
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


def audit_curve_decides(sizes: Sequence[float], distances: Sequence[int] = (3, 10, 100)) -> Finding:
    """Test that networks with the same curve of shared activations have the same mean radius.

    All pairs of two-hinge networks with hinges 1 and D - 1, at the data 0 and D.

    Args:
        sizes: Sizes of the noise.
        distances: The distances D between the data.

    Returns:
        The finding over pairs with equal curves; minus the difference of the mean radii.
    """

    def results() -> Iterator[Result]:
        for far in distances:
            data = [0.0, float(far)]
            hinges = [(1, 1), (1, far - 1), (far - 1, far - 1)]
            nets = [hinge_net(h) for h in hinges]
            curves = [shared_curve(net, data, sizes) for net in nets]
            x = torch.tensor(data, dtype=torch.float64)[:, None]
            means = [float(region_radius(net, x, 2).mean()) for net in nets]
            for i, j in ((0, 1), (0, 2), (1, 2)):
                if curves[i] == curves[j]:
                    shown = {"hinges": [list(hinges[i]), list(hinges[j])], "data": [0, far],
                             "mean radii": [means[i], means[j]]}  # fmt: skip
                    yield -abs(means[i] - means[j]), (far, i, j), shown

    return collect(results(), tolerance=0, family=f"pairs with equal curves at {list(sizes)}")


def stay_curve(net: nn.Module, points: Sequence[float], sizes: Sequence[float]) -> list[float]:
    """Return the share of noisy points whose whole pattern is that of the datum, each size.

    Args:
        net: A network with one input.
        points: The data.
        sizes: Sizes of the noise.

    Returns:
        The curve.
    """
    x = torch.tensor(list(points), dtype=torch.float64)[:, None]
    at = activation_pattern(net, x)
    both = [[activation_pattern(net, x + s * size).same_as(at) for s in (1, -1)] for size in sizes]
    return [float(torch.cat(pair).double().mean()) for pair in both]


def audit_stay(cases: Iterable[Case], seed: int, *, units: bool = False) -> Finding:
    """Test that a share of noise is the share of rays that leave the cell farther out.

    8 random directions per case, noise of 0.25 to 16 times the median exit.

    Args:
        cases: The cases, of any kind.
        seed: Seed of the directions.
        units: Whether shared units are counted in place of whole patterns, for a control.

    Returns:
        The finding; minus the difference of the two shares.
    """
    g = torch.Generator().manual_seed(seed)

    def results() -> Iterator[Result]:
        for case in cases:
            G, h = region_halfspaces(case.net, case.x)
            if not len(h):
                continue
            ways = torch.randn(8, case.x.numel(), generator=g, dtype=torch.float64)
            speed, room = ways @ G.T, h - G @ case.x.flatten()
            exits = torch.where(speed > 0, room / speed, math.inf).amin(1)
            at = activation_pattern(case.net, case.x)
            if not bool(exits.isfinite().any()):
                continue
            grid = ways.reshape(-1, *case.x.shape[1:])
            for factor in (0.25, 0.9, 1.1, 2, 4, 16):
                size = factor * float(exits[exits.isfinite()].median())
                noisy = activation_pattern(case.net, case.x + size * grid)
                same = noisy.codes == at.codes if units else noisy.same_as(at)
                error = abs(float(same.double().mean()) - float((exits > size).double().mean()))
                yield -error, case.size, {**case.description, "noise / median exit": factor}

    return collect(results(), tolerance=1e-12, family="8 rays per case, noise of 6 sizes")
