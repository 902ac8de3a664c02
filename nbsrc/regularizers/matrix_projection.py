r"""The nearest kernel whose layer has a spectral norm of at most a bound, for every geometry.

The matrices of a layer form a linear subspace S, and those of norm at most c a ball B. The
projection of m in S onto both is :math:`x=m-\Pi_S(p)` where p is normal to the ball at x. Dykstra's
alternating projections (Boyle & Dykstra 1986) iterate

.. math:: x = m-\Pi_S(p), \quad y = \Pi_B(x+p), \quad p \leftarrow x+p-y,

which is proximal gradient descent with step 1 on the dual. It is run here with Nesterov's momentum
and the restarts of O'Donoghue & Candès (2015). :math:`\Pi_B` clips singular values; :math:`\Pi_S`
averages the entries of each tap. Where x = y the projection is found: p is normal to B at y, and
m - x - p is normal to S.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from nbsrc.regularizers.layers import WeightLayer

__all__ = ["clip_matrix", "matrix_objection"]


def matrix_objection(layer: WeightLayer, max_entries: int) -> str:
    """Why a layer cannot be projected by way of its matrix.

    Args:
        layer: The layer.
        max_entries: Largest number of entries of the matrix.

    Returns:
        The reason, empty if it can.
    """
    if layer.kind == "linear":
        return ""
    if layer.geometry is None:
        return f"no matrix with one tap per entry: {layer.remark}"
    entries = math.prod(layer.input_shape) * math.prod(layer.output_shape)
    if entries > max_entries:
        return (
            f"its matrix has {entries} entries, max_entries allows {max_entries}; SpectralBound "
            "scales large layers"
        )
    return ""


def clip_matrix(
    layer: WeightLayer,
    model: nn.Module,
    weight: Tensor,
    bound: float,
    *,
    tolerance: float = 1e-6,
    rounds: int = 500,
) -> Tensor:
    """Project a kernel onto those whose layer has norm at most a bound, in float64.

    Distances are those of the layer's matrix in the Frobenius norm: taps count as often as they
    meet a pixel. The iteration stops when x and y are near enough, or after so many rounds; what is
    then still missing to the bound is scaled away. Taps that meet no pixel stay.

    Args:
        layer: The layer.
        model: The network, for the layer's options.
        weight: Its weight.
        bound: Largest singular value.
        tolerance: Distance of x and y at which to stop, relative to the matrix.
        rounds: Most rounds; each takes a singular value decomposition of the matrix.

    Returns:
        The new weight; the same tensor if the norm is not larger.
    """
    kernel = weight.detach().double()
    if layer.kind == "linear":
        clipped = _clip(kernel, bound)
        return weight if clipped is kernel else clipped.to(weight.dtype)
    pattern = _pattern(layer, model, weight)
    counts = torch.bincount(pattern.flatten(), minlength=weight.numel() + 1).clamp(min=1)

    def matrix(flat: Tensor) -> Tensor:
        return torch.cat([flat.new_zeros(1), flat])[pattern]

    def averages(full: Tensor) -> Tensor:
        sums = full.new_zeros(weight.numel() + 1).index_add_(0, pattern.flatten(), full.flatten())
        return (sums / counts)[1:]

    flat = kernel.flatten()
    m = matrix(flat)
    if _clip(m, bound) is m:
        return weight
    scale = torch.linalg.vector_norm(m)
    p = q = torch.zeros_like(m)
    momentum = 1.0
    for _ in range(rounds):
        x = m - matrix(averages(q))
        y = _clip(x + q, bound)
        moved = x + q - y
        if bool(torch.linalg.vector_norm(x - y) <= tolerance * scale):
            break
        if bool(((q - moved) * (moved - p)).sum() > 0):
            momentum = 1.0
        following = (1 + math.sqrt(1 + 4 * momentum**2)) / 2
        q = moved + (momentum - 1) / following * (moved - p)
        p, momentum = moved, following
    x = m - matrix(averages(moved))
    norm = float(torch.linalg.matrix_norm(x, 2))
    taps = averages(x) * min(1.0, bound / norm) if norm > 0 else averages(x)
    met = torch.bincount(pattern.flatten(), minlength=weight.numel() + 1)[1:] > 0
    return torch.where(met, taps, flat).reshape(weight.shape).to(weight.dtype)


def _pattern(layer: WeightLayer, model: nn.Module, weight: Tensor) -> Tensor:
    """Return for each entry of the layer's matrix the number of its tap, from 1 on, or 0."""
    numbers = torch.arange(1, weight.numel() + 1, dtype=torch.float64, device=weight.device)
    count = math.prod(layer.input_shape)
    images = torch.eye(count, dtype=torch.float64, device=weight.device)
    applied = layer.apply(
        model, numbers.reshape(weight.shape), images.reshape(count, *layer.input_shape)
    )
    return applied.flatten(1).T.round().long()


def _clip(matrix: Tensor, bound: float) -> Tensor:
    """Clip singular values; the same tensor if none is larger."""
    U, singular, Vh = torch.linalg.svd(matrix, full_matrices=False)
    if not bool((singular > bound).any()):
        return matrix
    result: Tensor = (U * singular.clamp(max=bound)) @ Vh
    return result
