"""The variance of ``|W d|`` on a sphere, linear and behind a ReLU, against the singular values."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.singular_values.cases import Layer
from nbsrc.claims import Finding
from nbsrc.layer_spectra import Moments, Spectrum, norm_moments, relu_moments, square_moments

__all__ = [
    "audit_change_is_constant",
    "audit_condition_bounds",
    "audit_fourth_moments",
    "audit_relu_floor",
    "audit_relu_is_constant",
    "audit_same_spread",
    "spread_over_directions",
]


def spread_over_directions(s: Spectrum) -> float:
    """Return the variance of the singular values, one for each input direction.

    Args:
        s: A spectrum.

    Returns:
        The variance over n values: a wide matrix has zeros among them.
    """
    return float(s.per_direction.var(correction=0))


def audit_same_spread(
    layers: Iterable[Layer], spread: Callable[[Spectrum], float], *, factor: float
) -> Finding:
    """Test that the spread of the singular values roughly fixes the variance of ``|W d|``.

    Two matrices with equally many inputs and the same spread must have variances within a factor.

    Args:
        layers: Matrices, all pairs of which are compared.
        spread: The spread of a spectrum.
        factor: What counts as rough.

    Returns:
        The finding; the slack is ``(factor * smaller - larger) / larger``.
    """
    groups: dict[tuple[int, float], list[Layer]] = defaultdict(list)
    for layer in layers:
        groups[layer.W.shape[1], round(spread(layer.spectrum), 9)].append(layer)

    def cases() -> Iterator[Case]:
        for (_, value), same in groups.items():
            known = {id(x): norm_moments(x.W).variance for x in same}
            for one, two in itertools.combinations(same, 2):
                low, high = sorted((known[id(one)], known[id(two)]))
                slack = (factor * low - high) / high if high > 1e-12 else 0.0
                size = tuple(a + b for a, b in zip(one.size, two.size, strict=True))
                first, second = sorted((one, two), key=lambda x: known[id(x)])
                shown = {"W": first.W.tolist(), "W'": second.W.tolist(), "spread": value,
                         "variance": low, "variance'": high}  # fmt: skip
                yield slack, size, shown

    return collect(cases(), tolerance=1e-9, family="pairs of matrices with the same spread")


def audit_condition_bounds(layers: Iterable[Layer], *, extra: int = 2) -> Finding:
    """Test ``Var |W d| = t * 2 Var(sigma) / (n + 2)``, t between two bounds on both sides.

    t lies between ``1/kappa^2`` and ``kappa^2``, and between ``1/(4s)`` and ``4s``. kappa is the
    largest over the smallest of the n singular values, s is ``sigma_max^2`` over the mean of
    ``sigma^2``: at most n, for singular and wide matrices too.

    Args:
        layers: Matrices, not 0.
        extra: What is added to n in the denominators; 2 for the statement.

    Returns:
        The finding; the slack is relative to ``sigma_max^2``.
    """

    def cases() -> Iterator[Case]:
        for layer in layers:
            sigma = layer.spectrum.per_direction
            top, n = float(sigma[0]), len(sigma)
            if top == 0:
                continue
            scaled = sigma / top
            found = norm_moments(layer.W / top).variance
            rough = 2 * float(scaled.var(correction=0)) / (n + extra)
            s = 1 / float((scaled**2).mean())
            slack = min(found - rough / (4 * s), 4 * s * rough - found)
            if float(scaled[-1]) > 1e-6:
                kappa = 1 / float(scaled[-1])
                slack = min(slack, found - rough / kappa**2, rough * kappa**2 - found)
            shown = {**layer.description, "variance": found * top**2, "rough": rough * top**2}
            yield slack, layer.size, shown

    return collect(cases(), tolerance=1e-11, family="tall, square and wide matrices")


def audit_fourth_moments(
    layers: Iterable[Layer], formula: Callable[[Tensor], Moments] = square_moments
) -> Finding:
    """Test the exact variance of ``|W d|^2`` against the sum over all fourth moments of d.

    On the unit sphere ``E d_i d_j d_k d_l`` is ``1 / (n (n + 2))`` times the number of the three
    pairings of i, j, k, l in which partners are equal.

    Args:
        layers: Matrices.
        formula: The formula.

    Returns:
        The finding; the slack is minus the error over ``sigma_max^4``.
    """

    def cases() -> Iterator[Case]:
        for layer in layers:
            G, n = layer.W.T @ layer.W, layer.W.shape[1]
            eye = torch.eye(n, dtype=torch.float64)
            pairs = torch.einsum("ij,kl->ijkl", eye, eye)
            moments = (pairs + pairs.transpose(1, 2) + pairs.permute(0, 2, 3, 1)) / (n * (n + 2))
            second = float(torch.einsum("ij,kl,ijkl->", G, G, moments))
            mean = float(torch.einsum("ij,ij->", G, eye)) / n
            found, scale = formula(layer.W), layer.spectrum.maximum**2 or 1.0
            error = max(
                abs(found.mean - mean) / scale,
                abs(found.variance - second + mean**2) / scale**2,
            )
            shown = {**layer.description, "formula": found.variance, "sum": second - mean**2}
            yield -error, layer.size, shown

    return collect(cases(), tolerance=1e-9, family="small whole and random matrices")


def audit_relu_is_constant(layers: Iterable[Layer]) -> Finding:
    """Test that ``|ReLU(W d)|`` has no variance on the sphere.

    Args:
        layers: Matrices that are said to make it constant, not 0.

    Returns:
        The finding; the slack is minus the variance of the square over ``sigma_max^4``.
    """

    def cases() -> Iterator[Case]:
        for layer in layers:
            found = relu_moments(layer.W).variance
            shown = {**layer.description, "variance of |ReLU(Wd)|^2": found}
            yield -found / layer.spectrum.maximum**4, layer.size, shown

    return collect(cases(), tolerance=1e-9, family="matrices with one singular value")


def audit_change_is_constant(layers: Iterable[Layer], radius: float = 0.5) -> Finding:
    """Test that ``|ReLU(W(x + d)) - ReLU(W x)|`` is the same for signed unit steps d of one length.

    Args:
        layers: Matrices that are said to make it constant, not 0.
        radius: Length of d.

    Returns:
        The finding; the slack is minus the largest difference over ``radius * sigma_max``.
    """

    def cases() -> Iterator[Case]:
        for layer in layers:
            n = layer.W.shape[1]
            eye = torch.eye(n, dtype=torch.float64)
            steps = radius * torch.cat([eye, -eye])
            for number, entries in enumerate(itertools.product((1, -1), repeat=n)):
                x = torch.tensor(entries, dtype=torch.float64)
                after, before = ((x + steps) @ layer.W.T).relu(), (layer.W @ x).relu()
                change = (after - before).norm(dim=1)
                shown = {**layer.description, "x": list(entries), "changes": change.tolist()}
                apart = float(change.max() - change.min()) / (radius * layer.spectrum.maximum)
                yield -apart, (*layer.size, number), shown

    return collect(cases(), tolerance=1e-9, family="matrices with one singular value, points +-1")


def audit_relu_floor(layers: Iterable[Layer], share: float = 0.25) -> Finding:
    """Test ``Var |ReLU(W d)|^2 >= Var |W d|^2 / 4``: the ReLU's part comes on top.

    Args:
        layers: Matrices.
        share: The share; 1/4 for the statement.

    Returns:
        The finding; the slack is relative to ``sigma_max^4``.
    """

    def cases() -> Iterator[Case]:
        for layer in layers:
            behind, before = relu_moments(layer.W).variance, square_moments(layer.W).variance
            scale = layer.spectrum.maximum**4 or 1.0
            shown = {**layer.description, "with ReLU": behind, "without": before}
            yield (behind - share * before) / scale, layer.size, shown

    return collect(cases(), tolerance=1e-11, family="small whole and random matrices")
