"""How far an input is from the boundary of its linear region, exactly."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from nbsrc.linear_region.jacobian import MEMORY_LIMIT, check_limit, value_sizes
from nbsrc.linear_region.operations import Rectifier, Switch
from nbsrc.linear_region.pattern import check_input
from nbsrc.linear_region.program import Program
from nbsrc.linear_region.reading import read_network

__all__ = ["region_halfspaces", "region_radius"]


def region_radius(
    net: nn.Module, x: Tensor, ord: float, *, memory_limit: int = MEMORY_LIMIT
) -> Tensor:
    r"""The radius of the largest lp ball around each input inside its linear region.

    .. math::
        r(x) = \min_u \frac{|g_u\cdot x + c_u|}{\|g_u\|_q},\qquad 1/p + 1/q = 1,

    over all units u, with :math:`g_u\cdot z + c_u` the pre-activation of u *as an affine function
    with the gates of x held fixed* (for max-pool: the winner minus each other value of its window).
    A unit with :math:`g_u = 0` is constant on the region and does not count.

    This is exact, not a bound. By induction over the layers, z has the gates of x in all layers if
    and only if each of these affine functions has the same sign at z as at x: given equal gates in
    the earlier layers, the pre-activation of u at z *is* :math:`g_u\cdot z + c_u`. So the region is
    an intersection of half-spaces, and a ball lies in it if and only if it lies in each of them,
    which is if its radius is at most the distance to each hyperplane. Hyperplanes that do not touch
    the region are no trouble: their distance is larger than that to some facet.

    The radius is 0 on a kink, whichever side :func:`nbsrc.linear_region.activation_pattern` takes
    there, and infinite if no unit depends on the input. It is the radius of the *region*; the
    network may be affine beyond it, when the outgoing weights of a unit are 0.

    Args:
        net: The network.
        x: ``[batch, *input]``.
        ord: p, one of 1, 2 and ``math.inf``.
        memory_limit: Bytes that the intermediate results of a chunk should not exceed.

    Returns:
        ``[batch]`` in the dtype of ``x``.

    Raises:
        NotImplementedError: If the network has an unsupported layer.
        TypeError: If an argument has the wrong type.
        ValueError: If ``ord`` is none of the above, ``x`` has no batch dimension, or is NaN or
            infinite, or the memory limit is not positive.

    Example:
        >>> net = nn.Sequential(nn.Linear(2, 1, bias=False), nn.ReLU())
        >>> _ = nn.init.ones_(net[0].weight)
        >>> x = torch.tensor([[1.0, 2.0]])
        >>> [float(region_radius(net, x, p)) for p in (1, math.inf)]
        [3.0, 1.5]
    """
    if ord not in {1, 2, math.inf}:
        raise ValueError(f"ord must be 1, 2 or math.inf, got {ord!r}")
    program = read_network(net)
    check_input(net, x)
    check_limit(memory_limit)
    sizes = value_sizes(program, x)
    examples = max(1, math.floor(memory_limit / (8 * sum(sizes))))
    with torch.no_grad():
        chunks = x.detach().split(examples)
        return torch.cat([_chunk_radius(program, c, ord, memory_limit, sizes) for c in chunks])


def region_halfspaces(net: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    r"""The half-spaces :math:`G z \le h` whose intersection is the closed region of one input.

    One row per unit, in the order of the gates, also for units that do not bound the region (0 rows
    for constant ones). The closed region is the closure of the set of points with the pattern of x
    whenever that set has an interior.

    Args:
        net: The network.
        x: One input, ``[1, *input]``.

    Returns:
        G ``[units, inputs]`` (inputs flattened) and h ``[units]``, with ``G x <= h``.

    Raises:
        NotImplementedError: If the network has an unsupported layer.
        TypeError: If an argument has the wrong type.
        ValueError: If ``x`` is not exactly one finite input.
    """
    program = read_network(net)
    check_input(net, x)
    if len(x) != 1:
        raise ValueError(f"x must be one input [1, *input], got a batch of {len(x)}")
    with torch.no_grad():
        gates, values = _recorded(program, x.detach())
        if not values:
            return x.new_zeros(0, x.numel()), x.new_zeros(0)
        sides = [
            torch.where(gate.flatten(1), 1.0, -1.0) if isinstance(switch, Rectifier) else None
            for (switch, _), gate in zip(values, gates, strict=True)
        ]
        constants = _linearised_margins(program, gates, torch.zeros_like(x), constant=True)
        basis = torch.eye(x.numel(), dtype=x.dtype, device=x.device).reshape(-1, *x.shape[1:])
        normals = _linearised_margins(program, gates, basis, constant=False)
    G = [-n.T if s is None else -n.T * s.T for n, s in zip(normals, sides, strict=True)]
    h = [c[0] if s is None else c[0] * s[0] for c, s in zip(constants, sides, strict=True)]
    return torch.cat(G), torch.cat(h)


def _chunk_radius(
    program: Program, x: Tensor, ord: float, memory_limit: int, sizes: list[int]
) -> Tensor:
    gates, values = _recorded(program, x)
    norms = _dual_norms(program, gates, x, ord, max(1, memory_limit // (8 * sum(sizes) * len(x))))
    radius = x.new_full((len(x),), math.inf)
    for (_, margins), norm in zip(values, norms, strict=True):
        distance = torch.where(norm > 0, margins.abs() / norm, math.inf)
        if distance.shape[1]:
            radius = torch.minimum(radius, distance.amin(dim=1))
    return radius


def _recorded(program: Program, x: Tensor) -> tuple[list[Tensor], list[tuple[Switch, Tensor]]]:
    """Return the gates, and each switch with its margins ``[batch, margins]`` at x."""
    gates: list[Tensor] = []
    values: list[tuple[Switch, Tensor]] = []

    def decide(_: int, switch: Switch, value: Tensor) -> Tensor:
        gates.append(switch.decide(value))
        values.append((switch, switch.margins(value, gates[-1])))
        return gates[-1]

    program.run(x, decide)
    return gates, values


def _linearised_margins(
    program: Program,
    gates: list[Tensor],
    z: Tensor,
    *,
    constant: bool,
    visit: Callable[[int, Tensor], Tensor] | None = None,
) -> list[Tensor]:
    """Return the margins of every switch at z with gates held fixed, or what ``visit`` makes."""
    found: list[Tensor] = []

    def fixed(number: int, switch: Switch, value: Tensor) -> Tensor:
        margins = switch.margins(value, gates[number])
        found.append(visit(number, margins) if visit else margins)
        return gates[number]

    program.run(z, fixed, constant=constant)
    return found


def _dual_norms(
    program: Program, gates: list[Tensor], x: Tensor, ord: float, coordinates: int
) -> list[Tensor]:
    """Return the dual norm of every margin's gradient, ``[batch, margins]`` per switch.

    The gradients are never stored: a chunk of unit vectors is pushed through the linearised network
    and its contribution to the norms is added up.
    """
    size, batch = x[0].numel(), len(x)
    totals: list[Tensor] | None = None

    def contribution(_: int, margins: Tensor) -> Tensor:
        entries = margins.unflatten(0, (-1, batch))
        if ord == 1:
            largest: Tensor = entries.abs().amax(dim=0)
            return largest
        total: Tensor = (entries**2 if ord == 2 else entries.abs()).sum(dim=0)
        return total

    for start in range(0, size, coordinates):
        count = min(coordinates, size - start)
        unit = x.new_zeros(count, batch, size)
        unit[torch.arange(count), :, torch.arange(start, start + count)] = 1.0
        parts = _linearised_margins(
            program, gates, unit.reshape(-1, *x.shape[1:]), constant=False, visit=contribution
        )
        if totals is None:
            totals = parts
        else:
            pairs = zip(totals, parts, strict=True)
            totals = [torch.maximum(t, p) if ord == 1 else t + p for t, p in pairs]
    assert totals is not None
    return [total.sqrt() for total in totals] if ord == 2 else totals
