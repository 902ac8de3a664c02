r"""The exact range of a small ReLU network over one ball, region by region.

On each activation region the network is affine, so its largest value over a polyhedral ball is
found by a linear programme. Exact up to the rounding of float64 and of the programmes (about
1e-9), which is *not* bounded here: a cross-check of :mod:`nbsrc.constructions.certify` by an
independent path, and a way to see how loose its bounds are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import linprog
from torch import Tensor, nn

from nbsrc.constructions._arguments import as_number, as_order
from nbsrc.linear_region import enumerate_regions

__all__ = ["ExactRange", "exact_range"]

_MOST_INPUTS = 8  # an l1 ball has 2^n facets


@dataclass(frozen=True, eq=False)
class ExactRange:
    """The range of every output over a closed ball.

    Attributes:
        lower: ``[C]`` least values.
        upper: ``[C]`` largest values.
        lowest: ``[C, n]`` where the least values are taken.
        highest: ``[C, n]`` where the largest values are taken.
        regions: Number of activation regions that meet the ball.
        complete: Whether no region was left out for being as thin as rounding.
    """

    lower: Tensor
    upper: Tensor
    lowest: Tensor
    highest: Tensor
    regions: int
    complete: bool


def exact_range(
    network: nn.Module, centre: Tensor, eps: float, ord: float, *, max_regions: int = 10_000
) -> ExactRange:
    """The exact range of a small ReLU or leaky ReLU network over one ball.

    Args:
        network: A network that :func:`nbsrc.linear_region.enumerate_regions` reads.
        centre: ``[n]``, n at most 8.
        eps: Radius of the ball, above 0.
        ord: 1 or ``math.inf``; 2 in one dimension only.
        max_regions: Largest allowed number of regions.

    Returns:
        The range.

    Raises:
        ValueError: If an argument is out of range.
        NotImplementedError: For l2 balls in two or more dimensions, and for n > 8.
        RuntimeError: If a linear programme fails, or there are too many regions.

    Example:
        >>> net = nn.Sequential(nn.Linear(1, 1), nn.ReLU()).double()
        >>> _ = net[0].weight.data.fill_(2), net[0].bias.data.fill_(0)
        >>> found = exact_range(net, torch.zeros(1), 0.5, math.inf)
        >>> found.lower.item(), round(found.upper.item(), 9), found.regions
        (0.0, 1.0, 2)
    """
    order, radius = as_order(ord), as_number("eps", eps, minimum=0, strict=True)
    if centre.ndim != 1:
        raise ValueError(f"centre must have shape [n], got {tuple(centre.shape)}")
    middle = centre.detach().double().numpy()
    inputs = len(middle)
    if inputs > _MOST_INPUTS:
        raise NotImplementedError(f"at most {_MOST_INPUTS} inputs are supported, got {inputs}")
    if order == 2 and inputs > 1:
        raise NotImplementedError("l2 balls are no polyhedra: only ord 1 and math.inf")
    box = middle - radius, middle + radius
    facets = np.zeros((0, inputs))
    if order == 1 and inputs > 1:
        facets = np.array(list(product((-1.0, 1.0), repeat=inputs)))
    offsets = facets @ middle + radius
    rows = (facets, offsets) if len(facets) else None
    found = enumerate_regions(network, box, rows, max_regions=max_regions)
    outputs = len(found[0].bias)
    values = np.array([[math.inf] * outputs, [-math.inf] * outputs])
    places = np.zeros((2, outputs, inputs))
    for region in found:
        normals = np.vstack([region.normals.double().numpy(), facets])
        limits = np.concatenate([region.offsets.double().numpy(), offsets])
        weight, bias = region.weight.double().numpy(), region.bias.double().numpy()
        for side, sign in ((0, 1.0), (1, -1.0)):
            for output in range(outputs):
                place = _least(sign * weight[output], normals, limits, box)
                value = float(weight[output] @ place + bias[output])
                if sign * value < sign * values[side, output]:
                    values[side, output], places[side, output] = value, place
    lower, upper = (torch.from_numpy(part.copy()) for part in values)
    lowest, highest = (torch.from_numpy(part.copy()) for part in places)
    return ExactRange(lower, upper, lowest, highest, len(found), found.doubtful == 0)


def _least(
    slope: NDArray[np.float64],
    normals: NDArray[np.float64],
    limits: NDArray[np.float64],
    box: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> NDArray[np.float64]:
    """Return where a linear function is least on a polytope."""
    bounds = list(zip(*box, strict=True))
    solved = linprog(slope, A_ub=normals, b_ub=limits, bounds=bounds, method="highs")
    if solved.x is None:
        raise RuntimeError(f"a linear programme failed: {solved.message}")
    return np.asarray(solved.x, dtype=np.float64)
