"""Data points in place of uniform directions: what is left of the relation between variances."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.singular_values.cases import Layer
from nbsrc.claims import Finding
from nbsrc.layer_spectra import norm_moments

__all__ = [
    "Ensemble",
    "audit_data_like_sphere",
    "audit_gaussian",
    "audit_range",
    "small_ensembles",
]


@dataclass(frozen=True, eq=False)
class Ensemble:
    """A matrix, and data points of one length.

    Attributes:
        layer: The matrix.
        points: The points, ``[k, n]``, all of the same length.
    """

    layer: Layer
    points: Tensor

    @cached_property
    def variance(self) -> float:
        """Variance of ``|W x|`` over the points."""
        return float((self.points @ self.layer.W.T).norm(dim=1).var(correction=0))

    @property
    def size(self) -> tuple[int, ...]:
        """The matrix's size, then the number of points."""
        return (*self.layer.size, len(self.points))

    @property
    def description(self) -> dict[str, Any]:
        """The matrix and the points."""
        return {**self.layer.description, "points": self.points.tolist()}


def small_ensembles(layers: Iterable[Layer]) -> Iterator[Ensemble]:
    """Yield all pairs and fours of signed unit vectors with each matrix.

    Args:
        layers: Matrices.

    Yields:
        The ensembles, points of length 1.
    """
    for layer in layers:
        n = layer.W.shape[1]
        eye = torch.eye(n, dtype=torch.float64)
        units = [s * eye[i] + 0.0 for i in range(n) for s in (1, -1)]
        for count in (2, 4):
            for chosen in itertools.combinations(units, count):
                yield Ensemble(layer, torch.stack(chosen))


def audit_data_like_sphere(ensembles: Iterable[Ensemble], *, factor: float) -> Finding:
    """Test that ``|W x|`` varies over data as over the sphere, within a factor.

    Args:
        ensembles: Matrices with data of one length.
        factor: What counts as alike.

    Returns:
        The finding; the slack is ``(factor * smaller - larger) / larger``.
    """

    def cases() -> Iterator[Case]:
        for e in ensembles:
            sphere = norm_moments(e.layer.W, float(e.points[0].norm())).variance
            low, high = sorted((sphere, e.variance))
            slack = (factor * low - high) / high if high > 1e-12 else 0.0
            yield slack, e.size, {**e.description, "sphere": sphere, "data": e.variance}

    return collect(cases(), tolerance=1e-9, family="signed unit vectors as data, whole matrices")


def audit_range(ensembles: Iterable[Ensemble], *, share: float = 0.25) -> Finding:
    """Test ``Var |W x| <= c^2 (sigma_max - sigma_min)^2 / 4`` for any data of length c.

    sigma_min is the smallest of the n singular values, 0 for a wide matrix.

    Args:
        ensembles: Matrices with data of one length.
        share: The factor; 1/4 for the statement.

    Returns:
        The finding; the slack is relative to ``c^2 sigma_max^2``.
    """

    def cases() -> Iterator[Case]:
        for e in ensembles:
            s = e.layer.spectrum
            c = float(e.points[0].norm())
            bound = share * c**2 * (s.maximum - s.smallest_gain) ** 2
            scale = (c * s.maximum) ** 2 or 1.0
            shown = {**e.description, "variance": e.variance, "bound": bound}
            yield (bound - e.variance) / scale, e.size, shown

    return collect(cases(), tolerance=1e-12, family="data of one length, any directions")


def audit_gaussian(
    layers: Iterable[Layer], *, count: int, seed: int, isotropic: bool = False, limit: float = 5.0
) -> Finding:
    """Test ``Var |W x|^2 = 2 tr(G S G S)``, G = W^T W, for normal x with covariance S.

    Args:
        layers: Matrices.
        count: Points for each.
        seed: Seed.
        isotropic: Use the identity times the mean variance for S: must break.
        limit: Largest difference in standard errors.

    Returns:
        The finding; the slack is the limit minus the difference, in standard errors.
    """
    g = torch.Generator().manual_seed(seed)

    def cases() -> Iterator[Case]:
        for layer in layers:
            n = layer.W.shape[1]
            scales = 2.0 ** -torch.arange(n, dtype=torch.float64)
            root = torch.linalg.qr(torch.randn(n, n, generator=g, dtype=torch.float64))[0] * scales
            x = torch.randn(count, n, generator=g, dtype=torch.float64) @ root.T
            values = ((x @ layer.W.T) ** 2).sum(1)
            S = root @ root.T
            if isotropic:
                S = torch.eye(n, dtype=torch.float64) * S.trace() / n
            GS = layer.W.T @ layer.W @ S
            formula = 2 * float((GS @ GS).trace())
            deviation = (values - values.mean()) ** 2
            error = float(deviation.std()) / math.sqrt(count) or 1.0
            away = abs(formula - float(deviation.mean())) / error
            shown = {**layer.description, "formula": formula, "sample": float(deviation.mean())}
            yield limit - away, layer.size, shown

    return collect(cases(), tolerance=0, family=f"normal data, {count} points for each matrix")
