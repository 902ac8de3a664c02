r"""Networks whose layers are large and whose function is 0.

Proposition 1 of Liang & Huang (2021): layer norms as large as wanted, Lipschitz constant 0.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from nbsrc.constructions._arguments import as_count, as_number

__all__ = ["zero_lipschitz_network"]


def zero_lipschitz_network(
    width: int, depth: int, scale: float, *, dead_units: bool = True
) -> nn.Sequential:
    r"""A ReLU network that is 0 everywhere, though every layer has norms of at least ``scale``.

    With dead units, as in the proof of Proposition 1 of Liang & Huang (2021): diagonal layers
    :math:`T e_1e_1^\top, T e_2e_2^\top, T e_1e_1^\top,\dots`, each of which kills what the last
    one let through. The l1, l2 and linf norms of every layer are exactly T = ``scale``. Width 1
    has no two disjoint diagonals, but from depth 3 on the weights T, -T, T, ... do:
    :math:`-T\,(Tx)^+\le 0`, and the next ReLU is 0.

    Without dead units every hidden unit is positive for half of the inputs. The first two are
    equal, :math:`(Tx_1)^+`, and the last layer subtracts one from the other; T is ``scale``
    rounded up to a power of two.

    The function is exactly 0 in floating point where ``scale`` times the input does not overflow
    (without dead units: ``scale`` to the power depth, times the input).

    Args:
        width: Number of inputs, of units per layer and of outputs.
        depth: Number of linear layers, with ReLU between them.
        scale: A lower bound of the norms, above 0.
        dead_units: Whether hidden units may be 0 for every input.

    Returns:
        ``Linear, ReLU, ..., Linear`` without biases, in float64.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range, or the network cannot exist: one layer with a
            norm above 0 is not constant; two layers of width 1 are not, as
            :math:`w_2(w_1x)^+` is not; with one unit per layer, none dead, none is.

    Example:
        >>> network = zero_lipschitz_network(2, 3, 1e6)
        >>> [float(torch.linalg.matrix_norm(layer.weight.detach(), 2)) for layer in network[::2]]
        [1000000.0, 1000000.0, 1000000.0]
        >>> network(torch.randn(5, 2, dtype=torch.float64)).abs().max().item()
        0.0
    """
    size, layers = as_count("width", width), as_count("depth", depth)
    large = as_number("scale", scale, minimum=0, strict=True)
    _check_possible(size, layers, dead_units)
    if dead_units:
        return _network([_single_entry(size, layer, large) for layer in range(layers)])
    # A power of two: T u - T u is 0 also where one product is fused into the subtraction.
    exponent = math.frexp(large)[1] - (math.frexp(large)[0] == 0.5)
    if exponent * layers > 1023:
        raise ValueError(
            f"scale must be small enough for scale**depth to be finite, got {scale!r} and {depth}"
        )
    identity = torch.eye(size, dtype=torch.float64)
    first, last = identity.clone(), torch.zeros_like(identity)
    first[1] = first[0]
    last[0, 0], last[0, 1] = 1.0, -1.0
    return _network([w * 2.0**exponent for w in (first, *[identity] * (layers - 2), last)])


def _check_possible(width: int, depth: int, dead_units: bool) -> None:
    """Refuse shapes in which a function that is 0 forces a layer that is 0."""
    if depth == 1:
        raise ValueError("depth must be at least 2: a linear layer with a norm above 0 is not 0")
    if width == 1 and not dead_units:
        raise ValueError(
            "width must be at least 2 without dead units: one unit has nothing to cancel with"
        )
    if width == 1 and depth == 2:
        raise ValueError(
            "depth must be at least 3 for width 1: w2 * relu(w1 * x) is 0 only if a weight is 0"
        )


def _single_entry(width: int, layer: int, scale: float) -> Tensor:
    """Return the weight of one layer with a single entry, of absolute value ``scale``."""
    weight = torch.zeros(width, width, dtype=torch.float64)
    if width == 1:
        weight[0, 0] = scale if layer % 2 == 0 else -scale
    else:
        weight[layer % 2, layer % 2] = scale
    return weight


def _network(weights: list[Tensor]) -> nn.Sequential:
    """Return the layers without biases, ReLU between them."""
    modules: list[nn.Module] = []
    for weight in weights:
        if modules:
            modules.append(nn.ReLU())
        linear = nn.Linear(len(weight), len(weight), bias=False, dtype=weight.dtype, device="meta")
        linear.weight = nn.Parameter(weight)
        modules.append(linear)
    return nn.Sequential(*modules)
