"""What a matrix does to one vector: bounds through singular values, the SVD, isometries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import torch

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.singular_values.cases import Layer, vectors
from nbsrc.claims import Finding
from nbsrc.layer_spectra import Spectrum, norm_moments

__all__ = ["audit_bounds", "audit_isometry", "audit_svd"]


def audit_bounds(
    layers: Iterable[Layer],
    smallest: Callable[[Spectrum], float],
    *,
    orthogonal: bool,
    seed: int = 0,
) -> Finding:
    """Test ``sigma_min |x| <= |W x| <= sigma_max |x|`` for x outside the null space.

    Args:
        layers: Matrices.
        smallest: Which singular value is called the smallest.
        orthogonal: Whether x is orthogonal to the null space; else x is only not in it.
        seed: Seed of the vectors.

    Returns:
        The finding; the slack is relative to ``sigma_max |x|``.
    """

    def cases() -> Iterator[Case]:
        for layer in layers:
            s = layer.spectrum
            if not s.rank:
                continue  # every vector is in the null space
            rows = torch.linalg.svd(layer.W, full_matrices=False)[2][: s.rank]
            for number, x in enumerate(vectors(layer.W.shape[1], seed)):
                if orthogonal:
                    x = rows.T @ (rows @ x)
                length, gained = float(x.norm()), float((layer.W @ x).norm())
                if gained <= 1e-9 * s.maximum or length <= 1e-9:
                    continue
                low, high = smallest(s) * length, s.maximum * length
                shown = {**layer.description, "x": x.tolist(), "|Wx|": gained, "lower": low,
                         "upper": high}  # fmt: skip
                yield min(gained - low, high - gained) / high, (*layer.size, number), shown

    return collect(cases(), tolerance=1e-9, family="small whole and random matrices and vectors")


def audit_svd(layers: Iterable[Layer], *, shift: int = 0, seed: int = 0) -> Finding:
    """Test ``W d = sum_i sigma_i u_i v_i^T d``, and that sigma_i alone scales component i.

    Args:
        layers: Matrices.
        shift: Pair sigma_i with the direction i + shift; 0 for the statement.
        seed: Seed of the vectors.

    Returns:
        The finding; the slack is minus the error over ``sigma_max |d|``.
    """

    def cases() -> Iterator[Case]:
        for layer in layers:
            U, sigma, Vh = torch.linalg.svd(layer.W, full_matrices=False)
            paired = sigma.roll(shift)
            for number, d in enumerate(vectors(layer.W.shape[1], seed)):
                parts = paired * (Vh @ d)
                whole = (layer.W @ d - U @ parts).abs().max()
                each = (U.T @ (layer.W @ d) - parts).abs().max()
                scale = float(sigma[0] * d.norm()) or 1.0
                shown = {**layer.description, "d": d.tolist()}
                yield -float(max(whole, each)) / scale, (*layer.size, number), shown

    return collect(cases(), tolerance=1e-12, family="small whole and random matrices and vectors")


def audit_isometry(layers: Iterable[Layer], *, seed: int = 0) -> Finding:
    """Test that ``|W d| = sigma_0 |d|``, and that the variance of ``|W d|`` on a sphere is 0.

    Args:
        layers: Matrices that are said to have one singular value, ``sigma_0``.
        seed: Seed of the vectors.

    Returns:
        The finding; the slack is minus the larger of two relative errors.
    """

    def cases() -> Iterator[Case]:
        for layer in layers:
            sigma = layer.spectrum.maximum
            variance = norm_moments(layer.W / sigma).variance
            for number, d in enumerate(vectors(layer.W.shape[1], seed)):
                length = float((layer.W @ d).norm() / d.norm()) / sigma
                shown = {**layer.description, "d": d.tolist(), "|Wd| / (sigma_0 |d|)": length,
                         "variance / sigma_0^2": variance}  # fmt: skip
                yield -max(abs(length - 1), variance), (*layer.size, number), shown

    return collect(cases(), tolerance=1e-9, family="matrices with one singular value")
