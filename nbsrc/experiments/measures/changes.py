"""How much a perturbation of an image changes the loss and the activations of every layer."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nbsrc.data import ImageData
from nbsrc.experiments.measures.points import first_test_images, logits, quantiles
from nbsrc.layer_trace import model_preserved
from nbsrc.operator_norm import CrossEntropy, pga, uniform_in_ball

__all__ = ["CHANGES"]

_LAYERS = (nn.Conv1d, nn.Conv2d, nn.Linear)


def _loss_change(
    model: nn.Module, data: ImageData, images: int | None, seed: int, *, eps: float,
    steps: int = 10,
) -> dict[str, Any]:  # fmt: skip
    """The largest change of the loss within eps that PGD finds, of right and wrong images alike.

    Paper C, Appendix B.5. The image itself is among the points tried: no change is below 0.

    Returns:
        Mean, standard deviation and quantiles over the images.
    """
    x, y = first_test_images(model, data, images)
    worst = _worst(model, x, y, eps, steps, seed)
    before, after = (
        F.cross_entropy(logits(model, points), y.cpu(), reduction="none") for points in (x, worst)
    )
    change = (after - before).clamp_min(0)
    return {
        "points": len(change),
        "eps": eps,
        "mean": float(change.mean()),
        "std": float(change.std(correction=0)),
        "quantiles": quantiles(change),
    }


def _layer_changes(
    model: nn.Module, data: ImageData, images: int | None, seed: int, *, eps: float,
    steps: int = 10,
) -> dict[str, Any]:  # fmt: skip
    """How much a perturbation changes the output of every convolution and linear layer.

    Perturbations are random signs of size eps, all of one norm, and those of PGD in the pixel box.

    Returns:
        By perturbation, one entry per layer: mean and standard deviation over the images of
        ``change``, the output's change divided by the image's, and of ``gain``, the output's
        change divided by that of the layer's own input; images that change nothing do not count.
    """
    x, y = first_test_images(model, data, images)
    generator = torch.Generator().manual_seed(seed)
    signs = torch.randint(0, 2, x.shape, generator=generator).to(x) * 2 - 1
    perturbed = {"random": x + eps * signs, "pgd": _worst(model, x, y, eps, steps, seed)}
    before = _passed(model, x)
    found: dict[str, Any] = {"points": len(x), "eps": eps, "layers": list(before)}
    for name, points in perturbed.items():
        after = _passed(model, points)
        size = _norms(points - x)
        rows = []
        for layer, (given, made) in before.items():
            moved_in, moved_out = _norms(after[layer][0] - given), _norms(after[layer][1] - made)
            rows.append(
                _statistics("change", moved_out, size) | _statistics("gain", moved_out, moved_in)
            )
        found[name] = {key: [row[key] for row in rows] for key in rows[0]}
    return found


def _worst(model: nn.Module, x: Tensor, y: Tensor, eps: float, steps: int, seed: int) -> Tensor:
    """Return the points of PGD from a random start, for every image."""
    generator = torch.Generator().manual_seed(seed)
    start = uniform_in_ball(x.cpu(), eps, math.inf, generator).to(x.device).clamp(0, 1)
    with model_preserved(model):
        parts = [
            pga(
                model, x[part], eps, math.inf, CrossEntropy(y[part]), 2.5 * eps / steps, steps,
                start[part], bounds=(0.0, 1.0), on_zero="keep",
            ).x
            for part in torch.arange(len(x)).split(250)
        ]  # fmt: skip
    return torch.cat(parts).detach()


@contextmanager
def _recording(model: nn.Module) -> Iterator[dict[str, tuple[Tensor, Tensor]]]:
    """Record input and output of the layers' last call."""
    found: dict[str, tuple[Tensor, Tensor]] = {}
    handles = []
    for name, module in model.named_modules():
        if isinstance(module, _LAYERS):

            def hook(
                _module: nn.Module, given: tuple[Tensor, ...], made: Tensor, name: str = name
            ) -> None:
                found[name] = (given[0].detach(), made.detach())

            handles.append(module.register_forward_hook(hook))
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def _passed(model: nn.Module, x: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
    """Return input and output of every layer."""
    with model_preserved(model), torch.no_grad(), _recording(model) as found:
        model(x)
    return found


def _norms(values: Tensor) -> Tensor:
    """Return the 2-norm of every image's values, in double precision."""
    norms: Tensor = torch.linalg.vector_norm(values.double().flatten(1), dim=1)
    return norms.cpu()


def _statistics(name: str, numerators: Tensor, denominators: Tensor) -> dict[str, float]:
    """Return mean and standard deviation of ratios."""
    ratios = (numerators / denominators)[denominators > 0]
    if not len(ratios):
        return {f"{name}_mean": math.nan, f"{name}_std": math.nan}
    return {f"{name}_mean": float(ratios.mean()), f"{name}_std": float(ratios.std(correction=0))}


#: Measures by name that perturb test images and look at what changes.
CHANGES: dict[str, Any] = {"loss_change": _loss_change, "layer_changes": _layer_changes}
