r"""Mean and variance of ``|W d|`` for a random direction d, with and without a ReLU.

d is uniform on the sphere of radius c in R^n. A standard normal g is a uniform direction times an
independent length R with ``E R^2 = n`` and ``E R^4 = n (n + 2)``, so moments of a function that is
homogeneous of degree k follow from those of g by division. The moments of squares are exact; the
pairs of a ReLU's moments are the arc-cosine kernel of degree 2 (Cho & Saul, NeurIPS 2009).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from scipy.integrate import quad
from torch import Tensor

from nbsrc.layer_spectra.spectrum import check_matrix

__all__ = ["Moments", "norm_moments", "relu_moments", "square_moments"]


class Moments(NamedTuple):
    """Mean and variance of a random number."""

    mean: float
    variance: float


def square_moments(W: Tensor, radius: float = 1.0) -> Moments:
    r"""Mean and variance of ``|W d|^2`` for d uniform on a sphere.

    With one value :math:`\sigma_i` for each of the n input directions (zeros included where W is
    wide) the mean is :math:`c^2` times the mean of :math:`\sigma_i^2`, and the variance is
    :math:`2c^4/(n+2)` times their variance.

    Args:
        W: The matrix, n columns.
        radius: Radius c of the sphere.

    Returns:
        The moments, exact up to rounding.

    Raises:
        TypeError: If ``W`` is no real tensor.
        ValueError: If ``W`` is no finite matrix or ``radius`` is negative or not finite.

    Example:
        >>> square_moments(torch.tensor([[1.0, 0.0]]))
        Moments(mean=0.5, variance=0.125)
    """
    scaled, c = _scaled(W, radius)
    squares, n = _squares(scaled), W.shape[1]
    mean = float(squares.sum()) / n
    # Deviations, not a difference of traces: no cancellation when all values are nearly equal.
    spread = float(((squares - mean) ** 2).sum()) + (n - len(squares)) * mean**2
    return _times(c, Moments(mean, 2 * spread / (n * (n + 2))), degree=2)


def relu_moments(W: Tensor, radius: float = 1.0) -> Moments:
    r"""Mean and variance of ``|ReLU(W d)|^2`` for d uniform on a sphere.

    For rows a, b with the angle :math:`\theta`, :math:`E[(a^\top g)_+^2(b^\top g)_+^2]` is
    :math:`\|a\|^2\|b\|^2\,(3\sin\theta\cos\theta + (\pi-\theta)(1+2\cos^2\theta))/(2\pi)`.

    Args:
        W: The matrix, n columns; m rows need an m x m table.
        radius: Radius c of the sphere.

    Returns:
        The moments, exact up to rounding.

    Raises:
        TypeError: If ``W`` is no real tensor.
        ValueError: If ``W`` is no finite matrix or ``radius`` is negative or not finite.

    Example:
        >>> relu_moments(torch.tensor([[1.0]]))
        Moments(mean=0.5, variance=0.25)
    """
    rows, c = _scaled(W, radius)
    n = rows.shape[1]
    lengths = torch.linalg.vector_norm(rows, dim=1)
    kept = rows[lengths > 0] / lengths[lengths > 0, None]
    weights = lengths[lengths > 0] ** 2
    cosine = (kept @ kept.T).clamp(-1, 1)
    # The kernel is flat at both ends: the angle's rounding there does not reach the result.
    theta = torch.arccos(cosine)
    pairs = 3 * (1 - cosine**2).sqrt() * cosine + (math.pi - theta) * (1 + 2 * cosine**2)
    second = float(weights @ pairs.clamp(min=0) @ weights) / (2 * math.pi * n * (n + 2))
    mean = float(weights.sum()) / (2 * n)
    return _times(c, Moments(mean, max(second - mean**2, 0.0)), degree=2)


def norm_moments(W: Tensor, radius: float = 1.0) -> Moments:
    r"""Mean and variance of ``|W d|`` itself for d uniform on a sphere.

    For a standard normal g and the eigenvalues :math:`\lambda_i` of :math:`W^\top W`,
    :math:`E\|Wg\| = \pi^{-1/2}\int_0^\infty (1 - \prod_i (1 + 2 s^2\lambda_i)^{-1/2})\,s^{-2}\,ds`.

    Args:
        W: The matrix, n columns.
        radius: Radius c of the sphere.

    Returns:
        The moments, by one adaptive quadrature; errors about 1e-12 of the mean square.

    Raises:
        TypeError: If ``W`` is no real tensor.
        ValueError: If ``W`` is no finite matrix or ``radius`` is negative or not finite.

    Example:
        >>> found = norm_moments(torch.tensor([[1.0, 0.0]]))
        >>> round(found.mean * math.pi, 9)
        2.0
    """
    scaled, c = _scaled(W, radius)
    squares, n = _squares(scaled), W.shape[1]
    total = float(squares.sum())
    if total == 0:
        return Moments(0.0, 0.0)
    if n == 1 or (len(squares) == n and float(squares[-1]) == float(squares[0])):
        return Moments(c * math.sqrt(total / n), 0.0)
    shares = (squares / total).numpy()
    mean = math.sqrt(total) * _mean_of_normal(shares) / _mean_length(n)
    return _times(c, Moments(mean, max(total / n - mean**2, 0.0)), degree=1)


def _mean_of_normal(shares: np.ndarray) -> float:
    """Return the mean of the square root of ``sum shares_i g_i^2``, g standard normal."""

    def near(s: float) -> float:
        if s == 0:
            return float(shares.sum())
        return float(-np.expm1(-0.5 * np.log1p(2 * s**2 * shares).sum())) / s**2

    def far(v: float) -> float:  # s = 1 / v
        return 0.0 if v == 0 else float(-np.expm1(-0.5 * np.log1p(2 * shares / v**2).sum()))

    options = {"epsabs": 0.0, "epsrel": 1e-13, "limit": 400}
    with np.errstate(divide="ignore", over="ignore"):
        tail = [quad(far, *ends, **options)[0] for ends in ((0, 1e-3), (1e-3, 1e-1), (1e-1, 1))]
        first = quad(near, 0, 1, **options)[0]
    return float(first + sum(tail)) / math.sqrt(math.pi)


def _mean_length(n: int) -> float:
    """Return the mean length of a standard normal vector."""
    return math.sqrt(2) * math.exp(math.lgamma((n + 1) / 2) - math.lgamma(n / 2))


def _squares(W: Tensor) -> Tensor:
    """Return the squared singular values, largest first."""
    values: Tensor = torch.linalg.svdvals(W)
    return values**2


def _scaled(W: Tensor, radius: float) -> tuple[Tensor, float]:
    """Return the matrix over a power of 2 and the radius times it: squares cannot overflow.

    Raises:
        TypeError: If the matrix is no real tensor.
        ValueError: If the matrix is not finite, or the radius is negative or not finite.
    """
    matrix = check_matrix(W)
    if not 0 <= radius < math.inf:
        raise ValueError(f"radius must be at least 0 and finite, got {radius}")
    exponent = math.frexp(float(matrix.abs().max()))[1] - 1
    return torch.ldexp(matrix, torch.tensor(-exponent)), radius * math.ldexp(1.0, exponent)


def _times(c: float, found: Moments, *, degree: int) -> Moments:
    """Return the moments of ``c**degree`` times a number; infinite where they overflow."""
    mean, variance = found
    for _ in range(degree):
        mean, variance = c * mean, c * (c * variance)
    return Moments(mean, variance)
