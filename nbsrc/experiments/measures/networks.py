"""Losses and accuracies, norms of layers, singular values and margins of a network."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from nbsrc.data import ImageData
from nbsrc.experiments.measures.points import image_shape, probabilities, quantiles
from nbsrc.layer_norms import layer_norms, to_rows
from nbsrc.layer_spectra import (
    LayerSpectrum,
    Spectrum,
    circular_singular_values,
    layer_spectra,
)
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
    model: nn.Module, data: ImageData, _images: int | None, _: int, *,
    max_entries: int = 2**24, circular: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Statistics of the singular values of every layer.

    Returns:
        Rows by layer. With ``circular`` a layer whose dense matrix would be too large gets the
        singular values of its convolution on the torus, stride left out, and a remark that says so;
        ``operator`` says which a row has.
    """
    found = layer_spectra(model, image_shape(data), max_entries=max_entries)
    rows = []
    for record in found:
        shape = record.weight_shape or ()
        fourier = circular and record.spectrum is None and record.kind == "conv" and len(shape) == 4
        if fourier:
            record = _on_the_torus(model, record)
        operator = "none" if record.spectrum is None else "torus" if fourier else "layer"
        rows.append({**spectrum_rows([record])[0], "operator": operator})
    return {"layers": rows}


def _on_the_torus(model: nn.Module, record: LayerSpectrum) -> LayerSpectrum:
    """Return the record of a convolution with its singular values on the torus, without stride."""
    assert record.input_size is not None
    assert record.weight_shape is not None
    layer = model if record.name == "(model)" else model.get_submodule(record.name)
    assert isinstance(layer, nn.Conv2d)
    weight, groups = layer.weight, layer.groups
    values = circular_singular_values(weight.cpu(), record.input_size, groups=groups)
    pixels = math.prod(record.input_size)
    outputs, inputs = record.weight_shape[0], record.weight_shape[1] * groups
    found = Spectrum(values, outputs * pixels, inputs * pixels)
    return replace(record, spectrum=found, remark="circular convolution without stride")


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
