"""Formulas for the moments on a sphere against random directions."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.singular_values.cases import Layer
from nbsrc.claims import Finding
from nbsrc.layer_spectra import Moments, relu_moments, square_moments

__all__ = ["FUNCTIONS", "audit_relu_split", "audit_sampling", "sphere_sample"]

#: What is measured of ``z = W d``, by name.
FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "square": lambda z: (z**2).sum(-1),
    "relu": lambda z: (z.clamp(min=0) ** 2).sum(-1),
    "norm": lambda z: z.norm(dim=-1),
    "odd": lambda z: (z * z.abs()).sum(-1),
}


def sphere_sample(n: int, count: int, generator: torch.Generator) -> Tensor:
    """Draw uniform directions.

    Args:
        n: Dimension.
        count: How many.
        generator: Source of randomness.

    Returns:
        Unit vectors, ``[count, n]``, float64.
    """
    d = torch.randn(count, n, generator=generator, dtype=torch.float64)
    unit: Tensor = d / d.norm(dim=1, keepdim=True)
    return unit


def audit_relu_split(layers: Iterable[Layer], share: float = 0.25, **options: Any) -> Finding:
    """Test ``Var |ReLU(z)|^2 = (Var |z|^2 + E S^2) / 4``, ``S = sum_i z_i |z_i|`` and ``z = W d``.

    Args:
        layers: Matrices.
        share: The share of both terms; 1/4 for the statement.
        **options: ``count``, ``seed`` and ``limit`` as for :func:`audit_sampling`.

    Returns:
        The finding; the slack is the limit minus the difference, in standard errors.
    """

    def split(W: Tensor) -> Moments:
        rest = relu_moments(W).variance - share * square_moments(W).variance
        return Moments(0.0, max(rest, 0.0) / share)

    return audit_sampling(layers, "odd", split, **options)


def audit_sampling(
    layers: Iterable[Layer],
    name: str,
    formula: Callable[[Tensor], Moments],
    *,
    count: int,
    seed: int,
    limit: float = 5.0,
) -> Finding:
    """Test a formula's mean and variance against random directions.

    Args:
        layers: Matrices.
        name: What is measured, a key of ``FUNCTIONS``.
        formula: The formula.
        count: Directions per matrix.
        seed: Seed.
        limit: Largest difference, in standard errors.

    Returns:
        The finding; the slack is the limit minus the difference, in standard errors.
    """
    g = torch.Generator().manual_seed(seed)

    def errors(difference: float, sample: Tensor, scale: float) -> float:
        error = float(sample.std()) / math.sqrt(count)
        return abs(difference) / max(error, 1e-12 * scale)

    def cases() -> Iterator[Case]:
        for layer in layers:
            values = FUNCTIONS[name](sphere_sample(layer.W.shape[1], count, g) @ layer.W.T)
            found = formula(layer.W)
            squares = (values - values.mean()) ** 2
            scale = layer.spectrum.maximum**2 or 1.0
            worst = max(
                errors(found.mean - float(values.mean()), values, scale),
                errors(found.variance - float(squares.mean()), squares, scale**2),
            )
            shown = {**layer.description, "formula": found.variance,
                     "sample": float(squares.mean())}  # fmt: skip
            yield limit - worst, layer.size, shown

    return collect(cases(), tolerance=0, family=f"matrices, {count} random directions each")
