"""Section 4.1: two senses in which one form of the regulariser may be more stable."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from nbsrc.audits.operator_norms.digits import batched_jacobian

__all__ = ["jump_rows", "rounding_rows"]


def _leading(net: nn.Sequential, x: Tensor) -> Tensor:
    """Return the dominant right singular vectors ``[batch, n]``."""
    with torch.no_grad():
        rows: Tensor = torch.linalg.svd(batched_jacobian(net, x), full_matrices=False).Vh[:, 0]
    return rows


def _spectral(net: nn.Sequential, x: Tensor, v: Tensor) -> Tensor:
    with torch.no_grad():
        change = (batched_jacobian(net, x) @ v.unsqueeze(-1)).squeeze(-1)
    squared: Tensor = change.square().sum(-1)
    return squared


def _squares(net: nn.Sequential, x: Tensor, v: Tensor, eps: float) -> Tensor:
    with torch.no_grad():
        squared: Tensor = ((net(x + eps * v) - net(x)) / eps).square().sum(-1)
    return squared


def rounding_rows(net: nn.Sequential, x: Tensor, sizes: Iterable[float]) -> list[dict[str, Any]]:
    r"""Compare both forms in float32 with themselves in float64.

    Args:
        net: A network in float32.
        x: ``[batch, n]``, float32.
        sizes: The epsilon of :math:`\|f(x+\epsilon v)-f(x)\|^2/\epsilon^2`.

    Returns:
        Rows with ``eps`` and the median relative rounding errors ``spectral`` and ``squares``.
    """
    exact = copy.deepcopy(net).double()
    v = _leading(exact, x.double())
    truth = _spectral(exact, x.double(), v)
    spectral = _spectral(net, x, v.float()).double()
    rows = []
    for eps in sizes:
        right = _squares(exact, x.double(), v, eps)
        rounded = _squares(net, x, v.float(), eps).double()
        rows.append({
            "eps": eps,
            "spectral": float((spectral / truth - 1).abs().median()),
            "squares": float((rounded / right - 1).abs().median()),
        })  # fmt: skip
    return rows


def jump_rows(
    net: nn.Sequential, x: Tensor, sizes: Iterable[float], steps: int, length: float, seed: int
) -> list[dict[str, Any]]:
    """Compare how much both forms change when x moves by one short step.

    Args:
        net: A network.
        x: ``[batch, n]``.
        sizes: The epsilon.
        steps: Steps along a random segment from each x.
        length: The length of the segments.
        seed: Seed of the directions.

    Returns:
        Rows with ``eps`` and the mean of the largest relative change per segment of each form.
    """
    exact, inputs = copy.deepcopy(net).double(), x.double()
    g = torch.Generator().manual_seed(seed)
    move = torch.randn(inputs.shape, generator=g, dtype=torch.float64)
    move = move / move.norm(dim=1, keepdim=True)
    places = [inputs + length * k / steps * move for k in range(steps + 1)]
    v = _leading(exact, inputs)
    spectral = torch.stack([_spectral(exact, place, v) for place in places])
    rows = []
    for eps in sizes:
        squares = torch.stack([_squares(exact, place, v, eps) for place in places])
        jumps = [
            float(((a[1:] - a[:-1]).abs() / a[:1]).amax(0).mean()) for a in (spectral, squares)
        ]
        rows.append({"eps": eps, "spectral": jumps[0], "squares": jumps[1]})
    return rows
