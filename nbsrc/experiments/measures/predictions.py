"""What a network says of single images: probabilities, losses, and both after a rescaling."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nbsrc.data import ImageData
from nbsrc.experiments.measures.points import logits
from nbsrc.margins import margin

__all__ = ["PREDICTIONS", "RESCALINGS"]

#: Factors in front of the logits: powers of the square root of 2, from 1/128 to 8.
RESCALINGS: tuple[float, ...] = tuple(2.0 ** (k / 2) for k in range(-14, 7))
_LOSS_LEVELS = (0.5, 0.9, 0.99)


def _predictions(
    model: nn.Module, data: ImageData, images: int | None, _: int, *, bins: int = 20,
    largest_loss: float = 10.0,
) -> dict[str, Any]:  # fmt: skip
    """Histograms of the label's estimated probability over [0, 1], and of the losses.

    Returns:
        Edges and, for training and test images: counts, the shares of probabilities below 0.1
        (``low``), above 0.9 (``high``) and between (``middle``), quantiles of the losses, and the
        number of losses beyond the last edge.
    """
    found: dict[str, Any] = {
        "probability_edges": torch.linspace(0, 1, bins + 1, dtype=torch.float64).tolist(),
        "loss_edges": torch.linspace(0, largest_loss, bins + 1, dtype=torch.float64).tolist(),
    }
    for part, scores, y in _parts(model, data, images):
        losses = F.cross_entropy(scores, y, reduction="none")
        own = (-losses).exp()
        levels = torch.tensor(_LOSS_LEVELS, dtype=torch.float64)
        found[part] = {
            "probabilities": _counts(own, bins, 1.0),
            "low": _share(own < 0.1),
            "middle": _share((own >= 0.1) & (own <= 0.9)),
            "high": _share(own > 0.9),
            "losses": _counts(losses, bins, largest_loss),
            "beyond": int((losses > largest_loss).sum()),
            "loss": float(losses.mean()),
            "loss_quantiles": {
                f"{level:g}": float(value)
                for level, value in zip(_LOSS_LEVELS, torch.quantile(losses, levels), strict=True)
            },
        }
    return found


def _rescaled_logits(
    model: nn.Module, data: ImageData, images: int | None, _: int
) -> dict[str, Any]:
    """Losses and margins of the networks whose logits are multiplied by a factor.

    A factor changes no prediction: what changes with it is confidence alone.

    Returns:
        The factors and, for training and test images: mean, standard deviation, mean size and
        skewness of the margins of the logits; by factor the loss, the share of probabilities of
        the label between 0.1 and 0.9 (``middle``), the share of margins of probabilities below
        0.1 in size (``near_zero``), and the mean size of these (``mean_abs``).
    """
    found: dict[str, Any] = {"factors": list(RESCALINGS)}
    for part, scores, y in _parts(model, data, images):
        raw = margin(scores, y)
        centred = raw - raw.mean()
        spread = float(raw.std(correction=0))
        curves: dict[str, list[float]] = {
            name: [] for name in ("loss", "middle", "near_zero", "mean_abs")
        }
        for factor in RESCALINGS:
            losses = F.cross_entropy(factor * scores, y, reduction="none")
            own = (-losses).exp()
            scaled = margin((factor * scores).softmax(1), y).abs()
            curves["loss"].append(float(losses.mean()))
            curves["middle"].append(_share((own >= 0.1) & (own <= 0.9)))
            curves["near_zero"].append(_share(scaled < 0.1))
            curves["mean_abs"].append(float(scaled.mean()))
        found[part] = {
            "mean": float(raw.mean()),
            "std": spread,
            "mean_abs_raw": float(raw.abs().mean()),
            "skewness": float(centred.pow(3).mean()) / spread**3 if spread else math.nan,
            **curves,
        }
    return found


def _parts(
    model: nn.Module, data: ImageData, images: int | None
) -> list[tuple[str, Tensor, Tensor]]:
    """Return logits and labels of the first training and test images."""
    found = []
    for part in ("train", "test"):
        x, y = (getattr(data, f"{part}_{what}")[:images] for what in ("images", "labels"))
        found.append((part, logits(model, x), y.cpu()))
    return found


def _counts(values: Tensor, bins: int, largest: float) -> list[int]:
    """Return a histogram over [0, largest]."""
    return [int(count) for count in torch.histc(values, bins, 0, largest)]


def _share(which: Tensor) -> float:
    """Return the share of true entries."""
    return float(which.double().mean())


#: Measures by name of a network's outputs.
PREDICTIONS: dict[str, Any] = {"predictions": _predictions, "rescaled_logits": _rescaled_logits}
