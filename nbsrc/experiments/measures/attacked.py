"""Attacks on the first test images, summarised."""

from __future__ import annotations

import math
from typing import Any

from torch import nn

from nbsrc.attacks import auto_attack, carlini_wagner, deepfool, fgsm, pgd
from nbsrc.attacks.minimal import MinimalPerturbations
from nbsrc.data import ImageData
from nbsrc.experiments.measures.points import first_test_images, quantiles

__all__ = ["ATTACKING"]


def _fgsm(
    model: nn.Module, data: ImageData, images: int | None, _: int, *, eps: float,
    p: float = math.inf, bounds: tuple[float, float] | None = (0.0, 1.0),
) -> dict[str, Any]:  # fmt: skip
    x, y = first_test_images(model, data, images)
    return fgsm(model, x, y, eps, p, bounds=bounds).accuracy.as_dict()


def _pgd(
    model: nn.Module, data: ImageData, images: int | None, seed: int, *, eps: float,
    p: float = math.inf, steps: int = 10, alpha: float | None = None, restarts: int = 1,
    bounds: tuple[float, float] | None = (0.0, 1.0),
) -> dict[str, Any]:  # fmt: skip
    x, y = first_test_images(model, data, images)
    found = pgd(
        model, x, y, eps, p, steps=steps, alpha=alpha, restarts=restarts, seed=seed, bounds=bounds
    )
    return found.accuracy.as_dict()


def _auto_attack(
    model: nn.Module, data: ImageData, images: int | None, seed: int, *, eps: float,
    p: float = math.inf,
) -> dict[str, Any]:  # fmt: skip
    x, y = first_test_images(model, data, images)
    return auto_attack(model, x, y, eps, p, seed=seed).accuracy.as_dict()


def _deepfool(
    model: nn.Module, data: ImageData, images: int | None, _: int, *, p: float = 2,
    steps: int = 50,
) -> dict[str, Any]:  # fmt: skip
    return _sizes(deepfool(model, *first_test_images(model, data, images), p, steps=steps))


def _carlini_wagner(
    model: nn.Module, data: ImageData, images: int | None, _: int, *, steps: int = 1000,
    binary_search_steps: int = 9, stepsize: float = 0.01, initial_const: float = 1e-3,
) -> dict[str, Any]:  # fmt: skip
    found = carlini_wagner(
        model, *first_test_images(model, data, images), steps=steps, stepsize=stepsize,
        binary_search_steps=binary_search_steps, initial_const=initial_const,
    )  # fmt: skip
    return _sizes(found)


def _sizes(result: MinimalPerturbations) -> dict[str, Any]:
    """Summarise the perturbations: of points classified correctly, and of all with 0 for others.

    Returns:
        JSON values; points for which nothing was found are counted and left out of the means.
    """
    norms = result.norms.double().cpu()
    moved = norms[(norms > 0) & norms.isfinite()]
    every = norms[norms.isfinite()]
    return {
        "norm": "inf" if math.isinf(result.norm) else result.norm,
        "points": len(norms),
        "clean_correct": int((norms > 0).sum()),
        "found": len(moved),
        "mean": float(moved.mean()) if len(moved) else None,
        "std": float(moved.std()) if len(moved) > 1 else None,
        "mean_all": float(every.mean()) if len(every) else None,
        "quantiles": quantiles(moved),
    }


#: Measures by name that attack test images.
ATTACKING: dict[str, Any] = {
    "fgsm": _fgsm,
    "pgd": _pgd,
    "auto_attack": _auto_attack,
    "deepfool": _deepfool,
    "carlini_wagner": _carlini_wagner,
}
