"""The affine map of the linear region around each input: exact Jacobians and constants."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from nbsrc.linear_region.operations import Switch
from nbsrc.linear_region.pattern import check_input, record_gates
from nbsrc.linear_region.program import Program
from nbsrc.linear_region.reading import read_network

__all__ = ["affine_map", "jacobian"]

#: Default memory limit of one chunk in bytes. Larger chunks are slower on a CPU: the allocator
#: hands their large blocks back to the system and has to fetch them anew.
MEMORY_LIMIT = 2**28


def jacobian(net: nn.Module, x: Tensor, *, memory_limit: int = MEMORY_LIMIT) -> Tensor:
    r"""The Jacobian of a piecewise affine network at each input, exact up to rounding.

    It is the matrix A of the affine map ``net(z) = A z + b`` that the network is on the region of
    x, found by back-propagation with the region's gates: one forward pass and one backward pass per
    output. Outputs of several dimensions are flattened. On a kink see
    :func:`nbsrc.linear_region.activation_pattern`.

    Args:
        net: The network.
        x: ``[batch, *input]``.
        memory_limit: Bytes that the intermediate results of a chunk should not exceed.

    Returns:
        ``[batch, outputs, *input]`` in the dtype of ``x``, without a graph.

    Raises:
        NotImplementedError: If the network has an unsupported layer.
        TypeError: If an argument has the wrong type.
        ValueError: If ``x`` has no batch dimension, or is NaN or infinite, or the memory limit is
            not positive.

    Example:
        >>> net = nn.Sequential(nn.Linear(2, 2, bias=False), nn.ReLU())
        >>> _ = nn.init.constant_(net[0].weight, 3.0)
        >>> jacobian(net, torch.tensor([[1.0, 1.0], [-1.0, 0.0]])).tolist()
        [[[3.0, 3.0], [3.0, 3.0]], [[0.0, 0.0], [0.0, 0.0]]]
    """
    program = read_network(net)
    check_input(net, x)
    check_limit(memory_limit)
    return _jacobian(program, x.detach(), memory_limit)


def affine_map(
    net: nn.Module, x: Tensor, *, memory_limit: int = MEMORY_LIMIT
) -> tuple[Tensor, Tensor]:
    r"""The affine map of the region of each input: ``net(z) = A z + b`` for z in the region of x.

    Exact: with the gates of x held fixed the network is a product of affine maps; A is its
    Jacobian and b its value at z = 0 (not ``net(x) - A x``, which would lose digits).

    Args:
        net: The network.
        x: ``[batch, *input]``.
        memory_limit: Bytes that the intermediate results of a chunk should not exceed.

    Returns:
        A ``[batch, outputs, *input]`` and b ``[batch, outputs]``.

    Raises:
        NotImplementedError: If the network has an unsupported layer.
        TypeError: If an argument has the wrong type.
        ValueError: If ``x`` has no batch dimension, or is NaN or infinite, or the memory limit is
            not positive.

    Example:
        >>> net = nn.Sequential(nn.Linear(1, 1), nn.LeakyReLU(0.5))
        >>> _ = nn.init.ones_(net[0].weight), nn.init.ones_(net[0].bias)
        >>> A, b = affine_map(net, torch.tensor([[-3.0]]))
        >>> float(A), float(b)
        (0.5, 0.5)
    """
    program = read_network(net)
    check_input(net, x)
    check_limit(memory_limit)
    chunks = x.detach().split(_examples_per_chunk(program, x, memory_limit))
    constants = []
    with torch.no_grad():
        for chunk in chunks:
            _, gates = record_gates(program, chunk)
            constants.append(program.run(torch.zeros_like(chunk), lambda i, *_, g=gates: g[i]))
    return _jacobian(program, x.detach(), memory_limit), torch.cat(constants)


def check_limit(memory_limit: int) -> None:
    """Refuse a memory limit that is not a positive number of bytes.

    Args:
        memory_limit: The limit.

    Raises:
        ValueError: If it is not positive.
    """
    if not memory_limit > 0:
        raise ValueError(f"memory_limit must be a positive number of bytes, got {memory_limit}")


def value_sizes(program: Program, x: Tensor) -> list[int]:
    """Measure what one example needs.

    Args:
        program: The network.
        x: ``[batch, *input]``; only the first example is used.

    Returns:
        Bytes of the input, of each value that a switch sees, and of the output.
    """
    seen = [x[0].nbytes]

    def decide(_: int, switch: Switch, value: Tensor) -> Tensor:
        seen.append(value.nbytes)
        return switch.decide(value)

    with torch.no_grad():
        seen.append(program.run(x[:1].detach(), decide).nbytes)
    return seen


def _examples_per_chunk(program: Program, x: Tensor, memory_limit: int) -> int:
    # Each value a switch sees is kept about thrice (before, after, batch norm), each step of the
    # backward pass holds a few of the largest.
    sizes = value_sizes(program, x)
    return max(1, math.floor(memory_limit / (3 * sum(sizes) + 4 * max(sizes))))


def _jacobian(program: Program, x: Tensor, memory_limit: int) -> Tensor:
    chunks = x.split(_examples_per_chunk(program, x, memory_limit))
    return torch.cat([_chunk_jacobian(program, chunk) for chunk in chunks])


def _chunk_jacobian(program: Program, x: Tensor) -> Tensor:
    """Return the Jacobians ``[batch, outputs, *input]`` of one chunk."""
    with torch.enable_grad():
        inputs = x.detach().clone().requires_grad_()
        output, _ = record_gates(program, inputs)
        rows = output.shape[1]
        result = x.new_zeros(len(x), rows, *x.shape[1:])
        if not output.requires_grad:  # a constant network
            return result
        for row in range(rows):
            (gradient,) = torch.autograd.grad(
                output[:, row].sum(), inputs, retain_graph=row + 1 < rows, allow_unused=True
            )
            if gradient is not None:
                result[:, row] = gradient
    return result
