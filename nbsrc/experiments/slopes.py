r"""The quantities of paper D on training images: :math:`\mu,\nu,\gamma` and what is penalised."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from nbsrc.data import ImageData
from nbsrc.layer_trace import model_preserved
from nbsrc.linear_region import jacobian

__all__ = ["slope_values", "slopes"]

_LIMITS = {"input_gradient": 1.28, "curvature": 2.40}


def slopes(model: nn.Module, data: ImageData, images: int | None, seed: int) -> dict[str, Any]:
    r"""Statistics over training images of the quantities of :func:`slope_values`.

    Args:
        model: A piecewise affine network.
        data: The data of the run.
        images: Number of training images, None for all.
        seed: Not used.

    Returns:
        Mean, largest value and quantiles of each quantity, and for two classes the shares of
        images on which :math:`\nu\gamma` is at most 1.28 and 2.40 (paper D, Appendix G).
    """
    device = next(model.parameters()).device
    x, y = data.train_images[:images].to(device), data.train_labels[:images].to(device)
    parts = [slope_values(model, *pair) for pair in zip(x.split(1000), y.split(1000), strict=True)]
    found: dict[str, Any] = {"points": len(x)}
    for name in parts[0]:
        values = torch.cat([part[name] for part in parts]).double().cpu()
        levels = torch.tensor([0.05, 0.5, 0.95], dtype=torch.float64)
        low, median, high = torch.quantile(values, levels).tolist()
        found[name] = {
            "mean": float(values.mean()),
            "largest": float(values.max()),
            "q05": low,
            "median": median,
            "q95": high,
        }
        if name == "nu_gamma":
            found["shares"] = {
                rule: float((values <= limit).double().mean()) for rule, limit in _LIMITS.items()
            }
    return found


def slope_values(model: nn.Module, x: Tensor, y: Tensor) -> dict[str, Tensor]:
    r"""The local slopes of a network and the four penalised terms, per image.

    With V the transposed Jacobian, p the softmax and :math:`\nabla, H` gradient and Hessian of the
    cross-entropy with respect to the input (paper D, Lemmas 3.2 and 4.1):
    :math:`\mu=\|V\|_F`; :math:`\nu^2=\sum_{ij}\|v_i-v_j\|^2/K^2` for K > 2 and
    :math:`\nu=\|v_0-v_1\|` for K = 2; :math:`\|\nabla\|_2^2`; :math:`\|H\|_2`. For K = 2 also
    :math:`\gamma=|(v_0-v_1)^\top x|/\nu`, :math:`\nu\gamma`, and the gap of the logits, which is
    :math:`\nu\gamma` in a network without biases.

    Args:
        model: A piecewise affine network, in any mode; it stays as it was.
        x: ``[batch, *input]``.
        y: ``[batch]``.

    Returns:
        Each quantity, ``[batch]``.
    """
    with model_preserved(model):
        logits = model(x)
        V = jacobian(model, x).flatten(2)
    p = logits.softmax(1)
    centred = V - (p[:, :, None] * V).sum(1, keepdim=True)
    # H is the sum of p_i (v_i - mean)(v_i - mean)^T: its norm is that of a K x K Gram matrix.
    scaled = p.sqrt()[:, :, None] * centred
    gram = scaled @ scaled.transpose(1, 2)
    gradient = -centred[torch.arange(len(y), device=y.device), y]
    spread = V - V.mean(1, keepdim=True)
    found = {
        "mu": V.flatten(1).norm(dim=1),
        "input_gradient": gradient.square().sum(1),
        "curvature": torch.linalg.eigvalsh(gram)[:, -1],
        "confidence": p.gather(1, y[:, None])[:, 0],
    }
    if V.shape[1] > 2:
        # The mean of |v_i - v_j|^2 over all pairs is twice the mean squared distance to the mean.
        return found | {"nu": (2 * spread.square().sum((1, 2)) / V.shape[1]).sqrt()}
    difference = V[:, 1] - V[:, 0]
    nu = difference.norm(dim=1)
    nu_gamma = (difference * x.flatten(1)).sum(1).abs()
    return found | {
        "nu": nu,
        "gamma": nu_gamma / nu,
        "nu_gamma": nu_gamma,
        "logit_gap": (logits[:, 1] - logits[:, 0]).abs(),
    }
