"""All activation regions of a small network, by cutting the domain unit by unit."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nbsrc.linear_region.cells import Doubt
from nbsrc.linear_region.chain import Chain, Prefix, read_chain
from nbsrc.linear_region.domain import Box, Cell, Halfspaces, domain_cell
from nbsrc.linear_region.pattern import Pattern, activation_pattern
from nbsrc.linear_region.polyhedron import Polyhedron

__all__ = ["Region", "RegionLimitError", "Regions", "enumerate_regions"]

Gates: TypeAlias = NDArray[np.bool_]
#: Default thickness up to which regions are not looked for, with linear programmes and without.
PROGRAMME_TOLERANCE, TOLERANCE = 1e-9, 1e-12


class RegionLimitError(RuntimeError):
    """A network has more regions than the caller allowed."""


@dataclass(frozen=True, eq=False)
class Region:
    """One activation region: on ``normals z <= offsets`` the network is ``weight z + bias``.

    Attributes:
        pattern: The gates, as :func:`nbsrc.linear_region.activation_pattern` returns them for one
            interior point, with inputs of more than one dimension flattened.
        weight: ``[outputs, inputs]``, the Jacobian.
        bias: ``[outputs]``.
        error: Upper bound of the rounding error of each entry of ``weight``.
        point: An interior point ``[inputs]``.
        radius: Radius of an l2 ball around ``point`` inside the region (not always the largest
            one, and at most 1 where the region was found by linear programmes or is a ray).
        normals: ``[m, inputs]``, rows of l2 norm 1; some may be redundant.
        offsets: ``[m]``.
    """

    pattern: Pattern
    weight: Tensor
    bias: Tensor
    error: Tensor
    point: Tensor
    radius: float
    normals: Tensor
    offsets: Tensor


@dataclass(frozen=True, eq=False)
class Regions:
    """The regions of a network on a domain.

    Attributes:
        items: The regions.
        tolerance: Thickness up to which regions are not looked for.
        doubtful: How many parts were dropped though they may be regions of positive thickness up
            to the tolerance, or because rounding gives their interior point another pattern. With 0
            the enumeration is complete up to parts that rounding cannot tell from empty ones.
    """

    items: tuple[Region, ...]
    tolerance: float
    doubtful: int

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Region]:
        return iter(self.items)

    def __getitem__(self, index: int) -> Region:
        return self.items[index]


def enumerate_regions(
    net: nn.Module,
    box: Box | None = None,
    halfspaces: Halfspaces | None = None,
    *,
    max_regions: int = 10_000,
    input_shape: Sequence[int] | None = None,
    tolerance: float | None = None,
) -> Regions:
    r"""All activation regions with non-empty interior of a small ReLU or leaky-ReLU network.

    The domain is cut by the hyperplane of one unit after the other: within a cell where all earlier
    layers have fixed gates, the pre-activation of a unit is an affine function, and the cell is cut
    if the function takes both signs in its interior. On a line the cuts are numbers; bounded
    domains in the plane are polygons, cut corner by corner; elsewhere a part has an interior if a
    linear programme (HiGHS) finds a ball in it. The interior point of each region is checked
    by running the network.

    The number of regions grows like (width)^(inputs * depth): this is for small networks.

    Args:
        net: A network of affine layers, ReLU and leaky ReLU without branches.
        box: ``(low, high)``, numbers or vectors, infinite entries allowed; the whole space if
            neither box nor half-spaces are given.
        halfspaces: ``(A, b)``: only the part ``A x <= b`` of the domain.
        max_regions: Largest allowed number of regions.
        input_shape: Shape of one input; not needed if the first layer with weights is linear.
        tolerance: Regions up to this thickness are not looked for: 1e-9 where linear programmes are
            needed, else 1e-12.

    Returns:
        The regions, with their affine maps and interior points.

    Raises:
        NotImplementedError: If the network has an unsupported layer, max-pooling or branches.
        RegionLimitError: If there are more than ``max_regions`` regions.
        TypeError: If ``net`` is no module.
        ValueError: If the domain has no interior or the wrong dimension, or an argument is out of
            range.

    Example:
        >>> net = nn.Sequential(nn.Linear(1, 2), nn.ReLU(), nn.Linear(2, 1))
        >>> for p, v in zip(net.parameters(), ([[1.0], [1.0]], [0.0, -1.0], [[1.0, 2.0]], [0.0])):
        ...     p.data = torch.tensor(v)
        >>> [r.weight.item() for r in enumerate_regions(net)]
        [0.0, 1.0, 3.0]
    """
    if type(max_regions) is not int or max_regions < 1:
        raise ValueError(f"max_regions must be a positive integer, got {max_regions!r}")
    chain = read_chain(net, input_shape)
    if tolerance is not None and not 0 < tolerance < 1:
        raise ValueError(f"tolerance must be between 0 and 1, got {tolerance!r}")
    cell = domain_cell(chain.inputs, box, halfspaces, tolerance or PROGRAMME_TOLERANCE)
    default = PROGRAMME_TOLERANCE if isinstance(cell, Polyhedron) else TOLERANCE
    doubt = Doubt(default if tolerance is None else tolerance, cell.reach())
    regions: list[Region] = []
    for part, gates, prefix in _descend(chain, cell, chain.start(), (), doubt):
        if len(regions) == max_regions:
            raise RegionLimitError(
                f"the network has more than max_regions = {max_regions} regions on this domain"
            )
        regions.append(_region(chain, part, gates, prefix))
    sound = _confirmed(net, regions, input_shape)
    return Regions(tuple(sound), doubt.tolerance, doubt.dropped + len(regions) - len(sound))


def _descend(
    chain: Chain, cell: Cell, prefix: Prefix, gates: tuple[Gates, ...], doubt: Doubt
) -> Iterator[tuple[Cell, tuple[Gates, ...], Prefix]]:
    """Yield the regions in a cell on which the layers before the prefix's end have fixed gates."""
    layer = len(gates)
    if layer == len(chain.slopes):
        yield cell, gates, prefix
        return
    for part, chosen in _cut_by_layer(cell, prefix, doubt):
        yield from _descend(
            chain, part, chain.extend(prefix, layer, chosen), (*gates, chosen), doubt
        )


def _cut_by_layer(cell: Cell, prefix: Prefix, doubt: Doubt) -> Iterator[tuple[Cell, Gates]]:
    """Yield the parts of a cell on which the units of one layer keep their signs."""
    # What rounding cannot tell from 0 is constant on the cell.
    varies = (np.abs(prefix.weight) > prefix.error).any(axis=1)
    units = np.flatnonzero(varies)
    # How far rounding may have moved the hyperplanes, near the cell.
    moved = np.linalg.norm(prefix.error, axis=1) * cell.reach() + prefix.bias_error
    noise = moved[units] / np.linalg.norm(prefix.weight[units], axis=1)
    pending = [(cell, 0, np.where(varies, False, prefix.bias > 0))]
    while pending:
        part, done, chosen = pending.pop()
        if done == len(units):
            yield part, chosen
            continue
        unit = units[done]
        off, on = part.cut(prefix.weight[unit], float(prefix.bias[unit]), doubt, float(noise[done]))
        for child, gate in ((on, True), (off, False)):  # the last one in is cut first
            if child is not None:
                taken = chosen.copy()
                taken[unit] = gate
                pending.append((child, done + 1, taken))


def _region(chain: Chain, cell: Cell, gates: tuple[Gates, ...], prefix: Prefix) -> Region:
    point, radius = cell.centre()
    normals, offsets = cell.halfspaces()
    return Region(
        Pattern(chain.names, tuple(torch.from_numpy(g[None]) for g in gates), 1),
        torch.from_numpy(prefix.weight),
        torch.from_numpy(prefix.bias),
        torch.from_numpy(prefix.error),
        torch.from_numpy(point),
        radius,
        torch.from_numpy(normals),
        torch.from_numpy(offsets),
    )


def _confirmed(
    net: nn.Module, regions: list[Region], input_shape: Sequence[int] | None
) -> list[Region]:
    """Return the regions whose interior point really has their pattern when the network is run."""
    if not regions:
        return regions
    points = torch.stack([region.point for region in regions])
    if input_shape is not None:
        points = points.reshape(-1, *input_shape)
    codes = activation_pattern(copy.deepcopy(net).double().cpu(), points).codes
    claimed = torch.cat([region.pattern.codes for region in regions])
    return [r for r, same in zip(regions, (codes == claimed).all(dim=1), strict=True) if same]
