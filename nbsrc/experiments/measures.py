"""What a run computes of its trained network: attacks, norms, margins, slopes."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from nbsrc.attacks import auto_attack, carlini_wagner, deepfool, fgsm, pgd
from nbsrc.attacks.minimal import MinimalPerturbations
from nbsrc.data import ImageData
from nbsrc.experiments.schema import choice, parsed_value, table
from nbsrc.experiments.slopes import slopes
from nbsrc.layer_norms import layer_norms, to_rows
from nbsrc.layer_spectra import layer_spectra
from nbsrc.layer_spectra import to_rows as spectrum_rows
from nbsrc.layer_trace import model_preserved
from nbsrc.margins import margin
from nbsrc.training import evaluate

__all__ = ["ATTACKS", "MEASURES", "check_measures", "compute"]

#: Called as ``measure(model, data, images, seed, **arguments)``; returns JSON values.
Measure = Callable[..., dict[str, Any]]
_QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)


def check_measures(where: str, specs: object) -> dict[str, dict[str, Any]]:
    """Check the descriptions of measures.

    Args:
        where: Name of the place in the file.
        specs: A mapping from names to ``{kind: pgd, eps: 0.1}`` or so, or None.

    Returns:
        The descriptions by name.

    Raises:
        ValueError: If a kind or an argument is unknown.
    """
    if specs is None or specs == {}:
        return {}
    checked = {}
    for name, spec in table(where, specs, None).items():
        entry = table(f"{where}.{name}", spec, None, ("kind",))
        measure = MEASURES[choice(f"{where}.{name}.kind", entry["kind"], tuple(MEASURES))]
        given = parsed_value({key: value for key, value in entry.items() if key != "kind"})
        given.pop("images", None)
        try:
            inspect.signature(measure).bind(None, None, None, 0, **given)
        except TypeError as error:
            raise ValueError(f"{where}.{name}: {error}") from error
        checked[name] = entry
    return checked


def compute(
    spec: Mapping[str, Any], model: nn.Module, data: ImageData, attacked: int | None, seed: int
) -> dict[str, Any]:
    """Compute a measure of a trained network, which stays as it was.

    Args:
        spec: A checked description; its ``images`` go before ``attacked``.
        model: The network.
        data: The data of the run.
        attacked: Number of test images to attack, None for all or where nothing is attacked.
        seed: The run's seed.

    Returns:
        JSON values, the numbers finite or None.
    """
    given = parsed_value({key: value for key, value in spec.items() if key != "kind"})
    images = given.pop("images", attacked)
    found = MEASURES[spec["kind"]](model, data, images, seed, **given)
    return {key: _finite(value) for key, value in found.items()}


def _test_points(model: nn.Module, data: ImageData, images: int | None) -> tuple[Tensor, Tensor]:
    """Return the first test images with labels, on the network's device."""
    device = next(model.parameters()).device
    return data.test_images[:images].to(device), data.test_labels[:images].to(device)


def _fgsm(
    model: nn.Module, data: ImageData, images: int | None, _: int, *, eps: float,
    p: float = math.inf,
) -> dict[str, Any]:  # fmt: skip
    return fgsm(model, *_test_points(model, data, images), eps, p).accuracy.as_dict()


def _pgd(
    model: nn.Module, data: ImageData, images: int | None, seed: int, *, eps: float,
    p: float = math.inf, steps: int = 10, alpha: float | None = None, restarts: int = 1,
) -> dict[str, Any]:  # fmt: skip
    x, y = _test_points(model, data, images)
    found = pgd(model, x, y, eps, p, steps=steps, alpha=alpha, restarts=restarts, seed=seed)
    return found.accuracy.as_dict()


def _auto_attack(
    model: nn.Module, data: ImageData, images: int | None, seed: int, *, eps: float,
    p: float = math.inf,
) -> dict[str, Any]:  # fmt: skip
    x, y = _test_points(model, data, images)
    return auto_attack(model, x, y, eps, p, seed=seed).accuracy.as_dict()


def _deepfool(
    model: nn.Module, data: ImageData, images: int | None, _: int, *, p: float = 2,
    steps: int = 50,
) -> dict[str, Any]:  # fmt: skip
    return _sizes(deepfool(model, *_test_points(model, data, images), p, steps=steps))


def _carlini_wagner(
    model: nn.Module, data: ImageData, images: int | None, _: int, *, steps: int = 1000,
    binary_search_steps: int = 9, stepsize: float = 0.01, initial_const: float = 1e-3,
) -> dict[str, Any]:  # fmt: skip
    found = carlini_wagner(
        model, *_test_points(model, data, images), steps=steps, stepsize=stepsize,
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
        "quantiles": _quantiles(moved),
    }


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
    return {"layers": to_rows(layer_norms(model, _shape(data), ords=ords))}


def _spectra(
    model: nn.Module, data: ImageData, _images: int | None, _: int, *, max_entries: int = 2**24
) -> dict[str, Any]:
    found = layer_spectra(model, _shape(data), max_entries=max_entries)
    return {"layers": spectrum_rows(found)}


def _margins(
    model: nn.Module, data: ImageData, images: int | None, _: int, *, bins: int = 40
) -> dict[str, Any]:
    """Histograms over [-1, 1] of the margins of paper C: of probabilities, training and test."""
    found: dict[str, Any] = {"edges": torch.linspace(-1, 1, bins + 1, dtype=torch.float64).tolist()}
    for part in ("train", "test"):
        x, y = (getattr(data, f"{part}_{what}")[:images] for what in ("images", "labels"))
        values = margin(_probabilities(model, x), y).double()
        counts = torch.histc(values, bins, -1, 1)
        found[part] = {
            "counts": [int(count) for count in counts],
            "mean": float(values.mean()),
            "std": float(values.std(correction=0)),
            "near_zero": float((values.abs() < 0.1).double().mean()),
            "errors": float((values <= 0).double().mean()),
            "quantiles": _quantiles(values),
        }
    return found


def _probabilities(model: nn.Module, x: Tensor) -> Tensor:
    """Return the softmax of a network in eval mode, on the CPU."""
    device = next(model.parameters()).device
    with model_preserved(model):
        parts = [model(part.to(device)).double().softmax(1).cpu() for part in x.split(1000)]
    return torch.cat(parts)


def _shape(data: ImageData) -> tuple[int, ...]:
    """Return the shape of a batch of one image."""
    return (1, *data.train_images.shape[1:])


def _quantiles(values: Tensor) -> dict[str, float] | None:
    """Return quantiles by their level, None where there are no values."""
    if not len(values):
        return None
    levels = torch.tensor(_QUANTILES, dtype=torch.float64)
    found = torch.quantile(values.double().cpu(), levels).tolist()
    return {f"{level:g}": value for level, value in zip(_QUANTILES, found, strict=True)}


def _finite(value: Any) -> Any:
    """Return JSON values with None for numbers that are not finite."""
    if isinstance(value, dict):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


#: The measures that attack test images.
ATTACKS: tuple[str, ...] = ("fgsm", "pgd", "auto_attack", "deepfool", "carlini_wagner")
#: The measures that an experiment file can name.
MEASURES: dict[str, Measure] = {
    "fgsm": _fgsm,
    "pgd": _pgd,
    "auto_attack": _auto_attack,
    "deepfool": _deepfool,
    "carlini_wagner": _carlini_wagner,
    "accuracy": _accuracy,
    "layer_norms": _norms,
    "layer_spectra": _spectra,
    "margins": _margins,
    "slopes": slopes,
}
