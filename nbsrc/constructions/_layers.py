"""Networks as lists of affine layers, ReLU between them: joining and converting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import torch
from torch import Tensor, nn

Affine: TypeAlias = tuple[Tensor, Tensor]  # weight [out, in] and bias [out]


def sequential(layers: Sequence[Affine], dtype: torch.dtype) -> nn.Sequential:
    """Return ``Linear, ReLU, Linear, ..., Linear`` with these weights, ready for evaluation."""
    modules: list[nn.Module] = []
    for weight, bias in layers:
        if modules:
            modules.append(nn.ReLU())
        # made on the meta device: no random numbers are drawn for weights that are replaced
        linear = nn.Linear(weight.shape[1], weight.shape[0], dtype=dtype, device="meta")
        linear.weight = nn.Parameter(weight.to(dtype))
        linear.bias = nn.Parameter(bias.to(dtype))
        modules.append(linear)
    return nn.Sequential(*modules)


def side_by_side(first: Sequence[Affine], second: Sequence[Affine]) -> list[Affine]:
    """Return the layers of the sum of two networks of equal depth with the same input.

    Args:
        first: The layers of one network.
        second: The layers of the other.

    Returns:
        Layers that stack the hidden units of both, block by block.
    """
    joined: list[Affine] = []
    last = len(first) - 1
    for number, ((w, b), (v, a)) in enumerate(zip(first, second, strict=True)):
        if number == 0:
            joined.append((torch.cat([w, v]), torch.cat([b, a])))
        elif number == last:
            joined.append((torch.cat([w, v], dim=1), b + a))
        else:
            joined.append((torch.block_diag(w, v), torch.cat([b, a])))
    return joined
