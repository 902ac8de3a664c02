"""Losses and accuracies, norms of layers, singular values and margins of a network."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from nbsrc.data import ImageData
from nbsrc.experiments.measures.points import image_shape, probabilities, quantiles
from nbsrc.layer_norms import layer_norms, to_rows
from nbsrc.layer_spectra import layer_spectra
from nbsrc.layer_spectra import to_rows as spectrum_rows
from nbsrc.margins import margin
from nbsrc.training import evaluate

__all__ = ["NETWORKS"]


def _accuracy(model: nn.Module, data: ImageData, images: int | None, _: int) -> dict[str, Any]:
    train = evaluate(model, data.train_images[:images], data.train_labels[:images])
    test = evaluate(model, data.test_images, data.test_labels)
    return {
        "train_loss": train[0],
        "train_accuracy": train[1],
        "test_loss": test[0],
        "test_accuracy": test[1],
    }


def _norms(
    model: nn.Module, data: ImageData, _images: int | None, _: int, *,
    ords: tuple[float | str, ...] = (1, math.inf),
) -> dict[str, Any]:  # fmt: skip
    return {"layers": to_rows(layer_norms(model, image_shape(data), ords=ords))}


def _spectra(
    model: nn.Module, data: ImageData, _images: int | None, _: int, *, max_entries: int = 2**24
) -> dict[str, Any]:
    found = layer_spectra(model, image_shape(data), max_entries=max_entries)
    return {"layers": spectrum_rows(found)}


def _margins(
    model: nn.Module, data: ImageData, images: int | None, _: int, *, bins: int = 40
) -> dict[str, Any]:
    """Histograms over [-1, 1] of the margins of paper C: of probabilities, training and test."""
    found: dict[str, Any] = {"edges": torch.linspace(-1, 1, bins + 1, dtype=torch.float64).tolist()}
    for part in ("train", "test"):
        x, y = (getattr(data, f"{part}_{what}")[:images] for what in ("images", "labels"))
        values = margin(probabilities(model, x), y).double()
        counts = torch.histc(values, bins, -1, 1)
        found[part] = {
            "counts": [int(count) for count in counts],
            "mean": float(values.mean()),
            "std": float(values.std(correction=0)),
            "near_zero": float((values.abs() < 0.1).double().mean()),
            "errors": float((values <= 0).double().mean()),
            "quantiles": quantiles(values),
        }
    return found


#: Measures by name of the network as a whole.
NETWORKS: dict[str, Any] = {
    "accuracy": _accuracy,
    "layer_norms": _norms,
    "layer_spectra": _spectra,
    "margins": _margins,
}
