"""What paper B measures: spectra, alignment, linearity and patterns around test images.

Every curve is a list of means over the test images with its standard errors over them (``se``):
they say nothing about another seed of the training.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from nbsrc.attacks import pgd
from nbsrc.data import ImageData
from nbsrc.experiments.measures.points import first_test_images
from nbsrc.layer_trace import model_preserved
from nbsrc.models.standardisation import Standardisation
from nbsrc.operator_norm import CrossEntropy, network_map, pga, uniform_in_ball
from nbsrc.sensitivity import (
    dense_jacobian,
    features_of,
    largest_singular_value,
    shared_gates,
    untrained_like,
)

__all__ = ["SENSITIVITY"]

Bounds = tuple[float, float] | None
_CHUNK = 25


def _spectrum(
    model: nn.Module, data: ImageData, images: int | None, seed: int, *, eps: float,
    p: float = 2, steps: int = 10, ranks: int = 20, bounds: Bounds = (0.0, 1.0),
) -> dict[str, Any]:  # fmt: skip
    """Singular values by rank, and how PGD's perturbation lies to the singular vectors.

    Of the Jacobian of the features; ``logits`` are the singular values of the whole network's.
    ``alignment`` is the absolute cosine of the perturbation of size eps with the r-th right
    singular vector, ``random`` that with those of a network of the same form with random weights.

    Returns:
        The curves over the rank.
    """
    x, y = first_test_images(model, data, images)
    fresh = untrained_like(model, x, seed)
    with model_preserved(model):
        z = _perturbation(model, x, y, eps, p, steps, seed, bounds).flatten(1)
        whole = torch.linalg.svdvals(_jacobians(model, x))
        values, vectors = _svd(features_of(model), x, ranks)
        others = _svd(features_of(fresh), x, ranks)[1]
    return {
        "points": len(x),
        "inputs": x[0].numel(),
        "eps": eps,
        "features": _curve(values),
        "logits": _curve(whole[:, :ranks]),
        "alignment": _curve(_cosines(vectors, z)),
        "random": _curve(_cosines(others, z)),
    }


def _alignment(
    model: nn.Module, data: ImageData, images: int | None, seed: int, *,
    radii: Sequence[float], p: float = 2, steps: int = 10, bounds: Bounds = (0.0, 1.0),
) -> dict[str, Any]:  # fmt: skip
    """Absolute cosine of perturbations with the first singular vector of the whole network.

    Of PGD's perturbation of every radius, and of a random direction.

    Returns:
        The curves over the radii.
    """
    x, y = first_test_images(model, data, images)
    with model_preserved(model):
        first = _svd(model, x, 1)[1]
        worst = [
            _cosines(first, _perturbation(model, x, y, eps, p, steps, seed, bounds).flatten(1))
            for eps in radii
        ]
        blind = _cosines(first, _noise(x, seed).flatten(1))
    return {
        "points": len(x),
        "radii": list(radii),
        "adversarial": _curve(torch.cat(worst, dim=1)),
        "random": _curve(blind),
    }


def _linearity(
    model: nn.Module, data: ImageData, images: int | None, seed: int, *, eps: float,
    radii: Sequence[float], p: float = 2, steps: int = 10, power_steps: int = 20,
    bounds: Bounds = (0.0, 1.0),
) -> dict[str, Any]:  # fmt: skip
    """How far the features are from linear, and the largest singular values, along rays.

    The rays go in a random direction, and in that of PGD's perturbation of size eps; the radii are
    2-norms. ``deviation`` is the distance of the features at x + z from the linear approximation
    at x, ``relative`` that over the norm of Jz; ``sigma`` and ``sigma_logits`` are the largest
    singular values of the Jacobians of features (by the power method) and network at x + z.

    Returns:
        The curves over the radii, by direction.
    """
    x, y = first_test_images(model, data, images)
    features = features_of(model)
    found: dict[str, Any] = {"points": len(x), "radii": list(radii), "eps": eps}
    with model_preserved(model):
        worst = _perturbation(model, x, y, eps, p, steps, seed, bounds)
        here, product = features(x).flatten(1).double(), network_map(features, x).forward
        for name, z in (("random", _noise(x, seed)), ("adversarial", worst)):
            size = z.flatten(1).norm(dim=1)
            unit = z / size.clamp_min(1e-30).view(-1, *[1] * (x.ndim - 1))
            slope = product(unit.flatten(1)).double()
            columns: dict[str, list[Tensor]] = {}
            for radius in radii:
                there = x + radius * unit
                change = features(there).flatten(1).double() - here
                away = (change - radius * slope).norm(dim=1)
                sigma = largest_singular_value(features, there, power_steps, seed)
                whole = torch.linalg.svdvals(_jacobians(model, there))[:, 0]
                for key, column in (
                    ("deviation", away),
                    ("relative", away / (radius * slope.norm(dim=1)).clamp_min(1e-30)),
                    ("sigma", sigma),
                    ("sigma_logits", whole),
                ):
                    columns.setdefault(key, []).append(column.double().cpu())
            found[name] = {key: _curve(torch.stack(c, dim=1)) for key, c in columns.items()}
    return found


def _shared(
    model: nn.Module, data: ImageData, images: int | None, seed: int, *,
    radii: Sequence[float], p: float = 2, steps: int = 10, bounds: Bounds = (0.0, 1.0),
) -> dict[str, Any]:  # fmt: skip
    """Share of ReLUs with the same state after a perturbation.

    Around test images and around images of uniform pixels, standardised as the test images are,
    with uniform noise of a 2-norm (entries uniform between -1 and 1, scaled to it); and for PGD's
    perturbation of test images.

    Returns:
        The curves over the radii.
    """
    x, y = first_test_images(model, data, images)
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.rand(x.shape, generator=generator).to(x)
    away = Standardisation()(pixels) if data.standardised else pixels
    noise = (torch.rand(x.shape, generator=generator) * 2 - 1).to(x)
    noise = noise / noise.flatten(1).norm(dim=1).view(-1, *[1] * (x.ndim - 1))
    columns: dict[str, list[Tensor]] = {"data": [], "uniform": [], "adversarial": []}
    with model_preserved(model):
        for radius in radii:
            z = _perturbation(model, x, y, radius, p, steps, seed, bounds)
            for key, base, move in (
                ("data", x, radius * noise),
                ("uniform", away, radius * noise),
                ("adversarial", x, z),
            ):
                shares = [
                    shared_gates(model, one, two)
                    for one, two in zip(
                        base.split(_CHUNK), (base + move).split(_CHUNK), strict=True
                    )
                ]
                columns[key].append(torch.cat(shares).cpu())
    return {"points": len(x), "radii": list(radii)} | {
        key: _curve(torch.stack(column, dim=1)) for key, column in columns.items()
    }


def _robustness(
    model: nn.Module, data: ImageData, images: int | None, seed: int, *,
    radii: Sequence[float], p: float = 2, steps: int = 10, bounds: Bounds = (0.0, 1.0),
) -> dict[str, Any]:  # fmt: skip
    """Accuracy under PGD of every radius, with steps of twice the radius over their number."""
    x, y = first_test_images(model, data, images)
    found = [
        pgd(
            model, x, y, eps, p, steps=steps, alpha=2 * eps / steps, seed=seed, bounds=bounds
        ).accuracy
        for eps in radii
    ]
    values = [entry.value for entry in found]
    return {
        "points": len(x),
        "radii": list(radii),
        "norm": "inf" if math.isinf(p) else p,
        "clean": found[0].clean_correct / len(x),
        "mean": values,
        "se": [math.sqrt(value * (1 - value) / len(x)) for value in values],
    }


def _perturbation(
    model: nn.Module, x: Tensor, y: Tensor, eps: float, p: float, steps: int, seed: int,
    bounds: Bounds,
) -> Tensor:  # fmt: skip
    """Return PGD's perturbation of every image, right or wrong, from a uniform start."""
    generator = torch.Generator().manual_seed(seed)
    start = uniform_in_ball(x.cpu(), eps, p, generator).to(x.device)
    start = start if bounds is None else start.clamp(*bounds)
    alpha = 2 * eps / steps
    parts = [
        pga(
            model, x[part], eps, p, CrossEntropy(y[part]), alpha, steps, start[part],
            bounds=bounds, on_zero="keep",
        ).x
        for part in torch.arange(len(x)).split(250)
    ]  # fmt: skip
    return torch.cat(parts).detach() - x


def _noise(x: Tensor, seed: int) -> Tensor:
    """Return a normal perturbation of every image."""
    return torch.randn(x.shape, generator=torch.Generator().manual_seed(seed + 1)).to(x)


def _jacobians(net: nn.Module, x: Tensor) -> Tensor:
    """Return dense Jacobians in float64, a few points at a time."""
    parts = [dense_jacobian(net, part).double().cpu() for part in x.split(_CHUNK)]
    return torch.cat(parts)


def _svd(net: nn.Module, x: Tensor, ranks: int) -> tuple[Tensor, Tensor]:
    """Return the first singular values ``[batch, ranks]`` and right singular vectors.

    They come from the eigenvalues of the smaller Gram matrix in float64: a singular value below
    about 1e-8 of the largest is rounding.
    """
    values, vectors = [], []
    for part in x.split(_CHUNK):
        J = _jacobians(net, part)
        wide = J.shape[1] < J.shape[2]
        found, basis = torch.linalg.eigh(J @ J.mT if wide else J.mT @ J)
        first = found.flip(1)[:, :ranks].clamp_min(0).sqrt()
        basis = basis.flip(2)[:, :, :ranks]
        right = J.mT @ basis if wide else basis
        values.append(first)
        vectors.append(right / right.norm(dim=1, keepdim=True).clamp_min(1e-300))
    return torch.cat(values), torch.cat(vectors)


def _cosines(vectors: Tensor, z: Tensor) -> Tensor:
    """Return the absolute cosines of perturbations with unit vectors, ``[batch, ranks]``."""
    moved = z.double().cpu()
    unit = moved / moved.norm(dim=1, keepdim=True).clamp_min(1e-300)
    cosines: Tensor = (vectors * unit[:, :, None]).sum(dim=1).abs()
    return cosines


def _curve(values: Tensor) -> dict[str, list[float]]:
    """Return means and standard errors over the first dimension."""
    count = len(values)
    spread = values.double().std(dim=0) if count > 1 else torch.zeros(values.shape[1])
    return {
        "mean": values.double().mean(dim=0).tolist(),
        "se": (spread / math.sqrt(count)).tolist(),
    }


#: Measures by name that look at a network around test images.
SENSITIVITY: dict[str, Any] = {
    "jacobian_spectrum": _spectrum,
    "alignment": _alignment,
    "linearity": _linearity,
    "shared_activations": _shared,
    "robustness_curve": _robustness,
}
