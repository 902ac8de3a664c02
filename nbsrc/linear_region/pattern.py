"""Activation patterns: which affine piece of a network an input belongs to."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nbsrc.linear_region.operations import Switch
from nbsrc.linear_region.program import Program
from nbsrc.linear_region.reading import read_network

__all__ = ["Pattern", "activation_pattern", "check_input", "record_gates"]


@dataclass(frozen=True, eq=False)
class Pattern:
    """The gates of every switch of a network, for a batch of inputs.

    Attributes:
        names: The switches' names in the network, in the order of execution.
        gates: One tensor per switch, ``[batch, *shape]``: Boolean for ReLU and leaky ReLU (True
            where the pre-activation is positive), flat pixel indices of the winners for max-pool.
        batch: The number of inputs.
    """

    names: tuple[str, ...]
    gates: tuple[Tensor, ...]
    batch: int

    @property
    def codes(self) -> Tensor:
        """All gates as one integer tensor ``[batch, gates]``: equal rows, equal pattern."""
        if not self.gates:  # an affine network has one region
            return torch.zeros(self.batch, 0, dtype=torch.long)
        return torch.cat([gate.flatten(1).long() for gate in self.gates], dim=1)

    def key(self, index: int) -> bytes:
        """The pattern of one input as something hashable.

        Args:
            index: Place of the input in the batch.

        Returns:
            Bytes that agree for two inputs if and only if all their gates do.
        """
        return self.codes[index].cpu().numpy().tobytes()

    def same_as(self, other: Pattern) -> Tensor:
        """Compare with the patterns of the same network for another batch of equal size.

        Args:
            other: The other pattern; a batch of one is compared with every input.

        Returns:
            A Boolean tensor ``[batch]``.
        """
        return (self.codes == other.codes).all(dim=1)


def activation_pattern(net: nn.Module, x: Tensor) -> Pattern:
    r"""The activation pattern of a piecewise affine network at each input of a batch.

    On a kink the pattern takes the side that torch's derivatives take: a pre-activation of exactly
    0 counts as not positive (slope 0 for ReLU, the negative slope for leaky ReLU), and of equal
    values in a pooling window the first in the order of rows wins. The points with one pattern form
    a convex set; for a point on a kink this set may have no interior.

    Args:
        net: The network, see ``nbsrc.linear_region.reading.read_network``.
        x: ``[batch, *input]``.

    Returns:
        The pattern.

    Raises:
        NotImplementedError: If the network has an unsupported layer.
        TypeError: If an argument has the wrong type.
        ValueError: If ``x`` has no batch dimension, or is NaN or infinite.

    Example:
        >>> net = nn.Sequential(nn.Linear(1, 3), nn.ReLU())
        >>> _ = nn.init.ones_(net[0].weight)
        >>> with torch.no_grad():
        ...     _ = net[0].bias.copy_(torch.tensor([-1.0, 0.0, 1.0]))
        >>> activation_pattern(net, torch.zeros(1, 1)).gates[0].tolist()
        [[False, False, True]]
    """
    program = read_network(net)
    check_input(net, x)
    with torch.no_grad():
        _, gates = record_gates(program, x)
    return Pattern(tuple(step.name for step in program.switches), gates, len(x))


def record_gates(program: Program, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Run a network and keep its gates.

    Args:
        program: The network.
        x: ``[batch, *input]``.

    Returns:
        The output ``[batch, outputs]`` (differentiable in ``x``), and one gate per switch.
    """
    gates: list[Tensor] = []

    def decide(_: int, switch: Switch, value: Tensor) -> Tensor:
        gates.append(switch.decide(value.detach()))
        return gates[-1]

    return program.run(x, decide), tuple(gates)


def check_input(net: nn.Module, x: Tensor) -> None:
    """Refuse what is no batch of finite inputs of a network.

    Args:
        net: The network.
        x: The inputs.

    Raises:
        TypeError: If ``x`` is no floating point tensor.
        ValueError: If ``x`` is empty, has no batch dimension, is NaN or infinite, or has another
            dtype than the network.
    """
    if not isinstance(x, Tensor) or not x.is_floating_point():
        what = x.dtype if isinstance(x, Tensor) else type(x).__name__
        raise TypeError(f"x must be a floating point tensor, got {what}")
    if x.ndim < 2 or x.numel() == 0:
        raise ValueError(f"x must be [batch, *input] and not empty, got shape {tuple(x.shape)}")
    if not bool(torch.isfinite(x).all()):
        raise ValueError("x must be finite, got NaN or infinite entries")
    own = next(net.parameters(), x).dtype
    if own != x.dtype:
        raise ValueError(f"x must have the network's dtype {own}, got {x.dtype}")
